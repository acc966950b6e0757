//! The statements by which codes come in.
//!
//! What lives here: finding codes that are in the vault already, and inserting vouchers.
//! What is always true: bytes travel as hex in the one parameter of a set, and lie in the database as bytes.
//! What is not here: keys (`keys_store.rs`); taking codes for orders, and the moves of stock (`store.rs`).

use std::collections::HashSet;

use entity::ids::{DataKeyId, PurchaseId, VoucherId};
use entity::secret::Digest;
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};
use serde::Serialize;

use super::keys::to_hex;
use super::load::NewVoucher;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{Transaction, json, rowset, statement};

/// Which of these blind indices are in the vault already.
pub(super) async fn find_loaded(
    connection: &impl ConnectionTrait,
    indices: &[&Digest],
) -> Result<HashSet<Digest>, DbErr> {
    #[derive(FromQueryResult)]
    struct Found {
        blind_index: Digest,
    }
    let backend = connection.get_database_backend();
    let rows: Vec<IndexRow> =
        indices.iter().map(|index| IndexRow { blind_index: to_hex(&index.0) }).collect();
    let sql = format!(
        "SELECT v.blind_index FROM vouchers v WHERE v.blind_index IN (SELECT {} FROM {})",
        from_hex(backend, "r.blind_index"),
        rowset(backend, 1, "r", &[("blind_index", Text)])
    );
    let found = Found::find_by_statement(statement(backend, sql, [json(&rows)])).all(connection).await?;
    Ok(found.into_iter().map(|row| row.blind_index).collect())
}

#[derive(Serialize)]
struct IndexRow {
    blind_index: String,
}

/// Bytes from hex text, in the engine's word: JSON has no bytes.
pub(super) fn from_hex(backend: DbBackend, column: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("decode({column}, 'hex')"),
        _ => format!("unhex({column})"),
    }
}

#[derive(Serialize)]
struct VoucherRow<'a> {
    id: VoucherId,
    product_id: &'a str,
    face_minor: i64,
    data_key_id: Option<DataKeyId>,
    sealed: Option<String>,
    retention_secs: Option<i64>,
    blind_index: String,
    expires_at: Option<i64>,
    usable_until: i64,
    cost_micros: Option<i64>,
    cost_currency: Option<&'a str>,
    lot: &'a str,
    purchase_id: Option<PurchaseId>,
}

/// Inserts available vouchers.
///
/// # Errors
/// What the database says, among it the constraint `vouchers_loaded_once`.
pub(super) async fn insert_vouchers(
    transaction: &Transaction,
    now: Timestamp,
    vouchers: &[NewVoucher],
) -> Result<(), DbErr> {
    transaction.execute_raw(insertion(transaction, now, vouchers, "")).await.map(drop)
}

/// Inserts available vouchers whose codes are not in the vault yet; tells which went in.
///
/// # Errors
/// What the database says.
pub(super) async fn insert_new_vouchers(
    transaction: &Transaction,
    now: Timestamp,
    vouchers: &[NewVoucher],
) -> Result<HashSet<VoucherId>, DbErr> {
    #[derive(FromQueryResult)]
    struct Inserted {
        id: VoucherId,
    }
    let insert =
        insertion(transaction, now, vouchers, "WHERE true ON CONFLICT (blind_index) DO NOTHING RETURNING id");
    let inserted = Inserted::find_by_statement(insert).all(transaction).await?;
    Ok(inserted.into_iter().map(|row| row.id).collect())
}

fn insertion(transaction: &Transaction, now: Timestamp, vouchers: &[NewVoucher], clause: &str) -> Statement {
    let rows: Vec<VoucherRow<'_>> = vouchers.iter().map(voucher_row).collect();
    let backend = transaction.get_database_backend();
    let columns = [
        ("id", Text),
        ("product_id", Text),
        ("face_minor", Integer),
        ("data_key_id", Text),
        ("sealed", Text),
        ("retention_secs", Integer),
        ("blind_index", Text),
        ("expires_at", Integer),
        ("usable_until", Integer),
        ("cost_micros", Integer),
        ("cost_currency", Text),
        ("lot", Text),
        ("purchase_id", Text),
    ];
    let sql = format!(
        "INSERT INTO vouchers (id, product_id, face_minor, state, data_key_id, sealed, retention_secs, blind_index,
            expires_at, usable_until, cost_micros, cost_currency, lot, purchase_id, loaded_at)
         SELECT r.id, r.product_id, r.face_minor, 'AVAILABLE', r.data_key_id, {}, r.retention_secs, {},
            r.expires_at, r.usable_until, r.cost_micros, r.cost_currency, r.lot, r.purchase_id, $2 FROM {} {clause}",
        from_hex(backend, "r.sealed"),
        from_hex(backend, "r.blind_index"),
        rowset(backend, 1, "r", &columns)
    );
    statement(backend, sql, [json(&rows), now.micros().into()])
}

fn voucher_row(voucher: &NewVoucher) -> VoucherRow<'_> {
    VoucherRow {
        id: voucher.id,
        product_id: &voucher.product,
        face_minor: voucher.face_minor,
        data_key_id: voucher.sealed.as_ref().map(|(key, _)| *key),
        sealed: voucher.sealed.as_ref().map(|(_, sealed)| to_hex(&sealed.0)),
        retention_secs: voucher.retention_secs,
        blind_index: to_hex(&voucher.blind_index.0),
        expires_at: voucher.expires_at.map(Timestamp::micros),
        usable_until: voucher.expires_at.unwrap_or(Timestamp::NEVER).micros(),
        cost_micros: voucher.cost.map(|cost| cost.micros),
        cost_currency: voucher.cost.as_ref().map(|cost| cost.currency.code()),
        lot: &voucher.lot,
        purchase_id: voucher.purchase,
    }
}
