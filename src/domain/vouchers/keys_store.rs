//! The statements by which keys come in and are used.
//!
//! What lives here: putting master keys on record, reserving the uses of a data key, and destroying those whose time has passed.
//! What is always true: who reserves or makes a data key holds the row of the keys' version, so that there is one active key a
//! purpose.
//! What is not here: codes (`load_store.rs`, `store.rs`).

use entity::ids::DataKeyId;
use entity::timestamp::Timestamp;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult,
    IntoActiveModel, QueryFilter, Set,
};

use super::model::{Purpose, may_seal};
use crate::store::{Subject, Transaction, bump, statement};

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
    purpose: Purpose,
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
        let good = may_seal(purpose.seals_until(active.created_at), used, uses, now);
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

/// Destroys the data keys whose time has passed, but for those of codes that wait to be delivered, whose time has not begun;
/// tells which.
pub(super) async fn destroy_expired(
    transaction: &Transaction,
    now: Timestamp,
) -> Result<Vec<DataKeyId>, DbErr> {
    #[derive(FromQueryResult)]
    struct Destroyed {
        id: DataKeyId,
    }
    lock_keys(transaction).await?;
    let sql = format!(
        "UPDATE data_keys SET wrapped = $2, destroyed_at = $1, retired_at = coalesce(retired_at, $1)
         WHERE {EXPIRED} RETURNING id"
    );
    let values = [now.micros().into(), Vec::<u8>::new().into()];
    let update = statement(transaction.get_database_backend(), sql, values);
    let destroyed = Destroyed::find_by_statement(update).all(transaction).await?;
    if !destroyed.is_empty() {
        bump(transaction, Subject::Keys).await?;
    }
    Ok(destroyed.into_iter().map(|key| key.id).collect())
}

/// Whether `destroy_expired` would find one.
pub(super) async fn is_any_expired(connection: &impl ConnectionTrait, now: Timestamp) -> Result<bool, DbErr> {
    let sql = format!("SELECT 1 AS one FROM data_keys WHERE {EXPIRED} LIMIT 1");
    let select = statement(connection.get_database_backend(), sql, [now.micros().into()]);
    Ok(connection.query_one_raw(select).await?.is_some())
}

const EXPIRED: &str = "expires_at <= $1 AND destroyed_at IS NULL AND NOT EXISTS (SELECT 1 FROM vouchers v
    WHERE v.data_key_id = data_keys.id AND v.state = 'RESERVED' AND v.retention_secs IS NOT NULL)";

async fn lock_keys(transaction: &Transaction) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    // SQLite's transactions have the write lock from the start.
    if backend == DbBackend::Postgres {
        let sql = "SELECT version FROM versions WHERE subject = $1 FOR UPDATE";
        transaction.query_one_raw(statement(backend, sql, [Subject::Keys.as_str().into()])).await?;
    }
    Ok(())
}
