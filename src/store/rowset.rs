//! Sets of rows as one parameter.
//!
//! What lives here: the item of a FROM clause that turns one JSON parameter into rows, on either engine.
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
}

/// `alias(column, …)` as rows of the JSON array in parameter `parameter` (from 1), to stand in a FROM clause:
/// `format!("SELECT … FROM {}", rowset(backend, 1, "r", &[("id", Text), ("n", Integer)]))`. Absent keys are NULL.
pub fn rowset(backend: DbBackend, parameter: usize, alias: &str, columns: &[(&str, ColumnKind)]) -> String {
    let listed: Vec<String> = columns
        .iter()
        .map(|(name, kind)| match (backend, kind) {
            (DbBackend::Postgres, ColumnKind::Text) => format!("{name} text"),
            (DbBackend::Postgres, ColumnKind::Integer) => format!("{name} bigint"),
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

/// Inserts a set of rows with one statement; `clause` follows it, such as `ON CONFLICT DO NOTHING`. Rows go in in their order.
///
/// # Errors
/// What the database says.
pub async fn insert_all<R: Serialize>(
    connection: &impl ConnectionTrait,
    table: &str,
    columns: &[(&str, ColumnKind)],
    rows: &[R],
) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let insert = insertion(connection.get_database_backend(), table, columns, "");
    let insert = Statement::from_sql_and_values(connection.get_database_backend(), insert, [json(rows)]);
    connection.execute_raw(insert).await.map(drop)
}

/// The text of an insertion of a set of rows, parameter 1, with what follows it.
pub fn insertion(backend: DbBackend, table: &str, columns: &[(&str, ColumnKind)], clause: &str) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    // `WHERE true` lets SQLite's parser tell an upsert's ON from a join's.
    format!(
        "INSERT INTO {table} ({names}) SELECT {names} FROM {} WHERE true {clause}",
        rowset(backend, 1, "r", columns)
    )
}
