//! Cancelling an order.
//!
//! What lives here: the command.
//! What is always true: what is delivered stays delivered; pending units are refunded at once.
//! What is not here: how units are settled (`settle.rs`).

use entity::ids::{OrderId, StockWriterId};
use entity::orders;
use entity::state::{OrderFailureCode, Scope};

use super::model::is_terminal;
use super::queries;
use super::refusal::OrderRefusal;
use super::settle::{self, Outcome};
use crate::ctx::Ctx;
use crate::domain::{audit, feed};
use crate::problem::Failure;
use crate::store::{self, Transaction};

/// By what an order is named: its id or its reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderName {
    /// The order's id, as the caller gave it.
    Id(String),
    /// The partner's own name for it.
    Reference(String),
}

/// Refunds what of an order is still pending.
///
/// # Errors
/// NOT_FOUND; NOT_CANCELLABLE if nothing could be stopped.
pub async fn cancel(ctx: &Ctx, name: OrderName) -> Result<orders::Model, Failure<OrderRefusal>> {
    let actor = ctx.require(Scope::OrdersWrite)?;
    let found = queries::find_by_name(ctx, actor.partner, &name).await?;
    let id = found.ok_or(Failure::Refused(OrderRefusal::OrderNotFound))?.id;
    let in_transaction = ctx.clone();
    let order = store::write(&ctx.deps, move |transaction| {
        let ctx = in_transaction.clone();
        Box::pin(async move { cancel_locked(&ctx, transaction, id).await })
    })
    .await?;
    feed::wake(&ctx.deps);
    Ok(order)
}

async fn cancel_locked(
    ctx: &Ctx,
    transaction: &Transaction,
    id: OrderId,
) -> Result<orders::Model, Failure<OrderRefusal>> {
    let locked = settle::lock(transaction, id).await?.ok_or(Failure::Refused(OrderRefusal::OrderNotFound))?;
    if is_terminal(locked.order.status) || locked.open.is_empty() {
        return Err(Failure::Refused(OrderRefusal::NotCancellable));
    }
    let mut locked = locked;
    locked.order.cancel_requested_at = Some(ctx.now);
    let outcome = Outcome {
        codes: Vec::new(),
        refunds: locked.open.len(),
        failure: Some(OrderFailureCode::Cancelled),
        reason: "cancelled",
    };
    let entry =
        audit::Entry::new(ctx, "orders.cancelled", id, &serde_json::json!({ "units": locked.open.len() }));
    audit::record(transaction, &[entry]).await?;
    // A cancelling moves no stock, so that its writer never writes.
    let writer = StockWriterId::from_uuid(ctx.uuid());
    Ok(settle::settle(&ctx.deps, transaction, writer, ctx.now, locked, outcome).await?)
}
