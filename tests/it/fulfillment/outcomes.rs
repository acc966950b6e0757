//! What a vendor may answer, and what becomes of the order then. Not here: goods that are not what was asked for (`goods.rs`).

use serde_json::json;

use super::{end, find, input};
use crate::orders::{codes, funds, order};
use crate::support::app::TestApp;
use crate::support::catalog::{DIRECT_PLAYER, EURO_20};
use crate::support::poll;
use crate::support::vendor::{TestVendor, assert_agreed, resolve_all};

/// A behaviour of the vendor, for one unit.
struct Case {
    behaviour: &'static str,
    /// How the order ends.
    status: &'static str,
    /// How the purchase ends, and by what.
    purchase: &'static str,
    /// How often it was sent.
    sends: i64,
}

const fn case(behaviour: &'static str, status: &'static str, purchase: &'static str, sends: i64) -> Case {
    Case { behaviour, status, purchase, sends }
}

async fn play(app: &TestApp, case: &Case) {
    let partner = app.partner().await;
    let vendor = TestVendor::open(app, "only").await;
    vendor.sell(app, &[(EURO_20, &format!("sandbox_{}", case.behaviour))]).await;
    let before = funds(&partner, "EUR").await;
    let placed =
        order(&partner, json!({ "productId": EURO_20, "currency": "EUR", "reference": "one", "waitMs": 0 }))
            .await;
    placed.payload("createOrder");
    let ended = end(app, &partner, "one").await;
    let calls = app
        .database
        .texts("SELECT kind || ' ' || outcome || ': ' || message AS line FROM purchase_calls ORDER BY n")
        .await;
    assert_eq!(ended.text("order.status"), case.status, "{}: {calls:#?}", case.behaviour);
    let purchase = app.database.texts("SELECT state || ' ' || ended_by AS line FROM purchases").await;
    assert_eq!(purchase, [case.purchase], "{}", case.behaviour);
    assert_eq!(app.database.number("SELECT sends FROM purchases").await, case.sends, "{}", case.behaviour);
    let after = funds(&partner, "EUR").await;
    assert_eq!(after.1, "0.00", "nothing is held: {}", case.behaviour);
    if case.status == "FAILED" {
        assert_eq!(after, before, "{}", case.behaviour);
        assert_eq!(ended.text("order.failure.code"), "SOURCES_REFUSED");
    } else {
        assert_eq!(ended.list("order.vouchers").len(), 1, "{}", case.behaviour);
    }
    assert_agreed(app, &[&vendor]).await;
}

both_databases! {
    async fn a_single_unit_comes_with_the_answer(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let placed = order(&partner, json!({ "productId": EURO_20, "reference": "now", "waitMs": 10_000 })).await;
        placed.payload("createOrder");
        assert_eq!(placed.text("createOrder.order.status"), "DELIVERED");
        assert_eq!(codes(&placed).len(), 1);
        let steps: Vec<&str> = placed.list("createOrder.order.statusHistory").iter()
            .map(|step| step["reason"].as_str().unwrap()).collect();
        assert_eq!(steps, ["accepted", "vendor", "vendor"]);
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn what_is_not_known_is_shown_and_nothing_is_guessed(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_pending_100s")]).await;
        let placed = order(&partner, input(EURO_20, 1, "wait")).await;
        placed.payload("createOrder");
        poll::until_true("the vendor has it", async || {
            app.database.number("SELECT count(*) FROM purchases WHERE state = 'UNKNOWN'").await == 1
        }).await;
        let found = find(&partner, "wait").await;
        assert_eq!(found.text("order.status"), "PROCESSING");
        assert_eq!(found.text("order.units.nodes.0.status"), "AWAITING_VENDOR");
        assert!(found.at("order.units.nodes.0.resolvesBy").is_string());
        let cancelled = partner.graphql("mutation { cancelOrder(input: { reference: \"wait\" }) {
            order { status } userErrors { code message field } } }", json!({})).await;
        cancelled.expect_user_errors("cancelOrder", &[("NOT_CANCELLABLE", "")]);
        // Behind the deadline too: it is the vendor's to say.
        app.advance_secs(1_900);
        let ended = end(&app, &partner, "wait").await;
        assert_eq!(ended.text("order.status"), "DELIVERED");
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn a_code_that_was_sold_before_is_never_delivered_again(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_duplicate_code")]).await;
        order(&partner, input(EURO_20, 1, "first")).await.payload("createOrder");
        assert_eq!(end(&app, &partner, "first").await.text("order.status"), "DELIVERED");
        order(&partner, input(EURO_20, 1, "second")).await.payload("createOrder");
        let ended = end(&app, &partner, "second").await;
        assert_eq!(ended.text("order.status"), "FAILED");
        assert_eq!(app.database.number("SELECT count(*) FROM attempts WHERE outcome = 'ANOMALY'").await, 1);
        assert_eq!(app.database.number("SELECT count(*) FROM postings WHERE account = 'DISPUTED'").await, 1);
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn a_top_up_is_delivered_with_a_receipt_and_without_a_code(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(DIRECT_PLAYER, "sandbox_ok")]).await;
        let to = |player: &str, reference: &str| json!({ "productId": DIRECT_PLAYER, "reference": reference,
            "waitMs": 0, "recipient": { "playerId": player } });
        order(&partner, to("player-77", "credited")).await.payload("createOrder");
        let ended = end(&app, &partner, "credited").await;
        assert_eq!(ended.text("order.status"), "DELIVERED");
        assert!(ended.list("order.vouchers").is_empty());
        assert!(ended.at("order.units.nodes.0.receipt.number").is_string());
        order(&partner, to("player-0000", "nobody")).await.payload("createOrder");
        let ended = end(&app, &partner, "nobody").await;
        assert_eq!(ended.text("order.status"), "FAILED");
        assert_eq!(ended.text("order.failure.code"), "SOURCES_REFUSED");
        assert_eq!(app.database.number("SELECT count(*) FROM purchases WHERE refusal = 'BAD_RECIPIENT'").await, 1);
        resolve_all(&app).await;
        assert_agreed(&app, &[&vendor]).await;
    }
}

/// Makes a test of each line.
macro_rules! outcomes {
    ($($name:ident($($what:expr),+);)+) => {
        both_databases! {$(
            async fn $name(app: SmallCatalog) {
                play(&app, &case($($what),+)).await;
            }
        )+}
    };
}

outcomes! {
    ok("ok", "DELIVERED", "DELIVERED ANSWER", 1);
    link_only("link_only", "DELIVERED", "DELIVERED ANSWER", 1);
    price_drift("price_drift", "DELIVERED", "DELIVERED ANSWER", 1);
    out_of_stock_late("out_of_stock_late", "FAILED", "REFUSED ANSWER", 1);
    not_sold("not_sold", "FAILED", "REFUSED ANSWER", 1);
    price_changed("price_changed", "FAILED", "REFUSED ANSWER", 1);
    pending_3s("pending_3s", "DELIVERED", "DELIVERED LOOK", 1);
    pending_refused_3s("pending_refused_3s", "FAILED", "REFUSED LOOK", 1);
    timeout_bought("timeout_bought", "DELIVERED", "DELIVERED LOOK", 1);
    timeout_lost("timeout_lost", "DELIVERED", "DELIVERED ANSWER", 2);
    error_bought("error_bought", "DELIVERED", "DELIVERED LOOK", 1);
    error_lost("error_lost", "DELIVERED", "DELIVERED ANSWER", 2);
    closed_bought("closed_bought", "DELIVERED", "DELIVERED LOOK", 1);
    cut_midway("cut_midway", "DELIVERED", "DELIVERED LOOK", 1);
    html_bought("html_bought", "DELIVERED", "DELIVERED LOOK", 1);
    html_lost("html_lost", "DELIVERED", "DELIVERED ANSWER", 2);
    truncated("truncated", "DELIVERED", "DELIVERED LOOK", 1);
    huge("huge", "DELIVERED", "DELIVERED LOOK", 1);
    gzip_bomb("gzip_bomb", "DELIVERED", "DELIVERED LOOK", 1);
    drip("drip", "DELIVERED", "DELIVERED LOOK", 1);
    other_reference("other_reference", "DELIVERED", "DELIVERED LOOK", 1);
    twice("twice", "DELIVERED", "DELIVERED LOOK", 1);
    late_sighting_20s("late_sighting_20s", "DELIVERED", "DELIVERED LOOK", 1);
}
