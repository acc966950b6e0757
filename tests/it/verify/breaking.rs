//! Breaking the books: what is done first, and how the database's guards are taken away.
//! Not here: what is sold and bought (`scenes.rs`), and what is broken (`breakers.rs`).

use octopus_cards::domain::verify::{self, Finding};
use octopus_cards::store::statement;
use sea_orm::ConnectionTrait as _;

use super::scenes::Scene;
use crate::support::app::TestApp;
use crate::support::database::Dialect;

/// One way to break the books.
pub struct Breaker {
    /// What was done before.
    pub scene: Scene,
    /// The check that finds it.
    pub check: &'static str,
    /// A part of the reason that it gives.
    pub reason: &'static str,
    /// The tables whose constraints would refuse it.
    pub tables: &'static [&'static str],
    /// How.
    pub sql: String,
    /// The checks that cannot but find it too.
    pub also: &'static [&'static str],
}

impl Breaker {
    /// Breaks the books and asserts that the check reports it for its reason, and no other check.
    pub async fn assert_is_found(self, app: &TestApp) {
        self.scene.play(app).await;
        break_books(app, self.tables, &self.sql).await;
        let found = findings(app).await;
        let others: Vec<&str> =
            found.iter().map(|finding| finding.check).filter(|check| *check != self.check).collect();
        assert_eq!(others, self.also, "{found:#?}");
        let own = found.iter().find(|finding| finding.check == self.check);
        let own = own.unwrap_or_else(|| panic!("{} found nothing: {found:#?}", self.check));
        assert!(own.offenders.iter().any(|row| row.reason.contains(self.reason)), "{own:#?}");
        assert!(!own.more, "{own:#?}");
    }
}

/// What `octopus verify` finds.
pub async fn findings(app: &TestApp) -> Vec<Finding> {
    verify::verify(&app.deps).await.unwrap()
}

/// Breaks the data: runs SQL with all triggers and foreign keys, and the constraints of these tables, taken away. The triggers
/// come back; a check would miss them.
pub async fn break_books(app: &TestApp, tables: &[&str], sql: &str) {
    app.books_are_broken();
    app.stop().await;
    app.verify_clean().await;
    let loosened: String = match app.database.dialect() {
        Dialect::Sqlite => tables.iter().map(|table| loosened_sqlite(table)).collect(),
        Dialect::Postgres => tables.iter().map(|table| loosened_postgres(table)).collect(),
    };
    without_guards(app, &format!("{loosened} {sql}")).await;
}

/// Runs SQL with all triggers and foreign keys taken away.
pub async fn without_guards(app: &TestApp, sql: &str) {
    let script = match app.database.dialect() {
        Dialect::Sqlite => {
            let triggers = triggers(app).await;
            let away: String = triggers.iter().map(|(_, name, _)| format!("DROP TRIGGER {name};")).collect();
            let back: String = triggers.iter().map(|(_, _, made)| format!("{made};")).collect();
            format!("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; {away} {sql}; {back}")
        }
        Dialect::Postgres => format!("SET session_replication_role = replica; {sql};"),
    };
    app.database.execute(&script).await;
}

/// Every trigger of the schema: its table, its name, and how it is made (on SQLite).
pub async fn triggers(app: &TestApp) -> Vec<(String, String, String)> {
    let sql = match app.database.dialect() {
        Dialect::Sqlite => {
            "SELECT tbl_name AS tbl, name, sql AS made FROM sqlite_master WHERE type = 'trigger'"
        }
        Dialect::Postgres => {
            "SELECT CAST(CAST(tgrelid AS regclass) AS text) AS tbl, CAST(tgname AS text) AS name, '' AS made
             FROM pg_trigger WHERE NOT tgisinternal"
        }
    };
    let reader = &app.deps.database.reader;
    let rows = reader.query_all_raw(statement(reader.get_database_backend(), sql, [])).await.unwrap();
    let text = |row: &sea_orm::QueryResult, column| row.try_get::<String>("", column).unwrap();
    rows.iter().map(|row| (text(row, "tbl"), text(row, "name"), text(row, "made"))).collect()
}

/// The columns of a table.
pub async fn columns(app: &TestApp, table: &str) -> Vec<String> {
    let sql = match app.database.dialect() {
        Dialect::Sqlite => "SELECT name FROM pragma_table_info($1)",
        Dialect::Postgres => {
            "SELECT CAST(column_name AS text) AS name FROM information_schema.columns WHERE table_name = $1"
        }
    };
    let reader = &app.deps.database.reader;
    let select = statement(reader.get_database_backend(), sql, [table.into()]);
    let rows = reader.query_all_raw(select).await.unwrap();
    assert!(!rows.is_empty(), "there is no {table}");
    rows.iter().map(|row| row.try_get("", "name").unwrap()).collect()
}

/// SQLite cannot drop a constraint: the table is made again without any.
fn loosened_sqlite(table: &str) -> String {
    format!(
        "CREATE TABLE {table}_loose AS SELECT * FROM {table}; DROP TABLE {table};
         ALTER TABLE {table}_loose RENAME TO {table};"
    )
}

/// Keys last: those of a table that refers to itself would go with them.
fn loosened_postgres(table: &str) -> String {
    format!(
        "DO $$ DECLARE guard record; BEGIN
            FOR guard IN SELECT conname FROM pg_constraint
                WHERE conrelid = '{table}'::regclass AND contype IN ('c', 'u', 'f', 'p') ORDER BY contype = 'p' LOOP
                EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I CASCADE', guard.conname);
            END LOOP;
            FOR guard IN SELECT indexname FROM pg_indexes WHERE tablename = '{table}' LOOP
                EXECUTE format('DROP INDEX %I', guard.indexname);
            END LOOP;
         END $$;"
    )
}

/// One more code beside a delivered one: in this state, for this unit of the same order, with the moves that it takes.
pub fn one_more_code(state: &str, unit_index: &str) -> String {
    let delivered_at = if state == "DELIVERED" { "delivered_at" } else { "NULL" };
    format!(
        "INSERT INTO vouchers (id, product_id, face_minor, state, order_id, unit_index, partner_id, data_key_id, sealed,
            blind_index, usable_until, lot, loaded_at, delivered_at)
         SELECT 'vch_more', product_id, face_minor, '{state}', order_id, {unit_index}, partner_id, data_key_id, sealed,
            sealed, usable_until, lot, loaded_at, {delivered_at}
         FROM vouchers WHERE state = 'DELIVERED' ORDER BY id LIMIT 1;
         INSERT INTO stock_writers (writer, n, moved_at) VALUES ('stw_more', 2, 0);
         INSERT INTO stock_moves (writer, n, product_id, face_minor, kind, delta, at)
         SELECT 'stw_more', 1, product_id, face_minor, 'LOADED', 1, 0 FROM vouchers WHERE id = 'vch_more'
         UNION ALL
         SELECT 'stw_more', 2, product_id, face_minor, 'ALLOCATED', -1, 0 FROM vouchers WHERE id = 'vch_more'"
    )
}

/// A second row like the first order's, but for these columns.
pub fn copy_of_an_order(changed: &[(&str, String)]) -> String {
    const COLUMNS: [&str; 27] = [
        "id",
        "partner_id",
        "wallet_id",
        "reference",
        "fingerprint",
        "status",
        "version",
        "failure_policy",
        "product_id",
        "product_snapshot",
        "quantity",
        "delivered_quantity",
        "refunded_quantity",
        "face_minor",
        "face_currency",
        "currency",
        "unit_price_minor",
        "unit_sales_minor",
        "unit_fx_minor",
        "unit_fee_minor",
        "unit_rounding_minor",
        "total_minor",
        "charge_id",
        "failure_code",
        "created_at",
        "completed_at",
        "lease_epoch",
    ];
    let value = |column: &&str| {
        let found = changed.iter().find(|(name, _)| name == column);
        found.map_or_else(|| (*column).to_owned(), |(_, value)| value.clone())
    };
    let values: Vec<String> = COLUMNS.iter().map(value).collect();
    format!(
        "INSERT INTO orders ({}) SELECT {} FROM orders WHERE id LIKE 'ord%' ORDER BY id LIMIT 1",
        COLUMNS.join(", "),
        values.join(", ")
    )
}
