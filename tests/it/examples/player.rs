//! What lives here: one page, played: its requests sent in order, its answers compared or written.
//! What is always true: a request is sent as it stands on the page, placeholders filled with what earlier answers gave.
//! What is not here: the form of a page (`page.rs`) and of an answer (`answer.rs`).

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use async_graphql::Value;
use reqwest::Method;

use super::answer::{abridge, compare};
use super::page::{self, Block, Piece};
use crate::support::client::{Client, Session};

/// A page's reader: a partner's program that does what the page says.
pub(crate) struct Player {
    client: Client,
    username: String,
    password: String,
    token: String,
    remembered: HashMap<String, String>,
    fresh: u32,
    request: Option<Request>,
}

/// A request that waits for its variables, or for the answer to be asked for.
struct Request {
    kind: Kind,
    /// The ready operation that it is, if it is one.
    operation: Option<String>,
    text: String,
    variables: String,
}

#[derive(PartialEq)]
enum Kind {
    Graphql,
    Http,
}

/// How an answer is to be had.
struct Expectation {
    status: u16,
    /// How many events of a subscription; all until its end if absent.
    events: Option<usize>,
}

impl Player {
    /// Signs in and is ready to play.
    pub(crate) async fn sign_in(client: Client, username: &str, password: &str) -> Self {
        let Session { token, refresh_token } = client.login(username, password).await;
        let mut player = Self {
            client,
            username: username.to_owned(),
            password: password.to_owned(),
            token,
            remembered: HashMap::new(),
            fresh: 0,
            request: None,
        };
        player.remembered.insert("refreshToken".to_owned(), refresh_token);
        player
    }

    /// Plays a page; the page as it should be, and what differs from it.
    pub(crate) async fn play(&mut self, markdown: &str) -> (String, Vec<String>) {
        let mut pieces = page::parse(markdown);
        let mut differences = Vec::new();
        for piece in &mut pieces {
            let Piece::Block(block) = piece else { continue };
            if let Err(difference) = self.step(block).await {
                differences.push(difference);
            }
        }
        (page::join(&pieces), differences)
    }

    async fn step(&mut self, block: &mut Block) -> Result<(), String> {
        let info = block.info.clone();
        match *info.split_whitespace().collect::<Vec<_>>() {
            ["graphql"] => self.begin(Kind::Graphql, None, &block.text),
            ["http"] => self.begin(Kind::Http, None, &block.text),
            ["graphql", operation] => {
                let text = operation_file(operation, "graphql");
                self.begin(Kind::Graphql, Some(operation), &text);
                return replace(block, text, operation);
            }
            ["json", "variables"] => {
                let request = self.request.as_mut().expect("variables follow their operation");
                if block.text.is_empty() {
                    let operation =
                        request.operation.as_deref().expect("only a ready operation brings variables");
                    block.text = operation_file(operation, "json");
                    request.variables = block.text.clone();
                    return Err(format!("{operation} has no variables on the page"));
                }
                request.variables = block.text.clone();
            }
            ["json", "answer", ref rest @ ..] => {
                let expectation = Expectation {
                    status: rest
                        .iter()
                        .find_map(|word| word.parse().ok().filter(|_| word.len() == 3))
                        .unwrap_or(200),
                    events: match rest {
                        ["first", count] => Some(count.parse().expect("a number of events")),
                        _ => None,
                    },
                };
                return self.answer(block, &expectation).await;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, kind: Kind, operation: Option<&str>, text: &str) {
        let operation = operation.map(str::to_owned);
        self.request = Some(Request { kind, operation, text: text.to_owned(), variables: "{}".to_owned() });
    }

    async fn answer(&mut self, block: &mut Block, expectation: &Expectation) -> Result<(), String> {
        let request = self.request.take().expect("an answer follows its request");
        let text = self.fill(&request.text)?;
        let variables = self.fill(&request.variables)?;
        let is_subscription = text.lines().any(|line| line.starts_with("subscription"));
        let (status, body) = match request.kind {
            Kind::Graphql if is_subscription => {
                (200, self.watch(&text, &variables, expectation.events).await)
            }
            Kind::Graphql => self.ask(&text, &variables).await,
            Kind::Http => self.call(&text).await,
        };
        let given: Value = serde_json::from_str(&body).unwrap_or_else(|_| Value::from(body.clone()));
        self.remember("", &given);

        let promised = serde_json::from_str(&block.text).unwrap_or(Value::Null);
        let outcome = if status == expectation.status {
            compare(&promised, &given)
        } else {
            Err(format!("the page promises status {}, given {status}", expectation.status))
        };
        outcome.map_err(|difference| {
            block.text = serde_json::to_string_pretty(&abridge(&given)).expect("it came as JSON");
            let name =
                request.operation.unwrap_or_else(|| text.lines().next().unwrap_or_default().to_owned());
            format!("{name}: {difference}\n{body}")
        })
    }

    /// A GraphQL query or mutation.
    async fn ask(&self, document: &str, variables: &str) -> (u16, String) {
        let variables: serde_json::Value =
            serde_json::from_str(variables).expect("the page's variables are JSON");
        let body = serde_json::json!({ "query": document, "variables": variables });
        let request = self
            .client
            .request(Method::POST, "/graphql")
            .header("accept", "application/graphql-response+json")
            .bearer_auth(&self.token)
            .json(&body);
        read(request).await
    }

    /// A subscription: so many events, or all until its end, as a list.
    async fn watch(&self, document: &str, variables: &str, events: Option<usize>) -> String {
        let variables = serde_json::from_str(variables).expect("the page's variables are JSON");
        let mut socket = self.client.socket(&self.token).await;
        socket.subscribe("example", document, variables).await;
        let mut payloads = Vec::new();
        while events.is_none_or(|count| payloads.len() < count) {
            let text = socket.receive_text().await;
            let message: Value = serde_json::from_str(&text).expect("the server sends JSON");
            let Value::Object(mut message) = message else { panic!("no message: {text}") };
            match message.get("type") {
                Some(Value::String(kind)) if kind == "complete" => break,
                Some(Value::String(kind)) if kind == "ping" => {}
                _ => payloads.push(message.swap_remove("payload").unwrap_or(Value::Null)),
            }
        }
        socket.close().await;
        serde_json::to_string(&Value::List(payloads)).expect("it came as JSON")
    }

    /// A request as HTTP writes it: a line, headers, an empty line, a body.
    async fn call(&self, text: &str) -> (u16, String) {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, path) = lines.next().and_then(|line| line.split_once(' ')).expect("a method and a path");
        let mut request = self.client.request(method.parse().expect("a method"), path).body(body.to_owned());
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            request = request.header(name, value);
        }
        read(request).await
    }

    fn fill(&mut self, text: &str) -> Result<String, String> {
        let mut filled = text
            .replace("your_key", &self.username)
            .replace("your_secret", &self.password)
            .replace("your_refresh_token", &self.remembered["refreshToken"])
            .replace("{{token}}", &self.token);
        if filled.contains("{{unique}}") {
            self.fresh += 1;
            filled = filled.replace("{{unique}}", &self.fresh.to_string());
        }
        for (name, value) in &self.remembered {
            filled = filled.replace(&format!("{{{{{name}}}}}"), value);
        }
        if filled.contains("{{") {
            Err(format!("nothing fills a placeholder of {filled}"))
        } else {
            Ok(filled)
        }
    }

    /// Keeps what later requests may speak of.
    fn remember(&mut self, key: &str, value: &Value) {
        match value {
            Value::List(items) => items.iter().for_each(|item| self.remember(key, item)),
            Value::Object(fields) => fields.iter().for_each(|(key, item)| self.remember(key, item)),
            Value::String(text) => {
                let placeholder = match (key, text.get(..4)) {
                    ("token", _) => {
                        self.token.clone_from(text);
                        return;
                    }
                    ("refreshToken" | "refresh_token", _) => "refreshToken",
                    ("cursor", _) => "cursor",
                    ("id" | "orderId", Some("ord_")) => "orderId",
                    ("id", Some("chg_")) => "chargeId",
                    ("id", Some("crd_")) => "credentialId",
                    _ => return,
                };
                self.remembered.insert(placeholder.to_owned(), text.clone());
            }
            _ => {}
        }
    }
}

async fn read(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request.send().await.expect("the server answers");
    (response.status().as_u16(), response.text().await.expect("the body arrives whole"))
}

/// The text of a ready operation, or of its variables.
fn operation_file(operation: &str, extension: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("playground/operations").join(operation);
    let path = path.with_extension(extension);
    let text = fs::read_to_string(&path).unwrap_or_else(|failure| panic!("{}: {failure}", path.display()));
    text.trim_end().to_owned()
}

fn replace(block: &mut Block, text: String, operation: &str) -> Result<(), String> {
    if block.text == text {
        return Ok(());
    }
    block.text = text;
    Err(format!("{operation} reads otherwise in playground/operations"))
}
