//! What an engine keeps of rows that were changed.
//!
//! What lives here: having it let go of what a table's rows were before.
//! What is always true: it is done as far as the engine can at this moment: where another still reads what was, it stays until
//! the engine comes to it by itself.
//! What is not here: copies that were made before, such as backups and archived logs: no database reaches those.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use crate::ctx::Database;

/// Has the engine let go of what the rows of a small table were: SQLite, which overwrites what it frees, of its log;
/// PostgreSQL of dead rows.
///
/// # Errors
/// What the database says.
pub async fn forget_past(database: &Database, table: &str) -> Result<(), DbErr> {
    let sql = match database.backend() {
        DbBackend::Postgres => format!("VACUUM {table}"),
        _ => "PRAGMA wal_checkpoint(TRUNCATE)".to_owned(),
    };
    database.writer.execute_unprepared(&sql).await.map(drop)
}
