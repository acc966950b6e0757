//! What every call of the facade passes on its way to its operation.
//!
//! Lives here: [`Call`], [`Answer`] and the order of the checks: content type, size, token, allowance, parameters, body; and
//! the limit of time and the net for panics around the operation.
//! Always true: the checks are those of `/graphql`, and their state is shared with it, so that neither is a way around the
//! other; no answer may be cached, since any may hold codes.
//! Not here: which operations there are (mod.rs), and what they do.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::header::{self, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use serde::Serialize;

use super::input::{Members, Parameters};
use super::problem_details::ProblemDetails;
use super::{Door, Route};
use crate::ctx::{Actor, Ctx};
use crate::problem::{ErrorCode, Problem};
use crate::transport::caller::{self, Caller};
use crate::transport::endpoint::{BODY_BYTES, Unread, gather};
use crate::transport::graphql::pipeline::access::Standing;
use crate::transport::graphql::pipeline::media::is_json;
use crate::transport::graphql::pipeline::refusal::Refusal;
use crate::transport::http::{AppState, Arrival, OPERATION_TIMEOUT};
use crate::transport::limits::counted_as;

/// A call that may be answered.
#[derive(Debug)]
pub struct Call {
    /// Who calls, when.
    pub ctx: Ctx,
    /// The `{id}` of the address.
    pub id: String,
    /// The parameters of the address.
    pub parameters: Parameters,
    /// The members of the body.
    pub members: Members,
    /// The whole request, where it is a vendor that calls; else nothing.
    pub message: Message,
}

/// A request as it came, for whoever checks its signature.
#[derive(Debug, Default)]
pub struct Message {
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer that is no problem.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: Vec<u8>,
}

/// What becomes of a call.
pub type Outcome = Result<Answer, ProblemDetails>;

impl Answer {
    /// 200 with a body.
    ///
    /// # Errors
    /// A body that is no JSON, which none of ours is.
    pub fn ok(body: &impl Serialize) -> Outcome {
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        Ok(Self { status: StatusCode::OK, location: None, body })
    }

    /// 201 with a body and its address.
    ///
    /// # Errors
    /// As [`Answer::ok`].
    pub fn created(location: String, body: &impl Serialize) -> Outcome {
        let answer = Self::ok(body)?;
        Ok(Self { status: StatusCode::CREATED, location: Some(location), ..answer })
    }

    /// 200 with JSON text as it stands.
    pub fn text(body: &'static str) -> Self {
        Self { status: StatusCode::OK, location: None, body: body.as_bytes().to_vec() }
    }

    fn into_response(self) -> Response {
        let content_type = [(header::CONTENT_TYPE, "application/json")];
        let mut response = (self.status, content_type, self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let location = self.location.and_then(|location| HeaderValue::from_str(&location).ok());
        headers.extend(location.map(|location| (header::LOCATION, location)));
        response
    }
}

/// Serves a call of an operation.
pub(super) async fn serve(
    state: AppState,
    arrival: Arrival,
    request: Request,
    route: &'static Route,
) -> Response {
    let run = AssertUnwindSafe(answer(&state, arrival, request, route)).catch_unwind();
    let outcome = run.await.unwrap_or_else(|_: Box<dyn Any + Send>| {
        tracing::error!(request_id = %arrival.request_id, path = route.path, "an operation panicked");
        Err(ProblemDetails::fault())
    });
    match outcome {
        Ok(answer) => answer.into_response(),
        Err(details) => details.answer(arrival.request_id),
    }
}

async fn answer(state: &AppState, arrival: Arrival, request: Request, route: &'static Route) -> Outcome {
    let (mut parts, body) = request.into_parts();
    let body = gather(body).await;
    let body = checked(&parts.headers, body, route)?;
    let Caller { actor, principal, .. } = admit(state, arrival, &parts.headers, route).await?;
    state.pipeline.spend(&principal, route.points, state.elapsed_ms())?;
    let parameters = Parameters::read(&parts.uri, route.parameters)?;
    let (members, message) = match route.door {
        Door::Vendors => (Members::default(), Message { headers: parts.headers.clone(), body }),
        _ if body.is_empty() && route.members.is_none() => (Members::default(), Message::default()),
        _ => (Members::read(&body, route.members.unwrap_or_default())?, Message::default()),
    };
    let timeout = OPERATION_TIMEOUT.saturating_add((route.wait)(&members));
    let call =
        Call { ctx: state.ctx(arrival, actor), id: id(&mut parts).await, parameters, members, message };
    match tokio::time::timeout(timeout, (route.action)(call)).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => {
            let detail = "the call took too long; repeat an order under the same reference";
            Err(ProblemDetails::new(ErrorCode::Timeout, detail).retry_after_ms(1_000))
        }
    }
}

/// The body, if it is one that the operation takes. Only JSON is read, so that no form of a foreign page can call; what a vendor
/// sends is signed, whatever it is.
fn checked(
    headers: &HeaderMap,
    body: Result<Vec<u8>, Unread>,
    route: &Route,
) -> Result<Vec<u8>, ProblemDetails> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_empty = matches!(&body, Ok(body) if body.is_empty());
    let is_free = route.door == Door::Vendors || is_empty && route.members.is_none();
    if !(is_json(content_type) || is_free) {
        let detail = "Content-Type must be application/json, in UTF-8";
        let details = ProblemDetails::new(ErrorCode::BadRequest, detail);
        return Err(details.with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    body.map_err(|why| match why {
        Unread::TooLarge => {
            let detail = format!("the body is too large: at most {BODY_BYTES} bytes are taken");
            ProblemDetails::new(ErrorCode::PayloadTooLarge, detail)
        }
        Unread::TooSlow => ProblemDetails::new(ErrorCode::BadRequest, "the body took too long to arrive")
            .with_status(StatusCode::REQUEST_TIMEOUT),
    })
}

/// Who calls. The open door asks nobody: whoever signs in has no good token, and a vendor has none at all.
async fn admit(
    state: &AppState,
    arrival: Arrival,
    headers: &HeaderMap,
    route: &Route,
) -> Result<Caller, ProblemDetails> {
    if route.door != Door::SignedIn {
        let principal = counted_as(arrival.address).to_string().into();
        return Ok(Caller { actor: Actor::Anonymous, standing: Standing::Anonymous, principal });
    }
    let caller = caller::identify(&state.deps, headers, arrival.address).await;
    let caller = caller.map_err(ProblemDetails::of_token)?;
    match caller.standing {
        Standing::SignedIn => Ok(caller),
        Standing::Anonymous => Err(Problem::unauthenticated().into()),
        Standing::Expired => Err(ProblemDetails::of_token(Refusal::expired())),
    }
}

async fn id(parts: &mut Parts) -> String {
    // An address that is not UTF-8 names nothing.
    let Ok(named) = RawPathParams::from_request_parts(parts, &()).await else { return String::new() };
    named.iter().find(|(name, _)| *name == "id").map(|(_, id)| id.to_owned()).unwrap_or_default()
}
