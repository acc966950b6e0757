//! Purchases and attempts in the database.
//!
//! What lives here: the statements that open purchases, take them over, and put them off.
//! What is always true: whoever changes a purchase says its epoch: one that was taken over meanwhile changes nothing.
//! What is not here: their ends (`ending_store.rs`); vendors' limits and health (`vendor_store.rs`); what follows for units and money (orders).

use entity::ids::{OrderId, PurchaseId, VendorId, WorkerId};
use entity::purchases;
use entity::state::{AttemptOutcome, PurchaseState};
use entity::timestamp::Timestamp;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    Value,
};
use serde::Serialize;

use super::allowance::FARTHEST_MICROS;
use super::workers::FARTHEST_LEASE_MICROS;
use crate::ctx::Deps;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{
    ColumnKind, Rows, Transaction, database_clock, engine_clock, expect_all, insert, lapsed, statement,
};

/// Puts purchases and their attempts on record.
pub(super) async fn insert_purchases(
    transaction: &Transaction,
    purchases: &[purchases::Model],
    attempts: &[(PurchaseId, OrderId, i32, i32)],
    now: Timestamp,
) -> Result<(), DbErr> {
    #[derive(Serialize)]
    struct Attempt {
        order_id: OrderId,
        unit_index: i32,
        number: i32,
        purchase_id: PurchaseId,
        opened_at: i64,
    }
    const ATTEMPT: &[(&str, ColumnKind)] = &[
        ("order_id", Text),
        ("unit_index", Integer),
        ("number", Integer),
        ("purchase_id", Text),
        ("opened_at", Integer),
    ];
    let attempt = |(purchase_id, order_id, unit_index, number): &(PurchaseId, OrderId, i32, i32)| Attempt {
        order_id: *order_id,
        unit_index: *unit_index,
        number: *number,
        purchase_id: *purchase_id,
        opened_at: now.micros(),
    };
    let attempts: Vec<Attempt> = attempts.iter().map(attempt).collect();
    insert(transaction, vec![purchase_rows(purchases), Rows::of("attempts", ATTEMPT, &attempts)]).await
}

fn purchase_rows(purchases: &[purchases::Model]) -> Rows {
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("id", Text),
        ("our_ref", Text),
        ("vendor_id", Text),
        ("product_id", Text),
        ("vendor_sku", Text),
        ("partner_id", Text),
        ("order_id", Text),
        ("quantity", Integer),
        ("face_minor", Integer),
        ("face_currency", Text),
        ("expected_cost_micros", Integer),
        ("highest_cost_micros", Integer),
        ("cost_currency", Text),
        ("route", Text),
        ("state", Text),
        ("epoch", Integer),
        ("worker_id", Text),
        ("sends", Integer),
        ("looks", Integer),
        ("not_found", Integer),
        ("delivered_quantity", Integer),
        ("created_at", Integer),
        ("sent_at", Integer),
        ("resolves_by", Integer),
    ];
    let rows: Vec<serde_json::Value> = purchases
        .iter()
        .map(|purchase| {
            serde_json::json!({
                "id": purchase.id,
                "our_ref": purchase.our_ref,
                "vendor_id": purchase.vendor_id,
                "product_id": purchase.product_id,
                "vendor_sku": purchase.vendor_sku,
                "partner_id": purchase.partner_id,
                "order_id": purchase.order_id,
                "quantity": purchase.quantity,
                "face_minor": purchase.face_minor,
                "face_currency": purchase.face_currency,
                "expected_cost_micros": purchase.expected_cost_micros,
                "highest_cost_micros": purchase.highest_cost_micros,
                "cost_currency": purchase.cost_currency,
                "route": purchase.route,
                "state": purchase.state,
                "epoch": purchase.epoch,
                "worker_id": purchase.worker_id,
                "sends": purchase.sends,
                "looks": 0,
                "not_found": 0,
                "delivered_quantity": 0,
                "created_at": purchase.created_at.micros(),
                "sent_at": purchase.sent_at.micros(),
                "resolves_by": purchase.resolves_by.micros(),
            })
        })
        .collect();
    Rows::of("purchases", COLUMNS, &rows)
}

/// An attempt that brought a unit nothing.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(super) struct PastAttempt {
    /// The unit.
    pub(super) unit_index: i32,
    /// The vendor.
    pub(super) vendor_id: VendorId,
    /// What became of it.
    pub(super) outcome: AttemptOutcome,
    /// The kind of refusal; none where something came that could not be delivered, or that the vendor left out.
    pub(super) refusal: Option<String>,
}

/// What brought units of an order that still look for a source nothing so far.
pub(super) async fn find_past_attempts(
    transaction: &Transaction,
    order: OrderId,
) -> Result<Vec<PastAttempt>, DbErr> {
    let sql = "SELECT a.unit_index, p.vendor_id, a.outcome, p.refusal FROM attempts a
         JOIN purchases p ON p.id = a.purchase_id
         JOIN order_units u ON u.order_id = a.order_id AND u.unit_index = a.unit_index
         WHERE a.order_id = $1 AND a.outcome IN ('REFUSED', 'ANOMALY', 'NOT_EXECUTED') AND u.status = 'PENDING'";
    let select = statement(transaction.get_database_backend(), sql, [order.to_string().into()]);
    PastAttempt::find_by_statement(select).all(transaction).await
}

/// The vendors that are to be asked about something, and take a question now: a read without a lock, so that a worker who has
/// nothing to ask never takes the writer.
pub(super) async fn find_vendors_to_ask(deps: &Deps, worker: WorkerId) -> Result<Vec<VendorId>, DbErr> {
    let reader = &deps.database.reader;
    let clock = engine_clock(reader.get_database_backend());
    let sql = format!(
        "SELECT l.vendor_id FROM vendor_limits l WHERE {} AND {}
         AND EXISTS (SELECT 1 FROM purchases p WHERE p.vendor_id = l.vendor_id AND {}) ORDER BY l.vendor_id",
        lapsed("l.free_at", clock, FARTHEST_MICROS),
        lapsed("l.looks_free_at", clock, FARTHEST_MICROS),
        due(deps)
    );
    let select = statement(reader.get_database_backend(), sql, due_values(deps, worker));
    reader.query_all_raw(select).await?.iter().map(|row| row.try_get("", "vendor_id")).collect()
}

/// Takes over purchases of a vendor whose time has come, and those whose worker is gone; what was on its way is in doubt from
/// here on.
pub(super) async fn claim_due(
    deps: &Deps,
    transaction: &Transaction,
    (vendor, worker): (VendorId, WorkerId),
    most: i32,
) -> Result<Vec<purchases::Model>, DbErr> {
    let backend = transaction.get_database_backend();
    let locking = if backend == DbBackend::Postgres { "FOR UPDATE OF p SKIP LOCKED" } else { "" };
    let sql = format!(
        "UPDATE purchases SET worker_id = $2, epoch = epoch + 1,
            next_at = CASE WHEN ended_at IS NULL THEN NULL ELSE $1 + 60000000 END,
            state = CASE WHEN state = 'SENDING' THEN 'UNKNOWN' ELSE state END
         WHERE id IN (SELECT p.id FROM purchases p WHERE p.vendor_id = $3 AND {} ORDER BY p.next_at, p.id
            LIMIT {most} {locking})
         RETURNING *",
        due(deps)
    );
    let [now, worker] = due_values(deps, worker);
    let claim = statement(backend, sql, [now, worker, vendor.to_string().into()]);
    purchases::Entity::find().from_raw_sql(claim).all(transaction).await
}

/// Parameters are now and the worker that asks. What this worker has under way itself has no `next_at`.
fn due(deps: &Deps) -> String {
    format!(
        "((p.next_at IS NOT NULL AND p.next_at <= $1) OR (p.ended_at IS NULL AND p.next_at IS NULL AND p.worker_id <> $2
            AND NOT {}))",
        its_worker_lives(deps)
    )
}

fn its_worker_lives(deps: &Deps) -> String {
    let gone = lapsed("w.lease_until", &database_clock(deps), FARTHEST_LEASE_MICROS);
    format!("EXISTS (SELECT 1 FROM workers w WHERE w.id = p.worker_id AND NOT {gone})")
}

fn due_values(deps: &Deps, worker: WorkerId) -> [Value; 2] {
    [deps.clock.now().micros().into(), worker.to_string().into()]
}

/// How many purchases a vendor is being sent, or asked about: what a worker had that is gone is on no line any more.
pub(super) async fn count_under_way(
    deps: &Deps,
    transaction: &Transaction,
    vendor: VendorId,
) -> Result<i64, DbErr> {
    let sql = format!(
        "SELECT count(*) AS under_way FROM purchases p WHERE p.vendor_id = $1 AND p.worker_id IS NOT NULL AND {}",
        its_worker_lives(deps)
    );
    let count = statement(transaction.get_database_backend(), sql, [vendor.to_string().into()]);
    let row = transaction.query_one_raw(count).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("a count".to_owned()))?.try_get("", "under_way")
}

/// A purchase, its row locked, if it is still in the epoch in which it was taken.
pub(super) async fn lock_purchase(
    transaction: &Transaction,
    id: PurchaseId,
    epoch: i64,
) -> Result<Option<purchases::Model>, DbErr> {
    let backend = transaction.get_database_backend();
    let locking = if backend == DbBackend::Postgres { "FOR UPDATE" } else { "" };
    let sql = format!("SELECT * FROM purchases WHERE id = $1 AND epoch = $2 {locking}");
    let select = statement(backend, sql, [id.to_string().into(), epoch.into()]);
    purchases::Entity::find().from_raw_sql(select).one(transaction).await
}

/// Begins a new epoch of a purchase that this transaction has locked.
pub(super) async fn take_over(transaction: &Transaction, purchase: &purchases::Model) -> Result<(), DbErr> {
    let sql = "UPDATE purchases SET epoch = epoch + 1, worker_id = NULL WHERE id = $1 AND epoch = $2";
    let values: [Value; 2] = [purchase.id.to_string().into(), purchase.epoch.into()];
    let update = statement(transaction.get_database_backend(), sql, values);
    expect_all(transaction.execute_raw(update).await?.rows_affected(), 1, "purchases of this epoch")
}

/// What a purchase is in doubt about, and when its vendor is asked next.
#[derive(Debug, Clone)]
pub(super) struct Suspension {
    /// Where it stands from here on.
    pub(super) state: PurchaseState,
    /// How often the vendor was asked.
    pub(super) looks: i32,
    /// How often it did not know it, in a row.
    pub(super) not_found: i32,
    /// Since when it does not.
    pub(super) not_found_since: Option<Timestamp>,
    /// The vendor's own name for it.
    pub(super) vendor_ref: Option<String>,
    /// What was seen, for people.
    pub(super) message: String,
    /// When it is asked next; `None` never.
    pub(super) next_at: Option<Timestamp>,
}

/// Lets go of a purchase in doubt.
pub(super) async fn suspend(
    transaction: &Transaction,
    purchase: &purchases::Model,
    suspension: &Suspension,
) -> Result<(), DbErr> {
    let sql = "UPDATE purchases SET state = $3, looks = $4, not_found = $5, not_found_since = $6,
            vendor_ref = coalesce($7, vendor_ref), message = $8, next_at = $9, worker_id = NULL
         WHERE id = $1 AND epoch = $2";
    let values: [Value; 9] = [
        purchase.id.to_string().into(),
        purchase.epoch.into(),
        suspension.state.as_str().into(),
        suspension.looks.into(),
        suspension.not_found.into(),
        suspension.not_found_since.map(Timestamp::micros).into(),
        suspension.vendor_ref.clone().into(),
        suspension.message.as_str().into(),
        suspension.next_at.map(Timestamp::micros).into(),
    ];
    let update = statement(transaction.get_database_backend(), sql, values);
    expect_all(transaction.execute_raw(update).await?.rows_affected(), 1, "purchases of this epoch")
}

/// Puts a purchase on its way again, under the reference that it has. What becomes of it is asked as soon and as often as the
/// first time.
pub(super) async fn send_again(
    transaction: &Transaction,
    purchase: &purchases::Model,
    now: Timestamp,
    resolves_by: Timestamp,
) -> Result<(), DbErr> {
    let sql = "UPDATE purchases SET state = 'SENDING', sends = sends + 1, sent_at = $3, resolves_by = $4, looks = 0, not_found = 0,
            not_found_since = NULL, next_at = NULL WHERE id = $1 AND epoch = $2 AND state IN ('UNKNOWN', 'REVIEW')";
    let values = [
        purchase.id.to_string().into(),
        purchase.epoch.into(),
        now.micros().into(),
        resolves_by.micros().into(),
    ];
    let update = statement(transaction.get_database_backend(), sql, values);
    expect_all(transaction.execute_raw(update).await?.rows_affected(), 1, "purchases of this epoch")
}

/// The units of a purchase, in order, with whether the attempt is still open.
pub(super) async fn find_attempts(
    transaction: &Transaction,
    purchase: PurchaseId,
) -> Result<Vec<entity::attempts::Model>, DbErr> {
    use entity::attempts::{Column, Entity};
    Entity::find()
        .filter(Column::PurchaseId.eq(purchase))
        .order_by_asc(Column::UnitIndex)
        .all(transaction)
        .await
}

/// Writes down what was done about a purchase.
pub(super) async fn record_call(
    transaction: &Transaction,
    call: &entity::purchase_calls::Model,
) -> Result<(), DbErr> {
    let sql = "INSERT INTO purchase_calls (purchase_id, n, kind, outcome, message, http_status, duration_micros, actor, at)
         SELECT $1, coalesce(max(n), 0) + 1, $2, $3, $4, $5, $6, $7, $8 FROM purchase_calls WHERE purchase_id = $1";
    let values: [Value; 8] = [
        call.purchase_id.to_string().into(),
        call.kind.as_str().into(),
        call.outcome.as_str().into(),
        call.message.as_str().into(),
        call.http_status.into(),
        call.duration_micros.into(),
        call.actor.as_str().into(),
        call.at.micros().into(),
    ];
    transaction.execute_raw(statement(transaction.get_database_backend(), sql, values)).await.map(drop)
}
