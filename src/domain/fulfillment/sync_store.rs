//! Vendors' catalogs in the database.
//!
//! What lives here: the products that catalogs brought, and those of them that are paused because nobody sells them.
//! What is always true: what the operator paused is never taken for that.
//! What is not here: offers (`offers_store.rs`), and what a listing comes to (`sync_model.rs`).

use std::collections::HashMap;

use entity::ids::VendorId;
use entity::state::ProductStatus;
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use serde::Serialize;

use crate::store::ColumnKind::Text;
use crate::store::{Transaction, json, rowset, statement};

#[derive(Serialize)]
struct Named<'a> {
    id: &'a str,
}

/// Notes that a vendor's catalog brought products.
pub(super) async fn note_products(
    transaction: &Transaction,
    vendor: VendorId,
    products: &[&str],
) -> Result<(), DbErr> {
    let sql = "INSERT INTO catalog_products (product_id, vendor_id) SELECT r.id, $2 FROM {rows} WHERE true
        ON CONFLICT (product_id) DO NOTHING";
    run(transaction, sql, products, vendor.to_string().into()).await
}

/// A product that a catalog brought.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct Brought {
    pub(super) product_id: String,
    pub(super) status: ProductStatus,
    /// When it was paused because nobody sells it; `None` if that is not so.
    pub(super) withdrawn_at: Option<Timestamp>,
    /// Whether an offer of any vendor is listed.
    pub(super) is_listed: bool,
}

/// The products that a vendor's catalog brought, and those of others that are withdrawn.
pub(super) async fn find_brought(
    connection: &impl ConnectionTrait,
    vendor: VendorId,
) -> Result<Vec<Brought>, DbErr> {
    let vendor = [vendor.to_string().into()];
    find(connection, "c.vendor_id = $1 OR c.withdrawn_at IS NOT NULL", vendor).await
}

/// The products that are withdrawn, whoever brought them.
pub(super) async fn find_withdrawn(connection: &impl ConnectionTrait) -> Result<Vec<Brought>, DbErr> {
    find(connection, "c.withdrawn_at IS NOT NULL", []).await
}

async fn find<const N: usize>(
    connection: &impl ConnectionTrait,
    condition: &str,
    values: [Value; N],
) -> Result<Vec<Brought>, DbErr> {
    let sql = format!(
        "SELECT c.product_id, p.status, c.withdrawn_at, EXISTS (SELECT 1 FROM offers o
            WHERE o.product_id = c.product_id AND o.status <> 'VANISHED') AS is_listed
         FROM catalog_products c JOIN products p ON p.id = c.product_id WHERE {condition} ORDER BY c.product_id"
    );
    let select = statement(connection.get_database_backend(), sql, values);
    Brought::find_by_statement(select).all(connection).await
}

/// Which vendor's catalog brought each product that one did.
pub(super) async fn find_bringers(
    connection: &impl ConnectionTrait,
) -> Result<HashMap<String, VendorId>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        product_id: String,
        vendor_id: VendorId,
    }
    let sql = "SELECT product_id, vendor_id FROM catalog_products";
    let select = statement(connection.get_database_backend(), sql, []);
    let rows = Row::find_by_statement(select).all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.product_id, row.vendor_id)).collect())
}

/// Notes that products are paused because nobody sells them: those that are sold in this moment.
pub(super) async fn note_withdrawn(
    transaction: &Transaction,
    products: &[&str],
    now: Timestamp,
) -> Result<(), DbErr> {
    let sql = "UPDATE catalog_products SET withdrawn_at = $2 WHERE product_id IN (SELECT r.id FROM {rows})
        AND EXISTS (SELECT 1 FROM products p WHERE p.id = catalog_products.product_id AND p.status = 'ACTIVE')";
    run(transaction, sql, products, now.micros().into()).await
}

/// Notes that it is not because of this any more that products are paused.
pub(super) async fn note_restored(
    transaction: &Transaction,
    products: &[&str],
    now: Timestamp,
) -> Result<(), DbErr> {
    let sql = "UPDATE catalog_products SET withdrawn_at = NULL WHERE product_id IN (SELECT r.id FROM {rows})
        AND withdrawn_at <= $2";
    run(transaction, sql, products, now.micros().into()).await
}

async fn run(transaction: &Transaction, sql: &str, products: &[&str], value: Value) -> Result<(), DbErr> {
    let rows: Vec<Named<'_>> = products.iter().map(|id| Named { id }).collect();
    let backend = transaction.get_database_backend();
    let sql = sql.replace("{rows}", &rowset(backend, 1, "r", &[("id", Text)]));
    transaction.execute_raw(statement(backend, sql, [json(&rows), value])).await.map(drop)
}
