//! A delivered unit's money given back: `octopus refund-unit`.
//! Not here: refunds of what was never delivered.

use serde_json::json;

use super::{input, order, place_in_doubt, run, stage, told};
use crate::orders::unheld_funds;
use crate::support::app::TestApp;
use crate::support::catalog::{EURO_20, STEAM_50};

const ORDER: &str = "query($reference: String!) { order(reference: $reference) {
    status deliveredQuantity refundedQuantity unitPrice { amount } units(first: 10) { nodes { status } } } }";
const ENTRIES: &str = "query { wallet(currency: \"USD\") { entries(first: 1) { nodes {
    kind reference amount { amount } order { reference } } } } }";

/// The sum of what a transaction's kind did to revenue, in minor units.
async fn revenue(app: &TestApp, kind: &str) -> i64 {
    let sql = "SELECT coalesce(sum(p.amount), 0) FROM postings p JOIN ledger_transactions t ON t.id = p.transaction_id
        WHERE p.account LIKE 'REVENUE%' AND t.kind = ";
    app.database.number(&format!("{sql}'{kind}'")).await
}

both_databases! {
    async fn a_delivered_unit_s_money_comes_back_once(app: SmallCatalog) {
        app.meet_the_machine();
        let partner = app.partner().await;
        order(&partner, input(STEAM_50, 2, "one")).await.payload("createOrder");
        let sold = partner.graphql(ORDER, json!({ "reference": "one" })).await;
        let price = sold.text("order.unitPrice.amount").to_owned();
        let before = unheld_funds(&partner, "USD").await;
        let earned = revenue(&app, "SALE").await;
        let line = "refund-unit --json --operator Ada one 2 --reference T-1 --note";
        let done = run(&app, line, &["the code did not work"]).await.json();
        assert_eq!((&done["amount"], &done["currency"], &done["replayed"]), (&json!(price), &json!("USD"), &json!(false)));
        assert_eq!(unheld_funds(&partner, "USD").await, before + earned / 2);
        assert_eq!(revenue(&app, "REFUND").await, -earned / 2);
        let after = partner.graphql(ORDER, json!({ "reference": "one" })).await;
        assert_eq!(after.at("order"), sold.at("order"), "the order stays as it ended");
        let entry = partner.graphql(ENTRIES, json!({})).await;
        assert_eq!(entry.text("wallet.entries.nodes.0.kind"), "REFUND");
        assert_eq!(entry.text("wallet.entries.nodes.0.amount.amount"), price);
        assert_eq!(entry.text("wallet.entries.nodes.0.order.reference"), "one");
        let again = run(&app, line, &["the code did not work"]).await.json();
        assert_eq!(again["replayed"], true);
        for field in ["transaction", "amount", "available"] {
            assert_eq!(again[field], done[field], "{field}");
        }
        assert_eq!(unheld_funds(&partner, "USD").await, before + earned / 2);
        let events = "SELECT kind AS line FROM events ORDER BY sequence DESC LIMIT 1";
        assert_eq!(app.database.texts(events).await, ["wallet.credited"]);
        assert_eq!(app.database.number("SELECT count(*) FROM ledger_transactions WHERE kind = 'REFUND'").await, 1);
        let audited = app.database.texts("SELECT detail AS line FROM audit_log WHERE action = 'orders.unit_refunded'").await;
        assert_eq!(audited.len(), 1);
        assert!(audited[0].contains("the code did not work") && audited[0].contains("T-1"), "{audited:?}");
        assert!(audited[0].contains("\"operator\":\"Ada\""), "{audited:?}");
    }

    async fn what_is_not_to_be_refunded_is_told_why(app: SmallCatalog) {
        let (partner, _silent) = stage(&app, EURO_20).await;
        place_in_doubt(&app, &partner, EURO_20, 1).await;
        order(&partner, input(STEAM_50, 2, "sold")).await.payload("createOrder");
        let other = app.other_partner().await;
        order(&other, input(STEAM_50, 1, "sold")).await.payload("createOrder");
        let id = app.database.texts("SELECT id AS line FROM orders WHERE quantity = 2").await.remove(0);
        let done = run(&app, &format!("refund-unit --json --operator Ada {id} 1 --reference T-1 --note it"), &[]).await.json();
        let transaction = done["transaction"].as_str().unwrap();
        for (what, code, message) in [
            (format!("{id} 1 --reference T-2"), "INVALID_INPUT", format!("the unit's money was given back before, by {transaction}")),
            (format!("{id} 2 --reference T-1"), "IDEMPOTENCY_MISMATCH",
                format!("the reference belongs to {transaction}, which refunded another unit: give one of its own")),
            (format!("{id} 3 --reference T-3"), "NOT_FOUND", "the order has the units 1 to 2".to_owned()),
            ("one 1 --reference T-3".to_owned(), "INVALID_INPUT",
                "the unit is still open: it is delivered, or refunded, by itself".to_owned()),
            ("two 1 --reference T-3".to_owned(), "NOT_FOUND", "there is no order \"two\"".to_owned()),
            (format!("{id} 2 --reference {}", "x".repeat(65)), "INVALID_INPUT",
                "the reference must have 1 to 64 printable characters".to_owned()),
        ] {
            let refused = told(run(&app, &format!("refund-unit --json --operator Ada {what} --note it"), &[]).await, 3);
            assert_eq!(refused, (code.to_owned(), message), "{what}");
        }
        let ambiguous = told(run(&app, "refund-unit --json --operator Ada sold 2 --reference T-3 --note it", &[]).await, 3);
        assert!(ambiguous.1.starts_with("several partners have an order of this reference: name one of ord_"), "{ambiguous:?}");
        assert_eq!(app.database.number("SELECT count(*) FROM goodwill_refunds").await, 1);
    }
}
