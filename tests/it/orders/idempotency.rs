//! One reference, one order, for ever.

use futures_util::future::join_all;
use serde_json::json;

use super::{codes, funds, order};
use crate::support::catalog::{STEAM_50, YEN_1000};

both_databases! {
    async fn a_unit_in_stock_is_delivered_in_the_answer(app: SmallCatalog) {
        let partner = app.partner().await;
        let answer = order(&partner, json!({ "productId": STEAM_50, "quantity": 1, "reference": "r-1" })).await;
        answer.payload("createOrder");
        assert_eq!(answer.text("createOrder.order.status"), "DELIVERED");
        assert_eq!(answer.at("createOrder.replayed"), false);
        assert_eq!(answer.number("createOrder.order.deliveredQuantity"), 1);
        assert_eq!(codes(&answer).len(), 1);
        let history = answer.list("createOrder.order.statusHistory");
        assert_eq!(history, [
            json!({ "status": "PENDING", "reason": "accepted" }),
            json!({ "status": "DELIVERED", "reason": "stock" }),
        ]);
        assert_eq!(app.database.number("SELECT count(*) FROM audit_log WHERE action = 'vouchers.revealed'").await, 1);
    }

    async fn a_reference_repeated_answers_the_same_order_and_charges_once(app: SmallCatalog) {
        let partner = app.partner().await;
        let input = json!({ "productId": STEAM_50, "quantity": 3, "reference": "again" });
        let first = order(&partner, input.clone()).await;
        let after_first = funds(&partner, "USD").await;
        // Even with another wait and when the clock has moved on by years.
        app.advance_secs(3_000);
        let second = order(&partner, json!({ "productId": STEAM_50, "quantity": 3, "reference": "again", "waitMs": 5 })).await;
        assert_eq!(second.at("createOrder.replayed"), true);
        assert_eq!(second.at("createOrder.order.id"), first.at("createOrder.order.id"));
        assert_eq!(codes(&second), codes(&first));
        assert_eq!(funds(&partner, "USD").await, after_first);
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 1);
    }

    async fn a_hundred_simultaneous_calls_under_one_reference_make_one_order(app: SmallCatalog) {
        let partner = app.partner().await;
        let input = json!({ "productId": STEAM_50, "quantity": 1, "reference": "hundred" });
        let answers = join_all((0..100).map(|_| order(&partner, input.clone()))).await;
        let replayed = answers.iter().filter(|answer| answer.at("createOrder.replayed") == true).count();
        assert_eq!(replayed, 99);
        let id = answers[0].text("createOrder.order.id");
        for answer in &answers {
            answer.payload("createOrder");
            assert_eq!(answer.text("createOrder.order.id"), id);
            assert_eq!(codes(answer), codes(&answers[0]));
        }
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 1);
        assert_eq!(app.database.number("SELECT count(*) FROM ledger_transactions WHERE kind = 'SALE'").await, 1);
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE state = 'DELIVERED'").await, 1);
    }

    async fn a_reference_with_other_input_is_refused_naming_the_order_and_the_fields(app: SmallCatalog) {
        let partner = app.partner().await;
        let first = order(&partner, json!({ "productId": STEAM_50, "quantity": 1, "reference": "mine" })).await;
        let id = first.text("createOrder.order.id").to_owned();
        let before = funds(&partner, "USD").await;
        for (input, fields) in [
            (json!({ "productId": STEAM_50, "quantity": 2, "reference": "mine" }), json!(["quantity"])),
            (json!({ "productId": STEAM_50, "quantity": 0, "reference": "mine" }), json!(["quantity"])),
            (json!({ "productId": STEAM_50, "reference": "mine" }), json!(["quantity"])),
            (json!({ "productId": YEN_1000, "quantity": 1, "currency": "JPY", "reference": "mine" }),
                json!(["productId", "currency"])),
            (json!({ "productId": "no_such_sku", "quantity": 1, "reference": "mine", "failurePolicy": "ALL_OR_NOTHING" }),
                json!(["productId", "failurePolicy"])),
        ] {
            let answer = order(&partner, input).await;
            let errors = answer.expect_user_errors("createOrder", &[("IDEMPOTENCY_MISMATCH", "input.reference")]);
            assert_eq!(errors[0]["order"]["id"], id);
            assert_eq!(errors[0]["differingFields"], fields);
        }
        assert_eq!(funds(&partner, "USD").await, before);
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 1);
    }

    async fn the_same_input_written_otherwise_is_the_same_input(app: SmallCatalog) {
        let partner = app.partner().await;
        let first = order(&partner, json!({ "productId": STEAM_50, "quantity": 1, "reference": "w",
            "faceValue": "50", "maxTotal": "60.0" })).await;
        first.payload("createOrder");
        let second = order(&partner, json!({ "productId": STEAM_50, "quantity": 1, "reference": "w",
            "faceValue": "50.00", "maxTotal": "60", "failurePolicy": "BEST_EFFORT", "waitMs": 0 })).await;
        assert_eq!(second.at("createOrder.replayed"), true);
    }

    async fn two_partners_may_use_one_reference(app: SmallCatalog) {
        let (one, other) = (app.partner().await, app.other_partner().await);
        let input = json!({ "productId": STEAM_50, "quantity": 1, "reference": "shared" });
        let first = order(&one, input.clone()).await;
        let second = order(&other, input).await;
        assert_eq!(second.at("createOrder.replayed"), false);
        assert_ne!(first.at("createOrder.order.id"), second.at("createOrder.order.id"));
        assert_eq!(second.text("createOrder.order.total.currency"), "JPY");
    }
}
