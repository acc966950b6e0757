//! Why the sandbox vendor says no.
//!
//! Always true: a reason has one code, one status and one sentence; an error is JSON, `{"error": {"code", "message"}}`.
//! Not here: answers that are wrong on purpose (`manner.rs`).

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A reason. The first five are kept in the books with the purchase; the others say nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    OutOfStock,
    NotSold,
    BadRecipient,
    PriceChanged,
    Malformed,
    NoFunds,
    Unauthorized,
    TooMany,
    ReferenceUsed,
    UnknownReference,
    NoSuchPath,
    Failed,
    Down,
}

impl Reason {
    /// The code, the status and the sentence.
    const fn told(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::OutOfStock => ("out_of_stock", S::UNPROCESSABLE_ENTITY, "there are none left"),
            Self::NotSold => {
                ("not_sold", S::UNPROCESSABLE_ENTITY, "this is not sold, or not at this face value")
            }
            Self::BadRecipient => {
                ("bad_recipient", S::UNPROCESSABLE_ENTITY, "the recipient cannot receive this")
            }
            Self::PriceChanged => ("price_changed", S::UNPROCESSABLE_ENTITY, "the price is another now"),
            Self::Malformed => ("malformed", S::BAD_REQUEST, "the request is not what it should be"),
            Self::NoFunds => ("no_funds", S::PAYMENT_REQUIRED, "the account's funds do not suffice"),
            Self::Unauthorized => ("unauthorized", S::UNAUTHORIZED, "the key is not accepted"),
            Self::TooMany => ("too_many", S::TOO_MANY_REQUESTS, "too many requests"),
            Self::ReferenceUsed => {
                ("reference_used", S::CONFLICT, "the reference was used for another purchase")
            }
            Self::UnknownReference => {
                ("unknown_reference", S::NOT_FOUND, "there is no purchase of this reference")
            }
            Self::NoSuchPath => ("no_such_path", S::NOT_FOUND, "there is nothing here"),
            Self::Failed => ("failed", S::INTERNAL_SERVER_ERROR, "something went wrong"),
            Self::Down => ("down", S::SERVICE_UNAVAILABLE, "out of order"),
        }
    }

    /// `{"code", "message"}`.
    pub(super) fn as_json(self) -> Value {
        let (code, _, message) = self.told();
        json!({ "code": code, "message": message })
    }

    /// The answer, to be asked again after so many seconds.
    pub(super) fn retry_after(self, secs: u32) -> Response {
        let mut response = self.into_response();
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(secs));
        response
    }

    pub(super) const fn status(self) -> StatusCode {
        self.told().1
    }

    pub(super) fn body(self) -> Value {
        json!({ "error": self.as_json() })
    }
}

impl IntoResponse for Reason {
    fn into_response(self) -> Response {
        (self.status(), Json(self.body())).into_response()
    }
}
