//! Sets of rows as one parameter.
//!
//! What lives here: the item of a FROM clause that turns one JSON parameter into rows, on either engine, and insertions of them.
//! What is always true: the text of a statement does not depend on how many rows there are, so that one prepared statement
//! serves every batch.
//! What is not here: the statements that join these rows.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use serde::Serialize;

/// The type of a column of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text: ids, states, decimals.
    Text,
    /// A whole number.
    Integer,
    /// Bytes, which travel as the text that `bytes` makes of them.
    Bytes,
}

/// `alias(column, …)` as rows of the JSON array in parameter `parameter` (from 1), to stand in a FROM clause:
/// `format!("SELECT … FROM {}", rowset(backend, 1, "r", &[("id", Text), ("n", Integer)]))`. Absent keys are NULL.
pub fn rowset(backend: DbBackend, parameter: usize, alias: &str, columns: &[(&str, ColumnKind)]) -> String {
    let listed: Vec<String> = columns
        .iter()
        .map(|(name, kind)| match (backend, kind) {
            (DbBackend::Postgres, ColumnKind::Text) => format!("{name} text"),
            (DbBackend::Postgres, ColumnKind::Integer) => format!("{name} bigint"),
            (DbBackend::Postgres, ColumnKind::Bytes) => format!("{name} bytea"),
            (_, ColumnKind::Bytes) => format!("unhex(substr(json_extract(value, '$.{name}'), 3)) AS {name}"),
            _ => format!("json_extract(value, '$.{name}') AS {name}"),
        })
        .collect();
    let listed = listed.join(", ");
    match backend {
        DbBackend::Postgres => format!("json_to_recordset(${parameter}::json) AS {alias}({listed})"),
        _ => format!("(SELECT {listed} FROM json_each(${parameter})) AS {alias}"),
    }
}

/// Rows as the parameter of a `rowset`.
pub fn json<R: Serialize>(rows: &[R]) -> Value {
    serde_json::to_string(rows).expect("rows of numbers, text and ids always serialise").into()
}

/// Bytes as text of a `rowset`, whose JSON has none: PostgreSQL's hexadecimal form.
pub fn bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2).saturating_add(2));
    text.push_str("\\x");
    bytes.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
    text
}

/// Rows that go into a table, in their order.
#[derive(Debug)]
pub struct Rows {
    table: &'static str,
    columns: &'static [(&'static str, ColumnKind)],
    json: Option<Value>,
}

impl Rows {
    /// These rows; there may be none.
    pub fn of<R: Serialize>(
        table: &'static str,
        columns: &'static [(&'static str, ColumnKind)],
        rows: &[R],
    ) -> Self {
        Self { table, columns, json: (!rows.is_empty()).then(|| json(rows)) }
    }
}

/// Inserts rows into tables, parents first. On PostgreSQL that is one statement, which fills the tables in any order and looks
/// at foreign keys in the end: to whoever commits for many, the way to the server and back costs as much as ten rows. SQLite,
/// to which there is no way, fills one after the other; several insertions in one text would leave its lock taken when one fails
/// (seen with sqlx 0.9).
///
/// # Errors
/// What the database says.
pub async fn insert(connection: &impl ConnectionTrait, all: Vec<Rows>) -> Result<(), DbErr> {
    let filled = all.into_iter().filter_map(|rows| Some((rows.table, rows.columns, rows.json?)));
    match connection.get_database_backend() {
        backend @ DbBackend::Postgres => insert_together(connection, backend, filled).await,
        backend => {
            for (table, columns, json) in filled {
                let sql = insertion(backend, 1, table, columns, "");
                connection.execute_raw(Statement::from_sql_and_values(backend, sql, [json])).await?;
            }
            Ok(())
        }
    }
}

async fn insert_together(
    connection: &impl ConnectionTrait,
    backend: DbBackend,
    filled: impl Iterator<Item = (&'static str, &'static [(&'static str, ColumnKind)], Value)>,
) -> Result<(), DbErr> {
    let (mut statements, mut values) = (Vec::new(), Vec::new());
    for (table, columns, json) in filled {
        values.push(json);
        statements.push(insertion(backend, values.len(), table, columns, ""));
    }
    let Some(last) = statements.pop() else { return Ok(()) };
    let before: Vec<String> =
        statements.iter().enumerate().map(|(n, statement)| format!("s{n} AS ({statement})")).collect();
    let with = if before.is_empty() { String::new() } else { format!("WITH {} ", before.join(", ")) };
    let insert = Statement::from_sql_and_values(backend, with + &last, values);
    connection.execute_raw(insert).await.map(drop)
}

/// The text of an insertion of a set of rows, which are this parameter, with what follows it, such as `ON CONFLICT DO NOTHING`.
pub fn insertion(
    backend: DbBackend,
    parameter: usize,
    table: &str,
    columns: &[(&str, ColumnKind)],
    clause: &str,
) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    // `WHERE true` lets SQLite's parser tell an upsert's ON from a join's.
    format!(
        "INSERT INTO {table} ({names}) SELECT {names} FROM {} WHERE true {clause}",
        rowset(backend, parameter, "r", columns)
    )
}
