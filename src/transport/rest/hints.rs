//! The door of vendors: messages that they send of their own accord.

use std::collections::BTreeMap;

use serde::Serialize;

use super::gate::{Answer, Call, Outcome};
use super::problem_details::of_failure;
use crate::domain::orders;

/// That a message was taken, which says nothing of what follows from it.
#[derive(Serialize)]
struct HintTaken {
    taken: bool,
}

/// `POST /vendors/{id}/hints`
pub async fn take(call: Call) -> Outcome {
    let headers: BTreeMap<String, String> = call
        .message
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let taken = orders::take_hint(&call.ctx, &call.id, &headers, &call.message.body).await;
    taken.map_err(of_failure)?;
    Answer::ok(&HintTaken { taken: true })
}
