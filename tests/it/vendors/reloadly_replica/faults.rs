//! How the replica of Reloadly plays what a vendor may do to us.
//! Always true: faults that do nothing are played before anything is looked at, the others once it is done.
//! Not here: what is wrong within an answer, such as another currency; the books have that (`server.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use futures_util::stream;
use octopus_cards::simulator::gzip_bomb;

use crate::vendors::hostile::Fault;

/// An answer.
pub fn answer(status: u16, kind: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(status).header(CONTENT_TYPE, kind).body(body.into()).unwrap()
}

/// An answer in JSON.
pub fn json(status: u16, body: impl Into<Body>) -> Response<Body> {
    answer(status, "application/json;charset=UTF-8", body)
}

/// An error as Reloadly writes it.
pub fn error(status: u16, code: Option<&str>, message: &str) -> Response<Body> {
    let code = code.map_or("null".to_owned(), |code| format!("{code:?}"));
    json(
        status,
        format!(
            r#"{{"timeStamp":"2026-11-24 12:00:00","message":"{message}","path":"/orders","errorCode":{code},"infoLink":null,"details":[]}}"#
        ),
    )
}

/// What is answered where nothing is done; `None`: it is done.
pub async fn instead(fault: Option<Fault>) -> Option<Response<Body>> {
    Some(match fault? {
        Fault::NotSold => error(404, Some("INVALID_PRODUCT"), "Product not found"),
        Fault::NoFunds => {
            let words = "Insufficient funds in the wallet to complete this transaction";
            error(400, Some("INSUFFICIENT_BALANCE"), words)
        }
        Fault::Unauthorized => error(401, Some("INVALID_TOKEN"), "The token is not valid"),
        Fault::TooOften => {
            let mut answer = error(429, None, "Too many requests");
            answer.headers_mut().insert(RETRY_AFTER, "7".parse().unwrap());
            answer
        }
        Fault::SilentLost => std::future::pending().await,
        Fault::ErrorLost => error(
            500,
            Some("TRANSACTION_CANNOT_BE_PROCESSED_AT_THE_MOMENT"),
            "Transaction cannot be processed at the moment",
        ),
        Fault::Down => answer(503, "text/html", "<html>503 Service Unavailable</html>"),
        Fault::ClosedLost => cut(""),
        Fault::HtmlBad => answer(400, "text/html", "<html>400 Bad Request</html>"),
        _ => return None,
    })
}

/// What is answered once it is done.
pub async fn afterwards(fault: Option<Fault>, body: String, streamed: &Arc<AtomicU64>) -> Response<Body> {
    match fault {
        Some(Fault::SilentBought) => std::future::pending().await,
        Some(Fault::ErrorBought) => error(500, None, "Internal server error"),
        Some(Fault::ClosedBought) => cut(""),
        Some(Fault::CutMidway) => cut(&body[..body.len() / 2]),
        Some(Fault::HtmlFine) => answer(200, "text/html", "<html>200 OK</html>"),
        Some(Fault::Truncated) => json(200, body[..body.len() / 2].to_owned()),
        Some(Fault::Huge) => json(200, huge(streamed)),
        Some(Fault::GzipBomb) => {
            let mut answer = json(200, gzip_bomb());
            answer.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
            answer
        }
        Some(Fault::Drip) => json(200, drip(body)),
        Some(Fault::Twice) => json(200, format!("{body}{body}")),
        _ => json(StatusCode::OK.as_u16(), body),
    }
}

/// A connection that breaks behind these bytes.
fn cut(bytes: &str) -> Response<Body> {
    let broken: Result<Bytes, std::io::Error> = Err(std::io::Error::other("the wire was cut"));
    let start = Ok(Bytes::from(bytes.to_owned()));
    json(200, Body::from_stream(stream::iter([start, broken])))
}

/// 100 MB, counted as they leave.
fn huge(streamed: &Arc<AtomicU64>) -> Body {
    const CHUNK: usize = 65_536;
    let streamed = Arc::clone(streamed);
    let chunks = (0..100_000_000 / CHUNK).map(move |_| {
        streamed.fetch_add(65_536, Ordering::SeqCst);
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
