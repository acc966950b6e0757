//! A caller of one server over HTTP: GraphQL, and the REST facade. For servers in this process and for spawned ones.
//! Always true: nothing is cached, redirected or tried again. Not here: sockets (`socket.rs`).

use reqwest::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::socket::Socket;

/// Where a server listens, and the connections to it.
#[derive(Debug, Clone)]
pub struct Client {
    /// For example `http://127.0.0.1:41234`, without a slash at its end.
    pub url: String,
    http: reqwest::Client,
}

/// A signed-in session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The access token.
    pub token: String,
    /// What renews it, once.
    pub refresh_token: String,
}

impl Client {
    /// A caller of the server at this address.
    pub fn new(url: impl Into<String>) -> Self {
        // A client wants ciphers at hand even where it will only speak http://; another may have named them already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(std::time::Duration::from_secs(60))
            .build()
            .expect("these settings fit together");
        Self { url: url.into(), http }
    }

    /// Any request, to be completed and sent by the test.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// A GraphQL operation by POST. An empty token means none.
    pub async fn graphql(&self, token: &str, document: &str, variables: Value) -> Answer {
        self.graphql_body(token, &json!({ "query": document, "variables": variables })).await
    }

    /// Any JSON body to the GraphQL endpoint. An empty token means none.
    pub async fn graphql_body(&self, token: &str, body: &Value) -> Answer {
        let request = self
            .request(Method::POST, "/graphql")
            .header("accept", "application/graphql-response+json, application/json;q=0.9")
            .json(body);
        send(request, token).await
    }

    /// As [`Self::graphql`], for a server that may die meanwhile: the body, `None` if no whole answer came.
    pub async fn try_graphql(&self, token: &str, document: &str, variables: Value) -> Option<Value> {
        let body = json!({ "query": document, "variables": variables });
        let sent = self.request(Method::POST, "/graphql").bearer_auth(token).json(&body).send().await;
        serde_json::from_str(&sent.ok()?.text().await.ok()?).ok()
    }

    /// A call of the REST facade; a body of null is none. An empty token means none.
    pub async fn rest(&self, method: Method, path: &str, token: &str, body: &Value) -> Answer {
        let request = self.request(method, path);
        let request = if body.is_null() { request } else { request.json(body) };
        send(request, token).await
    }

    /// A socket to the GraphQL endpoint, its `connection_init` acknowledged. An empty token means none.
    pub async fn socket(&self, token: &str) -> Socket {
        let mut socket = Socket::connect(&self.url).await;
        socket.init(token).await;
        socket
    }

    /// Signs in over GraphQL.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn login(&self, username: &str, password: &str) -> Session {
        const LOGIN: &str = "mutation Login($input: LoginInput!) {
            login(input: $input) { token refreshToken userErrors { code message field } }
        }";
        let answer =
            self.graphql("", LOGIN, json!({ "input": { "username": username, "password": password } })).await;
        answer.payload("login");
        Session {
            token: answer.text("login.token").to_owned(),
            refresh_token: answer.text("login.refreshToken").to_owned(),
        }
    }
}

async fn send(request: reqwest::RequestBuilder, token: &str) -> Answer {
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    Answer::read(request.send().await.expect("the server answers")).await
}
