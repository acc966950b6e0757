//! Connections.
//!
//! What lives here: how each engine is opened, and the guards that every connection passes.
//! What is always true: a pooled connection is rolled back before it is handed out; SQLite is 3.51.3 or later, in WAL mode,
//! fully synchronous, with one writer; PostgreSQL gives up on locks and statements that take too long.
//! What is not here: transactions.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sea_orm::{DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, Row};

use crate::config::Config;
use crate::ctx::Database;
use crate::problem::{ErrorCode, Problem};

/// How long PostgreSQL may take to give a connection.
const POSTGRES_PATIENCE: Duration = Duration::from_secs(5);
/// Readers of an SQLite file.
const SQLITE_READERS: u32 = 4;
/// Statements that each connection keeps prepared.
const PREPARED_STATEMENTS: usize = 512;
/// The first SQLite without the WAL-reset corruption of 3.7.0 to 3.51.2.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// Opens the database that the settings name; an SQLite file and its folder are made if absent.
///
/// # Errors
/// SERVICE_UNAVAILABLE if it cannot be reached, or is a library or a server too old to be trusted.
pub async fn open(config: &Config) -> Result<Database, Problem> {
    if config.database_url.starts_with("sqlite:") {
        open_sqlite(&config.database_url).await
    } else {
        open_postgres(config).await
    }
}

async fn open_postgres(config: &Config) -> Result<Database, Problem> {
    let options = PgConnectOptions::from_str(&config.database_url)
        .map_err(|error| unopened(format!("the database's address is malformed: {error}")))?
        .application_name("octopus")
        .statement_cache_capacity(PREPARED_STATEMENTS)
        .options([
            ("statement_timeout", "15s"),
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "15s"),
            ("jit", "off"),
        ]);
    knock(&options).await?;
    // A plan that was made when a table was small, and is kept, reads it whole for ever after (measured: half of the orders a
    // second). Who reads plans afresh. Desks and workers, who write sets of at most some thousand rows by the hundred, find
    // them by index whatever the planner has heard of the tables.
    let reading = options.clone().options([("plan_cache_mode", "force_custom_plan")]);
    let writing =
        options.options([("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")]);
    let writers = config.database_connections.div_euclid(2);
    Ok(Database {
        writer: postgres_pool(writing, writers).await?,
        reader: postgres_pool(reading, config.database_connections - writers).await?,
    })
}

/// Connects once: a pool that cannot connect keeps trying, and tells in the end that it has waited, not for what.
async fn knock(options: &PgConnectOptions) -> Result<(), Problem> {
    let away = |cause: String| {
        let host =
            options.get_socket().map_or_else(|| options.get_host().into(), |path| path.to_string_lossy());
        let (port, user) = (options.get_port(), options.get_username());
        let name = options.get_database().unwrap_or(user);
        let what =
            format!("cannot connect to PostgreSQL at {host}, port {port}, database {name}, user {user}");
        unopened(format!("{what}: {cause}"))
    };
    let connected = tokio::time::timeout(POSTGRES_PATIENCE, options.connect()).await;
    let connected = connected
        .map_err(|_elapsed| away(format!("no answer in {} seconds", POSTGRES_PATIENCE.as_secs())))?;
    let connection = connected.map_err(|error| away(error.to_string()))?;
    connection.close().await.map_err(|error| away(error.to_string()))
}

/// The database's address leads nowhere, told to whoever starts the process: no partner reads this.
fn unopened(what: String) -> Problem {
    let mend = "mend --database-url (OCTOPUS_DATABASE_URL), or what it names";
    Problem::new(ErrorCode::ServiceUnavailable, format!("{what}; {mend}"))
}

async fn postgres_pool(options: PgConnectOptions, connections: u32) -> Result<DatabaseConnection, Problem> {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(POSTGRES_PATIENCE)
        .test_before_acquire(false)
        // A `begin` that was dropped half-way leaves the connection inside a transaction, and the next borrower's
        // acknowledged write would be lost (sqlx #4385). `ROLLBACK` alone would fill the server's log with warnings, since there
        // hardly ever is a transaction; one that has failed refuses both, and its connection is closed.
        .before_acquire(|connection, _| {
            Box::pin(async move { Ok(connection.execute("BEGIN; ROLLBACK").await.is_ok()) })
        })
        .connect_with(options)
        .await
        .map_err(Problem::unavailable)?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

async fn open_sqlite(url: &str) -> Result<Database, Problem> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    if let Some(folder) = Path::new(path).parent() {
        std::fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What is freed in a page that is written anyway is overwritten: a key that is destroyed leaves no trace in the file.
        .pragma("secure_delete", "FAST")
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(PREPARED_STATEMENTS);
    let unusable = |error| unusable(Path::new(path), &error);
    let writer = sqlite_pool(options.clone(), 1).await.map_err(unusable)?;
    let reader = sqlite_pool(options.pragma("query_only", "ON"), SQLITE_READERS).await.map_err(unusable)?;
    let database = Database {
        writer: SqlxSqliteConnector::from_sqlx_sqlite_pool(writer.clone()),
        reader: SqlxSqliteConnector::from_sqlx_sqlite_pool(reader),
    };
    let version: String = writer
        .fetch_one("SELECT sqlite_version()")
        .await
        .and_then(|row| row.try_get(0))
        .map_err(Problem::unavailable)?;
    if !is_trusted(&version) {
        return Err(Problem::unavailable(format!(
            "SQLite {version} can corrupt its file; 3.51.3 or later is needed"
        )));
    }
    Ok(database)
}

async fn sqlite_pool(
    options: SqliteConnectOptions,
    connections: u32,
) -> Result<sqlx::SqlitePool, sqlx::Error> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .before_acquire(|connection, _| {
            Box::pin(async move {
                // Fails where no transaction is open, which is as it should be.
                connection.execute("ROLLBACK").await.ok();
                Ok(true)
            })
        })
        .connect_with(options)
        .await
}

/// A file or folder of ours cannot be used, told to whoever starts the process: where it lies, why, and what to mend.
pub fn unusable(path: &Path, cause: &dyn std::fmt::Display) -> Problem {
    let mend = "mend --data-dir (OCTOPUS_DATA_DIR) or --database-url (OCTOPUS_DATABASE_URL)";
    Problem::new(ErrorCode::ServiceUnavailable, format!("cannot use {}: {cause}; {mend}", path.display()))
}

fn is_trusted(sqlite_version: &str) -> bool {
    parse_version(sqlite_version).is_some_and(|version| version >= OLDEST_SQLITE)
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?))
}

/// Asks the database whether it is there.
///
/// # Errors
/// SERVICE_UNAVAILABLE if it is not.
pub async fn ping(database: &Database) -> Result<(), Problem> {
    database.reader.ping().await.map_err(Problem::unavailable)
}

/// Closes both pools, for tests and for the end of a command.
pub async fn close(database: Database) {
    let shut = |connection: DatabaseConnection| async move { connection.close().await.ok() };
    shut(database.reader).await;
    shut(database.writer).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlite_that_can_corrupt_its_file_is_not_trusted() {
        for (version, trusted) in [
            ("3.51.3", true),
            ("3.52.0", true),
            ("4.0.0", true),
            ("3.51.2", false),
            ("3.7.0", false),
            ("3.51", false),
        ] {
            assert_eq!(is_trusted(version), trusted, "{version}");
        }
    }
}
