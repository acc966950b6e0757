//! The statements by which keys and codes come in.
//!
//! What lives here: putting keys on record, reserving the uses of a data key, inserting vouchers and their stock moves.
//! What is always true: who reserves or makes a data key holds the row of the keys' version, so that there is one active key a
//! purpose.
//! What is not here: taking codes for orders (`store.rs`).

use std::collections::HashSet;

use entity::ids::{DataKeyId, StockWriterId, VoucherId};
use entity::secret::Digest;
use entity::state::StockMoveKind;
use entity::timestamp::Timestamp;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult,
    IntoActiveModel, QueryFilter, Set,
};
use serde::Serialize;

use super::keys::to_hex;
use super::load::NewVoucher;
use super::model::may_seal;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{Subject, Transaction, bump, json, rowset, statement};

/// Puts canaries on record; versions that are there already stay as they are.
pub(super) async fn insert_master_keys(
    transaction: &Transaction,
    canaries: Vec<entity::master_keys::Model>,
) -> Result<(), DbErr> {
    let rows = canaries.into_iter().map(IntoActiveModel::into_active_model);
    let once = OnConflict::column(entity::master_keys::Column::Version).do_nothing().to_owned();
    entity::master_keys::Entity::insert_many(rows)
        .on_conflict(once)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// Puts aside `uses` of the purpose's active data key; retires it and puts `fresh` in its place if it is too old or too used.
pub(super) async fn reserve_data_key(
    transaction: &Transaction,
    fresh: entity::data_keys::Model,
    uses: i64,
) -> Result<entity::data_keys::Model, DbErr> {
    use entity::data_keys::{ActiveModel, Column, Entity};
    lock_keys(transaction).await?;
    let active = Entity::find()
        .filter(Column::Purpose.eq(&fresh.purpose))
        .filter(Column::RetiredAt.is_null())
        .one(transaction)
        .await?;
    if let Some(active) = active {
        let now = fresh.created_at;
        let used = active.uses;
        let good = may_seal(active.created_at, used, uses, now);
        let mut change: ActiveModel = active.into();
        if good {
            change.uses = Set(used.saturating_add(uses));
            return change.update(transaction).await;
        }
        change.retired_at = Set(Some(now));
        change.update(transaction).await?;
    }
    let made = ActiveModel { uses: Set(uses), ..fresh.into_active_model() }.insert(transaction).await?;
    bump(transaction, Subject::Keys).await?;
    Ok(made)
}

async fn lock_keys(transaction: &Transaction) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    // SQLite's transactions have the write lock from the start.
    if backend == DbBackend::Postgres {
        let sql = "SELECT version FROM versions WHERE subject = $1 FOR UPDATE";
        transaction.query_one_raw(statement(backend, sql, [Subject::Keys.as_str().into()])).await?;
    }
    Ok(())
}

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
fn from_hex(backend: DbBackend, column: &str) -> String {
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
    data_key_id: DataKeyId,
    sealed: String,
    blind_index: String,
    expires_at: Option<i64>,
    usable_until: i64,
    cost_micros: Option<i64>,
    cost_currency: Option<&'a str>,
    lot: &'a str,
}

/// Inserts available vouchers.
pub(super) async fn insert_vouchers(
    transaction: &Transaction,
    now: Timestamp,
    vouchers: &[NewVoucher],
) -> Result<(), DbErr> {
    let rows: Vec<VoucherRow<'_>> = vouchers.iter().map(voucher_row).collect();
    let backend = transaction.get_database_backend();
    let columns = [
        ("id", Text),
        ("product_id", Text),
        ("face_minor", Integer),
        ("data_key_id", Text),
        ("sealed", Text),
        ("blind_index", Text),
        ("expires_at", Integer),
        ("usable_until", Integer),
        ("cost_micros", Integer),
        ("cost_currency", Text),
        ("lot", Text),
    ];
    let sql = format!(
        "INSERT INTO vouchers (id, product_id, face_minor, state, data_key_id, sealed, blind_index, expires_at,
            usable_until, cost_micros, cost_currency, lot, loaded_at)
         SELECT r.id, r.product_id, r.face_minor, 'AVAILABLE', r.data_key_id, {}, {}, r.expires_at,
            r.usable_until, r.cost_micros, r.cost_currency, r.lot, $2 FROM {}",
        from_hex(backend, "r.sealed"),
        from_hex(backend, "r.blind_index"),
        rowset(backend, 1, "r", &columns)
    );
    let values = [json(&rows), now.micros().into()];
    transaction.execute_raw(statement(backend, sql, values)).await.map(drop)
}

fn voucher_row(voucher: &NewVoucher) -> VoucherRow<'_> {
    VoucherRow {
        id: voucher.id,
        product_id: &voucher.product,
        face_minor: voucher.face_minor,
        data_key_id: voucher.data_key,
        sealed: to_hex(&voucher.sealed.0),
        blind_index: to_hex(&voucher.blind_index.0),
        expires_at: voucher.expires_at.map(Timestamp::micros),
        usable_until: voucher.expires_at.unwrap_or(Timestamp::NEVER).micros(),
        cost_micros: voucher.cost.map(|cost| cost.micros),
        cost_currency: voucher.cost.as_ref().map(|cost| cost.currency.code()),
        lot: &voucher.lot,
    }
}

/// How many codes of a product and face value came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct LoadedCount {
    pub(super) product_id: String,
    pub(super) face_minor: i64,
    pub(super) delta: i64,
}

/// Tells of codes that came in: appends to the writer's moves, which number from 1 without gaps.
pub(super) async fn record_loaded(
    transaction: &Transaction,
    now: Timestamp,
    writer: StockWriterId,
    counts: &[LoadedCount],
) -> Result<(), DbErr> {
    #[derive(Serialize)]
    struct Row<'a> {
        place: i64,
        #[serde(flatten)]
        count: &'a LoadedCount,
    }
    #[derive(FromQueryResult)]
    struct Writer {
        n: i64,
    }
    let backend = transaction.get_database_backend();
    let rows: Vec<Row<'_>> = (1..).zip(counts).map(|(place, count)| Row { place, count }).collect();
    let moves = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    // `WHERE true` lets SQLite's parser tell the upsert from a join.
    let advance = "INSERT INTO stock_writers (writer, n) SELECT $1, CAST($2 AS BIGINT) WHERE true
         ON CONFLICT (writer) DO UPDATE SET n = stock_writers.n + excluded.n RETURNING n";
    let values = [writer.to_string().into(), moves.into()];
    let last = Writer::find_by_statement(statement(backend, advance, values))
        .one(transaction)
        .await?
        .ok_or_else(|| DbErr::Custom("the upsert of a stock writer returned nothing".to_owned()))?;
    let columns = [("place", Integer), ("product_id", Text), ("face_minor", Integer), ("delta", Integer)];
    let sql = format!(
        "INSERT INTO stock_moves (writer, n, product_id, face_minor, kind, delta, at)
         SELECT $2, $3 + r.place, r.product_id, r.face_minor, $4, r.delta, $5 FROM {}",
        rowset(backend, 1, "r", &columns)
    );
    let values = [
        json(&rows),
        writer.to_string().into(),
        last.n.saturating_sub(moves).into(),
        StockMoveKind::Loaded.as_str().into(),
        now.micros().into(),
    ];
    transaction.execute_raw(statement(backend, sql, values)).await.map(drop)
}
