//! What Reloadly's errors mean.
//!
//! What lives here: which of its errors is which refusal.
//! What is always true: only an error of a shape that Reloadly has is a refusal; JSON of anybody else on the way is a doubt. An
//! identifier that is taken is no refusal: an order under it arrived.
//! What is not here: which statuses may carry a refusal at all (`reply.rs`).

use serde::Deserialize;

use crate::domain::fulfillment::{Doubt, RefusalKind, VendorRefusal};
use crate::outgoing::Answer;
use crate::vendors::reply::{Reply, doubt, not_looked_at, refusal};

/// An error as it comes: Reloadly's own, Spring's for an unknown path, or the token service's.
#[derive(Deserialize)]
struct ErrorBody {
    message: Option<String>,
    #[serde(rename = "errorCode")]
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// What an order was answered with that was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotOrdered {
    /// A fact: it was not made.
    Refused(VendorRefusal),
    /// The identifier is taken: an order under it arrived earlier, and is to be looked up.
    ArrivedEarlier,
    /// No fact.
    Unknown(Doubt),
}

/// What an order was answered with, where that was a 4xx with JSON.
pub(super) fn not_ordered(answer: &Answer) -> NotOrdered {
    match error_body(answer) {
        Some(body) if says_used(&body) => NotOrdered::ArrivedEarlier,
        Some(body) => {
            let words = words(&body).unwrap_or_default();
            NotOrdered::Refused(refusal(kind_of(&body), &words, answer.retry_after_secs))
        }
        None => NotOrdered::Unknown(doubt(
            answer,
            format!("the vendor answered {} without its own error", answer.status),
        )),
    }
}

/// The answer of a question about a purchase.
///
/// # Errors
/// What came instead, which is no fact about the purchase.
pub(super) fn answered(reply: Reply) -> Result<Answer, Doubt> {
    match reply {
        Reply::Success(answer) => Ok(answer),
        Reply::Rejected(answer) => {
            let words = words_of(&answer).unwrap_or_default();
            let told = refusal(RefusalKind::Other, &format!("HTTP {}: {words}", answer.status), None);
            Err(doubt(&answer, told.message))
        }
        Reply::TurnedAway(refusal) => Err(not_looked_at(refusal)),
        Reply::Doubtful(doubt) => Err(doubt),
    }
}

/// The vendor's own words for what is wrong, with its code in front.
pub(super) fn words_of(answer: &Answer) -> Option<String> {
    words(&error_body(answer)?)
}

/// The error in an answer; `None` if there is none of a shape that Reloadly has.
fn error_body(answer: &Answer) -> Option<ErrorBody> {
    let body: ErrorBody = serde_json::from_slice(&answer.body).ok()?;
    words(&body).is_some_and(|words| !words.trim().is_empty()).then_some(body)
}

fn words(body: &ErrorBody) -> Option<String> {
    let words = body.message.as_ref().or(body.error_description.as_ref()).or(body.error.as_ref());
    match (body.code.as_ref(), words) {
        (Some(code), Some(words)) => Some(format!("{code}: {words}")),
        (only, None) | (None, only) => only.cloned(),
    }
}

/// Whether an order under the identifier arrived before; the code may be missing beside the words.
fn says_used(body: &ErrorBody) -> bool {
    let words = body.message.as_deref().unwrap_or_default().to_lowercase();
    body.code.as_deref() == Some("CUSTOM_IDENTIFIER_ALREADY_USED")
        || (words.contains("custom identifier") && words.contains("already"))
}

/// By its code; where there is none, by the words that were seen without one.
fn kind_of(body: &ErrorBody) -> RefusalKind {
    let words = body.message.as_deref().unwrap_or_default().to_lowercase();
    let no_funds = words.contains("insufficient funds") || words.contains("insufficient balance");
    match body.code.as_deref() {
        Some("INSUFFICIENT_BALANCE") => RefusalKind::NoFunds,
        Some("WRONG_PRODUCT_PRICE" | "INVALID_PRODUCT") => RefusalKind::NotSold,
        None if no_funds => RefusalKind::NoFunds,
        None if words.contains("cannot order products valued more") => RefusalKind::NotSold,
        _ => RefusalKind::Other,
    }
}
