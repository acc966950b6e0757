//! GraphQL over HTTP: POST, GET for queries, and the door to the socket.
//!
//! Lives here: the handler of `/graphql`.
//! Always true: what is refused is answered in the caller's media type with a GraphQL body; only JSON is read, so that
//! no form of a foreign page can call; no answer may be cached, since any may hold codes.
//! Not here: the steps from a body's text to an answer (graphql/pipeline), and sockets (ws.rs).
//!
//! Source: GraphQL over HTTP, draft; its audits (npm graphql-http) run in tests/it/endpoint.rs.

use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequestParts, Query, Request, State, WebSocketUpgrade};
use axum::http::header::{self, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use super::caller::{self, Caller};
use super::graphql::pipeline::Passage;
use super::graphql::pipeline::access::{Carrier, Denial, Standing};
use super::graphql::pipeline::answer::Answer;
use super::graphql::pipeline::media::{self, Media};
use super::graphql::pipeline::refusal::Refusal;
use super::graphql::pipeline::shape::Call;
use super::http::{AppState, Arrival};
use super::{graphql, ws};
use crate::problem::ErrorCode;

/// The most bytes of a body.
pub(super) const BODY_BYTES: usize = 256 * 1024;
/// The most bytes of a body that are read only to be thrown away.
const DISCARDED_BYTES: usize = 4 * 1024 * 1024;
/// How long a caller may take to send its body.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn serve(
    State(state): State<AppState>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    if is_socket(&parts.headers) {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &state).await {
            Ok(upgrade) => ws::upgrade(state, arrival, &parts.headers, upgrade),
            Err(rejection) => rejection.into_response(),
        };
    }
    let body = gather(body).await;
    let media = Media::accepted(joined(&parts.headers, header::ACCEPT).as_deref());
    let Some(media) = media else {
        let message = "Accept must allow application/graphql-response+json or application/json.";
        return with_status(StatusCode::NOT_ACCEPTABLE, ErrorCode::BadRequest, message, Media::Json);
    };
    match answer(&state, arrival, &parts, body, media).await {
        Ok(answer) => {
            let status = answer.refused_with().map_or(StatusCode::OK, |code| media::status(code, media));
            written(&answer, status, media)
        }
        Err(response) => response,
    }
}

/// Whether a socket is asked for. Some clients offer HTTP/2 by the same header, and are answered by HTTP/1.1.
fn is_socket(headers: &HeaderMap) -> bool {
    let mut offers = headers.get_all(header::UPGRADE).iter().filter_map(|value| value.to_str().ok());
    offers.any(|offer| offer.trim().eq_ignore_ascii_case("websocket"))
}

/// The answer of the pipeline, or the response to a request that did not reach it.
async fn answer(
    state: &AppState,
    arrival: Arrival,
    parts: &Parts,
    body: Result<Vec<u8>, Unread>,
    media: Media,
) -> Result<Answer, Response> {
    let carrier = match parts.method {
        Method::POST => Carrier::Post,
        Method::GET => Carrier::Get,
        _ => return Err(not_allowed("GraphQL is asked by POST, or by GET for queries.", "GET, POST", media)),
    };
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if carrier == Carrier::Post && !media::is_json(content_type) {
        let message = "Content-Type must be application/json, in UTF-8.";
        return Err(with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::BadRequest, message, media));
    }
    let body = body.map_err(|why| unread(&why, media))?;
    let request_id = arrival.request_id.to_string();
    let caller = caller::identify(&state.deps, &parts.headers, arrival.address).await.map_err(|problem| {
        closed(&Answer::closed(caller::refusal(problem, &request_id), &request_id), media)
    })?;
    let Caller { actor, standing, principal } = caller;
    let passage = Passage { carrier, principal, standing, now_ms: state.elapsed_ms(), request_id };
    let admitted = call(carrier, parts, &body)
        .map_err(Denial::Refused)
        .and_then(|call| state.pipeline.admit(call, passage));
    match admitted {
        Ok(admitted) => {
            let ctx = state.ctx(arrival, actor);
            Ok(state.pipeline.execute(admitted, graphql::request_data(ctx)).await)
        }
        Err(Denial::NotByGet(refusal)) => {
            let message = refusal.faults.first().map(|fault| fault.message.as_str()).unwrap_or_default();
            Err(not_allowed(message, "POST", media))
        }
        Err(Denial::TokenExpired(refusal)) => Err(closed(&Answer::refused(refusal), media)),
        // Whatever is wrong with the request, its caller must refresh before it may be told.
        Err(Denial::Refused(_)) if standing == Standing::Expired => {
            Err(closed(&Answer::refused(Refusal::expired()), media))
        }
        Err(Denial::Refused(refusal)) => Ok(Answer::refused(refusal)),
    }
}

fn call(carrier: Carrier, parts: &Parts, body: &[u8]) -> Result<Call, Refusal> {
    if carrier == Carrier::Post {
        return Call::from_json(body);
    }
    let parameters = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
    let Query(parameters) = parameters
        .map_err(|_| Refusal::new(ErrorCode::BadRequest, "The query string is not well-formed."))?;
    Call::from_parameters(parameters)
}

/// Why a body was not taken.
pub(super) enum Unread {
    /// It has more than [`BODY_BYTES`].
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
}

/// Takes the whole body, if it is small enough. One that is too large is read to its end all the same, within bounds:
/// a connection that is closed under an unread body takes the answer with it.
pub(super) async fn gather(body: Body) -> Result<Vec<u8>, Unread> {
    let mut parts = body.into_data_stream();
    let mut gathered = Vec::new();
    let mut read_bytes = 0_usize;
    let reading = async {
        while let Some(part) = parts.next().await {
            // A peer that has hung up reads no answer.
            let Ok(part) = part else { return Err(Unread::TooSlow) };
            read_bytes = read_bytes.saturating_add(part.len());
            if read_bytes <= BODY_BYTES {
                gathered.extend_from_slice(&part);
            } else if read_bytes > DISCARDED_BYTES {
                return Err(Unread::TooLarge);
            }
        }
        if read_bytes > BODY_BYTES { Err(Unread::TooLarge) } else { Ok(()) }
    };
    match tokio::time::timeout(BODY_PATIENCE, reading).await {
        Ok(read) => read.map(|()| gathered),
        Err(_elapsed) => Err(Unread::TooSlow),
    }
}

fn unread(why: &Unread, media: Media) -> Response {
    match why {
        Unread::TooLarge => {
            let message = format!("The body is too large: at most {BODY_BYTES} bytes are taken.");
            with_status(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::PayloadTooLarge, &message, media)
        }
        Unread::TooSlow => {
            let message = "The body took too long to arrive.";
            with_status(StatusCode::REQUEST_TIMEOUT, ErrorCode::BadRequest, message, media)
        }
    }
}

/// The endpoint is closed to this caller: the one case in which the status tells what the errors do.
fn closed(answer: &Answer, media: Media) -> Response {
    let status = match answer.refused_with() {
        Some(ErrorCode::Unauthenticated) => StatusCode::UNAUTHORIZED,
        Some(ErrorCode::Forbidden | ErrorCode::IpNotAllowed) => StatusCode::FORBIDDEN,
        Some(code) => media::status(code, media),
        None => StatusCode::OK,
    };
    let mut response = written(answer, status, media);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn not_allowed(message: &str, allow: &'static str, media: Media) -> Response {
    let mut response = with_status(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadRequest, message, media);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

fn with_status(status: StatusCode, code: ErrorCode, message: &str, media: Media) -> Response {
    written(&Answer::refused(Refusal::new(code, message)), status, media)
}

fn written(answer: &Answer, status: StatusCode, media: Media) -> Response {
    // Values of GraphQL always are JSON.
    let body = serde_json::to_vec(answer).unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, media.content_type()),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept"),
    ];
    let mut response = (status, headers, body).into_response();
    if let Some(retry_after_ms) = answer.retry_after_ms() {
        let seconds = retry_after_ms.div_ceil(1_000).max(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The values of a header that may be sent in several lines.
fn joined(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}
