//! Giving a delivered unit's money back.
//!
//! What lives here: the operator's command, for what an order's own end does not settle: a code that did not work.
//! What is always true: the unit stays delivered and the order as it ended; the money is a posting of its own, once a unit and
//! once for each reference; it is taken from revenue in the parts in which it was earned; entry, audit and event commit together;
//! who gives back the money of a unit that got another code knows that, and names the code.
//! What is not here: refunds of units that were never delivered (`settle.rs`).

use entity::goodwill_refunds as refunds;
use entity::ids::{EventId, OrderId, TransactionId, VoucherId};
use entity::money::Money;
use entity::state::{Account, TransactionKind, UnitStatus};
use entity::{ledger_transactions, order_units, orders, postings};
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::json;

use super::named::{LONGEST_OPERATOR, is_text, require_operator};
use super::{accounting, replace, settle, telling};
use crate::ctx::Ctx;
use crate::domain::audit::{self, Entry};
use crate::domain::{events, feed, wallet};
use crate::problem::{ErrorCode, Failure, Problem, Refusal};
use crate::store::{Transaction, write};

/// How many characters a reference may have.
const LONGEST_REFERENCE: usize = 64;
/// How many characters a note may have.
const LONGEST_NOTE: usize = 500;

/// The command: give a delivered unit's money back.
#[derive(Debug, Clone)]
pub struct RefundUnit {
    /// The order.
    pub order: OrderId,
    /// The unit's place in it, from 1.
    pub unit: i32,
    /// What makes it happen once: unique among the partner's refunds.
    pub reference: String,
    /// Why, in the operator's words.
    pub note: String,
    /// The voucher that the unit was given in another's place, which does not work either; `None` if it was given none.
    pub replacement: Option<VoucherId>,
    /// Who decided it.
    pub operator: String,
}

/// A refund that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refunded {
    /// The ledger transaction.
    pub transaction: TransactionId,
    /// What was given back.
    pub amount: Money,
    /// What the wallet had available after it.
    pub available: Money,
    /// Whether an earlier call had done it.
    pub replayed: bool,
}

/// Why a unit is not refunded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GoodwillRefusal {
    /// There is no such order.
    OrderNotFound,
    /// The order has no such unit.
    UnitNotFound {
        /// How many it has.
        quantity: i32,
    },
    /// The unit was not delivered.
    NotDelivered(UnitStatus),
    /// The reference is empty, longer than 64 characters, or not printable.
    InvalidReference,
    /// The note is empty, longer than 500 characters, or not printable.
    InvalidNote,
    /// The operator's name is empty, longer than 100 characters, or not printable.
    InvalidOperator,
    /// The unit's money was given back before, under another reference.
    RefundedBefore {
        /// By this transaction.
        transaction: TransactionId,
    },
    /// The reference belongs to the refund of another unit.
    ReferenceUsed {
        /// By this transaction.
        transaction: TransactionId,
    },
    /// The unit was given another voucher, which the command does not name.
    Replaced {
        /// The one that stands.
        by: VoucherId,
    },
    /// The command names a voucher in another's place, and the unit has its first.
    NotReplaced,
    /// The wallet would hold more than can be counted.
    TooMuch,
}

impl Refusal for GoodwillRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::OrderNotFound | Self::UnitNotFound { .. } => ErrorCode::NotFound,
            Self::ReferenceUsed { .. } => ErrorCode::IdempotencyMismatch,
            _ => ErrorCode::InvalidInput,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::OrderNotFound => "there is no such order".to_owned(),
            Self::UnitNotFound { quantity } => format!("the order has the units 1 to {quantity}"),
            Self::NotDelivered(UnitStatus::Refunded) => {
                "the unit was never delivered, and its money is back already".to_owned()
            }
            Self::NotDelivered(_) => {
                "the unit is still open: it is delivered, or refunded, by itself".to_owned()
            }
            Self::InvalidReference => {
                format!("the reference must have 1 to {LONGEST_REFERENCE} printable characters")
            }
            Self::InvalidNote => format!("the note must have 1 to {LONGEST_NOTE} printable characters"),
            Self::InvalidOperator => {
                format!("the operator's name must have 1 to {LONGEST_OPERATOR} printable characters")
            }
            Self::RefundedBefore { transaction } => {
                format!("the unit's money was given back before, by {transaction}")
            }
            Self::ReferenceUsed { transaction } => {
                format!(
                    "the reference belongs to {transaction}, which refunded another unit: give one of its own"
                )
            }
            Self::Replaced { by } => format!(
                "the unit was given another code, {by}: if that does not work either, say so with --replacement {by}"
            ),
            Self::NotReplaced => "the unit has its first code: none was given in its place".to_owned(),
            Self::TooMuch => "the wallet would hold more than can be counted".to_owned(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        let field = match self {
            Self::OrderNotFound => "order",
            Self::UnitNotFound { .. }
            | Self::NotDelivered(_)
            | Self::RefundedBefore { .. }
            | Self::TooMuch => "unit",
            Self::InvalidReference | Self::ReferenceUsed { .. } => "reference",
            Self::InvalidNote => "note",
            Self::InvalidOperator => "operator",
            Self::Replaced { .. } | Self::NotReplaced => "replacement",
        };
        Some(vec![field.to_owned()])
    }
}

/// Gives a delivered unit's money back, once.
///
/// # Errors
/// See `GoodwillRefusal`; FORBIDDEN for anyone but an operator; what the database says.
pub async fn refund_unit(ctx: &Ctx, command: RefundUnit) -> Result<Refunded, Failure<GoodwillRefusal>> {
    require_operator(ctx)?;
    if !is_text(&command.reference, LONGEST_REFERENCE) {
        return Err(Failure::Refused(GoodwillRefusal::InvalidReference));
    }
    if !is_text(&command.note, LONGEST_NOTE) {
        return Err(Failure::Refused(GoodwillRefusal::InvalidNote));
    }
    if !is_text(&command.operator, LONGEST_OPERATOR) {
        return Err(Failure::Refused(GoodwillRefusal::InvalidOperator));
    }
    let found = orders::Entity::find_by_id(command.order).one(&ctx.database().reader).await?;
    let partner = found.ok_or(Failure::Refused(GoodwillRefusal::OrderNotFound))?.partner_id;
    let task = ctx.clone();
    let refunded = write(&ctx.deps, move |transaction| {
        let (ctx, command) = (task.clone(), command.clone());
        Box::pin(async move {
            wallet::lock_owner(transaction, partner).await?;
            let locked = settle::lock(transaction, command.order).await?;
            let order = locked.ok_or(Failure::Refused(GoodwillRefusal::OrderNotFound))?.order;
            refund_locked(&ctx, transaction, &order, &command).await
        })
    })
    .await?;
    feed::wake(&ctx.deps);
    Ok(refunded)
}

async fn refund_locked(
    ctx: &Ctx,
    transaction: &Transaction,
    order: &orders::Model,
    command: &RefundUnit,
) -> Result<Refunded, Failure<GoodwillRefusal>> {
    let refused = |reason| Err(Failure::Refused(reason));
    let key = (order.id, command.unit);
    let unit = order_units::Entity::find_by_id(key).one(transaction).await?;
    let Some(unit) = unit else {
        return refused(GoodwillRefusal::UnitNotFound { quantity: order.quantity });
    };
    let before = refunds::Entity::find_by_id(key).one(transaction).await?;
    match (find_reference(transaction, order, command).await?, before) {
        (Some(of_reference), Some(of_unit)) if of_reference == of_unit.transaction_id => {
            return Ok(replayed(transaction, order, of_reference).await?);
        }
        (Some(transaction), _) => return refused(GoodwillRefusal::ReferenceUsed { transaction }),
        (None, Some(of_unit)) => {
            let transaction = of_unit.transaction_id;
            return refused(GoodwillRefusal::RefundedBefore { transaction });
        }
        (None, None) => {}
    }
    if unit.status != UnitStatus::Delivered {
        return refused(GoodwillRefusal::NotDelivered(unit.status));
    }
    match (replace::find_replacement(transaction, key).await?, command.replacement) {
        (Some(by), named) if named != Some(by) => refused(GoodwillRefusal::Replaced { by }),
        (None, Some(_)) => refused(GoodwillRefusal::NotReplaced),
        _ => give_back(ctx, transaction, order, command).await,
    }
}

/// The refund of the partner that has the reference already.
async fn find_reference(
    transaction: &Transaction,
    order: &orders::Model,
    command: &RefundUnit,
) -> Result<Option<TransactionId>, DbErr> {
    use ledger_transactions::{Column, Entity};
    let found = Entity::find()
        .filter(Column::PartnerId.eq(order.partner_id))
        .filter(Column::Kind.eq(TransactionKind::Refund))
        .filter(Column::Reference.eq(&command.reference))
        .one(transaction)
        .await?;
    Ok(found.map(|found| found.id))
}

/// What the first call of a reference did.
async fn replayed(
    transaction: &Transaction,
    order: &orders::Model,
    id: TransactionId,
) -> Result<Refunded, DbErr> {
    let entry = postings::Entity::find()
        .filter(postings::Column::TransactionId.eq(id))
        .filter(postings::Column::Account.eq(Account::WalletAvailable))
        .one(transaction)
        .await?;
    let told = entry.and_then(|entry| Some((entry.amount, entry.balance_after?)));
    let (amount, after) =
        told.ok_or_else(|| DbErr::Custom(format!("the refund {id} has no entry in a wallet")))?;
    let money = |minor| Money::from_minor(minor, order.currency);
    Ok(Refunded { transaction: id, amount: money(amount), available: money(after), replayed: true })
}

async fn give_back(
    ctx: &Ctx,
    transaction: &Transaction,
    order: &orders::Model,
    command: &RefundUnit,
) -> Result<Refunded, Failure<GoodwillRefusal>> {
    let mut wallets = wallet::lock(transaction, &[order.wallet_id]).await?;
    let available = wallets.get(&order.wallet_id).map_or(0, |wallet| wallet.available);
    // What is held may come back.
    let held = wallet::held_of(transaction, order.wallet_id).await?;
    let sum = available.checked_add(held).and_then(|sum| sum.checked_add(order.unit_price_minor));
    if sum.is_none() {
        return Err(Failure::Refused(GoodwillRefusal::TooMuch));
    }
    let id = TransactionId::from_uuid(ctx.uuid());
    let entry = accounting::refund(id, order, command.reference.clone(), command.note.clone());
    let amount = Money::from_minor(order.unit_price_minor, order.currency);
    let facts = json!({
        "unit": command.unit, "transaction": id, "amount": amount.amount(), "currency": order.currency,
        "reference": command.reference, "note": command.note, "replacement": command.replacement,
        "operator": command.operator,
    });
    let audited = Entry::new(ctx, "orders.unit_refunded", order.id, &facts).about(order.partner_id);
    let changes =
        wallet::post(transaction, ctx.now, &mut wallets, &[entry], vec![audit::rows(&[audited])]).await?;
    let row = refunds::Model {
        order_id: order.id,
        unit_index: command.unit,
        partner_id: order.partner_id,
        transaction_id: id,
        at: ctx.now,
    };
    row.into_active_model().insert(transaction).await?;
    let told = telling::of_wallets(|| EventId::from_uuid(ctx.uuid()), &changes);
    events::record(transaction, ctx.now, told).await?;
    let change = changes.first().ok_or_else(|| Problem::internal("a refund changed no wallet"))?;
    let available = Money::from_minor(change.available, order.currency);
    Ok(Refunded { transaction: id, amount, available, replayed: false })
}
