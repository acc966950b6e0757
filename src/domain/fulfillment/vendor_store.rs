//! Vendors' offers and health in the database.
//!
//! What lives here: the statements that write what vendors sell, and count how they have answered.
//! What is always true: a vendor that answers well costs no writing.
//! What is not here: purchases (`store.rs`), limits (`allowance.rs`), and what follows from a failure (`model.rs`).

use std::collections::HashMap;

use entity::ids::VendorId;
use entity::timestamp::Timestamp;
use entity::vendor_health;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use super::model::{CIRCUIT_OPENS_AT, circuit_open_secs};
use super::vendor::Blame;
use crate::store::{Transaction, statement};

/// For how long a failure at one product is held together with failures at others, in seconds: the longest that a vendor is left
/// alone.
const OF_LATE_SECS: i64 = 300;

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

/// Counts a failure of a vendor at a product, and leaves it alone for a while when there were too many in a row: with this
/// product, and with everything if the vendor itself failed, or fails with another product as well.
pub(super) async fn count_failure(
    transaction: &Transaction,
    now: Timestamp,
    (vendor, product): (VendorId, &str),
    (blame, message): (Blame, &str),
) -> Result<(), DbErr> {
    let is_of_all = match blame {
        Blame::Nobody => return Ok(()),
        Blame::Vendor => true,
        Blame::Price => false,
        Blame::Product => fails_elsewhere(transaction, now, (vendor, product)).await?,
    };
    let backend = transaction.get_database_backend();
    // Each row takes its turn by its key, as every writer of two of them has it.
    for subject in is_of_all.then_some("").into_iter().chain([product]) {
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

/// Whether a vendor has failed with another product of late, and not answered well there since.
async fn fails_elsewhere(
    transaction: &Transaction,
    now: Timestamp,
    (vendor, product): (VendorId, &str),
) -> Result<bool, DbErr> {
    let sql = "SELECT 1 AS one FROM vendor_health
         WHERE vendor_id = $1 AND product_id NOT IN ('', $2) AND failures > 0 AND changed_at > $3 LIMIT 1";
    let since = now.plus_seconds(-OF_LATE_SECS);
    let values = [vendor.to_string().into(), product.into(), since.micros().into()];
    let select = statement(transaction.get_database_backend(), sql, values);
    Ok(transaction.query_one_raw(select).await?.is_some())
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
    let until = now.plus_seconds(secs).micros();
    // One after the other, as every writer of two of them has it.
    for subject in ["", product] {
        let sql = "UPDATE vendor_health SET open_until = $4 WHERE vendor_id = $1 AND product_id = $2 AND failures >= $3";
        let values = [vendor.to_string().into(), subject.into(), CIRCUIT_OPENS_AT.into(), until.into()];
        transaction.execute_raw(statement(transaction.get_database_backend(), sql, values)).await?;
    }
    Ok(())
}

/// Gives a new vendor its row of limits.
pub(super) async fn insert_limits(transaction: &Transaction, vendor: VendorId) -> Result<(), DbErr> {
    let sql = "INSERT INTO vendor_limits (vendor_id, free_at) VALUES ($1, 0)";
    let values = [vendor.to_string().into()];
    transaction.execute_raw(statement(transaction.get_database_backend(), sql, values)).await.map(drop)
}
