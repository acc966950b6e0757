//! Secrets that sing when they get out: codes, pins, serials, links, passwords, tokens, keys.
//! Always true: nothing of them stands in the database's bytes, in the log at its loudest, in an answer about an error, in
//! an event or a statement. Not here: the answers that are meant to carry them (the features' files).

mod kept;
mod mistakes;
mod scan;

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use self::scan::Secrets;
use super::support::app::TestApp;
use super::support::catalog::STEAM_50;
use super::support::database::Dialect;
use super::support::process::{Binary, Process};
use super::support::seed::SeededPartner;
use super::support::socket::{Frame, Socket};

const ORDER: &str = "mutation Order($input: CreateOrderInput!) { createOrder(input: $input) {
    order { id vouchers { code pin serial redemptionUrl } } userErrors { code message } } }";
const EVENTS: &str = "{ events(first: 100) { nodes { __typename id cursor type
    ... on OrderEvent { reference status } ... on WalletEvent { amount { amount } } } } }";
const BOOKS: &str = "{ wallet(currency: \"USD\") { statement { content }
    entries { nodes { id kind reference order { id reference } } } } }";
const UPDATES: &str = "subscription { orderUpdates { id type cursor sequence orderId reference status } }";
const CREDENTIAL: &str = "mutation { createApiCredential(input: { name: \"more\" }) {
    credential { id } password userErrors { code } } }";
const REFRESH: &str = "mutation Refresh($input: RefreshTokenInput!) { refreshToken(input: $input) {
    token refreshToken userErrors { code message } } }";

/// How many canary codes go into stock.
const CODES: usize = 20;

/// A server that tells all it can, what it must not tell, and what it told.
struct Scene {
    binary: Binary,
    process: Process,
    token: String,
    secrets: Secrets,
    /// Every answer that is to carry no secret, by what was asked.
    told: Vec<(String, String)>,
}

fn stock() -> (String, Vec<(String, String)>) {
    let mut csv = "sku,face_value,code,pin,serial,url,expires_at,cost,cost_currency,lot\n".to_owned();
    let mut secrets = Vec::new();
    for number in 0..CODES {
        let row = [
            format!("CANARYCODE{number:04}XQ"),
            format!("CANARYPIN{number:04}XQ"),
            format!("CANARYSERIAL{number:04}XQ"),
            format!("https://redeem.example/canary-link-{number:04}"),
        ];
        // The only codes that expire are the first to be sold.
        csv += &format!("{STEAM_50},50,{},2090-01-01T00:00:00Z,31.5,USD,canary\n", row.join(","));
        secrets.extend(row.into_iter().map(|secret| (format!("stock row {number}"), secret)));
    }
    (csv, secrets)
}

impl Scene {
    async fn set(app: &TestApp) -> Self {
        let mut secrets = Secrets::default();
        // Issued by the harness's clock: to the real server these are long expired, or not yet valid.
        let old = app.partner().await.session;
        secrets.token("an old access token", &old.token);
        secrets.add("an old refresh token", &old.refresh_token);
        app.stop().await;

        let binary = Binary::on(&app.database)
            .with("OCTOPUS_ENV", "sandbox")
            // Tokens name their issuer: the address that stays, whichever port a start finds.
            .with("OCTOPUS_PUBLIC_URL", "http://localhost:8080")
            .with("OCTOPUS_LOGINS_PER_MINUTE", "100000");
        // The first start prints what a sandbox begins with, once and on purpose; it is to be the last time.
        assert_eq!(binary.serve().await.stop().await, Some(0));
        let folder = app.database.folder.path();
        let credentials = std::fs::read(folder.join("var/sandbox-credentials.json")).unwrap();
        let credentials: Value = serde_json::from_slice(&credentials).unwrap();
        for who in ["partner", "admin"] {
            secrets.add(&format!("the sandbox's {who}"), credentials[who]["password"].as_str().unwrap());
        }
        for (name, text) in &app.database.seed.keys {
            secrets.key(name, text);
        }
        let account = &app.database.seed.partners[0];
        secrets.add("the partner's password", &account.password);

        let binary = binary.with("OCTOPUS_LOG", "trace");
        let process = binary.serve().await;
        let session = process.client.login(&account.username, &account.password).await;
        secrets.token("an access token", &session.token);
        secrets.add("a refresh token", &session.refresh_token);
        let mut scene = Self { binary, process, token: session.token, secrets, told: Vec::new() };
        scene.renew(&session.refresh_token).await;
        scene
    }

    fn hear(&mut self, asked: &str, told: impl Into<String>) {
        self.told.push((asked.to_owned(), told.into()));
    }

    /// Uses a refresh token.
    async fn renew(&mut self, refresh_token: &str) {
        let variables = json!({ "input": { "refreshToken": refresh_token } });
        let answer = self.process.client.graphql("", REFRESH, variables).await;
        answer.payload("refreshToken");
        self.secrets.token("a renewed access token", answer.text("refreshToken.token"));
        self.secrets.add("a renewed refresh token", answer.text("refreshToken.refreshToken"));
        self.token = answer.text("refreshToken.token").to_owned();
    }

    /// Brings the canaries into stock by a command, with bad rows and again, for the complaints.
    async fn stock(&mut self, folder: &Path) {
        let (csv, secrets) = stock();
        for (what, secret) in &secrets {
            self.secrets.add(what, secret);
        }
        let file = folder.join("canaries.csv");
        let arguments = ["stock", "import", file.to_str().unwrap()];
        // A column too many, and one too few, so that secrets stand where they are not expected.
        for shifted in [csv.replace(",50,", ",50,50,"), csv.replace(",50,", ","), csv.replace(STEAM_50, "")] {
            std::fs::write(&file, shifted).unwrap();
            let ended = self.binary.run(&arguments).await;
            assert_ne!(ended.code, Some(0), "{ended:?}");
            self.hear("an import of bad rows", format!("{ended:?}"));
        }
        std::fs::write(&file, csv).unwrap();
        let ended = self.binary.run(&arguments).await.expect_code(0);
        self.hear("an import", format!("{ended:?}"));
        let ended = self.binary.run(&arguments).await;
        self.hear("an import of codes that are there", format!("{ended:?}"));
        std::fs::remove_file(file).unwrap();
    }

    /// Buys canaries through every door, so that they pass through the server in the clear.
    async fn buy(&mut self) {
        let client = self.process.client.clone();
        let mut updates = client.socket(&self.token).await;
        updates.subscribe("1", UPDATES, json!({})).await;
        let input = |reference| json!({ "productId": STEAM_50, "quantity": 2, "reference": reference });
        let bought = client.graphql(&self.token, ORDER, json!({ "input": input("by-post") })).await;
        bought.payload("createOrder");
        let text = bought.body.to_string();
        for word in ["CANARYCODE", "CANARYPIN", "CANARYSERIAL", "canary-link"] {
            assert!(text.contains(word), "no canary was sold, so that nothing can sing: {text}");
        }
        let told = updates.next_data("1").await;
        self.hear("an event of the socket", told.to_string());
        let mut socket = client.socket(&self.token).await;
        socket.subscribe("1", ORDER, json!({ "input": input("by-socket") })).await;
        assert!(socket.next_data("1").await.to_string().contains("CANARYCODE"));
        let again = client.graphql(&self.token, ORDER, json!({ "input": input("by-post") })).await;
        assert!(again.body.to_string().contains("CANARYCODE"), "{again:#?}");
        for document in [EVENTS, BOOKS] {
            let answer = client.graphql(&self.token, document, json!({})).await;
            answer.data();
            self.hear(document, answer.body.to_string());
        }
    }

    /// The same through the REST facade.
    async fn rest(&mut self, partner: &SeededPartner) {
        let client = self.process.client.clone();
        let account = json!({ "username": partner.username, "password": partner.password });
        let answer = client.rest(Method::POST, "/auth/login", "", &account).await;
        answer.expect_status(200);
        self.secrets.token("an access token by REST", answer.body["token"].as_str().unwrap());
        self.secrets.add("a refresh token by REST", answer.body["refresh_token"].as_str().unwrap());
        let input = json!({ "product_id": STEAM_50, "quantity": 1, "reference": "by-rest" });
        let bought = client.rest(Method::POST, "/api/v1/orders", &self.token, &input).await;
        bought.expect_status(201);
        assert!(bought.body.to_string().contains("CANARYCODE"), "{bought:#?}");
        for path in ["/api/v1/events", "/api/v1/wallets"] {
            let answer = client.rest(Method::GET, path, &self.token, &Value::Null).await;
            self.hear(path, answer.expect_status(200).body.to_string());
        }
    }

    /// Makes accounts, whose passwords are shown once.
    async fn open_accounts(&mut self, partner: &str) {
        let made = self
            .binary
            .run(&[
                "--json",
                "partner",
                "credential",
                "create",
                partner,
                "--name",
                "canary",
                "--scopes",
                "account:write,catalog:read",
            ])
            .await
            .json();
        let (username, password) = (made["username"].as_str().unwrap(), made["password"].as_str().unwrap());
        self.secrets.add("a credential's password", password);
        let session = self.process.client.login(username, password).await;
        self.secrets.token("a credential's access token", &session.token);
        self.secrets.add("a credential's refresh token", &session.refresh_token);
        let more = self.process.client.graphql(&session.token, CREDENTIAL, json!({})).await;
        more.payload("createApiCredential");
        self.secrets.add("a password made by the API", more.text("createApiCredential.password"));
        let admin = self.binary.run(&["--json", "admin", "create", "canary.admin"]).await.json();
        self.secrets.add("an admin's password", admin["password"].as_str().unwrap());
    }

    /// Makes every kind of mistake around every kind of secret.
    async fn err(&mut self) {
        for secret in self.secrets.samples() {
            for mistake in mistakes::over_http(&secret) {
                let client = &self.process.client;
                let mut request = client.request(mistake.method.clone(), &mistake.path);
                for (name, value) in &mistake.headers {
                    request = request.header(*name, value);
                }
                if mistake.signed_in {
                    request = request.bearer_auth(&self.token);
                }
                let answer = request.body(mistake.body.clone()).send().await.expect("the server answers");
                let (status, headers) = (answer.status(), format!("{:?}", answer.headers()));
                let text = answer.text().await.unwrap();
                self.hear(&format!("{mistake:?}"), format!("{status} {headers} {text}"));
            }
            for text in mistakes::over_socket(&secret) {
                let told = self.on_a_socket(&text).await;
                self.hear(&text, told);
            }
        }
    }

    /// Says something wrong on a socket, and tells all that comes back until the answer ends.
    async fn on_a_socket(&self, text: &str) -> String {
        let mut socket = Socket::connect(&self.process.client.url).await;
        if !text.contains("connection_init") {
            socket.init(&self.token).await;
        }
        socket.send_text(text).await;
        let mut told = String::new();
        loop {
            let frame = socket.receive().await;
            told += &format!("{frame:?}\n");
            match frame {
                Frame::Message(message) if message["type"] == "next" => {}
                _ => return told,
            }
        }
    }

    /// Lets the database fail under a sign-in, a renewal and an order, whose errors then know what they were about.
    async fn break_down(&mut self, app: &TestApp) {
        let client = self.process.client.clone();
        let password = self.secrets.named("the partner's password");
        // Of another session than the one that orders: used twice, it ends its session.
        let refresh_token = self.secrets.named("a credential's refresh token");
        for table in ["api_credentials", "refresh_tokens", "stock_moves", "audit_log"] {
            app.database.execute(&format!("ALTER TABLE {table} RENAME TO {table}_away")).await;
            let account = &app.database.seed.partners[0];
            let login =
                "mutation Login($input: LoginInput!) { login(input: $input) { token userErrors { code } } }";
            let input = json!({ "username": account.username, "password": password });
            let answers = [
                client.graphql("", login, json!({ "input": input })).await,
                client.graphql("", REFRESH, json!({ "input": { "refreshToken": refresh_token } })).await,
                client
                    .graphql(
                        &self.token,
                        ORDER,
                        json!({ "input": {
                        "productId": STEAM_50, "quantity": 1, "reference": format!("without-{table}"),
                    } }),
                    )
                    .await,
            ];
            app.database.execute(&format!("ALTER TABLE {table}_away RENAME TO {table}")).await;
            assert!(answers.iter().any(|it| it.body.get("errors").is_some()), "{table}: {answers:#?}");
            for answer in answers {
                if answer.body.get("errors").is_some() {
                    self.hear(&format!("an operation without {table}"), format!("{answer:?}"));
                }
                for payload in ["login", "refreshToken"] {
                    if let Some(token) = answer.body["data"][payload]["token"].as_str() {
                        self.secrets.token("one more access token", token);
                    }
                }
            }
        }
    }
}

both_databases! {
    async fn no_secret_gets_out_anywhere(app: SmallCatalog) {
        let mut scene = Scene::set(&app).await;
        scene.stock(app.database.folder.path()).await;
        scene.open_accounts(&app.database.seed.partners[0].id).await;
        scene.buy().await;
        scene.rest(&app.database.seed.partners[0]).await;
        scene.err().await;
        scene.break_down(&app).await;

        let secrets = &scene.secrets;
        let mut found: Vec<_> = scene.told.iter().flat_map(|(asked, told)| secrets.find_in(asked, told)).collect();
        // While it runs, what was written last is in the write-ahead log.
        let mut files = scan::database_bytes(&app.database);
        let log = scene.process.log();
        assert!(log.len() > 100_000, "the log is not at its loudest: {} bytes", log.len());
        found.extend(secrets.find_in("the log", &log));
        assert_eq!(scene.process.stop().await, Some(0));
        files.extend(scan::database_bytes(&app.database));
        assert!(app.database.dialect() == Dialect::Postgres || files.len() >= 3);
        found.extend(files.iter().flat_map(|(name, bytes)| secrets.find_in_bytes(name, bytes)));
        assert!(found.is_empty(), "{} leaks:\n{}", found.len(), found.join("\n"));
        scene.binary.run(&["verify"]).await.expect_code(0);
    }
}
