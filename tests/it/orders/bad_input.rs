//! What no order can be placed with: each told by code and field, with nothing changed.
//! Always true: no row has come, the money is as it was, and the reference is free afterwards. Not here: refusals for want of
//! stock or money (`refusals.rs`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{CREATE_ORDER, funds, new_rows, order, rows};
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::STEAM_50;
use crate::support::poll;
use crate::support::process::Binary;

const CHARGE: &str = "mutation Charge($input: CreateChargeInput!) {
    createCharge(input: $input) { charge { id } userErrors { code message field } } }";

/// A range of 10 to 100 dollars by 5, which the catalog beside the server does not have.
const BY_FIVES: &str = "steam_wallet_by_fives_usd";

async fn add_product_by_fives(app: &TestApp, partner: &Partner) {
    let path = app.database.folder.path().join("catalog.csv");
    let heading = "sku,brand_slug,product_name,category,country,face_currency,denomination_kind,face_value,min_value,\
        max_value,step,unit_label,delivery,recipient_field,denom_basis,discount_pct,discount_basis";
    let row = format!(
        "{BY_FIVES},steam_wallet,Steam Wallet by fives,gaming,US,USD,range,,10,100,5,,code,,curated,0,own"
    );
    std::fs::write(&path, format!("{heading}\n{row}\n")).unwrap();
    Binary::on(&app.database).run(&["catalog", "import", path.to_str().unwrap()]).await.expect_code(0);
    poll::until_true("the server knows the product", async || {
        let document = "query($id: ID!) { product(id: $id) { id } }";
        !partner.graphql(document, json!({ "id": BY_FIVES })).await.at("product").is_null()
    })
    .await;
}

both_databases! {
    async fn a_face_value_off_the_step_is_refused_by_field(app: SmallCatalog) {
        let partner = app.partner().await;
        add_product_by_fives(&app, &partner).await;
        let before = (rows(&app).await, funds(&partner, "USD").await);
        for face in ["12", "10.01", "14.99", "9", "5", "101", "105", "0", "-15", "1e1"] {
            let input = json!({ "productId": BY_FIVES, "faceValue": face, "reference": "step" });
            let refused = order(&partner, input).await;
            if refused.body.get("errors").is_some() {
                // No amount at all, so it never reaches the business.
                refused.expect_status(400).expect_errors(&[("BAD_USER_INPUT", "")]);
                assert_eq!(refused.body_at("errors.0.extensions.field"), &json!(["input", "faceValue"]), "{face}");
                continue;
            }
            refused.expect_user_errors("createOrder", &[("INVALID_FACE_VALUE", "input.faceValue")]);
            let quoted = partner.graphql(CHARGE, json!({ "input": { "productId": BY_FIVES, "faceValue": face } })).await;
            quoted.expect_user_errors("createCharge", &[("INVALID_FACE_VALUE", "input.faceValue")]);
        }
        // On the step there is only no stock; a charge binds a price all the same.
        for face in ["10", "15.00", "100"] {
            let input = json!({ "productId": BY_FIVES, "faceValue": face, "reference": "step" });
            order(&partner, input).await.expect_user_errors("createOrder", &[("OUT_OF_STOCK", "input.quantity")]);
        }
        assert_eq!((new_rows(&app, &before.0).await, funds(&partner, "USD").await), (BTreeMap::new(), before.1));
        let quoted = partner.graphql(CHARGE, json!({ "input": { "productId": BY_FIVES, "faceValue": "15" } })).await;
        quoted.payload("createCharge");
    }

    /// Null is what a program sends that has lost the number; to leave it out is to mean one.
    async fn a_null_quantity_buys_nothing(app: SmallCatalog) {
        let partner = app.partner().await;
        let before = rows(&app).await;
        let refused = order(&partner, json!({ "productId": STEAM_50, "quantity": null, "reference": "null" })).await;
        let errors = refused.expect_user_errors("createOrder", &[("INVALID_INPUT", "input.quantity")]);
        assert_eq!(errors[0]["message"], "`quantity` is null: give the number of units, or leave it out for one");
        let charge = json!({ "productId": STEAM_50, "quantity": null });
        let refused = partner.graphql(CHARGE, json!({ "input": charge })).await;
        refused.expect_status(400).expect_errors(&[("BAD_USER_INPUT", "")]);
        assert_eq!(refused.body_at("errors.0.extensions.field"), &json!(["input", "quantity"]));
        assert_eq!(new_rows(&app, &before).await, BTreeMap::new());
        // A variable that is not given leaves its field out, as if it were not written.
        let document = "mutation Buy($quantity: Int) {
            createOrder(input: { productId: \"steam_wallet_50_usd\", quantity: $quantity, reference: \"absent\" }) {
                order { quantity } userErrors { code message field } } }";
        let null = partner.graphql(document, json!({ "quantity": null })).await;
        null.expect_user_errors("createOrder", &[("INVALID_INPUT", "input.quantity")]);
        let absent = partner.graphql(document, json!({})).await;
        assert_eq!(absent.payload("createOrder")["order"]["quantity"], 1);
        // Beside a charge nothing is guessed: the charge has the number.
        let made = partner.graphql(CHARGE, json!({ "input": { "productId": STEAM_50, "quantity": 3 } })).await;
        let charge = made.payload("createCharge")["charge"]["id"].clone();
        let bought = order(&partner, json!({ "chargeId": charge, "quantity": null, "reference": "null" })).await;
        assert_eq!(bought.payload("createOrder")["order"]["quantity"], 3);
    }

    /// Every total is above nought: such a bound is a slip of the pen, and no reason to quote a price.
    async fn a_highest_total_of_nothing_is_refused_by_field(app: SmallCatalog) {
        let partner = app.partner().await;
        let made = partner.graphql(CHARGE, json!({ "input": { "productId": STEAM_50 } })).await;
        let charge = made.payload("createCharge")["charge"]["id"].clone();
        let before = rows(&app).await;
        for most in ["-1", "0", "0.00", "-49.40"] {
            for of in [json!({ "productId": STEAM_50 }), json!({ "chargeId": charge })] {
                let mut input = of;
                input.as_object_mut().unwrap().extend([
                    ("maxTotal".to_owned(), json!(most)),
                    ("reference".to_owned(), json!("nothing")),
                ]);
                let refused = order(&partner, input).await;
                refused.expect_user_errors("createOrder", &[("INVALID_INPUT", "input.maxTotal")]);
            }
        }
        assert_eq!(new_rows(&app, &before).await, BTreeMap::new());
    }

    async fn a_currency_that_nobody_settles_in_is_refused_by_field(app: SmallCatalog) {
        let partner = app.partner().await;
        let before = rows(&app).await;
        // Well-formed, and no currency of ISO 4217; the code for tests is one of its, and no money.
        for currency in ["ABC", "XTS", "usd", "US", "USDX", ""] {
            for (document, input) in [
                (CREATE_ORDER, json!({ "productId": STEAM_50, "currency": currency, "reference": "money" })),
                (CHARGE, json!({ "productId": STEAM_50, "currency": currency })),
            ] {
                let refused = partner.graphql(document, json!({ "input": input })).await;
                refused.expect_status(400).expect_errors(&[("BAD_USER_INPUT", "")]);
                assert_eq!(refused.body_at("errors.0.extensions.field"), &json!(["input", "currency"]), "{currency}");
            }
        }
        // Currencies, of which one is never settled in, and one is, but not by this partner.
        for currency in ["IRR", "AUD"] {
            let input = json!({ "productId": STEAM_50, "currency": currency, "reference": "money" });
            order(&partner, input).await.expect_user_errors("createOrder", &[("CURRENCY_NOT_SUPPORTED", "input.currency")]);
        }
        assert_eq!(new_rows(&app, &before).await, BTreeMap::new());
        order(&partner, json!({ "productId": STEAM_50, "reference": "money" })).await.payload("createOrder");
    }

    async fn whatever_is_wrong_with_an_order_on_a_charge_leaves_both_as_they_were(app: SmallCatalog) {
        let partner = app.partner().await;
        let poor = app.unfunded_partner("Poor", "USD").await;
        app.credit(&poor, ("USD", 4_939), "a cent short").await;
        let charge_of = async |partner: &Partner| -> Value {
            let made = partner.graphql(CHARGE, json!({ "input": { "productId": STEAM_50 } })).await;
            made.payload("createCharge")["charge"]["id"].clone()
        };
        let (dear, late) = (charge_of(&poor).await, charge_of(&partner).await);
        let refused = order(&poor, json!({ "chargeId": dear, "reference": "short" })).await;
        let before = rows(&app).await;
        let errors = refused.expect_user_errors("createOrder", &[("INSUFFICIENT_FUNDS", "")]);
        assert_eq!(errors[0]["required"]["amount"], "49.40");
        assert_eq!(errors[0]["available"]["amount"], "49.39");
        app.advance_secs(600);
        for (buyer, charge) in [(&partner, &late), (&poor, &dear)] {
            let refused = order(buyer, json!({ "chargeId": charge, "reference": "late" })).await;
            refused.expect_user_errors("createOrder", &[("CHARGE_EXPIRED", "input.chargeId")]);
        }
        assert_eq!(new_rows(&app, &before).await, BTreeMap::new());
        assert_eq!(funds(&poor, "USD").await, ("49.39".to_owned(), "0.00".to_owned()));
        let shown = partner.graphql("query($id: ID!) { charge(id: $id) { order { id } } }", json!({ "id": late })).await;
        assert!(shown.at("charge.order").is_null());
    }
}
