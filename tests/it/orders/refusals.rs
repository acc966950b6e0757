//! What is refused, by code and field, with nothing changed.

use std::collections::BTreeMap;

use serde_json::json;

use super::{codes, funds, new_rows, order, rows, unheld_funds};
use crate::support::catalog::{
    DIRECT_PLAYER, DIRECT_USERNAME, EURO_20, RANGE_USD, STEAM_50, TOPUP_FIXED, TOPUP_RANGE, YEN_1000,
};

both_databases! {
    async fn wrong_input_is_refused_by_field_and_changes_nothing(app: SmallCatalog) {
        let partner = app.partner().await;
        let before = (rows(&app).await, funds(&partner, "USD").await);
        let long = "x".repeat(65);
        for (input, code, field) in [
            (json!({ "productId": STEAM_50, "quantity": 0 }), "QUANTITY_OUT_OF_RANGE", "input.quantity"),
            (json!({ "productId": STEAM_50, "quantity": 1001 }), "QUANTITY_OUT_OF_RANGE", "input.quantity"),
            (json!({ "productId": STEAM_50, "quantity": -1 }), "QUANTITY_OUT_OF_RANGE", "input.quantity"),
            (json!({ "productId": "no_such_sku" }), "PRODUCT_NOT_FOUND", "input.productId"),
            (json!({}), "INVALID_INPUT", "input.productId"),
            (json!({ "productId": STEAM_50, "reference": "" }), "INVALID_INPUT", "input.reference"),
            (json!({ "productId": STEAM_50, "reference": "a b" }), "INVALID_INPUT", "input.reference"),
            (json!({ "productId": STEAM_50, "reference": long }), "INVALID_INPUT", "input.reference"),
            (json!({ "productId": STEAM_50, "waitMs": -1 }), "INVALID_INPUT", "input.waitMs"),
            (json!({ "productId": STEAM_50, "waitMs": 30_001 }), "INVALID_INPUT", "input.waitMs"),
            (json!({ "productId": STEAM_50, "faceValue": "51" }), "INVALID_FACE_VALUE", "input.faceValue"),
            (json!({ "productId": RANGE_USD }), "INVALID_FACE_VALUE", "input.faceValue"),
            (json!({ "productId": RANGE_USD, "faceValue": "0.14" }), "INVALID_FACE_VALUE", "input.faceValue"),
            (json!({ "productId": RANGE_USD, "faceValue": "25.001" }), "INVALID_FACE_VALUE", "input.faceValue"),
            (json!({ "productId": STEAM_50, "currency": "AUD" }), "CURRENCY_NOT_SUPPORTED", "input.currency"),
            (json!({ "productId": STEAM_50, "maxTotal": "49.405" }), "INVALID_INPUT", "input.maxTotal"),
            (json!({ "productId": STEAM_50, "recipient": { "phone": "+14155550123" } }), "INVALID_RECIPIENT", "input.recipient"),
            (json!({ "productId": TOPUP_FIXED }), "INVALID_RECIPIENT", "input.recipient.phone"),
            (json!({ "productId": TOPUP_FIXED, "recipient": { "phone": "0415" } }), "INVALID_RECIPIENT", "input.recipient.phone"),
            (json!({ "productId": TOPUP_FIXED, "recipient": { "playerId": "a" } }), "INVALID_RECIPIENT", "input.recipient.phone"),
            (json!({ "productId": TOPUP_FIXED, "quantity": 2, "recipient": { "phone": "+14155550123" } }),
                "QUANTITY_OUT_OF_RANGE", "input.quantity"),
            (json!({ "productId": DIRECT_PLAYER }), "INVALID_RECIPIENT", "input.recipient.playerId"),
            (json!({ "productId": DIRECT_USERNAME }), "INVALID_RECIPIENT", "input.recipient.username"),
            (json!({ "productId": DIRECT_PLAYER, "recipient": { "playerId": "p1" }, "failurePolicy": "ALL_OR_NOTHING" }),
                "FAILURE_POLICY_NOT_ALLOWED", "input.failurePolicy"),
            (json!({ "chargeId": "chg_nonsense" }), "CHARGE_NOT_FOUND", "input.chargeId"),
        ] {
            let mut input = input;
            if input.get("reference").is_none() {
                input["reference"] = json!("refused");
            }
            let answer = order(&partner, input).await;
            answer.expect_user_errors("createOrder", &[(code, field)]);
            assert!(answer.at("createOrder.order").is_null());
        }
        assert_eq!(funds(&partner, "USD").await, before.1);
        assert_eq!(new_rows(&app, &before.0).await, BTreeMap::new());
        // The reference is not burnt.
        let answer = order(&partner, json!({ "productId": STEAM_50, "reference": "refused" })).await;
        answer.payload("createOrder");
    }

    async fn what_only_a_vendor_could_deliver_is_out_of_stock(app: SmallCatalog) {
        let partner = app.partner().await;
        for input in [
            json!({ "productId": EURO_20, "reference": "v1" }),
            json!({ "productId": TOPUP_FIXED, "reference": "v2", "recipient": { "phone": "+818012345678" } }),
            json!({ "productId": TOPUP_RANGE, "reference": "v3", "faceValue": "1500", "recipient": { "phone": "+818012345678" } }),
            json!({ "productId": DIRECT_PLAYER, "reference": "v4", "recipient": { "playerId": "p1" } }),
            json!({ "productId": RANGE_USD, "reference": "v5", "faceValue": "26" }),
        ] {
            let answer = order(&partner, input).await;
            let errors = answer.expect_user_errors("createOrder", &[("OUT_OF_STOCK", "input.quantity")]);
            assert_eq!(errors[0]["availableUnits"], 0);
        }
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 0);
    }

    async fn an_empty_wallet_is_told_what_it_lacks(app: SmallCatalog) {
        let partner = app.unfunded_partner("Poor", "USD").await;
        app.credit(&partner, ("USD", 100), "a dollar").await;
        let before = rows(&app).await;
        let answer = order(&partner, json!({ "productId": STEAM_50, "quantity": 2, "reference": "poor" })).await;
        let errors = answer.expect_user_errors("createOrder", &[("INSUFFICIENT_FUNDS", "")]);
        assert_eq!(errors[0]["available"], json!({ "amount": "1.00", "currency": "USD" }));
        assert_eq!(errors[0]["required"], json!({ "amount": "98.80", "currency": "USD" }));
        assert_eq!(new_rows(&app, &before).await, BTreeMap::new());
        assert_eq!(unheld_funds(&partner, "USD").await, 100);
        // The reference is not burnt: once there is money, it buys.
        app.credit(&partner, ("USD", 9_780), "the rest").await;
        let answer = order(&partner, json!({ "productId": STEAM_50, "quantity": 2, "reference": "poor" })).await;
        assert_eq!(answer.payload("createOrder")["replayed"], false);
        assert_eq!(unheld_funds(&partner, "USD").await, 0);
    }

    async fn a_price_above_the_limit_is_refused_with_a_charge_that_may_be_accepted(app: SmallCatalog) {
        let partner = app.partner().await;
        let refused = order(&partner, json!({ "productId": STEAM_50, "quantity": 2, "reference": "max", "maxTotal": "50" })).await;
        let errors = refused.expect_user_errors("createOrder", &[("PRICE_CHANGED", "input.maxTotal")]);
        let charge = errors[0]["charge"].clone();
        let accepted = order(&partner, json!({ "chargeId": charge["id"], "reference": "max" })).await;
        accepted.payload("createOrder");
        assert_eq!(accepted.at("createOrder.order.total"), &charge["total"]);
        assert_eq!(codes(&accepted).len(), 2);
    }

    async fn all_or_nothing_takes_nothing_when_it_cannot_have_all(app: SmallCatalog) {
        let partner = app.partner().await;
        let before = funds(&partner, "JPY").await;
        let input = json!({ "productId": YEN_1000, "quantity": 51, "reference": "all", "currency": "JPY",
            "failurePolicy": "ALL_OR_NOTHING" });
        let refused = order(&partner, input).await;
        let errors = refused.expect_user_errors("createOrder", &[("OUT_OF_STOCK", "input.quantity")]);
        assert_eq!(errors[0]["availableUnits"], 50);
        assert_eq!(funds(&partner, "JPY").await, before);
        let input = json!({ "productId": YEN_1000, "quantity": 50, "reference": "all", "currency": "JPY",
            "failurePolicy": "ALL_OR_NOTHING" });
        assert_eq!(order(&partner, input).await.text("createOrder.order.status"), "DELIVERED");
    }

    async fn a_caller_without_the_scope_neither_buys_nor_reads_codes(app: SmallCatalog) {
        let partner = app.partner().await;
        let made = partner.graphql(
            "mutation { createApiCredential(input: { name: \"reader\", scopes: [ORDERS_READ, ORDERS_WRITE] }) {
                credential { username } password userErrors { code } } }", json!({})).await;
        let account = crate::support::seed::SeededPartner {
            id: partner.account.id.clone(),
            username: made.text("createApiCredential.credential.username").to_owned(),
            password: made.text("createApiCredential.password").to_owned(),
        };
        let reader = app.sign_in(&account).await;
        let answer = order(&reader, json!({ "productId": STEAM_50, "reference": "blind" })).await;
        answer.expect_errors(&[("FORBIDDEN", "createOrder.order.vouchers")]);
        assert_eq!(answer.body["data"]["createOrder"]["order"]["status"], "DELIVERED");
        assert!(answer.body["data"]["createOrder"]["order"]["vouchers"].is_null());
        assert_eq!(app.database.number("SELECT count(*) FROM audit_log WHERE action = 'vouchers.revealed'").await, 0);
    }
}
