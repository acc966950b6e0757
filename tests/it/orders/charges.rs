//! Orders on charges: the price binds, a charge is used once, and never after its end.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};

use super::{minor, new_rows, order, rows, unheld_funds};
use crate::support::app::Partner;
use crate::support::catalog::{STEAM_50, YEN_1000};
use crate::support::poll;

async fn charge(partner: &Partner, input: Value) -> Value {
    let document = "mutation($input: CreateChargeInput!) { createCharge(input: $input) {
        charge { id total { amount currency } expiresAt order { id } } userErrors { code message field } } }";
    let answer = partner.graphql(document, json!({ "input": input })).await;
    answer.payload("createCharge")["charge"].clone()
}

both_databases! {
    async fn a_charge_is_paid_to_the_minor_unit_whatever_the_rates_do(app: SmallCatalog) {
        let partner = app.partner().await;
        let before = unheld_funds(&partner, "USD").await;
        let quoted = charge(&partner, json!({ "productId": YEN_1000, "quantity": 7, "currency": "USD" })).await;
        app.database.execute("UPDATE exchange_rates SET rate = '100' WHERE quote = 'JPY'").await;
        app.database.execute("UPDATE versions SET version = version + 1 WHERE subject = 'rates'").await;
        poll::until_true("the server uses the new rate", async || {
            let rate = partner.graphql("{ exchangeRate(base: \"USD\", quote: \"JPY\") { rate } }", json!({})).await;
            rate.text("exchangeRate.rate") == "100"
        }).await;
        let dearer = charge(&partner, json!({ "productId": YEN_1000, "quantity": 7, "currency": "USD" })).await;
        assert_ne!(dearer["total"], quoted["total"]);
        let answer = order(&partner, json!({ "chargeId": quoted["id"], "reference": "bound" })).await;
        answer.payload("createOrder");
        assert_eq!(answer.at("createOrder.order.total"), &quoted["total"]);
        assert_eq!(answer.number("createOrder.order.quantity"), 7);
        let paid = minor(quoted["total"]["amount"].as_str().unwrap());
        assert_eq!(unheld_funds(&partner, "USD").await, before - paid);
    }

    async fn a_charge_is_used_once(app: SmallCatalog) {
        let partner = app.partner().await;
        let quoted = charge(&partner, json!({ "productId": STEAM_50, "quantity": 1 })).await;
        let orders = (0..20).map(|n| order(&partner, json!({ "chargeId": quoted["id"], "reference": format!("use-{n}") })));
        let answers = join_all(orders).await;
        let accepted = answers.iter().filter(|answer| !answer.at("createOrder.order").is_null()).count();
        assert_eq!(accepted, 1);
        for answer in answers.iter().filter(|answer| answer.at("createOrder.order").is_null()) {
            answer.expect_user_errors("createOrder", &[("CHARGE_USED", "input.chargeId")]);
        }
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 1);
        let shown = partner.graphql("query($id: ID!) { charge(id: $id) { order { status } } }", json!({ "id": quoted["id"] })).await;
        assert_eq!(shown.text("charge.order.status"), "DELIVERED");
    }

    async fn of_two_orders_on_one_charge_one_is_placed(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut uses = Vec::new();
        for number in 0..40 {
            let quoted = charge(&partner, json!({ "productId": STEAM_50, "quantity": 1 + number % 3 })).await;
            uses.extend(["a", "b"].map(|name| {
                json!({ "chargeId": quoted["id"], "reference": format!("{number}-{name}"), "waitMs": 0 })
            }));
        }
        uses.shuffle(&mut ChaCha20Rng::seed_from_u64(8));
        let before = (rows(&app).await, unheld_funds(&partner, "USD").await);
        let answers = join_all(uses.iter().map(|input| order(&partner, input.clone()))).await;
        let (mut sold, mut paid) = (BTreeSet::new(), 0);
        for (input, answer) in uses.iter().zip(&answers) {
            if answer.at("createOrder.order").is_null() {
                answer.expect_user_errors("createOrder", &[("CHARGE_USED", "input.chargeId")]);
            } else {
                answer.payload("createOrder");
                assert!(sold.insert(input["chargeId"].as_str().unwrap()), "{input} was sold twice");
                paid += minor(answer.text("createOrder.order.total.amount"));
            }
        }
        assert_eq!(sold.len(), 40);
        let grown = new_rows(&app, &before.0).await;
        // 13 times 1, 2 and 3 units, and 1 more.
        assert_eq!((grown["orders"], grown["ledger_transactions"], grown["vouchers sold"]), (40, 40, 79));
        assert_eq!(unheld_funds(&partner, "USD").await, before.1 - paid);
    }

    async fn a_charge_binds_until_the_instant_of_its_expiry(app: SmallCatalog) {
        let partner = app.partner().await;
        let quoted = charge(&partner, json!({ "productId": STEAM_50, "quantity": 1 })).await;
        let other = charge(&partner, json!({ "productId": STEAM_50, "quantity": 1 })).await;
        app.advance_secs(599);
        order(&partner, json!({ "chargeId": quoted["id"], "reference": "in-time" })).await.payload("createOrder");
        app.advance_secs(1);
        let before = (rows(&app).await, unheld_funds(&partner, "USD").await);
        let late = order(&partner, json!({ "chargeId": other["id"], "reference": "late" })).await;
        late.expect_user_errors("createOrder", &[("CHARGE_EXPIRED", "input.chargeId")]);
        assert_eq!((new_rows(&app, &before.0).await, unheld_funds(&partner, "USD").await), (BTreeMap::new(), before.1));
        // Idempotency comes first: the order in time is still answered.
        let again = order(&partner, json!({ "chargeId": quoted["id"], "reference": "in-time" })).await;
        assert_eq!(again.at("createOrder.replayed"), true);
    }

    async fn inputs_that_contradict_the_charge_are_named(app: SmallCatalog) {
        let partner = app.partner().await;
        let quoted = charge(&partner, json!({ "productId": STEAM_50, "quantity": 2 })).await;
        for (name, value) in [
            ("productId", json!(YEN_1000)), ("quantity", json!(1)), ("currency", json!("JPY")), ("faceValue", json!("10")),
            ("maxTotal", json!("1")),
        ] {
            let mut input = json!({ "chargeId": quoted["id"], "reference": "contrary" });
            input[name] = value;
            let answer = order(&partner, input).await;
            answer.expect_user_errors("createOrder", &[("CHARGE_MISMATCH", &format!("input.{name}"))]);
        }
        let agreeing = json!({ "chargeId": quoted["id"], "reference": "contrary", "productId": STEAM_50, "quantity": 2,
            "currency": "USD", "faceValue": "50.00" });
        order(&partner, agreeing).await.payload("createOrder");
    }

    async fn another_partners_charge_reads_as_missing(app: SmallCatalog) {
        let (partner, other) = (app.partner().await, app.other_partner().await);
        let quoted = charge(&partner, json!({ "productId": STEAM_50, "quantity": 1 })).await;
        let stolen = order(&other, json!({ "chargeId": quoted["id"], "reference": "stolen" })).await;
        stolen.expect_user_errors("createOrder", &[("CHARGE_NOT_FOUND", "input.chargeId")]);
    }
}
