//! A vendor's message, and the worker that it wakes.
//!
//! What lives here: passing on what a vendor sends of its own accord.
//! What is always true: no order is touched; what became of a purchase is asked, by the worker.
//! What is not here: which messages are taken (fulfillment's `hints.rs`).

use std::collections::BTreeMap;

use super::worker::Bell;
use crate::ctx::Ctx;
use crate::domain::fulfillment::{self, HintRefusal};
use crate::problem::Failure;

/// Takes a message of a vendor, and has the worker ask about what it names.
///
/// # Errors
/// See `fulfillment::take_hint`.
pub async fn take_hint(
    ctx: &Ctx,
    vendor: &str,
    headers: &BTreeMap<String, String>,
    body: &[u8],
) -> Result<(), Failure<HintRefusal>> {
    fulfillment::take_hint(ctx, vendor, headers, body).await?;
    ctx.feature::<Bell>().ring();
    Ok(())
}
