//! The proof of the books, proven: each check is seen to fail, alone, on data that breaks what it says.
//! Always true: the data is broken beside a stopped server, with the database's own guards taken away first, since they refuse
//! most of this. Not here: that honest use passes; every other test of the suite shows that at its end.

use std::collections::BTreeSet;

use octopus_cards::domain::verify::{self, Finding};
use serde_json::json;

use super::support::app::{Partner, TestApp};
use super::support::catalog::{STEAM_50, stock_csv};
use super::support::database::Dialect;
use super::support::poll;
use super::support::process::Binary;

/// AUD 50, of which every seeded database has 20 codes.
const AUSTRALIAN: &str = "steam_wallet_50_aud";

/// The tables whose rows the database refuses to change.
const APPEND_ONLY: [&str; 7] = [
    "postings",
    "ledger_transactions",
    "unit_settlements",
    "order_transitions",
    "stock_moves",
    "charges",
    "audit_log",
];

const CREATE_ORDER: &str = "mutation Order($input: CreateOrderInput!) {
    createOrder(input: $input) { order { id } userErrors { code message field } } }";

async fn order(partner: &Partner, product: &str, quantity: u32, reference: &str) -> String {
    let input = json!({ "productId": product, "quantity": quantity, "reference": reference, "waitMs": 0 });
    let answer = partner.graphql(CREATE_ORDER, json!({ "input": input })).await;
    answer.payload("createOrder");
    answer.text("createOrder.order.id").to_owned()
}

/// Sells two codes at once.
async fn sell(app: &TestApp) -> Partner {
    let partner = app.partner().await;
    order(&partner, STEAM_50, 2, "sold").await;
    partner
}

/// Sells 22 units of which 20 are in stock: of the two that are held, one is captured and one released.
async fn sell_and_settle(app: &TestApp) {
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

/// Breaks the data: runs SQL with the guards of these tables taken away.
async fn break_books(app: &TestApp, tables: &[&str], sql: &str) {
    app.books_are_broken();
    app.stop().await;
    app.verify_clean().await;
    let script = match app.database.dialect() {
        Dialect::Sqlite => {
            let loosened: String = tables.iter().map(|table| loosened_sqlite(table)).collect();
            let guarded: String = tables
                .iter()
                .filter(|table| APPEND_ONLY.contains(table))
                .map(|table| guarded_sqlite(table))
                .collect();
            format!("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; {loosened} {sql}; {guarded}")
        }
        Dialect::Postgres => {
            let loosened: String = tables.iter().map(|table| loosened_postgres(table)).collect();
            format!("{loosened} SET session_replication_role = replica; {sql};")
        }
    };
    app.database.execute(&script).await;
}

/// SQLite cannot drop a constraint: the table is made again without any.
fn loosened_sqlite(table: &str) -> String {
    format!(
        "CREATE TABLE {table}_loose AS SELECT * FROM {table}; DROP TABLE {table};
         ALTER TABLE {table}_loose RENAME TO {table};"
    )
}

fn guarded_sqlite(table: &str) -> String {
    let trigger = |verb: &str| {
        let name = verb.to_lowercase();
        format!(
            "CREATE TRIGGER {table}_no_{name} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END;"
        )
    };
    format!("{} {}", trigger("UPDATE"), trigger("DELETE"))
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

async fn findings(app: &TestApp) -> Vec<Finding> {
    verify::verify(&app.deps).await.unwrap()
}

/// Breaks the data and asserts that this check reports it, and no other.
async fn assert_found_by(app: &TestApp, check: &str, tables: &[&str], sql: &str) {
    break_books(app, tables, sql).await;
    let found = findings(app).await;
    let names: Vec<&str> = found.iter().map(|finding| finding.check).collect();
    assert_eq!(names, [check], "{found:#?}");
    assert!(!found[0].offenders.is_empty() && !found[0].more, "{found:#?}");
}

/// One more code beside a delivered one: in this state, for this unit of the same order, with the moves that it takes.
fn one_more_code(state: &str, unit_index: &str) -> String {
    let delivered_at = if state == "DELIVERED" { "delivered_at" } else { "NULL" };
    format!(
        "INSERT INTO vouchers (id, product_id, face_minor, state, order_id, unit_index, partner_id, data_key_id, sealed,
            blind_index, usable_until, lot, loaded_at, delivered_at)
         SELECT 'vch_more', product_id, face_minor, '{state}', order_id, {unit_index}, partner_id, data_key_id, sealed,
            sealed, usable_until, lot, loaded_at, {delivered_at}
         FROM vouchers WHERE state = 'DELIVERED' ORDER BY id LIMIT 1;
         INSERT INTO stock_writers (writer, n) VALUES ('stw_more', 2);
         INSERT INTO stock_moves (writer, n, product_id, face_minor, kind, delta, at)
         SELECT 'stw_more', 1, product_id, face_minor, 'LOADED', 1, 0 FROM vouchers WHERE id = 'vch_more'
         UNION ALL
         SELECT 'stw_more', 2, product_id, face_minor, 'ALLOCATED', -1, 0 FROM vouchers WHERE id = 'vch_more'"
    )
}

#[test]
fn every_invariant_is_one_named_check() {
    let numbered: Vec<&str> = verify::checks().filter_map(|check| check.invariant).collect();
    let expected: BTreeSet<&str> =
        ["I1", "I2", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12", "I13", "I14", "I18", "I21"]
            .into();
    assert_eq!(numbered.len(), expected.len());
    assert_eq!(numbered.into_iter().collect::<BTreeSet<_>>(), expected);
    let names: BTreeSet<&str> = verify::checks().map(|check| check.name).collect();
    assert_eq!(names.len(), verify::checks().count());
}

both_databases! {
    async fn the_command_says_all_is_well_with_exit_code_0_and_names_what_is_not_with_1(app: SmallCatalog) {
        sell(&app).await;
        let well = Binary::on(&app.database).run(&["verify", "--json"]).await.json();
        assert_eq!(well["findings"], json!([]));
        break_books(&app, &[], "UPDATE wallets SET available = available + 1 WHERE currency = 'USD'").await;
        let ended = Binary::on(&app.database).run(&["verify", "--json"]).await.expect_code(1);
        let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(told["findings"][0]["check"], "wallets_are_their_entries");
        assert_eq!(told["findings"][0]["offenders"].as_array().unwrap().len(), 2);
        let ended = Binary::on(&app.database).run(&["verify"]).await.expect_code(1);
        assert!(ended.stdout.contains("BAD  I2  wallets_are_their_entries"), "{ended:?}");
        assert!(ended.stdout.contains("ok   I1  transactions_balance"), "{ended:?}");
        assert!(ended.stderr.contains("wallets_are_their_entries"), "{ended:?}");
    }

    async fn a_transaction_that_does_not_balance_is_found(app: SmallCatalog) {
        let sql = "INSERT INTO postings (transaction_id, line, account, currency, scale, amount, created_at)
            SELECT id, 99, 'FUNDING', 'USD', 2, 1, 0 FROM ledger_transactions WHERE reference = 'funds-USD'";
        assert_found_by(&app, "transactions_balance", &[], sql).await;
    }

    async fn a_transaction_without_lines_is_found(app: SmallCatalog) {
        let sql = "INSERT INTO ledger_transactions (id, kind, reference, created_at) VALUES ('ltx_x', 'ADJUSTMENT', 'x', 0)";
        assert_found_by(&app, "transactions_balance", &[], sql).await;
    }

    async fn a_wallet_that_is_not_its_entries_is_found(app: SmallCatalog) {
        let sql = "UPDATE wallets SET available = available - 1 WHERE currency = 'JPY'";
        assert_found_by(&app, "wallets_are_their_entries", &[], sql).await;
    }

    async fn an_overdrawn_wallet_is_found(app: SmallCatalog) {
        let sql = "UPDATE postings SET amount = -amount, balance_after = -balance_after WHERE transaction_id IN
                (SELECT id FROM ledger_transactions WHERE reference = 'funds-EUR');
            UPDATE wallets SET available = -available WHERE currency = 'EUR'";
        assert_found_by(&app, "nothing_is_overdrawn", &["postings", "wallets"], sql).await;
    }

    async fn held_money_of_no_unit_is_found(app: SmallCatalog) {
        let sql = "INSERT INTO postings
                (transaction_id, line, account, wallet_id, partner_id, currency, scale, amount, created_at)
            SELECT p.transaction_id, 98, 'WALLET_HELD', p.wallet_id, p.partner_id, p.currency, p.scale, 5, 0
            FROM postings p JOIN ledger_transactions t ON t.id = p.transaction_id
            WHERE t.reference = 'funds-USD' AND p.account = 'WALLET_AVAILABLE';
            INSERT INTO postings (transaction_id, line, account, currency, scale, amount, created_at)
            SELECT id, 99, 'FUNDING', 'USD', 2, -5, 0 FROM ledger_transactions WHERE reference = 'funds-USD'";
        assert_found_by(&app, "held_money_is_of_open_units", &[], sql).await;
    }

    async fn a_gap_in_the_entries_is_found(app: SmallCatalog) {
        let sql = "UPDATE wallets SET sequence = sequence + 1 WHERE currency = 'KWD'";
        assert_found_by(&app, "entries_number_without_gaps", &[], sql).await;
    }

    async fn a_running_balance_that_does_not_follow_is_found(app: SmallCatalog) {
        sell(&app).await;
        let sql = "UPDATE postings SET balance_before = balance_before + 1, balance_after = balance_after + 1
            WHERE wallet_sequence = 2";
        assert_found_by(&app, "running_balances_follow", &["postings"], sql).await;
    }

    async fn an_entry_of_another_scale_than_its_wallet_is_found(app: SmallCatalog) {
        let sql = "UPDATE postings SET scale = 3 WHERE transaction_id IN
            (SELECT id FROM ledger_transactions WHERE reference = 'funds-USD')";
        assert_found_by(&app, "entries_are_their_wallets", &["postings"], sql).await;
    }

    async fn two_orders_of_one_reference_are_found(app: SmallCatalog) {
        let partner = sell(&app).await;
        order(&partner, STEAM_50, 1, "another").await;
        assert_found_by(&app, "one_order_a_reference", &["orders"], "UPDATE orders SET reference = 'twice'").await;
    }

    async fn an_order_that_costs_other_than_its_units_is_found(app: SmallCatalog) {
        sell(&app).await;
        let sql = "UPDATE orders SET total_minor = total_minor + 1";
        assert_found_by(&app, "order_money_adds_up", &["orders"], sql).await;
    }

    async fn a_unit_that_is_paid_for_and_not_settled_is_found(app: SmallCatalog) {
        sell_and_settle(&app).await;
        let sql = "DELETE FROM unit_settlements WHERE outcome = 'CAPTURED'";
        assert_found_by(&app, "charged_units_end_once", &["unit_settlements"], sql).await;
    }

    async fn a_unit_delivered_and_its_money_returned_is_found(app: SmallCatalog) {
        sell_and_settle(&app).await;
        // Both at once: the outcomes change places, and with them the transactions, so that only the units contradict.
        let sql = "UPDATE unit_settlements SET outcome = CASE outcome WHEN 'CAPTURED' THEN 'RELEASED' ELSE 'CAPTURED' END,
            transaction_id = (SELECT t.id FROM ledger_transactions t WHERE t.order_id = unit_settlements.order_id
                AND t.kind = CASE unit_settlements.outcome WHEN 'CAPTURED' THEN 'RELEASE' ELSE 'CAPTURE' END)";
        assert_found_by(&app, "charged_units_end_once", &["unit_settlements"], sql).await;
    }

    async fn a_second_hold_of_an_order_is_found(app: SmallCatalog) {
        sell_and_settle(&app).await;
        let sql = "INSERT INTO ledger_transactions (id, kind, partner_id, order_id, created_at)
            SELECT 'ltx_x', 'HOLD', partner_id, id, 0 FROM orders;
            INSERT INTO postings (transaction_id, line, account, wallet_id, partner_id, currency, scale, amount, created_at)
            SELECT 'ltx_x', 1, 'WALLET_HELD', wallet_id, partner_id, currency, 2, 7, 0 FROM orders
            UNION ALL SELECT 'ltx_x', 2, 'WALLET_HELD', wallet_id, partner_id, currency, 2, -7, 0 FROM orders";
        assert_found_by(&app, "money_moves_once_a_unit", &["ledger_transactions"], sql).await;
    }

    async fn a_unit_settled_twice_is_found(app: SmallCatalog) {
        sell_and_settle(&app).await;
        let sql = "INSERT INTO unit_settlements SELECT * FROM unit_settlements WHERE outcome = 'RELEASED'";
        assert_found_by(&app, "money_moves_once_a_unit", &["unit_settlements"], sql).await;
    }

    async fn revenue_in_the_wrong_account_is_found(app: SmallCatalog) {
        sell(&app).await;
        let sql = "UPDATE postings SET account = 'REVENUE_FEES' WHERE account = 'REVENUE_SALES'";
        assert_found_by(&app, "revenue_is_split_as_priced", &["postings"], sql).await;
    }

    async fn an_order_that_is_not_what_its_charge_said_is_found(app: SmallCatalog) {
        let partner = app.partner().await;
        let charge = "mutation Charge($input: CreateChargeInput!) {
            createCharge(input: $input) { charge { id } userErrors { code message field } } }";
        let input = json!({ "input": { "productId": STEAM_50, "quantity": 1 } });
        let charge = partner.graphql(charge, input).await.text("createCharge.charge.id").to_owned();
        let input = json!({ "input": { "chargeId": charge, "reference": "quoted" } });
        partner.graphql(CREATE_ORDER, input).await.payload("createOrder");
        assert_found_by(&app, "charges_bind", &["charges"], "UPDATE charges SET expires_at = created_at").await;
    }

    async fn a_code_in_stock_twice_is_found(app: SmallCatalog) {
        let sql = "UPDATE vouchers SET blind_index = (SELECT v.blind_index FROM vouchers v ORDER BY v.id LIMIT 1)
            WHERE id IN (SELECT v.id FROM vouchers v ORDER BY v.id LIMIT 2)";
        assert_found_by(&app, "a_code_has_one_unit", &["vouchers"], sql).await;
    }

    async fn a_unit_with_two_codes_is_found(app: SmallCatalog) {
        sell(&app).await;
        let sql = one_more_code("DELIVERED", "unit_index");
        assert_found_by(&app, "a_code_has_one_unit", &["vouchers"], &sql).await;
    }

    async fn a_delivered_unit_without_its_code_is_found(app: SmallCatalog) {
        sell(&app).await;
        let sql = "UPDATE vouchers SET unit_index = 999 WHERE state = 'DELIVERED' AND unit_index = 2";
        assert_found_by(&app, "delivered_units_have_their_code", &["vouchers"], sql).await;
    }

    async fn stock_that_nobody_loaded_is_found(app: SmallCatalog) {
        let sql = "INSERT INTO stock_writers (writer, n) VALUES ('stw_more', 1);
            INSERT INTO stock_moves (writer, n, product_id, face_minor, kind, delta, at)
            VALUES ('stw_more', 1, 'steam_wallet_50_usd', 5000, 'LOADED', 3, 0)";
        assert_found_by(&app, "stock_is_conserved", &[], sql).await;
    }

    async fn a_gap_in_the_moves_is_found(app: SmallCatalog) {
        assert_found_by(&app, "moves_number_without_gaps", &[], "UPDATE stock_writers SET n = n + 1").await;
    }

    async fn a_code_reserved_for_nobody_is_found(app: SmallCatalog) {
        sell(&app).await;
        let sql = one_more_code("RESERVED", "500");
        assert_found_by(&app, "reserved_codes_are_awaited", &["vouchers"], &sql).await;
    }

    async fn a_cost_that_is_not_posted_is_found(app: SmallCatalog) {
        let sql = "UPDATE vouchers SET cost_micros = 5000000, cost_currency = 'USD' WHERE lot LIKE 'steam_wallet_50_usd%'";
        assert_found_by(&app, "costs_are_posted", &[], sql).await;
    }

    async fn a_step_that_was_not_told_is_found(app: SmallCatalog) {
        sell(&app).await;
        let sql = "UPDATE events SET order_version = NULL WHERE kind = 'order.delivered'";
        assert_found_by(&app, "each_step_is_told_once", &[], sql).await;
    }

    async fn a_step_that_nobody_allowed_is_found(app: SmallCatalog) {
        sell(&app).await;
        let sql = "UPDATE order_transitions SET from_status = 'PROCESSING' WHERE version = 2";
        assert_found_by(&app, "orders_move_only_as_allowed", &["order_transitions"], sql).await;
    }

    async fn a_gap_in_a_feed_is_found(app: SmallCatalog) {
        assert_found_by(&app, "feeds_number_without_gaps", &[], "UPDATE event_heads SET sequence = sequence + 1").await;
    }

    async fn an_entry_that_was_not_told_is_found(app: SmallCatalog) {
        sell(&app).await;
        let sql = "UPDATE events SET payload = replace(payload, '\"last_entry\":2', '\"last_entry\":1')
            WHERE kind = 'wallet.debited'";
        assert_found_by(&app, "each_entry_is_told_once", &[], sql).await;
    }

    async fn a_ledger_without_its_guard_is_found(app: SmallCatalog) {
        let sql = match app.database.dialect() {
            Dialect::Sqlite => "DROP TRIGGER postings_no_update",
            Dialect::Postgres => "ALTER TABLE postings DISABLE TRIGGER postings_append_only",
        };
        assert_found_by(&app, "append_only_tables_are_guarded", &[], sql).await;
    }

    async fn the_database_itself_refuses_to_change_what_is_append_only(app: SmallCatalog) {
        sell_and_settle(&app).await;
        for (table, column) in [
            ("postings", "line"),
            ("ledger_transactions", "kind"),
            ("unit_settlements", "outcome"),
            ("order_transitions", "version"),
            ("stock_moves", "n"),
            ("audit_log", "detail"),
        ] {
            assert!(app.database.number(&format!("SELECT count(*) FROM {table}")).await > 0, "{table} is empty");
            for sql in [format!("UPDATE {table} SET {column} = {column}"), format!("DELETE FROM {table}")] {
                let refused = app.database.try_execute(&sql).await.unwrap_err().to_string();
                assert!(refused.contains("append-only"), "{sql}: {refused}");
            }
        }
    }
}
