//! The few words in which the engines differ.
//!
//! What lives here: the macro that makes a migration of statements, and the words that it puts in.
//! What is always true: text compares bytewise on both engines; SQLite does so by itself, PostgreSQL needs the collation.
//! What is not here: tables.

use sea_orm_migration::prelude::{DbErr, SchemaManager};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// Runs statements, each with the engine's own words in place of `{text}`, `{bytes}` and `{hot}` (room on each page for rows
/// that are updated all the time). `immutable table` makes a table append-only; `postgres: …` is skipped on SQLite.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let backend = manager.get_database_backend();
    for statement in statements {
        let expanded = match statement.split_once(' ') {
            Some(("immutable", table)) => immutable(backend, table),
            Some(("postgres:", rest)) if backend == DbBackend::Postgres => vec![rest.to_owned()],
            Some(("postgres:", _)) => Vec::new(),
            _ => vec![words(backend, statement)],
        };
        for one in expanded {
            connection.execute_unprepared(&one).await?;
        }
    }
    Ok(())
}

fn words(backend: DbBackend, statement: &str) -> String {
    let (text, bytes, hot) = match backend {
        DbBackend::Postgres => ("TEXT COLLATE \"C\"", "BYTEA", " WITH (fillfactor = 70)"),
        _ => ("TEXT", "BLOB", ""),
    };
    statement.replace("{text}", text).replace("{bytes}", bytes).replace("{hot}", hot)
}

/// Triggers that refuse every change and removal of a table's rows.
fn immutable(backend: DbBackend, table: &str) -> Vec<String> {
    let refuse = |verb: &str| {
        format!(
            "CREATE TRIGGER {table}_no_{lower} BEFORE {verb} ON {table} BEGIN \
             SELECT RAISE(ABORT, '{table} is append-only'); END",
            lower = verb.to_lowercase()
        )
    };
    match backend {
        DbBackend::Postgres => vec![
            format!(
                "CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            ),
            format!(
                "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            ),
        ],
        _ => vec![refuse("UPDATE"), refuse("DELETE")],
    }
}

/// Makes the `Migration` of a module from the statements that go up and those that go down.
macro_rules! migration {
    ($name:literal, up: [$($up:expr),+ $(,)?], down: [$($down:expr),+ $(,)?]) => {
        use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

        /// See the module.
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct Migration;

        impl MigrationName for Migration {
            fn name(&self) -> &str {
                $name
            }
        }

        #[async_trait::async_trait]
        impl MigrationTrait for Migration {
            async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
                crate::dialect::run(manager, &[$($up),+]).await
            }

            async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
                crate::dialect::run(manager, &[$($down),+]).await
            }
        }
    };
}
pub(crate) use migration;
