//! Reading and writing the catalog's tables.
//!
//! What lives here: the tables as one transaction sees them, and the upserts of an import.
//! What is always true: an upsert names the columns that an import may change, and no others.
//! What is not here: what is written; `import.rs` decides that.

use entity::state::ProductStatus;
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait};
use serde::Serialize;

use super::snapshot::Tables;
use crate::store::ColumnKind::{self, Integer, Text};
use crate::store::{Subject, json, rowset, statement, versions};

/// Reads all tables; the connection should be one transaction.
pub(super) async fn read_tables(connection: &impl ConnectionTrait) -> Result<Tables, DbErr> {
    let versions = versions(connection).await?;
    Ok(Tables {
        version: versions.get(Subject::Catalog.as_str()).copied().unwrap_or(0),
        currencies: entity::currencies::Entity::find().all(connection).await?,
        countries: entity::countries::Entity::find().all(connection).await?,
        categories: entity::categories::Entity::find().all(connection).await?,
        brands: entity::brands::Entity::find().all(connection).await?,
        products: entity::products::Entity::find().all(connection).await?,
    })
}

/// A table that imports write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    name: &'static str,
    key: &'static str,
    /// Every column of a new row.
    columns: &'static [(&'static str, ColumnKind)],
    /// The columns of a row that is there already.
    changed: &'static [&'static str],
}

pub(super) const CURRENCIES: Table = Table {
    name: "currencies",
    key: "code",
    columns: &[
        ("code", Text),
        ("numeric", Text),
        ("name", Text),
        ("minor_units", Integer),
        ("settlement", Integer),
    ],
    changed: &["numeric", "name", "minor_units", "settlement"],
};

pub(super) const COUNTRIES: Table = Table {
    name: "countries",
    key: "code",
    columns: &[("code", Text), ("alpha3", Text), ("numeric", Text), ("name", Text), ("currency", Text)],
    changed: &["alpha3", "numeric", "name", "currency"],
};

pub(super) const CATEGORIES: Table =
    Table { name: "categories", key: "slug", columns: &[("slug", Text), ("name", Text)], changed: &["name"] };

pub(super) const BRANDS: Table = Table {
    name: "brands",
    key: "slug",
    columns: &[("slug", Text), ("name", Text), ("category_slug", Text), ("delivery", Text)],
    changed: &["name", "category_slug", "delivery"],
};

pub(super) const PRODUCTS: Table = Table {
    name: "products",
    key: "id",
    columns: &[
        ("id", Text),
        ("brand_slug", Text),
        ("category_slug", Text),
        ("country_code", Text),
        ("name", Text),
        ("face_currency", Text),
        ("denomination", Text),
        ("face_minor", Integer),
        ("min_minor", Integer),
        ("max_minor", Integer),
        ("step_minor", Integer),
        ("unit_label", Text),
        ("delivery", Text),
        ("recipient", Text),
        ("discount", Text),
        ("denomination_basis", Text),
        ("discount_basis", Text),
        ("status", Text),
        ("max_quantity", Integer),
        ("redemption_instructions", Text),
        ("created_at", Integer),
        ("updated_at", Integer),
    ],
    changed: &[
        "brand_slug",
        "category_slug",
        "country_code",
        "name",
        "denomination",
        "face_minor",
        "min_minor",
        "max_minor",
        "step_minor",
        "unit_label",
        "delivery",
        "recipient",
        "discount",
        "denomination_basis",
        "discount_basis",
        "updated_at",
    ],
};

/// Inserts rows, or changes those that are there.
pub(super) async fn upsert<R: Serialize>(
    connection: &impl ConnectionTrait,
    table: Table,
    rows: &[R],
) -> Result<(), DbErr> {
    let changes: Vec<String> =
        table.changed.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    insert(connection, table, rows, &format!("UPDATE SET {}", changes.join(", "))).await
}

/// Inserts the rows that are not there.
pub(super) async fn insert_new<R: Serialize>(
    connection: &impl ConnectionTrait,
    table: Table,
    rows: &[R],
) -> Result<(), DbErr> {
    insert(connection, table, rows, "NOTHING").await
}

async fn insert<R: Serialize>(
    connection: &impl ConnectionTrait,
    table: Table,
    rows: &[R],
    otherwise: &str,
) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    // A boolean travels as a number, since JSON's has another type on each engine.
    let values: Vec<String> = names
        .iter()
        .map(|name| if *name == "settlement" { format!("r.{name} <> 0") } else { format!("r.{name}") })
        .collect();
    let sql = format!(
        "INSERT INTO {} ({}) SELECT {} FROM {} WHERE true ON CONFLICT ({}) DO {otherwise}",
        table.name,
        names.join(", "),
        values.join(", "),
        rowset(backend, 1, "r", table.columns),
        table.key,
    );
    connection.execute_raw(statement(backend, sql, [json(rows)])).await.map(drop)
}

/// Brings products from one status to another; those that have neither stay as they are.
pub(super) async fn change_status(
    connection: &impl ConnectionTrait,
    products: &[&str],
    (from, to): (ProductStatus, ProductStatus),
    now: Timestamp,
) -> Result<(), DbErr> {
    #[derive(Serialize)]
    struct Row<'a> {
        id: &'a str,
    }
    let rows: Vec<Row<'_>> = products.iter().map(|id| Row { id }).collect();
    let backend = connection.get_database_backend();
    let sql = format!(
        "UPDATE products SET status = $3, updated_at = $4 WHERE id IN (SELECT r.id FROM {}) AND status = $2",
        rowset(backend, 1, "r", &[("id", Text)])
    );
    let values = [json(&rows), from.as_str().into(), to.as_str().into(), now.micros().into()];
    connection.execute_raw(statement(backend, sql, values)).await.map(drop)
}
