//! The ends of purchases and attempts in the database.
//!
//! What lives here: the statements that end a purchase and its units' parts, and that have nobody ask about it any more.
//! What is always true: whoever ends a purchase says its epoch; what was made is never ended again.
//! What is not here: how purchases come to be and go on (`store.rs`).

use entity::ids::PurchaseId;
use entity::purchases;
use entity::state::{AttemptOutcome, PurchaseEnd, PurchaseState};
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, Value};
use serde::Serialize;

use crate::store::ColumnKind::{Integer, Text};
use crate::store::{Transaction, expect_all, json, rowset, statement};

/// How a purchase ended.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    /// Delivered, refused or not executed.
    pub(super) state: PurchaseState,
    /// By what.
    pub(super) by: PurchaseEnd,
    /// The vendor's own name for it.
    pub(super) vendor_ref: Option<String>,
    /// How many units were delivered.
    pub(super) delivered_quantity: i32,
    /// What it did cost, at scale 6.
    pub(super) cost_micros: Option<i64>,
    /// The kind of the refusal.
    pub(super) refusal: Option<&'static str>,
    /// For people.
    pub(super) message: String,
    /// When the vendor is asked once more, for a success after all.
    pub(super) next_at: Option<Timestamp>,
}

/// Ends a purchase.
pub(super) async fn end(
    transaction: &Transaction,
    purchase: &purchases::Model,
    now: Timestamp,
    ending: &Ending,
) -> Result<(), DbErr> {
    let sql = "UPDATE purchases SET state = $3, ended_by = $4, vendor_ref = coalesce($5, vendor_ref),
            delivered_quantity = $6, cost_micros = $7, refusal = $8, message = $9, next_at = $10, ended_at = $11,
            worker_id = NULL
         WHERE id = $1 AND epoch = $2 AND state <> 'DELIVERED'";
    let values: [Value; 11] = [
        purchase.id.to_string().into(),
        purchase.epoch.into(),
        ending.state.as_str().into(),
        ending.by.as_str().into(),
        ending.vendor_ref.clone().into(),
        ending.delivered_quantity.into(),
        ending.cost_micros.into(),
        ending.refusal.into(),
        ending.message.as_str().into(),
        ending.next_at.map(Timestamp::micros).into(),
        now.micros().into(),
    ];
    let update = statement(transaction.get_database_backend(), sql, values);
    expect_all(transaction.execute_raw(update).await?.rows_affected(), 1, "purchases of this epoch")
}

/// Has nobody ask about an ended purchase any more.
pub(super) async fn end_watch(transaction: &Transaction, purchase: &purchases::Model) -> Result<(), DbErr> {
    let sql = "UPDATE purchases SET next_at = NULL, worker_id = NULL WHERE id = $1 AND epoch = $2";
    let values: [Value; 2] = [purchase.id.to_string().into(), purchase.epoch.into()];
    let update = statement(transaction.get_database_backend(), sql, values);
    expect_all(transaction.execute_raw(update).await?.rows_affected(), 1, "purchases of this epoch")
}

/// Ends units' parts in a purchase.
pub(super) async fn end_attempts(
    transaction: &Transaction,
    purchase: PurchaseId,
    now: Timestamp,
    outcomes: &[(i32, AttemptOutcome)],
) -> Result<(), DbErr> {
    #[derive(Serialize)]
    struct Row {
        unit_index: i32,
        outcome: AttemptOutcome,
    }
    if outcomes.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row> = outcomes
        .iter()
        .map(|(unit_index, outcome)| Row { unit_index: *unit_index, outcome: *outcome })
        .collect();
    let backend = transaction.get_database_backend();
    let sql = format!(
        "UPDATE attempts SET outcome = r.outcome, ended_at = coalesce(attempts.ended_at, $3) FROM {}
         WHERE attempts.purchase_id = $2 AND attempts.unit_index = r.unit_index
         AND (attempts.outcome IS NULL OR attempts.outcome IN ('REFUSED', 'NOT_EXECUTED'))",
        rowset(backend, 1, "r", &[("unit_index", Integer), ("outcome", Text)])
    );
    let values = [json(&rows), purchase.to_string().into(), now.micros().into()];
    let changed = transaction.execute_raw(statement(backend, sql, values)).await?.rows_affected();
    expect_all(changed, rows.len(), "attempts")
}
