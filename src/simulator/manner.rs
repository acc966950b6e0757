//! How the sandbox vendor answers, well or badly.
//!
//! What lives here: every manner of answering, each as a response.
//! What is always true: a manner says nothing of what is in the books; endless answers are made as they are read, so that they cost
//! no memory here.
//! What is not here: which manner is chosen (`behaviour.rs`).

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::behaviour::Manner;
use super::bomb;
use super::refusal::Reason;

/// After how many seconds a caller that was told 429 on purpose may come again.
const RETRY_AFTER_SECS: u32 = 7;
/// A part of an answer that is too large; blanks, as JSON may have between its words.
static CHUNK: [u8; 65_536] = [b' '; 65_536];
/// How many of them make 100 MB.
const CHUNKS: u32 = 1_600;
/// How long an answer takes from one byte to the next, and how many bytes it has.
const DRIP_EVERY: Duration = Duration::from_millis(100);
const DRIPS: usize = 6_000;
const PAGE: &str =
    "<!doctype html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>";

/// Marks a response that is not to be sent: the connection is closed instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct HangUp;

/// A good answer, as a manner has it.
pub(super) async fn answer(
    manner: Manner,
    status: StatusCode,
    body: Value,
    streamed: Arc<AtomicU64>,
) -> Response {
    let json = [(CONTENT_TYPE, "application/json")];
    match manner {
        // What flaps was settled before: this call is up.
        Manner::Plain | Manner::Flapping => (status, Json(body)).into_response(),
        Manner::AfterMs(ms) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            (status, Json(body)).into_response()
        }
        Manner::Silent => std::future::pending().await,
        Manner::Refusing(Reason::TooMany) => Reason::TooMany.retry_after(RETRY_AFTER_SECS),
        Manner::Refusing(reason) => reason.into_response(),
        Manner::HtmlFine => Html(PAGE).into_response(),
        Manner::HtmlBad => (StatusCode::BAD_REQUEST, Html(PAGE)).into_response(),
        Manner::Truncated => (status, json, half(&body)).into_response(),
        Manner::Twice => (status, Json(&body)).into_response().map(|_| Body::from(format!("{body}\n{body}"))),
        Manner::OtherReference => (status, Json(renamed(body))).into_response(),
        Manner::Huge => (status, json, endless(streamed)).into_response(),
        Manner::GzipBomb => (status, json, [(CONTENT_ENCODING, "gzip")], bomb::gzip()).into_response(),
        Manner::Drip => (status, json, dripping()).into_response(),
        Manner::Closed => {
            let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
            response.extensions_mut().insert(HangUp);
            response
        }
        Manner::CutMidway => {
            let parts = [Ok(Bytes::from(half(&body))), Err(io::Error::other("cut off on purpose"))];
            (status, json, Body::from_stream(stream::iter(parts))).into_response()
        }
    }
}

/// The first half of a text.
fn half(body: &Value) -> String {
    let text = body.to_string();
    let middle = text.len().div_euclid(2);
    text.char_indices().take_while(|(at, _)| *at < middle).map(|(_, letter)| letter).collect()
}

fn renamed(mut body: Value) -> Value {
    if let Some(reference) = body.get_mut("reference") {
        *reference = "another-reference".into();
    }
    body
}

/// 100 MB; what the other side took is counted.
fn endless(streamed: Arc<AtomicU64>) -> Body {
    let size = u64::try_from(CHUNK.len()).unwrap_or(0);
    Body::from_stream(stream::iter(0..CHUNKS).map(move |_| {
        streamed.fetch_add(size, Ordering::Relaxed);
        Ok::<_, Infallible>(Bytes::from_static(&CHUNK))
    }))
}

fn dripping() -> Body {
    let drips = stream::unfold((), |()| async {
        tokio::time::sleep(DRIP_EVERY).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
    });
    Body::from_stream(drips.take(DRIPS))
}
