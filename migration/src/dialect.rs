//! The few words in which the engines differ.
//!
//! What lives here: the macro that makes a migration of statements, and the words that it puts in.
//! What is always true: text compares bytewise on both engines; SQLite does so by itself, PostgreSQL needs the collation.
//! What is not here: tables.

use sea_orm_migration::prelude::{DbErr, SchemaManager};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// Runs statements, each with the engine's own words in place of `{text}`, `{bytes}` and `{hot}` (room on each page for rows
/// that are updated all the time). `{sqlite: …}` stands on SQLite alone, as a statement `sqlite: …` does, and a statement
/// `postgres: …` on PostgreSQL: a foreign key to a table that comes later is said in the table there, and added to it here.
///
/// Guards of rows, by triggers that every writer meets:
/// - `immutable table`: no row is ever changed or removed;
/// - `frozen table when condition`: not once its columns, as `OLD.column`, say so;
/// - `kept table while condition`: no row is ever changed, nor removed while the condition holds, which may look elsewhere;
/// - `child table (column) of parent (key)`: no row goes in without its parent. On PostgreSQL it stands for a foreign key to
///   rows that are never removed, where rows go in by the hundred: it asks once a statement and not once a row. SQLite has
///   the foreign key itself.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let backend = manager.get_database_backend();
    for statement in statements {
        let expanded = match statement.split_once(' ') {
            Some(("immutable", table)) => frozen(backend, table, "TRUE"),
            Some(("frozen", guard)) => guarded(guard, " when ", |table, when| frozen(backend, table, when))?,
            Some(("kept", guard)) => {
                guarded(guard, " while ", |table, so_long| kept(backend, table, so_long))?
            }
            Some(("child", relation)) => no_orphans(backend, relation)?,
            Some(("postgres:", rest)) if backend == DbBackend::Postgres => vec![rest.to_owned()],
            Some(("sqlite:", rest)) if backend == DbBackend::Sqlite => vec![rest.to_owned()],
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
    sqlite_only(backend, statement).replace("{text}", text).replace("{bytes}", bytes).replace("{hot}", hot)
}

/// Leaves what stands in `{sqlite: …}` on SQLite, and takes it out elsewhere.
fn sqlite_only(backend: DbBackend, statement: &str) -> String {
    let mut parts = statement.split("{sqlite:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, behind) = part.split_once('}').unwrap_or((part, ""));
        if backend == DbBackend::Sqlite {
            text.push_str(inside);
        }
        text.push_str(behind);
    }
    text
}

/// The statements of a guard that is written as a table, a word and a condition.
fn guarded(
    guard: &str,
    word: &str,
    statements: impl Fn(&str, &str) -> Vec<String>,
) -> Result<Vec<String>, DbErr> {
    let (table, condition) =
        guard.split_once(word).ok_or_else(|| DbErr::Migration(format!("a guard without{word}: {guard}")))?;
    Ok(statements(table, condition))
}

/// Refuses changes and removals of the rows of which the condition is true.
fn frozen(backend: DbBackend, table: &str, condition: &str) -> Vec<String> {
    let mut all =
        vec![refuse(backend, table, "UPDATE", condition), refuse(backend, table, "DELETE", condition)];
    all.extend(refuse_truncate(backend, table));
    all
}

/// Refuses every change, and removals while the condition is true.
fn kept(backend: DbBackend, table: &str, condition: &str) -> Vec<String> {
    let mut all = vec![refuse(backend, table, "UPDATE", "TRUE")];
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
        _ => all.push(refuse(backend, table, "DELETE", condition)),
    }
    all.extend(refuse_truncate(backend, table));
    all
}

/// Refuses rows without their parent; whatever inserts them.
fn no_orphans(backend: DbBackend, relation: &str) -> Result<Vec<String>, DbErr> {
    if backend != DbBackend::Postgres {
        return Ok(Vec::new());
    }
    let (child, parent) = relation
        .split_once(" of ")
        .and_then(|(child, parent)| Some((column_of(child)?, column_of(parent)?)))
        .ok_or_else(|| DbErr::Migration(format!("not a relation: {relation}")))?;
    let ((table, column), (parent, key)) = (child, parent);
    Ok(vec![
        format!(
            "CREATE FUNCTION {table}_no_orphans() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF EXISTS (SELECT FROM fresh WHERE NOT EXISTS
                (SELECT FROM {parent} p WHERE p.{key} = fresh.{column}))
             THEN RAISE EXCEPTION '{table} go to {parent} that exist' USING ERRCODE = 'foreign_key_violation';
             END IF; RETURN NULL; END $$"
        ),
        format!(
            "CREATE TRIGGER {table}_no_orphans AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh
             FOR EACH STATEMENT EXECUTE FUNCTION {table}_no_orphans()"
        ),
    ])
}

/// A table and its column, of `table (column)`.
fn column_of(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix(')')?.split_once(" (")
}

fn refuse(backend: DbBackend, table: &str, verb: &str, condition: &str) -> String {
    let name = format!("{table}_no_{}", verb.to_lowercase());
    match backend {
        DbBackend::Postgres => format!(
            "CREATE TRIGGER {name} BEFORE {verb} ON {table} \
             FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse_change()"
        ),
        _ => format!(
            "CREATE TRIGGER {name} BEFORE {verb} ON {table} WHEN {condition} BEGIN \
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
