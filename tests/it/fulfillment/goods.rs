//! Goods that are not what was asked for: they are never delivered.
//! Always true: a code that cannot be used is in dispute, and its unit goes on elsewhere; an answer that cannot be about the
//! purchase is none: its money stays held until a person has decided. Not here: answers that are none at all (`outcomes.rs`).

use serde_json::json;

use super::{end, find, input};
use crate::orders::{funds, order};
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::EURO_20;
use crate::support::poll;
use crate::support::vendor::{Terms, TestVendor, assert_agreed};

/// Behind the deadline of any order here, and behind the next look at any purchase, in seconds.
const LONG_SECS: i64 = 4_000;

/// Orders so many units, and does not wait.
async fn buy(partner: &Partner, quantity: u32) {
    let input = json!({ "productId": EURO_20, "currency": "EUR", "quantity": quantity, "reference": "one", "waitMs": 0 });
    order(partner, input).await.payload("createOrder");
}

/// What is never guessed about: as long as nobody knows, nothing is delivered and nothing is given back.
async fn is_in_doubt_for_ever(app: &TestApp, behaviour: &str) {
    let partner = app.partner().await;
    let vendor = TestVendor::open(app, "odd").await;
    vendor.sell_for(app, &[(EURO_20, &format!("sandbox_{behaviour}"))], "0.80").await;
    let spare = TestVendor::open(app, "spare").await;
    spare.sell_for(app, &[(EURO_20, "sandbox_ok")], "0.85").await;
    buy(&partner, 2).await;
    let held = funds(&partner, "EUR").await;
    assert_ne!(held.1, "0.00");
    let in_state = async |state: &str| {
        app.database.number(&format!("SELECT count(*) FROM purchases WHERE state = '{state}'")).await == 1
    };
    poll::until_true("a person has to decide", async || {
        if in_state("UNKNOWN").await {
            app.advance_secs(5);
        }
        in_state("REVIEW").await
    })
    .await;
    app.advance_secs(LONG_SECS);
    let looks = app.database.number("SELECT looks FROM purchases").await;
    poll::until_true("the vendor is asked behind the deadline too", async || {
        app.database.number("SELECT looks FROM purchases").await > looks
    })
    .await;
    let partner = app.sign_in(&partner.account).await;
    let found = find(&partner, "one").await;
    assert_eq!(found.text("order.status"), "PROCESSING", "{behaviour}");
    assert!(found.list("order.vouchers").is_empty(), "{behaviour}");
    for unit in found.list("order.units.nodes") {
        assert_eq!(unit["status"], "AWAITING_VENDOR", "{behaviour}");
    }
    assert_eq!(funds(&partner, "EUR").await, held, "{behaviour}");
    let purchases = app
        .database
        .texts(
            "SELECT v.name || ' ' || p.state AS line FROM purchases p
        JOIN vendors v ON v.id = p.vendor_id",
        )
        .await;
    assert_eq!(purchases, ["odd REVIEW"], "{behaviour}");
    for nothing in [
        "unit_settlements",
        "receipts",
        "attempts WHERE ended_at IS NOT NULL",
        "ledger_transactions WHERE kind = 'PURCHASE'",
        "vouchers WHERE purchase_id IS NOT NULL",
    ] {
        assert_eq!(
            app.database.number(&format!("SELECT count(*) FROM {nothing}")).await,
            0,
            "{behaviour}: {nothing}"
        );
    }
    assert!(spare.booked().is_empty(), "{behaviour}");
}

both_databases! {
    async fn a_code_of_another_face_value_is_never_delivered(app: SmallCatalog) {
        is_in_doubt_for_ever(&app, "wrong_face").await;
    }

    async fn a_code_in_another_currency_is_never_delivered(app: SmallCatalog) {
        is_in_doubt_for_ever(&app, "wrong_currency").await;
    }

    async fn a_unit_more_than_was_asked_for_is_no_answer(app: SmallCatalog) {
        is_in_doubt_for_ever(&app, "more").await;
    }

    async fn a_unit_fewer_than_was_asked_for_is_no_answer(app: SmallCatalog) {
        is_in_doubt_for_ever(&app, "fewer").await;
    }

    async fn an_expired_code_is_in_dispute_and_its_unit_goes_on_elsewhere(app: SmallCatalog) {
        let partner = app.partner().await;
        let (spare, stale) = (TestVendor::open(&app, "spare").await, TestVendor::open(&app, "stale").await);
        spare.sell_for(&app, &[(EURO_20, "sandbox_ok")], "0.85").await;
        stale.sell_for(&app, &[(EURO_20, "sandbox_expired_code")], "0.80").await;
        buy(&partner, 1).await;
        let ended = end(&app, &partner, "one").await;
        assert_eq!(ended.text("order.status"), "DELIVERED");
        assert_eq!(ended.list("order.vouchers").len(), 1);
        let attempts = app.database.texts("SELECT v.name || ' ' || a.outcome AS line FROM attempts a
            JOIN purchases p ON p.id = a.purchase_id JOIN vendors v ON v.id = p.vendor_id ORDER BY a.number").await;
        assert_eq!(attempts, ["stale ANOMALY", "spare DELIVERED"]);
        let codes = app.database.texts("SELECT v.name || ' ' || c.state AS line FROM vouchers c
            JOIN purchases p ON p.id = c.purchase_id JOIN vendors v ON v.id = p.vendor_id").await;
        assert_eq!(codes, ["spare DELIVERED"], "the expired one is not even in stock");
        let disputed = app.database.number("SELECT SUM(amount) FROM postings WHERE account = 'DISPUTED'").await;
        let taken = app.database.number("SELECT p.cost_micros FROM purchases p
            JOIN vendors v ON v.id = p.vendor_id WHERE v.name = 'stale'").await;
        assert_eq!(disputed, taken);
        assert_agreed(&app, &[&spare, &stale]).await;
    }

    async fn an_expired_code_of_the_only_vendor_is_refunded(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_expired_code")]).await;
        let before = funds(&partner, "EUR").await;
        buy(&partner, 2).await;
        let ended = end(&app, &partner, "one").await;
        assert_eq!(ended.text("order.status"), "FAILED");
        assert_eq!(ended.text("order.failure.code"), "SOURCES_REFUSED");
        assert_eq!(funds(&partner, "EUR").await, before);
        assert_eq!(app.database.number("SELECT count(*) FROM attempts WHERE outcome = 'ANOMALY'").await, 2);
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE purchase_id IS NOT NULL").await, 0);
        assert_agreed(&app, &[&vendor]).await;
    }

    /// What it lists is less than what it takes. An order on a charge does not count: there the loss is ours.
    async fn a_vendor_that_takes_more_than_units_are_sold_for_is_left_alone_after_the_fifth_time(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::on_terms(&app, "drifting", Terms { largest_batch: 1, ..Terms::default() }).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_price_drift")]).await;
        let failures = "SELECT coalesce(max(failures), 0) FROM vendor_health WHERE product_id <> ''";
        let create = "mutation($input: CreateChargeInput!) { createCharge(input: $input) { charge { id } userErrors { code } } }";
        let charge = partner.graphql(create, json!({ "input": { "productId": EURO_20, "quantity": 1 } })).await;
        let charge = charge.text("createCharge.charge.id").to_owned();
        order(&partner, json!({ "chargeId": charge, "reference": "charged", "waitMs": 0 })).await.payload("createOrder");
        assert_eq!(end(&app, &partner, "charged").await.text("order.status"), "DELIVERED");
        assert_eq!(app.database.number(failures).await, 0);
        for number in 1..=5 {
            let reference = format!("loss-{number}");
            order(&partner, input(EURO_20, 1, &reference)).await.payload("createOrder");
            assert_eq!(end(&app, &partner, &reference).await.text("order.status"), "DELIVERED");
            assert_eq!(app.database.number(failures).await, number);
        }
        let told = app.database.texts("SELECT message AS line FROM vendor_health WHERE open_until > 0").await;
        assert_eq!(told, ["it took more than the units are sold for"]);
        assert_agreed(&app, &[&vendor]).await;
    }
}
