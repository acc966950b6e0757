//! What a database is for.
//!
//! What lives here: the environment that the first server writes into it, and reading it.
//! What is always true: it is written once; two servers that start together agree on it.
//! What is not here: what a sandbox begins with (`cli/sandbox.rs`).

use entity::installation::{ActiveModel, Entity};
use entity::state::Environment;
use entity::timestamp::Timestamp;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait};

use super::transaction::begin;
use crate::ctx::Database;

/// The environment of a database: the one that it has, else the one that is wished, else production, which is written down.
///
/// # Errors
/// What the database says.
pub async fn settle_environment(
    database: &Database,
    wished: Option<Environment>,
    now: Timestamp,
) -> Result<Environment, DbErr> {
    let transaction = begin(database).await?;
    let wished = wished.unwrap_or(Environment::Production);
    let row = ActiveModel { id: Set(1), environment: Set(wished), created_at: Set(now) };
    let keep_the_first = OnConflict::new().do_nothing().to_owned();
    Entity::insert(row).on_conflict(keep_the_first).exec_without_returning(&transaction).await?;
    let found = Entity::find().one(&transaction).await?;
    transaction.commit().await?;
    Ok(found.map_or(wished, |row| row.environment))
}

/// What the database is for; `None` before the first server has started on it.
///
/// # Errors
/// What the database says.
pub async fn read_environment(connection: &impl ConnectionTrait) -> Result<Option<Environment>, DbErr> {
    let row = Entity::find().one(connection).await?;
    Ok(row.map(|row| row.environment))
}
