//! Sets of rows as one parameter.
//!
//! What lives here: the item of a FROM clause that turns one JSON parameter into rows, on either engine.
//! What is always true: the text of a statement does not depend on how many rows there are, so that one prepared statement
//! serves every batch.
//! What is not here: the statements that join these rows.

use sea_orm::{DbBackend, Value};
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
