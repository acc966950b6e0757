//! Breaking the books: what is sold first, and how the database's guards are taken away.
//! Not here: what is broken (`breakers.rs`).

use octopus_cards::domain::orders::{self, RefundUnit};
use octopus_cards::domain::verify::{self, Finding};
use octopus_cards::store::statement;
use sea_orm::ConnectionTrait as _;
use serde_json::json;

use crate::support::app::{Partner, TestApp};
use crate::support::catalog::{STEAM_50, stock_csv};
use crate::support::database::Dialect;
use crate::support::poll;

/// AUD 50, of which every seeded database has 20 codes.
const AUSTRALIAN: &str = "steam_wallet_50_aud";

const CREATE_ORDER: &str = "mutation Order($input: CreateOrderInput!) {
    createOrder(input: $input) { order { id } userErrors { code message field } } }";

/// What was done before the books are broken.
#[derive(Debug, Clone, Copy)]
pub enum Scene {
    /// Nothing but the seed: wallets are funded, codes loaded.
    Seeded,
    /// Two units of one order were delivered at once.
    Sold,
    /// Of 22 units 21 were delivered, one of them later, and one refunded.
    Settled,
    /// The same, and one of the delivered units was refunded later.
    Refunded,
    /// An order on a charge, and another that might have been on it.
    OnCharge,
    /// Two orders, of two units and of one.
    SoldTwice,
    /// Codes with a cost were loaded.
    Costly,
}

impl Scene {
    async fn play(self, app: &TestApp) {
        match self {
            Self::Seeded => {}
            Self::Sold => drop(sell(app).await),
            Self::Settled => sell_and_settle(app).await,
            Self::Refunded => {
                sell_and_settle(app).await;
                refund(app).await;
            }
            Self::OnCharge => sell_on_a_charge(app).await,
            Self::SoldTwice => drop(order(&sell(app).await, STEAM_50, 1, "another").await),
            Self::Costly => {
                let header = "sku,face_value,code,pin,serial,url,expires_at,cost,cost_currency,lot";
                app.load_stock(&format!("{header}\n{STEAM_50},50,COST-1,,,,,40.5,USD,costly\n")).await;
            }
        }
    }
}

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

/// Places an order and tells its id.
pub async fn order(partner: &Partner, product: &str, quantity: u32, reference: &str) -> String {
    let input = json!({ "productId": product, "quantity": quantity, "reference": reference, "waitMs": 0 });
    let answer = partner.graphql(CREATE_ORDER, json!({ "input": input })).await;
    answer.payload("createOrder");
    answer.text("createOrder.order.id").to_owned()
}

/// Sells two codes at once.
pub async fn sell(app: &TestApp) -> Partner {
    let partner = app.partner().await;
    order(&partner, STEAM_50, 2, "sold").await;
    partner
}

/// Sells 22 units of which 20 are in stock: of the two that are held, one is captured and one released.
pub async fn sell_and_settle(app: &TestApp) {
    let partner = app.partner().await;
    let id = order(&partner, AUSTRALIAN, 22, "settled").await;
    app.load_stock(&stock_csv(AUSTRALIAN, "50", 21, 1)).await;
    poll::until("the worker delivers the unit that came in", async || {
        let captured = app.database.number("SELECT count(*) FROM unit_settlements").await;
        (captured == 1).then_some(())
    })
    .await;
    let cancel = "mutation Cancel($input: CancelOrderInput!) {
        cancelOrder(input: $input) { order { status } userErrors { code message field } } }";
    let answer = partner.graphql(cancel, json!({ "input": { "orderId": id } })).await;
    answer.payload("cancelOrder");
    assert_eq!(answer.text("cancelOrder.order.status"), "PARTIALLY_DELIVERED");
}

/// Gives the first unit's money back.
pub async fn refund(app: &TestApp) {
    let order = app.database.texts("SELECT id AS line FROM orders").await.remove(0);
    let order = order.parse().expect("it is an order's id");
    let command =
        RefundUnit { order, unit: 1, reference: "T-1".to_owned(), note: "it did not work".to_owned() };
    orders::refund_unit(&app.system(), command).await.expect("it is delivered");
}

/// Sells a unit on a charge, and then another without.
pub async fn sell_on_a_charge(app: &TestApp) {
    let partner = app.partner().await;
    let charge = "mutation Charge($input: CreateChargeInput!) {
        createCharge(input: $input) { charge { id } userErrors { code message field } } }";
    let input = json!({ "input": { "productId": STEAM_50, "quantity": 1 } });
    let charge = partner.graphql(charge, input).await.text("createCharge.charge.id").to_owned();
    let input = json!({ "input": { "chargeId": charge, "reference": "quoted" } });
    partner.graphql(CREATE_ORDER, input).await.payload("createOrder");
    order(&partner, STEAM_50, 1, "unquoted").await;
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

fn loosened_postgres(table: &str) -> String {
    format!(
        "DO $$ DECLARE guard record; BEGIN
            FOR guard IN SELECT conname FROM pg_constraint
                WHERE conrelid = '{table}'::regclass AND contype IN ('c', 'u', 'f', 'p') LOOP
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
