//! How another Octopus refuses.
//!
//! What lives here: which of its codes is which refusal.
//! What is always true: only a code that stands here is a fact; whatever else it answers is a doubt. Its sentences are not
//! repeated: they may name a recipient.
//! What is not here: refusals of whoever stands between (`reply.rs`).
//!
//! Source: the codes of the contract, and the statuses of the facade's `openapi.json`.

use serde::Deserialize;

use crate::domain::fulfillment::{RefusalKind, VendorRefusal};
use crate::outgoing::Answer;
use crate::vendors::reply::refusal;

/// What a code has at most.
const LONGEST_CODE: usize = 60;

/// A problem, as RFC 9457 has it.
#[derive(Deserialize)]
struct Problem {
    code: String,
}

/// The code of a problem.
pub(super) fn problem_code(answer: &Answer) -> Option<String> {
    let code = serde_json::from_slice::<Problem>(&answer.body).ok()?.code;
    let is_word = code.bytes().all(|letter| letter.is_ascii_uppercase() || letter == b'_');
    (is_word && (1..=LONGEST_CODE).contains(&code.len())).then_some(code)
}

/// The refusal of an order; `None` if it is no such fact.
pub(super) fn of_order(answer: &Answer) -> Option<VendorRefusal> {
    let code = problem_code(answer)?;
    let kind = match code.as_str() {
        "INSUFFICIENT_FUNDS" => RefusalKind::NoFunds,
        "OUT_OF_STOCK" => RefusalKind::OutOfStock,
        "PRICE_CHANGED" => RefusalKind::PriceChanged,
        "INVALID_RECIPIENT" => RefusalKind::BadRecipient,
        "PRODUCT_NOT_FOUND"
        | "PRODUCT_UNAVAILABLE"
        | "INVALID_FACE_VALUE"
        | "QUANTITY_OUT_OF_RANGE"
        | "CURRENCY_NOT_SUPPORTED" => RefusalKind::NotSold,
        "FORBIDDEN" | "IP_NOT_ALLOWED" | "SCOPE_NOT_GRANTED" => RefusalKind::NotAuthorized,
        "BAD_REQUEST" | "BAD_USER_INPUT" | "INVALID_INPUT" | "FAILURE_POLICY_NOT_ALLOWED" => {
            RefusalKind::Other
        }
        // IDEMPOTENCY_MISMATCH above all: an order of other inputs stands under our reference.
        _ => return None,
    };
    Some(refusal(kind, &format!("the vendor refused: {code}"), answer.retry_after_secs))
}

/// The refusal of an order that was accepted and has failed with all its units.
pub(super) fn of_failure(code: Option<&str>) -> VendorRefusal {
    let kind = match code {
        Some("DEADLINE_PASSED" | "NOT_ALL_AVAILABLE") => RefusalKind::OutOfStock,
        _ => RefusalKind::Other,
    };
    let known = code.filter(|code| code.len() <= LONGEST_CODE).unwrap_or("without a reason");
    refusal(kind, &format!("the order has failed: {known}"), None)
}
