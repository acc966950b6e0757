//! Transactions.
//!
//! What lives here: the one way to write, with retries where the whole may be repeated, and statements from text.
//! What is always true: a write runs in a task of its own, which goes on when its caller hangs up: sqlx 0.9 can lose
//! acknowledged writes when a `begin` is dropped half-way (sqlx #4385).
//! What is not here: the desks' batches, which own their transactions; they use the same `begin`.

use std::sync::Arc;
use std::time::Duration;

use entity::timestamp::Timestamp;
use futures_util::future::BoxFuture;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, RuntimeErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
};
use tracing::Instrument;

use crate::crash::{self, Place};
use crate::ctx::{Database, Deps};
use crate::problem::Problem;

/// How often a whole transaction is tried when the database asks for it to be repeated.
const MOST_TRIES: u32 = 5;

/// An open transaction.
pub type Transaction = DatabaseTransaction;

/// Runs a command in one transaction: commits if it succeeds, rolls back if it fails, repeats it (at most five times) if the
/// database gave up on a deadlock, a serialization failure or a busy file.
///
/// # Errors
/// What the command fails with; SERVICE_UNAVAILABLE when the database is away.
pub async fn write<T, E, F>(deps: &Arc<Deps>, command: F) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Problem> + Repeatable + Send + 'static,
    F: for<'t> Fn(&'t Transaction) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
{
    let deps = Arc::clone(deps);
    let work = async move {
        let mut tries = 1_u32;
        loop {
            let outcome = once(&deps.database, &command).await;
            match outcome {
                Err(error) if tries < MOST_TRIES && error.is_repeatable() => {
                    tokio::time::sleep(Duration::from_millis(u64::from(tries) * 7)).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    };
    // The log tells for which request it was written.
    let task = tokio::spawn(work.in_current_span());
    task.await.unwrap_or_else(|error| Err(Problem::internal(error).into()))
}

async fn once<T, E, F>(database: &Database, command: &F) -> Result<T, E>
where
    E: From<Problem>,
    F: for<'t> Fn(&'t Transaction) -> BoxFuture<'t, Result<T, E>>,
{
    let transaction = begin(database).await.map_err(Problem::from)?;
    match command(&transaction).await {
        Ok(value) => {
            crash::pass(Place::Written);
            transaction.commit().await.map_err(Problem::from)?;
            crash::pass(Place::Committed);
            Ok(value)
        }
        Err(error) => {
            transaction.rollback().await.map_err(Problem::from)?;
            Err(error)
        }
    }
}

/// Opens a transaction for writing; on SQLite one that has the write lock from the start.
///
/// # Errors
/// What the database says.
pub async fn begin(database: &Database) -> Result<Transaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    database.writer.begin_with_options(options).await
}

/// Opens a transaction for reads that all see one state of the database; it is only ever dropped or rolled back.
///
/// # Errors
/// What the database says.
pub async fn begin_snapshot(database: &Database) -> Result<Transaction, DbErr> {
    let options = match database.backend() {
        DbBackend::Postgres => TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            ..TransactionOptions::default()
        },
        // A reader of the write-ahead log sees one state from its first read on.
        _ => TransactionOptions::default(),
    };
    database.reader.begin_with_options(options).await
}

/// A failure that may be one of the database's requests to try the whole transaction again.
pub trait Repeatable {
    /// Whether the same transaction may succeed at once.
    fn is_repeatable(&self) -> bool;
}

impl Repeatable for Problem {
    fn is_repeatable(&self) -> bool {
        let cause = self.cause.as_deref().and_then(|cause| cause.downcast_ref::<DbErr>());
        cause.is_some_and(is_repeatable)
    }
}

impl<R> Repeatable for crate::problem::Failure<R> {
    fn is_repeatable(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.is_repeatable())
    }
}

/// Deadlock (40P01), serialization failure (40001), lock timeout (55P03); SQLITE_BUSY (5) and its extended codes.
pub fn is_repeatable(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let code = error.as_database_error().and_then(|database| database.code());
    code.is_some_and(|code| matches!(code.as_ref(), "40P01" | "40001" | "55P03" | "5" | "261" | "517"))
}

/// Refuses a change that met another number of rows than it was meant for: what it was decided by is not true any more.
///
/// # Errors
/// Tells how many of how many.
pub fn expect_all(changed: u64, wanted: usize, what: &str) -> Result<(), DbErr> {
    if usize::try_from(changed) == Ok(wanted) {
        Ok(())
    } else {
        Err(DbErr::Custom(format!("{changed} of {wanted} {what} were as they should be")))
    }
}

/// A statement from text with parameters `$1`, `$2`, … on either engine.
pub fn statement(
    backend: DbBackend,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(backend, sql, values)
}

/// Whether a column can hold this text: PostgreSQL refuses a NUL with an error (22021), where SQLite finds nothing. So what a
/// caller names is asked here first, wherever no rule of its own has let only plain characters through.
pub fn can_hold(text: &str) -> bool {
    !text.contains('\0')
}

/// The database's own present in microseconds since 1970, as an expression: the one clock by which leases and shared throttles
/// go, since the clocks of nodes differ.
pub fn database_clock(deps: &Deps) -> String {
    let fixed = deps.clock.of_database();
    fixed.map_or_else(|| engine_clock(deps.database.backend()).to_owned(), |fixed| fixed.micros().to_string())
}

/// The condition that an instant by a clock has come. One that lies farther ahead than any could was written while that clock was
/// wrong, and counts as past.
pub fn lapsed(instant: &str, clock: &str, longest_micros: i64) -> String {
    format!("({instant} <= {clock} OR {instant} > {clock} + {longest_micros})")
}

/// Reads that clock.
///
/// # Errors
/// What the database says.
pub async fn database_now(deps: &Deps) -> Result<Timestamp, DbErr> {
    let reader = &deps.database.reader;
    let select =
        statement(reader.get_database_backend(), format!("SELECT {} AS present", database_clock(deps)), []);
    let row = reader.query_one_raw(select).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the database's clock".to_owned()))?.try_get("", "present")
}

/// The same expression, where no test stands for it: for what only servers and commands tell each other.
pub const fn engine_clock(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
        _ => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
    }
}
