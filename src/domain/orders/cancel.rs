//! Cancelling an order.
//!
//! What lives here: the command.
//! What is always true: what is delivered stays delivered; pending units are refunded at once; the database says whether the
//! caller's session still lives.
//! What is not here: how units are settled (`settle.rs`).

use entity::ids::StockWriterId;
use entity::orders;
use entity::state::{FailurePolicy, OrderFailureCode, Scope};

use super::model::is_terminal;
use super::queries;
use super::refusal::OrderRefusal;
use super::settle::{self, Locked, Outcome};
use crate::ctx::Ctx;
use crate::domain::vouchers::find_reserved;
use crate::domain::{audit, feed, identity};
use crate::problem::{Failure, Problem};
use crate::store::{self, Transaction};

/// By what an order is named: its id or its reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderName {
    /// The order's id, as the caller gave it.
    Id(String),
    /// The partner's own name for it.
    Reference(String),
}

impl OrderName {
    /// The refusal where no order has this name.
    fn unknown(&self) -> Failure<OrderRefusal> {
        let field = match self {
            Self::Id(_) => "orderId",
            Self::Reference(_) => "reference",
        };
        Failure::Refused(OrderRefusal::OrderNotFound { field })
    }
}

/// Refunds what of an order is still pending.
///
/// # Errors
/// UNAUTHENTICATED, FORBIDDEN without orders:write; NOT_FOUND; NOT_CANCELLABLE if nothing could be stopped.
pub async fn cancel(ctx: &Ctx, name: OrderName) -> Result<orders::Model, Failure<OrderRefusal>> {
    let actor = ctx.require(Scope::OrdersWrite)?;
    let session = actor.session;
    let found = queries::find_by_name(ctx, actor.partner, &name).await?;
    let id = found.ok_or_else(|| name.unknown())?.id;
    let in_transaction = ctx.clone();
    let order = store::write(&ctx.deps, move |transaction| {
        let (ctx, name) = (in_transaction.clone(), name.clone());
        Box::pin(async move {
            // The session was believed as it was up to 5 s ago: that will not do where money moves.
            if !identity::dead_sessions(transaction, ctx.now, &[session]).await?.is_empty() {
                return Err(Problem::unauthenticated().into());
            }
            let locked = settle::lock(transaction, id).await?.ok_or_else(|| name.unknown())?;
            cancel_locked(&ctx, transaction, locked).await
        })
    })
    .await?;
    feed::wake(&ctx.deps);
    Ok(order)
}

async fn cancel_locked(
    ctx: &Ctx,
    transaction: &Transaction,
    mut locked: Locked,
) -> Result<orders::Model, Failure<OrderRefusal>> {
    let pending: Vec<i32> = locked.pending().map(|unit| unit.unit_index).collect();
    // Of an order that delivers all or nothing, what is on its way is refunded whatever comes of it.
    let is_all_or_nothing = locked.order.failure_policy == FailurePolicy::AllOrNothing;
    let is_stopped = !pending.is_empty() || (is_all_or_nothing && !locked.open.is_empty());
    if is_terminal(locked.order.status) || !is_stopped || locked.order.cancel_requested_at.is_some() {
        return Err(Failure::Refused(OrderRefusal::NotCancellable));
    }
    locked.order.cancel_requested_at = Some(ctx.now);
    let facts = serde_json::json!({ "units": pending.len() });
    let entry = audit::Entry::new(ctx, "orders.cancelled", locked.order.id, &facts);
    audit::record(transaction, &[entry]).await?;
    let returned = match is_all_or_nothing {
        true => find_reserved(transaction, locked.order.id).await?,
        false => Vec::new(),
    };
    let outcome = Outcome {
        refunds: pending,
        returned,
        failure: Some(OrderFailureCode::Cancelled),
        reason: "cancelled",
        ..Outcome::default()
    };
    let writer = StockWriterId::from_uuid(ctx.uuid());
    Ok(settle::settle(&ctx.deps, transaction, writer, ctx.now, locked, outcome).await?)
}
