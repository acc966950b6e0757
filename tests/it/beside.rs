//! Commands beside a running server, and starts that refuse.
//! Always true: the server shows what a command changed without being told; a start that refuses says why and changes
//! nothing. Not here: each command's own rules (the features' files).

use std::time::{Duration, Instant};

use octopus_cards::domain::{catalog, pricing, vouchers};
use serde_json::{Value, json};

use super::support::app::TestApp;
use super::support::catalog::{EURO_20, STEAM_50, stock_csv};
use super::support::database::{Contents, Dialect, TestDatabase};
use super::support::process::{Binary, Process};

const PRODUCT: &str = "query Product($id: ID!) { product(id: $id) {
    stock { available } price(currency: \"USD\") { unitPrice { amount } } } }";
const RATE: &str = "{ exchangeRate(base: \"USD\", quote: \"EUR\") { rate source } }";
const WALLET: &str = "{ wallet(currency: \"USD\") { available { amount } } }";
const VIEWER: &str = "{ viewer { partner { id } } }";
const ORDER: &str = "mutation Order($input: CreateOrderInput!) { createOrder(input: $input) {
    order { id } userErrors { code } } }";

/// What the server may take to notice. How often it looks is a test of its own; the rest is for shared cores.
const NOTICED: Duration = Duration::from_secs(2);
/// How long a session that has ended may still read: the cache's 5 s, and some for shared cores.
const SESSION_CACHE: Duration = Duration::from_secs(8);

/// A server, a partner's session with it, and the command line beside it.
struct Running {
    binary: Binary,
    process: Process,
    token: String,
}

impl Running {
    async fn start(app: &TestApp) -> Self {
        app.stop().await;
        let binary = Binary::on(&app.database).with("OCTOPUS_ENV", "sandbox");
        let process = binary.serve().await;
        let account = &app.database.seed.partners[0];
        let token = process.client.login(&account.username, &account.password).await.token;
        Self { binary, process, token }
    }

    async fn command(&self, arguments: &[&str]) -> Value {
        self.binary.run(&[&["--json"], arguments].concat()).await.json()
    }

    async fn product(&self, id: &str) -> Value {
        let answer = self.process.client.graphql(&self.token, PRODUCT, json!({ "id": id })).await;
        answer.at("product").clone()
    }

    async fn ask(&self, document: &str) -> Value {
        self.process.client.graphql(&self.token, document, json!({})).await.data().clone()
    }
}

/// Looks until it is so, at most so long.
async fn noticed(what: &str, within: Duration, mut look: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !look().await {
        assert!(begin.elapsed() < within, "not noticed within {within:?}: {what}");
        tokio::task::yield_now().await;
    }
}

fn write(app: &TestApp, name: &str, text: &str) -> String {
    let file = app.database.folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_server_looks_for_changes_as_often_as_is_promised() {
    let millis = |every: Duration| every.as_millis();
    assert_eq!(millis(catalog::CATALOG_EVERY), 100);
    assert_eq!(millis(pricing::PRICES_EVERY), 100);
    assert_eq!(millis(vouchers::KEYS_EVERY), 100);
    assert_eq!(millis(catalog::STOCK_EVERY), 200);
}

both_databases! {
    async fn a_running_server_sells_the_codes_that_a_command_brings(app: SmallCatalog) {
        let running = Running::start(&app).await;
        assert_eq!(running.product(EURO_20).await["stock"]["available"], 0);
        let file = write(&app, "codes.csv", &stock_csv(EURO_20, "20", 1, 700));
        assert_eq!(running.command(&["stock", "import", &file]).await["loaded"], 700);
        noticed("stock", NOTICED, async || running.product(EURO_20).await["stock"]["available"] == 700).await;
        let input = json!({ "productId": EURO_20, "quantity": 1, "reference": "new-stock" });
        let client = &running.process.client;
        client.graphql(&running.token, ORDER, json!({ "input": input })).await.payload("createOrder");
        noticed("sale", NOTICED, async || running.product(EURO_20).await["stock"]["available"] == 699).await;
    }

    async fn a_running_server_asks_the_price_that_a_command_sets(app: SmallCatalog) {
        let running = Running::start(&app).await;
        let price = async || {
            let product = running.product(STEAM_50).await;
            product["price"]["unitPrice"]["amount"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap()
        };
        let before = price().await;
        let rule = running
            .command(&["price", "set", "--product", STEAM_50, "--fee", "1.25", "--currency", "USD"])
            .await;
        noticed("fee", NOTICED, async || price().await == before + 125).await;
        running.command(&["price", "remove", rule["id"].as_str().unwrap()]).await;
        noticed("no fee", NOTICED, async || price().await == before).await;
    }

    async fn a_running_server_converts_at_the_rates_that_a_command_brings(app: SmallCatalog) {
        let running = Running::start(&app).await;
        let file = write(&app, "rates.csv", "base,quote,rate,as_of,source\nUSD,EUR,0.5,2026-10-01,beside\n");
        assert_eq!(running.command(&["rates", "import", &file]).await["imported"], 1);
        noticed("rate", NOTICED, async || running.ask(RATE).await["exchangeRate"]["rate"] == "0.5").await;
        // Crossed through the base currency, of which the other half is the bundled file's.
        assert!(running.ask(RATE).await["exchangeRate"]["source"].as_str().unwrap().contains("beside"));
    }

    async fn a_running_server_shows_the_money_that_a_command_pays_in(app: SmallCatalog) {
        let running = Running::start(&app).await;
        let partner = &app.database.seed.partners[0].id;
        let credit = [
            "wallet", "credit", "--partner", partner, "--currency", "USD", "--amount", "12.34",
            "--reference", "bank-1",
        ];
        assert_eq!(running.command(&credit).await["replayed"], false);
        assert_eq!(running.ask(WALLET).await["wallet"]["available"]["amount"], "1000012.34");
        assert_eq!(running.command(&credit).await["replayed"], true);
        assert_eq!(running.ask(WALLET).await["wallet"]["available"]["amount"], "1000012.34");
    }

    async fn a_running_server_knows_the_credential_that_a_command_makes_and_not_the_one_it_revokes(app: SmallCatalog) {
        let running = Running::start(&app).await;
        let (client, partner) = (&running.process.client, &app.database.seed.partners[0].id);
        let made = running.command(&["partner", "credential", "create", partner, "--name", "beside"]).await;
        let text = |field: &str| made[field].as_str().unwrap();
        let token = client.login(text("username"), text("password")).await.token;
        client.graphql(&token, VIEWER, json!({})).await.data();

        running.command(&["partner", "credential", "revoke", text("id")]).await;
        let input = json!({ "productId": STEAM_50, "quantity": 1, "reference": "revoked" });
        let refused = client.graphql(&token, ORDER, json!({ "input": input })).await;
        assert_eq!(refused.body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{refused:#?}");
        noticed("revocation", SESSION_CACHE, async || {
            client.graphql(&token, VIEWER, json!({})).await.status == 401
        })
        .await;
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 0);
    }

    async fn an_sqlite_file_has_one_server_and_postgresql_as_many_as_come(app: SmallCatalog) {
        let running = Running::start(&app).await;
        if app.database.dialect() == Dialect::Sqlite {
            let refused = running.binary.refuse_to_serve().await.expect_code(1);
            assert!(refused.stderr.contains("another server has"), "{}", refused.stderr);
            // The lock goes with the process, however that ends.
            let mut process = running.process;
            process.kill();
            assert_eq!(running.binary.serve().await.stop().await, Some(0));
        } else {
            let second = running.binary.serve().await;
            let account = &app.database.seed.partners[0];
            second.client.login(&account.username, &account.password).await;
            assert_eq!(second.stop().await, Some(0));
            running.ask(VIEWER).await;
        }
    }

    async fn a_database_keeps_the_environment_of_its_first_server(app: SmallCatalog) {
        app.stop().await;
        let refused = Binary::on(&app.database).with("OCTOPUS_ENV", "production").refuse_to_serve().await;
        let refused = refused.expect_code(1);
        assert!(refused.stderr.contains("this database is a sandbox"), "{}", refused.stderr);
        // Without the setting it is what it was.
        assert_eq!(Binary::on(&app.database).serve().await.stop().await, Some(0));
        assert_eq!(app.database.number("SELECT count(*) FROM installation WHERE environment = 'sandbox'").await, 1);
    }

    async fn a_production_wants_its_keys_and_begins_with_nothing(app: Tables) {
        let database = TestDatabase::fresh(app.database.dialect(), Contents::Nothing).await;
        // Production is what a database becomes without the setting.
        let binary = Binary::on(&database);
        let refused = binary.refuse_to_serve().await.expect_code(4);
        assert!(refused.stderr.contains("octopus keys init"), "{}", refused.stderr);

        binary.run(&["keys", "init"]).await.expect_code(0);
        let process = binary.serve().await;
        assert!(process.log().contains("(production)"), "{}", process.log());
        for table in [
            "products", "brands", "exchange_rates", "vouchers", "partners", "api_credentials", "admins", "wallets",
            "price_rules",
        ] {
            assert_eq!(database.number(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        }
        assert_eq!(database.number("SELECT count(*) FROM installation WHERE environment = 'production'").await, 1);
        assert!(!database.folder.path().join("var/sandbox-credentials.json").exists());
        assert_eq!(process.stop().await, Some(0));
        let refused = binary.clone().with("OCTOPUS_ENV", "sandbox").refuse_to_serve().await.expect_code(1);
        assert!(refused.stderr.contains("this database is a production"), "{}", refused.stderr);
        binary.run(&["verify"]).await.expect_code(0);
        database.remove().await;
    }
}
