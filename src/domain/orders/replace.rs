//! Giving a delivered unit another code.
//!
//! What lives here: the operator's command, for a code that does not work; and which codes stand in the place of others.
//! What is always true: a code is replaced once, its replacement may be replaced in turn; the new one comes from stock, of the
//! order's product and face value; nobody pays again, and what the new one cost is a posting of its own; code, posting, move,
//! audit and event commit together; order and unit stay as they ended; a unit whose money was given back gets no other code.
//! What is not here: giving the money back (`goodwill.rs`); reading codes (`reveal.rs`).

use std::collections::{BTreeMap, HashMap};

use entity::ids::{EventId, OrderId, StockWriterId, TransactionId, VoucherId};
use entity::state::{Scope, StockMoveKind, VoucherState};
use entity::{goodwill_refunds as refunds, orders, vouchers};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use serde_json::json;

use super::named::{LONGEST_OPERATOR, is_text, require_operator};
use super::{accounting, settle, telling};
use crate::ctx::Ctx;
use crate::domain::audit::{self, Entry};
use crate::domain::vouchers::{Demand, StockMove, deliver_instead, lock_free, record_moves};
use crate::domain::{events, feed, wallet};
use crate::problem::{ErrorCode, Failure, Problem, Refusal};
use crate::store::{Transaction, write};

/// How many characters a reason may have.
const LONGEST_REASON: usize = 500;

/// The command: give a unit another code.
#[derive(Debug, Clone)]
pub struct ReplaceVoucher {
    /// The order.
    pub order: OrderId,
    /// The voucher of it that does not work: what makes it happen once.
    pub voucher: VoucherId,
    /// Why, in the operator's words.
    pub reason: String,
    /// Who decided it.
    pub operator: String,
}

/// A replacement that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// The unit's place in the order, from 1.
    pub unit: i32,
    /// The voucher that stands now.
    pub voucher: VoucherId,
    /// The ledger transaction of its cost; `None` if it cost nothing.
    pub transaction: Option<TransactionId>,
}

/// Why a voucher is not replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplaceRefusal {
    /// There is no such order.
    OrderNotFound,
    /// No unit of the order was delivered with this voucher.
    VoucherNotFound,
    /// Another voucher stands in its place already.
    ReplacedBefore {
        /// That one.
        by: VoucherId,
    },
    /// The unit's money was given back.
    Refunded {
        /// By this transaction.
        transaction: TransactionId,
    },
    /// There is no code of the product and face value that nobody else is taking.
    OutOfStock,
    /// The reason is empty, longer than 500 characters, or not printable.
    InvalidReason,
    /// The operator's name is empty, longer than 100 characters, or not printable.
    InvalidOperator,
}

impl Refusal for ReplaceRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::OrderNotFound | Self::VoucherNotFound => ErrorCode::NotFound,
            Self::OutOfStock => ErrorCode::OutOfStock,
            _ => ErrorCode::InvalidInput,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::OrderNotFound => "there is no such order".to_owned(),
            Self::VoucherNotFound => "no unit of the order was delivered with this voucher".to_owned(),
            Self::ReplacedBefore { by } => {
                format!("it was replaced before, by {by}: if that does not work either, replace that")
            }
            Self::Refunded { transaction } => {
                format!("the unit's money was given back, by {transaction}: it gets no other code")
            }
            Self::OutOfStock => "no code of this product and face value is in stock".to_owned(),
            Self::InvalidReason => format!("the reason must have 1 to {LONGEST_REASON} printable characters"),
            Self::InvalidOperator => {
                format!("the operator's name must have 1 to {LONGEST_OPERATOR} printable characters")
            }
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        let field = match self {
            Self::OrderNotFound => "order",
            Self::VoucherNotFound
            | Self::ReplacedBefore { .. }
            | Self::Refunded { .. }
            | Self::OutOfStock => "voucher",
            Self::InvalidReason => "reason",
            Self::InvalidOperator => "operator",
        };
        Some(vec![field.to_owned()])
    }
}

/// Gives a unit another code from stock, in the place of one that does not work.
///
/// # Errors
/// See `ReplaceRefusal`; FORBIDDEN for anyone but an operator; what the database says.
pub async fn replace_voucher(
    ctx: &Ctx,
    command: ReplaceVoucher,
) -> Result<Replaced, Failure<ReplaceRefusal>> {
    require_operator(ctx)?;
    if !is_text(&command.reason, LONGEST_REASON) {
        return Err(Failure::Refused(ReplaceRefusal::InvalidReason));
    }
    if !is_text(&command.operator, LONGEST_OPERATOR) {
        return Err(Failure::Refused(ReplaceRefusal::InvalidOperator));
    }
    let task = ctx.clone();
    let replaced = write(&ctx.deps, move |transaction| {
        let (ctx, command) = (task.clone(), command.clone());
        Box::pin(async move {
            let locked = settle::lock(transaction, command.order).await?;
            let order = locked.ok_or(Failure::Refused(ReplaceRefusal::OrderNotFound))?.order;
            let replaced = find_standing(transaction, &order, command.voucher).await?;
            let replacement = find_spare(&ctx, transaction, &order).await?;
            give(&ctx, transaction, &order, (&replaced, &replacement), &command).await
        })
    })
    .await?;
    feed::wake(&ctx.deps);
    Ok(replaced)
}

/// The voucher, if it is one to be replaced.
async fn find_standing(
    transaction: &Transaction,
    order: &orders::Model,
    voucher: VoucherId,
) -> Result<vouchers::Model, Failure<ReplaceRefusal>> {
    let refused = |reason| Err(Failure::Refused(reason));
    let found = vouchers::Entity::find_by_id(voucher)
        .filter(vouchers::Column::OrderId.eq(order.id))
        .filter(vouchers::Column::State.eq(VoucherState::Delivered))
        .one(transaction)
        .await?;
    let Some((found, unit)) = found.and_then(|found| found.unit_index.map(|unit| (found, unit))) else {
        return refused(ReplaceRefusal::VoucherNotFound);
    };
    let by = vouchers::Entity::find().filter(vouchers::Column::Replaces.eq(voucher)).one(transaction).await?;
    if let Some(by) = by {
        return refused(ReplaceRefusal::ReplacedBefore { by: by.id });
    }
    match refunds::Entity::find_by_id((order.id, unit)).one(transaction).await? {
        Some(refund) => refused(ReplaceRefusal::Refunded { transaction: refund.transaction_id }),
        None => Ok(found),
    }
}

/// A code for the order's product, locked. What others have locked is passed over: whoever holds an order waits for no code.
async fn find_spare(
    ctx: &Ctx,
    transaction: &Transaction,
    order: &orders::Model,
) -> Result<vouchers::Model, Failure<ReplaceRefusal>> {
    let demand = Demand { product_id: order.product_id.clone(), face_minor: order.face_minor, count: 1 };
    let good_until = ctx.now.plus_seconds(i64::from(ctx.deps.config.min_validity_secs));
    let spare = lock_free(transaction, &demand, good_until).await?.pop();
    spare.ok_or(Failure::Refused(ReplaceRefusal::OutOfStock))
}

async fn give(
    ctx: &Ctx,
    transaction: &Transaction,
    order: &orders::Model,
    (replaced, replacement): (&vouchers::Model, &vouchers::Model),
    command: &ReplaceVoucher,
) -> Result<Replaced, Failure<ReplaceRefusal>> {
    deliver_instead(transaction, ctx.now, replaced.id, replacement.id).await?;
    let unit = replaced.unit_index.ok_or_else(|| Problem::internal("a delivered code without a unit"))?;
    let id = TransactionId::from_uuid(ctx.uuid());
    let cost = accounting::replacement(id, order, replacement, command.reason.clone());
    let facts = json!({
        "unit": unit, "replaced": replaced.id, "by": replacement.id, "reason": command.reason,
        "operator": command.operator, "transaction": cost.as_ref().map(|cost| cost.id),
    });
    let audited = Entry::new(ctx, "orders.voucher_replaced", order.id, &facts).about(order.partner_id);
    let audited = vec![audit::rows(&[audited])];
    wallet::post(transaction, ctx.now, &mut BTreeMap::new(), cost.as_slice(), audited).await?;
    let gone = StockMove {
        product_id: order.product_id.clone(),
        face_minor: order.face_minor,
        kind: StockMoveKind::Allocated,
        delta: -1,
    };
    record_moves(transaction, ctx.now, StockWriterId::from_uuid(ctx.uuid()), &[gone]).await?;
    let told = telling::of_replacement(EventId::from_uuid(ctx.uuid()), order, replacement.id);
    events::record(transaction, ctx.now, vec![told]).await?;
    Ok(Replaced { unit, voucher: replacement.id, transaction: cost.map(|cost| cost.id) })
}

/// The voucher that a unit was given in another's place and that stands; `None` if it has its first, or none.
///
/// # Errors
/// What the database says.
pub(super) async fn find_replacement(
    transaction: &Transaction,
    (order, unit): (OrderId, i32),
) -> Result<Option<VoucherId>, DbErr> {
    let chain = vouchers::Entity::find()
        .filter(vouchers::Column::OrderId.eq(order))
        .filter(vouchers::Column::UnitIndex.eq(unit))
        .all(transaction)
        .await?;
    let is_replaced = |id: VoucherId| chain.iter().any(|code| code.replaces == Some(id));
    Ok(chain.iter().find(|code| code.replaces.is_some() && !is_replaced(code.id)).map(|code| code.id))
}

/// Which vouchers stand in the place of these of the calling partner; reads nothing secret.
///
/// # Errors
/// FORBIDDEN without vouchers:reveal; what the database says.
pub async fn find_replacements(
    ctx: &Ctx,
    replaced: Vec<VoucherId>,
) -> Result<HashMap<VoucherId, VoucherId>, Problem> {
    let actor = ctx.require(Scope::VouchersReveal)?;
    let found: Vec<(Option<VoucherId>, VoucherId)> = vouchers::Entity::find()
        .select_only()
        .columns([vouchers::Column::Replaces, vouchers::Column::Id])
        .filter(vouchers::Column::PartnerId.eq(actor.partner))
        .filter(vouchers::Column::Replaces.is_in(replaced))
        .into_tuple()
        .all(&ctx.database().reader)
        .await?;
    Ok(found.into_iter().filter_map(|(replaced, by)| Some((replaced?, by))).collect())
}
