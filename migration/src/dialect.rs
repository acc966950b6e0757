//! The few words in which the engines differ.
//!
//! What lives here: the macro that makes a migration of statements, and the words that it puts in.
//! What is always true: text compares bytewise on both engines; SQLite does so by itself, PostgreSQL needs the collation.
//! What is not here: tables.

use sea_orm_migration::prelude::{DbErr, SchemaManager};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// Runs statements, each with the engine's own words in place of `{text}`, `{bytes}` and `{hot}` (room on each page for rows
/// that are updated all the time). A statement `postgres: …` or `sqlite: …` stands on that engine alone.
///
/// Guards of rows, by triggers that every writer meets:
/// - `immutable table`: no row is ever changed or removed;
/// - `frozen table when condition`: not once its columns, as `OLD.column`, say so;
/// - `frozen table (columns) when condition`: the same, but only these columns are kept from change;
/// - `ended table (columns) when condition`: beside `frozen`, keeps more columns from change, by `OLD.column` and `NEW.column`;
/// - `barred table (columns) when condition while condition`: no change of these columns to what the first condition says, as long
///   as the second one is true, which may look elsewhere;
/// - `kept table while condition`: no row is ever changed, nor removed while the condition holds, which may look elsewhere;
/// - `child table (column) of parent (key)`: no row goes in without its parent. It stands for a foreign key to rows that are
///   never removed, where rows go in by the hundred: PostgreSQL asks once a statement, not once a row.
///
/// A statement that names a column changes it, be it to what it is: so both engines judge `UPDATE OF`.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let backend = manager.get_database_backend();
    for statement in statements {
        let expanded = match statement.split_once(' ') {
            Some(("immutable", table)) => frozen(backend, table, "TRUE"),
            Some(("frozen", guard)) => guarded(guard, "when", |rows, when| frozen(backend, rows, when))?,
            Some(("ended", guard)) => guarded(guard, "when", |rows, when| ended(backend, rows, when))?,
            Some(("barred", guard)) => barred(backend, guard)?,
            Some(("kept", guard)) => guarded(guard, "while", |table, so_long| kept(backend, table, so_long))?,
            Some(("child", relation)) => no_orphans(backend, relation)?,
            Some(("postgres:", rest)) if backend == DbBackend::Postgres => vec![rest.to_owned()],
            Some(("sqlite:", rest)) if backend != DbBackend::Postgres => vec![rest.to_owned()],
            Some(("postgres:" | "sqlite:", _)) => Vec::new(),
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

/// The statements of a guard that is written as what it guards, a word and a condition.
fn guarded(
    guard: &str,
    word: &str,
    statements: impl Fn(&str, &str) -> Vec<String>,
) -> Result<Vec<String>, DbErr> {
    let (rows, condition) = guard
        .split_once(&format!(" {word} "))
        .ok_or_else(|| DbErr::Migration(format!("a guard without `{word}`: {guard}")))?;
    Ok(statements(rows.trim_end(), condition))
}

/// Refuses changes and removals of the rows of which the condition is true; where columns are named, changes of those alone.
fn frozen(backend: DbBackend, rows: &str, condition: &str) -> Vec<String> {
    let (table, change) = change_of(rows);
    let mut all = vec![
        refuse(backend, (table, "update"), &change, condition),
        refuse(backend, (table, "delete"), "DELETE", condition),
    ];
    all.extend(refuse_truncate(backend, table));
    all
}

/// A table, and the change of it, or of its columns where some are named.
fn change_of(rows: &str) -> (&str, String) {
    match rows.split_once(" (") {
        Some((table, columns)) => (table, format!("UPDATE OF {}", columns.trim_end_matches(')'))),
        None => (rows, "UPDATE".to_owned()),
    }
}

/// Refuses changes of columns of rows that have ended.
fn ended(backend: DbBackend, rows: &str, condition: &str) -> Vec<String> {
    let (table, change) = change_of(rows);
    vec![refuse(backend, (table, "reopening"), &change, condition)]
}

/// Refuses changes to something while a condition that looks elsewhere is true.
fn barred(backend: DbBackend, guard: &str) -> Result<Vec<String>, DbErr> {
    let (rows, when, so_long) = guard
        .split_once(" when ")
        .and_then(|(rows, conditions)| {
            conditions.split_once(" while ").map(|(when, so_long)| (rows, when, so_long))
        })
        .ok_or_else(|| DbErr::Migration(format!("a guard without `when` and `while`: {guard}")))?;
    let (table, change) = change_of(rows.trim_end());
    Ok(match backend {
        // The WHEN of PostgreSQL's triggers sees the row alone: a function of its own looks elsewhere.
        DbBackend::Postgres => vec![
            format!(
                "CREATE FUNCTION {table}_no_early_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF {so_long} THEN RAISE EXCEPTION '% do not end so early', TG_TABLE_NAME
                    USING ERRCODE = 'restrict_violation';
                 END IF; RETURN NEW; END $$"
            ),
            format!(
                "CREATE TRIGGER {table}_no_early_end BEFORE {change} ON {table} \
                 FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION {table}_no_early_end()"
            ),
        ],
        _ => vec![format!(
            "CREATE TRIGGER {table}_no_early_end BEFORE {change} ON {table} WHEN ({when}) AND ({so_long}) BEGIN \
             SELECT RAISE(ABORT, '{table} do not end so early'); END"
        )],
    })
}

/// Refuses every change, and removals while the condition is true.
fn kept(backend: DbBackend, table: &str, condition: &str) -> Vec<String> {
    let mut all = vec![refuse(backend, (table, "update"), "UPDATE", "TRUE")];
    match backend {
        // The WHEN of PostgreSQL's triggers sees the row alone: a function of its own looks elsewhere.
        DbBackend::Postgres => all.extend([
            format!(
                "CREATE FUNCTION {table}_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF {condition} THEN RAISE EXCEPTION '% keeps its rows as they are', TG_TABLE_NAME
                    USING ERRCODE = 'restrict_violation';
                 END IF; RETURN OLD; END $$"
            ),
            format!(
                "CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION {table}_no_delete()"
            ),
        ]),
        _ => all.push(refuse(backend, (table, "delete"), "DELETE", condition)),
    }
    all.extend(refuse_truncate(backend, table));
    all
}

/// Refuses rows without their parent, whatever inserts them.
fn no_orphans(backend: DbBackend, relation: &str) -> Result<Vec<String>, DbErr> {
    let ((table, column), (parent, key)) = relation
        .split_once(" of ")
        .and_then(|(child, parent)| Some((column_of(child)?, column_of(parent)?)))
        .ok_or_else(|| DbErr::Migration(format!("not a relation: {relation}")))?;
    let orphan = |row: &str| format!("NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.{key} = {row}.{column})");
    let says = format!("'{table} go to {parent} that exist'");
    Ok(match backend {
        DbBackend::Postgres => vec![
            format!(
                "CREATE FUNCTION {table}_no_orphans() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF EXISTS (SELECT 1 FROM fresh WHERE {}) THEN
                    RAISE EXCEPTION {says} USING ERRCODE = 'foreign_key_violation';
                 END IF; RETURN NULL; END $$",
                orphan("fresh")
            ),
            format!(
                "CREATE TRIGGER {table}_no_orphans AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh \
                 FOR EACH STATEMENT EXECUTE FUNCTION {table}_no_orphans()"
            ),
        ],
        _ => vec![format!(
            "CREATE TRIGGER {table}_no_orphans BEFORE INSERT ON {table} WHEN {} BEGIN \
             SELECT RAISE(ABORT, {says}); END",
            orphan("NEW")
        )],
    })
}

/// A table and its column, of `table (column)`.
fn column_of(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix(')')?.split_once(" (")
}

/// Both engines judge the columns and the condition first: a change that is allowed calls nothing.
fn refuse(backend: DbBackend, (table, name): (&str, &str), change: &str, condition: &str) -> String {
    match backend {
        DbBackend::Postgres => format!(
            "CREATE TRIGGER {table}_no_{name} BEFORE {change} ON {table} \
             FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse_change()"
        ),
        _ => format!(
            "CREATE TRIGGER {table}_no_{name} BEFORE {change} ON {table} WHEN {condition} BEGIN \
             SELECT RAISE(ABORT, '{table} keeps its rows as they are'); END"
        ),
    }
}

/// SQLite has no TRUNCATE.
fn refuse_truncate(backend: DbBackend, table: &str) -> Option<String> {
    (backend == DbBackend::Postgres).then(|| {
        format!(
            "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    })
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
            /// On SQLite too, which the library leaves open: a process that ends in the middle leaves nothing of the step.
            fn use_transaction(&self) -> Option<bool> {
                Some(true)
            }

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
