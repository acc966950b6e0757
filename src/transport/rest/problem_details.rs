//! What callers of the facade learn of errors: RFC 9457 problems.
//!
//! Lives here: [`ProblemDetails`], and the ways of a [`Problem`] and of a feature's refusal into one.
//! Always true: the code is that of the contract and tells the status; members come in the order in which they are read, what
//! is wrong first; inputs are named in snake_case; a fault of the server says nothing but the request's id, and is logged
//! here, once, in full.
//! Not here: which errors there are.

use std::error::Error;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Response};
use entity::ids::RequestId;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::shapes::Money;
use crate::domain::orders::OrderRefusal;
use crate::problem::{ErrorCode, Failure, Problem, Refusal};
use crate::transport::graphql::errors::MASKED;
use crate::transport::graphql::pipeline::refusal::Refusal as Refused;

/// An error on its way to a caller.
#[derive(Debug)]
pub struct ProblemDetails {
    status: StatusCode,
    code: ErrorCode,
    detail: Box<str>,
    field: Option<Box<str>>,
    facts: Vec<(&'static str, Value)>,
    retry_after_ms: Option<u64>,
    /// What a 401 asks for: RFC 6750, 3.
    challenge: &'static str,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl ProblemDetails {
    /// A problem with the status of its code.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            status: status(code),
            code,
            detail: detail.into().into(),
            field: None,
            facts: Vec::new(),
            retry_after_ms: None,
            challenge: "Bearer",
            cause: None,
        }
    }

    /// An input is wrong: 422, naming it.
    pub fn of_input(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: Some(field.into().into()), ..Self::new(ErrorCode::BadUserInput, detail) }
    }

    /// A token was given, and is not good.
    pub fn of_token(problem: impl Into<Self>) -> Self {
        Self { challenge: "Bearer error=\"invalid_token\"", ..problem.into() }
    }

    /// A fault that is known to the log already.
    pub fn fault() -> Self {
        Self::new(ErrorCode::InternalServerError, MASKED)
    }

    /// The same problem under another status, for refusals that the codes are too coarse for.
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same problem, saying when to try again.
    pub fn retry_after_ms(self, retry_after_ms: u64) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..self }
    }

    /// The same problem about an input that this operation calls by another name.
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        if self.field.as_deref() == Some(from) {
            self.detail = self.detail.replace(&format!("`{from}`"), &format!("`{to}`")).into();
            self.field = Some(to.into());
        }
        self
    }

    fn with_fact(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.facts.push((name, value.into()));
        self
    }

    fn of_refusal(refusal: &impl Refusal) -> Self {
        let field = refusal.field().map(|path| snake_path(&path).into());
        Self { field, ..Self::new(refusal.code(), in_snake_case(&refusal.message())) }
    }

    /// The problem as an answer.
    pub fn answer(self, request_id: RequestId) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!(%request_id, code = %self.code, %cause, "a call failed");
        }
        let masked = self.code == ErrorCode::InternalServerError;
        let members = Members {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: if masked { MASKED } else { &self.detail },
            code: self.code.as_str(),
            field: self.field.as_deref(),
            request_id: masked.then_some(request_id),
            retry_after_ms: self.retry_after_ms,
            facts: Facts(&self.facts),
        };
        // Texts and numbers always are JSON.
        let body = serde_json::to_string(&members).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(self.challenge));
        }
        if let Some(retry_after_ms) = self.retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_ms.div_ceil(1_000).max(1)));
        }
        response
    }
}

/// The members of a problem, in the order in which a person reads them.
#[derive(Serialize)]
struct Members<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(flatten)]
    facts: Facts<'a>,
}

/// What belongs to one kind of problem, in its own order.
struct Facts<'a>(&'a [(&'static str, Value)]);

impl Serialize for Facts<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl From<Problem> for ProblemDetails {
    fn from(problem: Problem) -> Self {
        let Problem { code, message, field, retry_after_ms, cause } = problem;
        let field = field.map(|path| snake_path(&path).into());
        Self { field, retry_after_ms, cause, ..Self::new(code, in_snake_case(&message)) }
    }
}

impl From<Refused> for ProblemDetails {
    fn from(refused: Refused) -> Self {
        let detail = refused.faults.first().map(|fault| fault.message.clone()).unwrap_or_default();
        Self { retry_after_ms: refused.retry_after_ms, ..Self::new(refused.code, detail) }
    }
}

/// The problem of a command whose refusals have no facts.
pub fn of_failure<R: Refusal>(failure: Failure<R>) -> ProblemDetails {
    match failure {
        Failure::Refused(refusal) => ProblemDetails::of_refusal(&refusal),
        Failure::Problem(problem) => problem.into(),
    }
}

/// The problem of an order that was not placed or cancelled, with the facts that its kind has.
pub fn of_order(failure: Failure<OrderRefusal>) -> ProblemDetails {
    let refusal = match failure {
        Failure::Refused(refusal) => refusal,
        Failure::Problem(problem) => return problem.into(),
    };
    let details = ProblemDetails::of_refusal(&refusal);
    match refusal {
        OrderRefusal::InsufficientFunds { required, available } => details
            .with_fact("required", Money::from(required).to_json())
            .with_fact("available", Money::from(available).to_json()),
        OrderRefusal::OutOfStock { available } => details.with_fact("available", available),
        OrderRefusal::IdempotencyMismatch { order, fields } => {
            let fields: Vec<String> = fields.iter().map(|field| snake(field)).collect();
            details.with_fact("order_id", order.id.to_string()).with_fact("differing_fields", fields)
        }
        OrderRefusal::PriceChanged { charge } => details
            .with_fact("charge_id", charge.id.to_string())
            .with_fact("total", Money::from_minor(charge.total_minor, charge.currency).to_json()),
        // The address names the order, and no input does.
        OrderRefusal::OrderNotFound { .. } => ProblemDetails { field: None, ..details },
        _ => details,
    }
}

/// The status of a code. What no input can mend is a conflict with the state of things; what an input can mend is a 422.
fn status(code: ErrorCode) -> StatusCode {
    use ErrorCode as Code;
    match code {
        Code::Unauthenticated | Code::InvalidCredentials | Code::InvalidRefreshToken => {
            StatusCode::UNAUTHORIZED
        }
        Code::Forbidden | Code::IpNotAllowed | Code::ScopeNotGranted => StatusCode::FORBIDDEN,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::BadRequest
        | Code::GraphqlParseFailed
        | Code::GraphqlValidationFailed
        | Code::QueryTooComplex
        | Code::PersistedQueryNotFound => StatusCode::BAD_REQUEST,
        Code::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::Timeout | Code::ServiceUnavailable | Code::RatesStale => StatusCode::SERVICE_UNAVAILABLE,
        Code::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::CursorExpired => StatusCode::GONE,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::BadUserInput
        | Code::InvalidInput
        | Code::ProductNotFound
        | Code::InvalidFaceValue
        | Code::QuantityOutOfRange
        | Code::CurrencyNotSupported
        | Code::InvalidRecipient
        | Code::FailurePolicyNotAllowed => StatusCode::UNPROCESSABLE_ENTITY,
        Code::ProductUnavailable
        | Code::ChargeNotFound
        | Code::ChargeExpired
        | Code::ChargeUsed
        | Code::ChargeMismatch
        | Code::PriceChanged
        | Code::OutOfStock
        | Code::IdempotencyMismatch
        | Code::NotCancellable => StatusCode::CONFLICT,
        Code::InsufficientFunds => StatusCode::PAYMENT_REQUIRED,
    }
}

/// A name of the contract in snake_case: `faceValue` is `face_value`.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 2);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// A path of the contract as the facade writes it: `recipient.player_id`.
fn snake_path(path: &[String]) -> String {
    path.iter().map(|step| snake(step)).collect::<Vec<_>>().join(".")
}

/// A message whose inputs are named as the facade names them.
fn in_snake_case(message: &str) -> String {
    const INPUTS: [&str; 10] = [
        "chargeId",
        "faceValue",
        "failurePolicy",
        "maxTotal",
        "orderId",
        "playerId",
        "productId",
        "refreshToken",
        "retryAfterMs",
        "waitMs",
    ];
    INPUTS.iter().fold(message.to_owned(), |message, input| {
        if message.contains(input) { message.replace(input, &snake(input)) } else { message }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_named_in_snake_case() {
        assert_eq!(snake("failurePolicy"), "failure_policy");
        assert_eq!(snake_path(&["recipient".to_owned(), "playerId".to_owned()]), "recipient.player_id");
        assert_eq!(in_snake_case("waitMs must be 0 to 30000"), "wait_ms must be 0 to 30000");
    }

    #[test]
    fn a_fault_tells_nothing_but_its_request() {
        let details = ProblemDetails::from(Problem::internal("password=hunter2"));
        assert_eq!(details.status, StatusCode::INTERNAL_SERVER_ERROR);
        let response = details.answer(RequestId::from_uuid(uuid::Uuid::nil()));
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
