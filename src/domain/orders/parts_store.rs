//! Units and histories in sets.
//!
//! What lives here: the statements that write the units of orders, what became of held ones, and the steps of orders' lives.
//! What is always true: each takes a slice and is one statement; a held unit ends once, by the key of `unit_settlements`.
//! What is not here: the orders' own rows (`store.rs`).

use entity::currency::Currency;
use entity::ids::{OrderId, PartnerId, PurchaseId, TransactionId};
use entity::state::{OrderStatus, SettlementOutcome, UnitFunding, UnitStatus};
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbErr};
use serde::Serialize;

use super::model::may_follow;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{ColumnKind, Rows, Transaction, expect_all, insert, json, rowset, statement};

/// A unit to be written.
#[derive(Debug, Clone, Serialize)]
pub struct UnitRow {
    /// The order.
    pub order_id: OrderId,
    /// Its place, from 1.
    pub unit_index: i32,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Where it stands.
    pub status: UnitStatus,
    /// How it was paid for.
    pub funding: UnitFunding,
    /// What it costs.
    pub price_minor: i64,
    /// How many purchases it was part of.
    pub tries: i32,
    /// From when on a source is looked for, in microseconds.
    pub next_at: Option<i64>,
    /// Since when a code is set aside for it, in microseconds.
    pub sourced_at: Option<i64>,
    /// When it was delivered, in microseconds.
    pub delivered_at: Option<i64>,
}

/// Units, to be inserted.
pub fn units(units: &[UnitRow]) -> Rows {
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("order_id", Text),
        ("unit_index", Integer),
        ("partner_id", Text),
        ("status", Text),
        ("funding", Text),
        ("price_minor", Integer),
        ("tries", Integer),
        ("next_at", Integer),
        ("sourced_at", Integer),
        ("delivered_at", Integer),
    ];
    Rows::of("order_units", COLUMNS, units)
}

/// What becomes of a held unit.
#[derive(Debug, Clone, Serialize)]
pub struct UnitSettlement {
    /// The order.
    pub order_id: OrderId,
    /// The unit.
    pub unit_index: i32,
    /// Captured or released.
    pub outcome: SettlementOutcome,
    /// The ledger transaction that does it.
    pub transaction_id: TransactionId,
}

/// Ends held units: delivered where captured, refunded where released. The key of `unit_settlements` lets each end once.
///
/// # Errors
/// What the database says; a unit that was not open any more.
pub async fn settle_units(
    transaction: &Transaction,
    now: Timestamp,
    settlements: &[UnitSettlement],
) -> Result<(), DbErr> {
    const COLUMNS: &[(&str, ColumnKind)] =
        &[("order_id", Text), ("unit_index", Integer), ("outcome", Text), ("transaction_id", Text)];
    if settlements.is_empty() {
        return Ok(());
    }
    insert(transaction, vec![Rows::of("unit_settlements", COLUMNS, settlements)]).await?;
    let backend = transaction.get_database_backend();
    let sql = format!(
        "UPDATE order_units SET
         status = CASE WHEN r.outcome = 'CAPTURED' THEN 'DELIVERED' ELSE 'REFUNDED' END,
         delivered_at = CASE WHEN r.outcome = 'CAPTURED' THEN CAST($2 AS BIGINT) END,
         refunded_at = CASE WHEN r.outcome = 'RELEASED' THEN CAST($2 AS BIGINT) END,
         next_at = NULL, resolves_by = NULL
         FROM {} WHERE order_units.order_id = r.order_id AND order_units.unit_index = r.unit_index
         AND order_units.status IN ('PENDING', 'AWAITING_VENDOR')",
        rowset(backend, 1, "r", COLUMNS)
    );
    let update = statement(backend, sql, [json(settlements), now.micros().into()]);
    let changed = transaction.execute_raw(update).await?.rows_affected();
    expect_all(changed, settlements.len(), "open units")
}

/// Where an open unit stands after a vendor was asked, or answered.
#[derive(Debug, Clone, Serialize)]
pub struct UnitStep {
    /// The order.
    pub order_id: OrderId,
    /// The unit.
    pub unit_index: i32,
    /// PENDING or AWAITING_VENDOR.
    pub status: UnitStatus,
    /// How many purchases it was part of.
    pub tries: i32,
    /// From when on a source is looked for, in microseconds.
    pub next_at: Option<i64>,
    /// Since when a code is set aside for it, in microseconds.
    pub sourced_at: Option<i64>,
    /// By when it is known what the vendor did, in microseconds.
    pub resolves_by: Option<i64>,
}

/// Moves open units.
///
/// # Errors
/// What the database says; a unit that is not open any more.
pub async fn move_units(transaction: &Transaction, steps: &[UnitStep]) -> Result<(), DbErr> {
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("order_id", Text),
        ("unit_index", Integer),
        ("status", Text),
        ("tries", Integer),
        ("next_at", Integer),
        ("sourced_at", Integer),
        ("resolves_by", Integer),
    ];
    if steps.is_empty() {
        return Ok(());
    }
    let backend = transaction.get_database_backend();
    let sql = format!(
        "UPDATE order_units SET status = r.status, tries = r.tries, next_at = r.next_at, sourced_at = r.sourced_at,
         resolves_by = r.resolves_by
         FROM {} WHERE order_units.order_id = r.order_id AND order_units.unit_index = r.unit_index
         AND order_units.status IN ('PENDING', 'AWAITING_VENDOR')",
        rowset(backend, 1, "r", COLUMNS)
    );
    let changed = transaction.execute_raw(statement(backend, sql, [json(steps)])).await?.rows_affected();
    expect_all(changed, steps.len(), "open units")
}

/// A vendor's receipt for a unit, to be written.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptRow {
    /// The order.
    pub order_id: OrderId,
    /// The unit.
    pub unit_index: i32,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// The purchase.
    pub purchase_id: PurchaseId,
    /// The receipt's number.
    pub number: String,
    /// What it cost, at scale 6.
    pub cost_micros: i64,
    /// The currency of the cost.
    pub cost_currency: Currency,
    /// When it was delivered, in microseconds.
    pub at: i64,
}

/// Receipts, to be inserted.
pub fn receipts(receipts: &[ReceiptRow]) -> Rows {
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("order_id", Text),
        ("unit_index", Integer),
        ("partner_id", Text),
        ("purchase_id", Text),
        ("number", Text),
        ("cost_micros", Integer),
        ("cost_currency", Text),
        ("at", Integer),
    ];
    Rows::of("receipts", COLUMNS, receipts)
}

/// Has units look for a source again that wait for stock alone: vendors or their offers have changed.
///
/// # Errors
/// What the database says.
pub async fn awaken(transaction: &Transaction, now: Timestamp) -> Result<u64, DbErr> {
    let sql = "UPDATE order_units SET next_at = $1 WHERE status = 'PENDING' AND next_at IS NULL AND sourced_at IS NULL";
    let update = statement(transaction.get_database_backend(), sql, [now.micros().into()]);
    Ok(transaction.execute_raw(update).await?.rows_affected())
}

/// A step in an order's life, to be written.
#[derive(Debug, Clone, Serialize)]
pub struct TransitionRow {
    /// The order.
    pub order_id: OrderId,
    /// From 1 without gaps.
    pub version: i32,
    /// The state before.
    pub from_status: Option<OrderStatus>,
    /// The state entered.
    pub to_status: OrderStatus,
    /// Why.
    pub reason: &'static str,
    /// When, in microseconds.
    pub at: i64,
}

/// Steps in orders' lives, to be inserted.
///
/// # Errors
/// A step that an order may not take.
pub fn transitions(steps: &[TransitionRow]) -> Result<Rows, DbErr> {
    if let Some(step) = steps.iter().find(|step| !may_follow(step.from_status, step.to_status)) {
        let from = step.from_status.map_or("nothing", OrderStatus::as_str);
        return Err(DbErr::Custom(format!("{} may not go from {from} to {}", step.order_id, step.to_status)));
    }
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("order_id", Text),
        ("version", Integer),
        ("from_status", Text),
        ("to_status", Text),
        ("reason", Text),
        ("at", Integer),
    ];
    Ok(Rows::of("order_transitions", COLUMNS, steps))
}
