//! Replicas of the providers of rates: servers that answer in each provider's shape, or as none should.
//! Always true: an answer is what the test set last; every request is counted and its address kept. Not here: what is made of
//! an answer.

use std::io::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// What a replica answers.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// This text, with a status.
    Text(u16, String),
    /// 503, to be asked again after so many seconds.
    Later(u32),
    /// To be asked elsewhere.
    Elsewhere,
    /// A hundred megabytes of blanks before the text.
    Endless,
    /// Sixty-four megabytes of blanks, packed small.
    Bomb,
    /// Nothing, for ever.
    Silence,
    /// This text, once the test lets it go.
    Held(String, Arc<Notify>),
}

/// A provider's replica.
#[derive(Debug, Clone)]
pub(super) struct Replica {
    /// Its address.
    pub(super) url: String,
    reply: Arc<Mutex<Reply>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Replica {
    /// A replica that answers with success and this text.
    pub(super) async fn telling(text: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let reply = Arc::new(Mutex::new(Reply::Text(200, text.into())));
        let replica = Self { url, reply, asked: Arc::default() };
        let router = Router::new().fallback(answer).with_state(replica.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        replica
    }

    /// From here on it answers this.
    pub(super) fn set(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    /// From here on it answers with success and this text.
    pub(super) fn tell(&self, text: impl Into<String>) {
        self.set(Reply::Text(200, text.into()));
    }

    /// The paths, with their queries, that it was asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(State(replica): State<Replica>, uri: Uri) -> Response {
    replica.asked.lock().unwrap().push(uri.to_string());
    let reply = replica.reply.lock().unwrap().clone();
    match reply {
        Reply::Text(status, text) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        Reply::Later(secs) => {
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, secs.to_string())], "").into_response()
        }
        Reply::Elsewhere => (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")], "").into_response(),
        Reply::Endless => {
            let chunk = Bytes::from(vec![b' '; 100_000]);
            let chunks = (0..1_000).map(move |_| Ok::<_, std::io::Error>(chunk.clone()));
            Body::from_stream(futures_util::stream::iter(chunks)).into_response()
        }
        Reply::Bomb => ([(header::CONTENT_ENCODING, "gzip")], bomb()).into_response(),
        Reply::Silence => std::future::pending().await,
        Reply::Held(text, go) => {
            go.notified().await;
            text.into_response()
        }
    }
}

fn bomb() -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let blanks = vec![b' '; 1_000_000];
    for _ in 0..64 {
        packed.write_all(&blanks).unwrap();
    }
    packed.finish().unwrap()
}

/// The bank's file for a day.
pub(super) fn ecb(day: &str, rates: &[(&str, &str)]) -> String {
    let cubes: String =
        rates.iter().map(|(code, rate)| format!("\t\t\t<Cube currency='{code}' rate='{rate}'/>\n")).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<gesmes:Envelope \
         xmlns:gesmes=\"http://www.gesmes.org/xml/2002-08-01\" \
         xmlns=\"http://www.ecb.int/vocabulary/2002-08-01/eurofxref\">\n\
         \t<gesmes:subject>Reference rates</gesmes:subject>\n\t<gesmes:Sender>\n\
         \t\t<gesmes:name>European Central Bank</gesmes:name>\n\t</gesmes:Sender>\n\
         \t<Cube>\n\t\t<Cube time='{day}'>\n{cubes}\t\t</Cube>\n\t</Cube>\n</gesmes:Envelope>"
    )
}

/// The package's file for a day; names in lower case.
pub(super) fn currency_api(day: &str, rates: &[(&str, &str)]) -> String {
    format!("{{\"date\":\"{day}\",\"usd\":{{{}}}}}", members(rates))
}

/// The account's latest rates.
pub(super) fn open_exchange_rates(timestamp: i64, rates: &[(&str, &str)]) -> String {
    format!(
        "{{\n  \"disclaimer\": \"Usage subject to terms\",\n  \"license\": \"of its own\",\n  \"timestamp\": {timestamp},\n  \
         \"base\": \"USD\",\n  \"rates\": {{{}}}\n}}",
        members(rates)
    )
}

fn members(rates: &[(&str, &str)]) -> String {
    rates.iter().map(|(code, rate)| format!("\"{code}\":{rate}")).collect::<Vec<_>>().join(",")
}
