//! What stands between an adapter and another Octopus, and plays what a vendor may do to us.
//! Always true: what is bought is bought at the real server behind it, and goes through even if the caller has hung up; refusals
//! are the real server's. Not here: what an adapter must make of a fault (`contract.rs`).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Method, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::RwLock;

use super::mangling;
use crate::support::app::TestApp;
use crate::support::catalog::EURO_20;
use crate::support::poll;
use crate::vendors::hostile::Fault;
use crate::vendors::stage::At;

/// Who is answered a token at once: to sign in takes longer than a hurried account has.
pub(super) const HURRIED: &str = "hurried";

/// The proxy of one test's server.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) address: String,
    pub(super) faults: Arc<Mutex<BTreeMap<&'static str, Fault>>>,
    /// The lines of the requests that went by.
    pub(super) seen: Arc<Mutex<Vec<String>>>,
    pub(super) streamed: Arc<AtomicU64>,
    /// Held for reading while something is bought: a question asked with the other hand waits for what is still on its way.
    pub(super) buying: Arc<RwLock<()>>,
    app: TestApp,
    http: reqwest::Client,
    token: Arc<str>,
    /// Of a partner that has a cent.
    poor_token: Arc<str>,
}

/// What the real server answered.
struct Told {
    status: u16,
    kind: String,
    body: String,
}

pub(super) fn place(at: At) -> &'static str {
    match at {
        At::Purchase => "purchase",
        At::Find => "find",
        At::Statement => "statement",
        At::Catalog => "catalog",
    }
}

fn place_of(method: &Method, line: &str) -> &'static str {
    match (method == Method::POST, line) {
        (true, "/api/v1/orders") => place(At::Purchase),
        (false, line) if line.starts_with("/api/v1/orders?reference=") => place(At::Find),
        (false, line) if line.starts_with("/api/v1/orders?") => place(At::Statement),
        (false, line) if line.starts_with("/api/v1/products") => place(At::Catalog),
        _ => "",
    }
}

impl Proxy {
    pub(super) async fn before(app: &TestApp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let poor = app.unfunded_partner("Poor Shop", "USD").await;
        app.credit(&poor, ("USD", 1), "a-cent").await;
        let proxy = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            faults: Arc::default(),
            seen: Arc::default(),
            streamed: Arc::default(),
            buying: Arc::default(),
            app: app.clone(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            token: app.partner().await.session.token.into(),
            poor_token: poor.session.token.into(),
        };
        let router = Router::new().fallback(serve).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        proxy
    }

    fn fault_at(&self, place: &str) -> Option<Fault> {
        self.faults.lock().unwrap().get(place).copied()
    }

    /// Passes a request on.
    async fn pass(&self, method: Method, line: &str, authorization: Option<&str>, body: Bytes) -> Told {
        let url = format!("{}{line}", self.app.client.url);
        let mut request = self.http.request(method, url).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(token) = authorization {
            request = request.header(AUTHORIZATION, token);
        }
        let answer = request.send().await.unwrap();
        let kind = answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        Told { status: answer.status().as_u16(), kind, body: answer.text().await.unwrap() }
    }

    /// Buys; what is refused is refused by the real server, for something that it would refuse.
    async fn buy(&self, fault: Option<Fault>, authorization: &str, body: Bytes) -> Told {
        let other = |product: &str| {
            let mut wanted: Value = serde_json::from_slice(&body).unwrap();
            wanted["product_id"] = json!(product);
            wanted["face_value"] = Value::Null;
            Bytes::from(wanted.to_string())
        };
        match fault {
            Some(Fault::OutOfStock) => self.order(authorization, other(EURO_20)).await,
            Some(Fault::NotSold) => self.order(authorization, other("no_such_thing")).await,
            Some(Fault::NoFunds) => self.order(&format!("Bearer {}", self.poor_token), body).await,
            Some(Fault::Partial) => {
                self.order(authorization, body.clone()).await;
                self.app.advance_secs(1_800);
                self.see_the_end().await;
                self.order(authorization, body).await
            }
            _ => self.order(authorization, body).await,
        }
    }

    async fn order(&self, authorization: &str, body: Bytes) -> Told {
        self.pass(Method::POST, "/api/v1/orders", Some(authorization), body).await
    }

    /// Waits until no order is open.
    async fn see_the_end(&self) {
        let (app, runtime) = (self.app.clone(), Handle::current());
        let waiting = move || {
            let open = "SELECT count(*) FROM orders WHERE completed_at IS NULL";
            runtime.block_on(poll::until_true("orders end", async || app.database.number(open).await == 0));
        };
        tokio::task::spawn_blocking(waiting).await.unwrap();
    }
}

async fn serve(State(proxy): State<Proxy>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let line = parts.uri.path_and_query().unwrap().to_string();
    let body = to_bytes(body, 1_000_000).await.unwrap();
    proxy.seen.lock().unwrap().push(format!("{} {line}", parts.method));
    if line == "/auth/login" && String::from_utf8_lossy(&body).contains(HURRIED) {
        let tokens = json!({ "token": &*proxy.token, "expires_in": 3_600, "refresh_token": "none" });
        return answer(200, "application/json", tokens.to_string());
    }
    let place = place_of(&parts.method, &line);
    let fault = proxy.fault_at(place);
    if let Some(answer) = instead(fault).await {
        return answer;
    }
    let authorization = parts.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let passing = proxy.clone();
    // In a task of its own: a caller that hangs up drops the one that answers it.
    let told = tokio::spawn(async move {
        if place == "purchase" {
            let _buying = passing.buying.read().await;
            passing.buy(fault, authorization.as_deref().unwrap_or_default(), body).await
        } else {
            let _bought = passing.buying.write().await;
            passing.pass(parts.method, &line, authorization.as_deref(), body).await
        }
    });
    afterwards(fault, told.await.unwrap(), &proxy.streamed).await
}

fn answer(status: u16, kind: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(status).header(CONTENT_TYPE, kind).body(body.into()).unwrap()
}

fn problem(status: u16, code: &str) -> Response<Body> {
    let body =
        json!({ "type": "about:blank", "title": "Error", "status": status, "detail": "no", "code": code });
    answer(status, "application/problem+json", body.to_string())
}

/// What is answered where nothing is done; `None`: it is done.
async fn instead(fault: Option<Fault>) -> Option<Response<Body>> {
    Some(match fault? {
        Fault::Unauthorized => problem(401, "UNAUTHENTICATED"),
        Fault::TooOften => {
            let mut answer = problem(429, "RATE_LIMITED");
            answer.headers_mut().insert(RETRY_AFTER, "7".parse().unwrap());
            answer
        }
        Fault::SilentLost => std::future::pending().await,
        Fault::ErrorLost => problem(500, "INTERNAL_SERVER_ERROR"),
        Fault::Down => problem(503, "SERVICE_UNAVAILABLE"),
        Fault::ClosedLost => cut(""),
        Fault::HtmlBad => answer(400, "text/html", "<html>400 Bad Request</html>"),
        _ => return None,
    })
}

/// What is answered once it is done.
async fn afterwards(fault: Option<Fault>, told: Told, streamed: &Arc<AtomicU64>) -> Response<Body> {
    let Told { status, kind, body } = told;
    match fault {
        Some(Fault::SilentBought) => std::future::pending().await,
        Some(Fault::ErrorBought) => problem(500, "INTERNAL_SERVER_ERROR"),
        Some(Fault::ClosedBought) => cut(""),
        Some(Fault::CutMidway) => cut(&body[..body.len() / 2]),
        Some(Fault::HtmlFine) => answer(200, "text/html", "<html>200 OK</html>"),
        Some(Fault::Truncated) => answer(status, &kind, body[..body.len() / 2].to_owned()),
        Some(Fault::Huge) => answer(200, &kind, huge(streamed)),
        Some(Fault::GzipBomb) => {
            let mut bomb = answer(200, &kind, packed_spaces());
            bomb.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
            bomb
        }
        Some(Fault::Drip) => answer(200, &kind, drip(body)),
        Some(Fault::Twice) => answer(status, &kind, format!("{body}{body}")),
        Some(fault) => answer(status, &kind, mangling::mangled(fault, body)),
        None => answer(status, &kind, body),
    }
}

/// A connection that breaks behind these bytes.
fn cut(bytes: &str) -> Response<Body> {
    let broken: Result<Bytes, std::io::Error> = Err(std::io::Error::other("the wire was cut"));
    let start = Ok(Bytes::from(bytes.to_owned()));
    answer(200, "application/json", Body::from_stream(stream::iter([start, broken])))
}

/// 100 MB, counted as they leave.
fn huge(streamed: &Arc<AtomicU64>) -> Body {
    const CHUNK: usize = 64 * 1024;
    let streamed = Arc::clone(streamed);
    let chunks = (0..100_000_000 / CHUNK).map(move |_| {
        streamed.fetch_add(u64::try_from(CHUNK).unwrap(), Ordering::SeqCst);
        Ok::<_, std::io::Error>(Bytes::from(vec![b' '; CHUNK]))
    });
    Body::from_stream(stream::iter(chunks))
}

/// Byte by byte, a second apart.
fn drip(body: String) -> Body {
    let ticks = tokio::time::interval(Duration::from_secs(1));
    Body::from_stream(stream::unfold((ticks, body.into_bytes().into_iter()), |(mut ticks, mut rest)| async {
        ticks.tick().await;
        let byte = rest.next()?;
        Some((Ok::<_, std::io::Error>(Bytes::from(vec![byte])), (ticks, rest)))
    }))
}

/// 64 MB of spaces, packed small.
fn packed_spaces() -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let spaces = vec![b' '; 1_000_000];
    for _ in 0..64 {
        packed.write_all(&spaces).unwrap();
    }
    packed.finish().unwrap()
}
