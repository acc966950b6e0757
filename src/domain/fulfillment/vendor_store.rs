//! Vendors' limits and health in the database.
//!
//! What lives here: the statements that count what a vendor is asked, and how it has answered.
//! What is always true: what is asked of a vendor at once is counted under the lock of its one row, whichever process asks; a
//! vendor that answers well costs no writing.
//! What is not here: purchases (`store.rs`), and what follows from a failure (`model.rs`).

use std::collections::HashMap;

use entity::ids::VendorId;
use entity::timestamp::Timestamp;
use entity::vendor_health;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter, Value,
};

use super::model::{CIRCUIT_OPENS_AT, circuit_open_secs};
use crate::store::{Transaction, engine_clock, statement};

/// How many more requests a vendor takes at this moment: by its rate, and by how many are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Requests a second.
    pub(super) per_second: i32,
    /// Requests at once.
    pub(super) at_once: i32,
}

/// A vendor's limits, its row locked until the transaction ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// How many requests may be made now.
    pub(super) requests: i32,
    base: i64,
    interval: i64,
}

/// Locks a vendor's limits and tells how many requests they leave. The rate goes by the database engine's own clock, whatever a
/// test makes of time: the vendor's does.
pub(super) async fn lock_allowance(
    transaction: &Transaction,
    vendor: VendorId,
    limits: Limits,
) -> Result<Allowance, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        free_at: i64,
        present: i64,
        under_way: i64,
    }
    let backend = transaction.get_database_backend();
    let locking = if backend == DbBackend::Postgres { "FOR UPDATE OF l" } else { "" };
    // The count comes after the lock: a subquery beside FOR UPDATE would see what was before it.
    let lock = format!(
        "SELECT l.free_at, {} AS present, CAST(0 AS BIGINT) AS under_way FROM vendor_limits l WHERE l.vendor_id = $1 {locking}",
        engine_clock(backend)
    );
    let id: Value = vendor.to_string().into();
    let found = Row::find_by_statement(statement(backend, lock, [id.clone()])).one(transaction).await?;
    let row = found.ok_or_else(|| DbErr::RecordNotFound(format!("the limits of {vendor}")))?;
    let count = "SELECT CAST(0 AS BIGINT) AS free_at, CAST(0 AS BIGINT) AS present, count(*) AS under_way
         FROM purchases WHERE vendor_id = $1 AND state = 'SENDING' AND ended_at IS NULL";
    let counted = Row::find_by_statement(statement(backend, count, [id])).one(transaction).await?;
    let under_way = counted.map_or(0, |row| row.under_way);
    let interval = 1_000_000_i64.div_euclid(i64::from(limits.per_second.max(1)));
    let burst = i64::from(limits.per_second).div_euclid(5).max(1);
    let base = row.free_at.max(row.present - (burst - 1) * interval);
    let by_rate = (row.present + interval - base).div_euclid(interval.max(1)).max(0);
    let at_once = (i64::from(limits.at_once) - under_way).max(0);
    let requests = i32::try_from(by_rate.min(at_once)).unwrap_or(i32::MAX);
    Ok(Allowance { requests, base, interval })
}

/// Uses up requests of an allowance.
pub(super) async fn use_allowance(
    transaction: &Transaction,
    vendor: VendorId,
    allowance: Allowance,
    requests: i32,
) -> Result<(), DbErr> {
    let free_at = allowance.base + i64::from(requests) * allowance.interval;
    let sql = "UPDATE vendor_limits SET free_at = $2 WHERE vendor_id = $1";
    let values = [vendor.to_string().into(), free_at.into()];
    transaction.execute_raw(statement(transaction.get_database_backend(), sql, values)).await.map(drop)
}

/// Leaves a vendor alone for so many seconds, because it asked for it.
pub(super) async fn rest(transaction: &Transaction, vendor: VendorId, secs: i64) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    let until = format!("{} + $2", engine_clock(backend));
    let sql =
        format!("UPDATE vendor_limits SET free_at = {until} WHERE vendor_id = $1 AND free_at < {until}");
    let values = [vendor.to_string().into(), secs.saturating_mul(1_000_000).into()];
    transaction.execute_raw(statement(backend, sql, values)).await.map(drop)
}

/// How vendors have answered of late: of each the row of the vendor as a whole, and that of one product.
pub(super) async fn find_health(
    connection: &impl ConnectionTrait,
    vendors: &[VendorId],
    product: &str,
) -> Result<HashMap<VendorId, vendor_health::Model>, DbErr> {
    use vendor_health::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::VendorId.is_in(vendors.iter().copied()))
        .filter(Column::ProductId.is_in(["", product]))
        .all(connection)
        .await?;
    let mut worst: HashMap<VendorId, vendor_health::Model> = HashMap::new();
    for row in rows {
        let is_worse = worst
            .get(&row.vendor_id)
            .is_none_or(|there| (there.open_until, there.failures) < (row.open_until, row.failures));
        if is_worse {
            worst.insert(row.vendor_id, row);
        }
    }
    Ok(worst)
}

/// Counts a failure of a vendor at a product, and leaves it alone for a while when there were too many in a row.
pub(super) async fn count_failure(
    transaction: &Transaction,
    now: Timestamp,
    (vendor, product): (VendorId, &str),
    message: &str,
) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    // Each row takes its turn by its key, as every writer of two of them has it.
    for subject in ["", product] {
        let sql =
            "INSERT INTO vendor_health (vendor_id, product_id, failures, open_until, message, changed_at)
             VALUES ($1, $2, 1, 0, $3, $4)
             ON CONFLICT (vendor_id, product_id) DO UPDATE SET failures = vendor_health.failures + 1,
                message = excluded.message, changed_at = excluded.changed_at
             RETURNING failures";
        let key = [vendor.to_string().into(), subject.into()];
        let values = key.clone().into_iter().chain([message.into(), now.micros().into()]);
        let row = transaction.query_one_raw(statement(backend, sql, values)).await?;
        let failures: i32 = row
            .ok_or_else(|| DbErr::RecordNotFound("a vendor's health".to_owned()))?
            .try_get("", "failures")?;
        if failures >= CIRCUIT_OPENS_AT {
            let until = now.plus_seconds(circuit_open_secs(failures));
            let sql = "UPDATE vendor_health SET open_until = $3 WHERE vendor_id = $1 AND product_id = $2";
            let values = key.into_iter().chain([until.micros().into()]);
            transaction.execute_raw(statement(backend, sql, values)).await?;
        }
    }
    Ok(())
}

/// Counts an answer: what failed before does not any more. Nothing is written where nothing has failed.
pub(super) async fn count_answer(
    transaction: &Transaction,
    now: Timestamp,
    (vendor, product): (VendorId, &str),
) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    for subject in ["", product] {
        let sql = "UPDATE vendor_health SET failures = 0, open_until = 0, changed_at = $3
             WHERE vendor_id = $1 AND product_id = $2 AND failures > 0";
        let values = [vendor.to_string().into(), subject.into(), now.micros().into()];
        transaction.execute_raw(statement(backend, sql, values)).await?;
    }
    Ok(())
}

/// Lets one purchase through to a vendor that failed: until it has answered, or so many seconds, no other.
pub(super) async fn probe(
    transaction: &Transaction,
    now: Timestamp,
    (vendor, product): (VendorId, &str),
    secs: i64,
) -> Result<(), DbErr> {
    let sql = "UPDATE vendor_health SET open_until = $4
         WHERE vendor_id = $1 AND product_id IN ('', $2) AND failures >= $3";
    let until = now.plus_seconds(secs);
    let values = [vendor.to_string().into(), product.into(), CIRCUIT_OPENS_AT.into(), until.micros().into()];
    transaction.execute_raw(statement(transaction.get_database_backend(), sql, values)).await.map(drop)
}

/// Gives a new vendor its row of limits.
pub(super) async fn insert_limits(transaction: &Transaction, vendor: VendorId) -> Result<(), DbErr> {
    let sql = "INSERT INTO vendor_limits (vendor_id, free_at) VALUES ($1, 0)";
    let values = [vendor.to_string().into()];
    transaction.execute_raw(statement(transaction.get_database_backend(), sql, values)).await.map(drop)
}
