//! One reference, one order, for ever.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::json;

use super::{codes, funds, new_rows, order, rows};
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

    async fn each_field_that_tells_one_purchase_from_another_is_named_when_it_differs(app: SmallCatalog) {
        let partner = app.partner().await;
        let charge = "mutation { createCharge(input: { productId: \"steam_wallet_50_usd\" }) { charge { id } userErrors { code } } }";
        let charge = partner.graphql(charge, json!({})).await.at("createCharge.charge.id").clone();
        let full = json!({ "productId": STEAM_50, "quantity": 1, "faceValue": "50", "currency": "USD",
            "chargeId": charge, "maxTotal": "60", "failurePolicy": "ALL_OR_NOTHING", "reference": "full" });
        order(&partner, full.clone()).await.payload("createOrder");
        order(&partner, json!({ "productId": STEAM_50, "reference": "bare" })).await.payload("createOrder");
        let before = rows(&app).await;
        for (field, other) in [
            ("productId", json!("steam_wallet_100_aed")), ("quantity", json!(2)), ("faceValue", json!("50.01")),
            ("currency", json!("EUR")), ("chargeId", json!("chg_00000000000000000000000000")), ("maxTotal", json!("60.01")),
            ("recipient", json!({ "phone": "+14155550123" })), ("failurePolicy", json!("BEST_EFFORT")),
        ] {
            let mut changed = full.clone();
            changed[field] = other.clone();
            let mut absent = full.clone();
            absent.as_object_mut().unwrap().remove(field);
            let mut added = json!({ "productId": STEAM_50, "reference": "bare" });
            added[field] = other;
            // A recipient was never given, and a policy always is: BEST_EFFORT if it is absent.
            let inputs = [(changed, true), (absent, field != "recipient"), (added, field != "failurePolicy")];
            for (input, differs) in inputs {
                let answer = order(&partner, input.clone()).await;
                if differs {
                    let errors = answer.expect_user_errors("createOrder", &[("IDEMPOTENCY_MISMATCH", "input.reference")]);
                    assert_eq!(errors[0]["differingFields"], json!([field]), "{input}");
                } else {
                    assert_eq!(answer.payload("createOrder")["replayed"], true, "{input}");
                }
            }
        }
        let grown = new_rows(&app, &before).await;
        // The two that were replayed showed their codes again.
        assert_eq!(grown, BTreeMap::from([("audit_log", 2)]));
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
