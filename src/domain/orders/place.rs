//! Placing an order.
//!
//! What lives here: the command, from the caller's input to the answer.
//! What is always true: idempotency comes first: a reference that has an order answers that order, whatever else the input says;
//! waiting for an order's end never delays its commit and never makes it an error.
//! What is not here: the commit, which is the desk's alone.

use std::sync::Arc;
use std::time::Duration;

use entity::ids::OrderId;
use entity::state::Scope;
use entity::{orders, vouchers};
use serde_json::json;
use tokio::time::Instant;

use super::desk::Desks;
use super::input::{PlaceOrder, Reveals};
use super::model::is_terminal;
use super::queries;
use super::recipient;
use super::refusal::OrderRefusal;
use super::ticket::Ticket;
use super::verdict::{Verdict, verdict};
use crate::ctx::Ctx;
use crate::domain::{audit, feed, vouchers as vault};
use crate::problem::{Failure, Problem};

/// An order as its caller is told of it.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The order.
    pub order: Arc<orders::Model>,
    /// The codes that went to it with this call, sealed, if the call was to reveal them: reading them is audited already.
    pub codes: Option<Arc<Vec<vouchers::Model>>>,
    /// Whether the order stood already under this reference.
    pub replayed: bool,
}

/// Places an order of 1 to 1,000 units, or finds the one that holds the reference; then waits, at most `wait_ms`, for its end.
///
/// # Errors
/// A refusal, which burns neither reference nor charge; UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED, SERVICE_UNAVAILABLE.
pub async fn place(ctx: &Ctx, input: PlaceOrder) -> Result<Placed, Failure<OrderRefusal>> {
    let actor = ctx.require(Scope::OrdersWrite)?.clone();
    input.check_form().map_err(Failure::Refused)?;
    let wait_ms = input.wait_ms;
    let order_id = OrderId::from_uuid(ctx.uuid());
    let reveal = (input.reveals == Reveals::Codes && actor.may(Scope::VouchersReveal))
        .then(|| audit::Entry::new(ctx, "vouchers.revealed", order_id, &json!({ "with": "delivery" })));
    let verdict = verdict(ctx, &actor, &input).await?;
    let recipient = match (&input.recipient, &verdict) {
        (Some(recipient), Verdict::Sell(_) | Verdict::OnCharge(..)) => {
            Some(recipient::seal(ctx, order_id, recipient).await?)
        }
        _ => None,
    };
    let ticket = Ticket {
        verdict,
        recipient,
        fingerprint: input.fingerprint(vault::vault(ctx)),
        input,
        ctx: ctx.clone(),
        actor,
        order_id,
        reveal,
    };
    let placed = ctx.feature::<Desks>().take(ticket).await?;
    if placed.codes.is_some() {
        ctx.revealed.add([placed.order.id]);
    }
    Ok(wait_for_end(ctx, placed, wait_ms).await)
}

/// Waits for the end of an order that was accepted with open units. It is accepted, whatever comes: if it cannot be read again,
/// it is answered as it was.
async fn wait_for_end(ctx: &Ctx, placed: Placed, wait_ms: i32) -> Placed {
    let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0));
    if is_terminal(placed.order.status) || wait.is_zero() {
        return placed;
    }
    let begin = Instant::now();
    let latest = latest(ctx, &placed.order, begin + wait.saturating_sub(ctx.waited.get())).await;
    ctx.waited.add(begin.elapsed());
    let of = |order: &orders::Model| (order.version, order.delivered_quantity, order.refunded_quantity);
    match latest {
        Ok(order) if of(&order) != of(&placed.order) => {
            Placed { order: Arc::new(order), codes: None, ..placed }
        }
        Ok(_) => placed,
        Err(problem) => {
            tracing::warn!(%problem, order = %placed.order.id, "an accepted order could not be read again");
            placed
        }
    }
}

/// The order at its end, or as it stands at an instant.
async fn latest(ctx: &Ctx, accepted: &orders::Model, until: Instant) -> Result<orders::Model, Problem> {
    let partner = accepted.partner_id;
    let mut watch = feed::watch(&ctx.deps, partner);
    // Read after the watch began: the end may have come between the commit and it.
    let mut order = queries::get(ctx, partner, accepted.id).await?;
    while !is_terminal(order.status) && watch.moved_before(until).await {
        order = queries::get(ctx, partner, order.id).await?;
    }
    Ok(order)
}
