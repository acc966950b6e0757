//! What the database itself refuses, whoever asks: changes of what must never change, and money twice.
//! Not here: that the server never asks; every other test shows that.

use super::breaking::{columns, copy_of_an_order, findings, triggers};
use super::scenes::{Scene, buy_a_code, credit, refund, sell, sell_and_settle, sell_on_a_charge};
use crate::support::app::TestApp;
use crate::support::database::Dialect;

/// The check and the breach that the test below breaks, trigger by trigger.
pub const BROKEN: (&str, &str) = ("the_database_guards_its_rows", "missing_trigger");

/// What is guarded: any row, or those of which the condition is true; and the columns that may change all the same.
const GUARDED: [(&str, &str, &[&str]); 18] = [
    ("postings", "TRUE", &[]),
    ("ledger_transactions", "TRUE", &[]),
    ("unit_settlements", "TRUE", &[]),
    ("order_transitions", "TRUE", &[]),
    ("stock_moves", "TRUE", &[]),
    ("audit_log", "TRUE", &[]),
    ("events", "TRUE", &[]),
    ("charges", "TRUE", &[]),
    ("goodwill_refunds", "TRUE", &[]),
    ("orders", "completed_at IS NOT NULL", &["recipient", "recipient_key_id"]),
    ("order_units", "status IN ('DELIVERED', 'REFUNDED')", &[]),
    ("vouchers", "state = 'DELIVERED'", &["data_key_id", "sealed"]),
    ("purchases", "state = 'DELIVERED'", &OF_WORKERS),
    ("attempts", "outcome IN ('DELIVERED', 'ANOMALY', 'SURPLUS')", &[]),
    ("purchase_calls", "TRUE", &[]),
    ("receipts", "TRUE", &[]),
    ("offer_costs", "TRUE", &[]),
    ("data_keys", "TRUE", &["master_version", "wrapped", "uses", "retired_at", "destroyed_at"]),
];

/// What a purchase says of the work on it.
const OF_WORKERS: [&str; 10] = [
    "epoch",
    "worker_id",
    "sends",
    "looks",
    "not_found",
    "not_found_since",
    "message",
    "sent_at",
    "next_at",
    "resolves_by",
];

/// What an open purchase comes to.
const OF_ENDS: [&str; 7] =
    ["state", "vendor_ref", "delivered_quantity", "cost_micros", "refusal", "ended_by", "ended_at"];

/// A statement, and what refuses it: the constraint on PostgreSQL, and the words of SQLite.
async fn assert_refused(app: &TestApp, sql: &str, constraint: &str, words: &str) {
    let refused = app.database.try_execute(sql).await.expect_err(sql).to_string();
    let expected = if app.database.dialect() == Dialect::Postgres { constraint } else { words };
    assert!(refused.contains(expected), "{sql}: {refused}");
}

both_databases! {
    async fn the_database_refuses_to_change_what_has_ended(app: SmallCatalog) {
        sell_and_settle(&app).await;
        refund(&app).await;
        sell_on_a_charge(&app).await;
        buy_a_code(&app).await;
        credit(&app).await;
        for (table, condition, open) in GUARDED {
            let rows = format!("SELECT count(*) FROM {table} WHERE {condition}");
            let before = app.database.number(&rows).await;
            assert!(before > 0, "{table} has no such row");
            let mut statements = vec![format!("DELETE FROM {table} WHERE {condition}")];
            // A column that is new, and of which nobody has thought, is found here. To name one is to change it.
            for column in columns(&app, table).await.iter().filter(|column| !open.contains(&column.as_str())) {
                let change = |value: &str| format!("UPDATE {table} SET {column} = {value} WHERE {condition}");
                statements.extend([change(column), change("NULL")]);
            }
            if app.database.dialect() == Dialect::Postgres {
                statements.push(format!("TRUNCATE {table} CASCADE"));
            }
            for sql in statements {
                let refused = app.database.try_execute(&sql).await.expect_err(&sql).to_string();
                assert!(refused.contains("keeps its rows as they are"), "{sql}: {refused}");
            }
            assert_eq!(app.database.number(&rows).await, before, "{table}");
        }
    }

    async fn the_database_refuses_to_change_what_was_asked_and_to_end_what_is_asked_for(app: SmallCatalog) {
        Scene::Asked.play(&app).await;
        let words = "keeps its rows as they are";
        let may_change = |column: &str| OF_WORKERS.contains(&column) || OF_ENDS.contains(&column);
        for column in columns(&app, "purchases").await.iter().filter(|column| !may_change(column)) {
            assert_refused(&app, &format!("UPDATE purchases SET {column} = {column}"), words, words).await;
        }
        for column in ["order_id", "unit_index", "number", "purchase_id", "opened_at"] {
            assert_refused(&app, &format!("UPDATE attempts SET {column} = {column}"), words, words).await;
        }
        for table in ["attempts", "purchases"] {
            assert_refused(&app, &format!("DELETE FROM {table}"), words, words).await;
        }
        for (status, at) in [("REFUNDED", "refunded_at"), ("DELIVERED", "delivered_at")] {
            let end = format!("UPDATE order_units SET status = '{status}', {at} = 1, resolves_by = NULL");
            assert_refused(&app, &end, "order_units do not end so early", "order_units do not end so early").await;
        }
    }

    /// A success may still be learnt of it, and nothing else.
    async fn the_database_refuses_to_change_how_a_purchase_came_to_nothing(app: SmallCatalog) {
        Scene::Refused.play(&app).await;
        let words = "keeps its rows as they are";
        for (table, changes) in [
            ("purchases", ["state = 'UNKNOWN', ended_at = NULL, ended_by = NULL", "state = 'NOT_EXECUTED'", "refusal = 'NOT_SOLD'",
                "refusal = NULL", "ended_by = 'DECISION'", "ended_at = 1"].as_slice()),
            ("attempts", ["outcome = NULL, ended_at = NULL", "outcome = 'NOT_EXECUTED'", "outcome = 'DELIVERED'", "ended_at = 1",
                "purchase_id = purchase_id"].as_slice()),
        ] {
            for change in changes {
                assert_refused(&app, &format!("UPDATE {table} SET {change}"), words, words).await;
            }
            assert_refused(&app, &format!("DELETE FROM {table}"), words, words).await;
        }
    }

    async fn the_database_lets_go_on_what_has_not_ended(app: SmallCatalog) {
        app.database.execute("UPDATE vouchers SET lot = 'recounted' WHERE state = 'AVAILABLE'").await;
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE lot = 'recounted'").await, 370);
    }

    /// Keys rotate, and what is sealed may be due to be forgotten, long after an order has ended.
    async fn what_is_sealed_may_be_sealed_anew_and_forgotten_beside_facts_that_stay(app: SmallCatalog) {
        sell_and_settle(&app).await;
        let key = "(SELECT k.id FROM data_keys k LIMIT 1)";
        let other = "(SELECT v.sealed FROM vouchers v WHERE v.state = 'AVAILABLE' ORDER BY v.id LIMIT 1)";
        let sealed = format!("UPDATE vouchers SET data_key_id = {key}, sealed = {other} WHERE state = 'DELIVERED'");
        let named = format!("UPDATE orders SET recipient_key_id = {key}, recipient = {other}");
        let forgotten = "UPDATE orders SET recipient_key_id = NULL, recipient = NULL";
        for (change, changed, count) in [
            (sealed.as_str(), format!("vouchers WHERE state = 'DELIVERED' AND sealed = {other}"), 21),
            (&named, format!("orders WHERE recipient_key_id = {key} AND recipient = {other}"), 1),
            (forgotten, "orders WHERE recipient IS NULL".to_owned(), 1),
        ] {
            app.database.execute(change).await;
            assert_eq!(app.database.number(&format!("SELECT count(*) FROM {changed}")).await, count, "{change}");
        }
        for change in [sealed.replace("SET", "SET lot = 'recounted',"), format!("{named}, fingerprint = '{{}}'")] {
            assert_refused(&app, &change, "keeps its rows as they are", "keeps its rows as they are").await;
        }
        assert_eq!(app.database.number("SELECT count(*) FROM orders WHERE recipient IS NULL").await, 1);
    }

    async fn the_database_refuses_a_code_that_costs_more_than_a_billion(app: SmallCatalog) {
        let cost = |micros: i64| format!("UPDATE vouchers SET cost_micros = {micros}, cost_currency = 'USD'");
        for micros in [1_000_000_000_000_001, -1] {
            assert_refused(&app, &cost(micros), "vouchers_cost_at_most_a_billion", "vouchers_cost_at_most_a_billion").await;
        }
        app.database.execute(&cost(1_000_000_000_000_000)).await;
        app.books_are_broken();
    }

    /// A trigger more in the schema, of which verify does not know, fails here too.
    async fn a_guard_that_is_missing_is_found(app: SmallCatalog) {
        app.stop().await;
        let triggers = triggers(&app).await;
        let verbs = if app.database.dialect() == Dialect::Postgres { 3 } else { 2 };
        // And the three that refuse what belongs to nothing, two that keep ends as they are, and one that refuses to end a unit early.
        assert_eq!(triggers.len(), GUARDED.len() * verbs + 6);
        for (table, name, made) in triggers {
            let (away, back) = match app.database.dialect() {
                Dialect::Sqlite => (format!("DROP TRIGGER {name}"), made),
                Dialect::Postgres => (format!("ALTER TABLE {table} DISABLE TRIGGER {name}"),
                    format!("ALTER TABLE {table} ENABLE TRIGGER {name}")),
            };
            app.database.execute(&away).await;
            let found = findings(&app).await;
            assert_eq!(found.len(), 1, "{found:#?}");
            assert_eq!((found[0].check, found[0].offenders.len()), (BROKEN.0, 1), "{found:#?}");
            assert_eq!((found[0].offenders[0].offender.as_str(), found[0].offenders[0].reason.as_str()),
                (name.as_str(), "the trigger is missing"));
            app.database.execute(&back).await;
        }
    }

    async fn the_database_refuses_to_charge_deliver_or_settle_twice(app: SmallCatalog) {
        sell_and_settle(&app).await;
        sell_on_a_charge(&app).await;
        let again = |kind: &str| format!("INSERT INTO ledger_transactions (id, kind, partner_id, order_id, reference, created_at)
            SELECT 'ltx_x', kind, partner_id, order_id, reference, 0 FROM ledger_transactions WHERE kind = '{kind}' LIMIT 1");
        assert_refused(&app, &again("SALE"), "ledger_transactions_one_sale", "ledger_transactions.order_id").await;
        assert_refused(&app, &again("HOLD"), "ledger_transactions_one_hold", "ledger_transactions.order_id").await;
        assert_refused(&app, &again("CREDIT"), "ledger_transactions_once",
            "ledger_transactions.partner_id, ledger_transactions.kind, ledger_transactions.reference").await;
        let same_reference = copy_of_an_order(&[("id", "'ord_x'".to_owned()), ("charge_id", "NULL".to_owned())]);
        assert_refused(&app, &same_reference, "orders_partner_id_reference_key", "orders.partner_id, orders.reference").await;
        let charge = "(SELECT c.id FROM charges c LIMIT 1)".to_owned();
        let same_charge = copy_of_an_order(&[("id", "'ord_x'".to_owned()), ("reference", "'x'".to_owned()), ("charge_id", charge)]);
        assert_refused(&app, &same_charge, "orders_one_a_charge", "orders.charge_id").await;
        let second_code = "UPDATE vouchers SET state = 'DELIVERED', unit_index = 1, delivered_at = 1,
            order_id = (SELECT o.id FROM orders o LIMIT 1), partner_id = (SELECT o.partner_id FROM orders o LIMIT 1)
            WHERE id IN (SELECT v.id FROM vouchers v WHERE v.state = 'AVAILABLE' LIMIT 1)";
        assert_refused(&app, second_code, "vouchers_one_a_unit", "vouchers.order_id, vouchers.unit_index").await;
        let same_code = "UPDATE vouchers SET blind_index = (SELECT v.blind_index FROM vouchers v WHERE v.state = 'DELIVERED' LIMIT 1)
            WHERE id IN (SELECT v.id FROM vouchers v WHERE v.state = 'AVAILABLE' LIMIT 1)";
        assert_refused(&app, same_code, "vouchers_loaded_once", "vouchers.blind_index").await;
        assert_refused(&app, "INSERT INTO unit_settlements SELECT * FROM unit_settlements WHERE outcome = 'CAPTURED'",
            "unit_settlements_pkey", "unit_settlements.order_id, unit_settlements.unit_index").await;
        assert_refused(&app, "UPDATE wallets SET available = -1", "wallets_available_not_negative",
            "wallets_available_not_negative").await;
    }

    async fn the_database_refuses_to_buy_a_unit_twice(app: SmallCatalog) {
        buy_a_code(&app).await;
        let again = |outcome: &str, ended_at: &str| format!("INSERT INTO attempts
            (order_id, unit_index, number, purchase_id, outcome, opened_at, ended_at)
            SELECT order_id, unit_index, number + 1, purchase_id, {outcome}, opened_at, {ended_at} FROM attempts");
        const UNIT: &str = "attempts.order_id, attempts.unit_index";
        assert_refused(&app, &again("outcome", "ended_at"), "attempts_one_delivers", UNIT).await;
        let open_twice = format!("{}; {}", again("NULL", "NULL"), again("NULL", "NULL").replace("number + 1", "number + 2"));
        assert_refused(&app, &open_twice, "attempts_one_open", UNIT).await;
        let columns: Vec<String> = columns(&app, "purchases").await;
        let values: Vec<String> = columns.iter()
            .map(|column| if column == "id" { "'pur_x'".to_owned() } else { column.clone() }).collect();
        let same_reference = format!("INSERT INTO purchases ({}) SELECT {} FROM purchases", columns.join(", "), values.join(", "));
        assert_refused(&app, &same_reference, "purchases_one_a_reference", "purchases.our_ref").await;
        sell(&app).await;
        let of_another_order = "INSERT INTO attempts (order_id, unit_index, number, purchase_id, outcome, opened_at, ended_at)
            SELECT o.id, 1, 1, a.purchase_id, 'REFUSED', 1, 1 FROM attempts a JOIN orders o ON o.reference = 'sold' WHERE a.number = 1";
        assert_refused(&app, of_another_order, "attempts_of_their_order", "FOREIGN KEY constraint failed").await;
        app.books_are_broken();
    }

    async fn the_database_refuses_money_and_goods_of_another(app: SmallCatalog) {
        sell_and_settle(&app).await;
        const FOREIGN: &str = "FOREIGN KEY constraint failed";
        let stranger = "(SELECT p.id FROM partners p WHERE p.id NOT IN (SELECT o.partner_id FROM orders o) LIMIT 1)";
        let paid = format!("INSERT INTO ledger_transactions (id, kind, partner_id, order_id, created_at)
            SELECT 'ltx_x', 'CAPTURE', {stranger}, id, 0 FROM orders");
        assert_refused(&app, &paid, "ledger_transactions_of_an_order", FOREIGN).await;
        let paid_nothing = format!("INSERT INTO ledger_transactions (id, kind, partner_id, order_id, created_at)
            SELECT 'ltx_x', 'CAPTURE', {stranger}, 'ord_none', 0 FROM orders");
        assert_refused(&app, &paid_nothing, "ledger_transactions_of_an_order", FOREIGN).await;
        let nobody = "INSERT INTO ledger_transactions (id, kind, order_id, created_at) SELECT 'ltx_x', 'CAPTURE', id, 0 FROM orders";
        assert_refused(&app, nobody, "check constraint", "CHECK constraint failed").await;
        let posted = format!("INSERT INTO postings
            (transaction_id, line, account, wallet_id, partner_id, currency, scale, amount, created_at)
            SELECT t.id, 99, 'WALLET_HELD', o.wallet_id, {stranger}, 'USD', 2, 1, 0
            FROM orders o JOIN ledger_transactions t ON t.order_id = o.id LIMIT 1");
        assert_refused(&app, &posted, "postings_partner_id_wallet_id_fkey", FOREIGN).await;
        let unit = format!("INSERT INTO order_units (order_id, unit_index, partner_id, status, funding, price_minor, tries)
            SELECT id, 999, {stranger}, 'PENDING', 'HOLD', 1, 0 FROM orders");
        assert_refused(&app, &unit, "order_units_partner_id_order_id_fkey", FOREIGN).await;
        let code = "UPDATE vouchers SET state = 'DELIVERED', unit_index = 999, delivered_at = 1,
            order_id = (SELECT o.id FROM orders o), partner_id = (SELECT o.partner_id FROM orders o)
            WHERE id IN (SELECT v.id FROM vouchers v WHERE v.state = 'AVAILABLE' LIMIT 1)";
        assert_refused(&app, code, "vouchers_of_a_unit", FOREIGN).await;
    }

    async fn the_database_refuses_what_belongs_to_nothing(app: SmallCatalog) {
        sell_and_settle(&app).await;
        let posting = "INSERT INTO postings (transaction_id, line, account, currency, scale, amount, created_at)
            SELECT 'ltx_none', line, account, currency, scale, amount, created_at FROM postings WHERE wallet_id IS NULL LIMIT 1";
        let words = "postings go to ledger_transactions that exist";
        assert_refused(&app, posting, words, words).await;
        let step = "INSERT INTO order_transitions SELECT 'ord_none', version, from_status, to_status, reason, at FROM order_transitions LIMIT 1";
        let words = "order_transitions go to orders that exist";
        assert_refused(&app, step, words, words).await;
        buy_a_code(&app).await;
        let call = "INSERT INTO purchase_calls (purchase_id, n, kind, outcome, message, duration_micros, actor, at)
            SELECT 'pur_none', n, kind, outcome, message, duration_micros, actor, at FROM purchase_calls LIMIT 1";
        let words = "purchase_calls go to purchases that exist";
        assert_refused(&app, call, words, words).await;
    }
}
