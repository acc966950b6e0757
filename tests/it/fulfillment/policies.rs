//! All or nothing, cancelling, and deadlines, where vendors are asked.

use serde_json::{Value, json};

use super::{end, find, input};
use crate::orders::{funds, order};
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::{EURO_20, STEAM_50};
use crate::support::poll;
use crate::support::vendor::{Terms, TestVendor, assert_agreed, resolve_all};

fn all_of(product: &str, quantity: u32, reference: &str) -> Value {
    let mut input = input(product, quantity, reference);
    input["failurePolicy"] = Value::from("ALL_OR_NOTHING");
    input
}

async fn cancel(partner: &Partner, reference: &str) -> crate::support::answer::Answer {
    let cancel = "mutation($reference: String!) { cancelOrder(input: { reference: $reference }) {
        order { status deliveredQuantity refundedQuantity cancelRequestedAt } userErrors { code message field } } }";
    partner.graphql(cancel, json!({ "reference": reference })).await
}

async fn until_asked(app: &TestApp, purchases: i64) {
    poll::until_true("vendors are asked", async || {
        app.database.number("SELECT count(*) FROM purchases WHERE state = 'UNKNOWN'").await == purchases
    })
    .await;
}

both_databases! {
    async fn all_or_nothing_delivers_when_everything_is_had(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(STEAM_50, "sandbox_pending_5s")]).await;
        order(&partner, input(STEAM_50, 198, "most")).await.payload("createOrder");
        let before = funds(&partner, "USD").await;
        order(&partner, all_of(STEAM_50, 5, "all")).await.payload("createOrder");
        until_asked(&app, 1).await;
        let found = find(&partner, "all").await;
        assert_eq!(found.text("order.status"), "PROCESSING");
        assert_eq!(found.number("order.deliveredQuantity"), 0);
        assert!(found.list("order.vouchers").is_empty(), "no code is readable before all are had");
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE state = 'RESERVED'").await, 2);
        let ended = end(&app, &partner, "all").await;
        assert_eq!(ended.text("order.status"), "DELIVERED");
        assert_eq!(ended.list("order.vouchers").len(), 5);
        assert_ne!(funds(&partner, "USD").await, before);
        let captures = "SELECT count(*) FROM ledger_transactions WHERE kind = 'CAPTURE'";
        assert_eq!(app.database.number(captures).await, 1, "all at once");
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn all_or_nothing_gives_everything_back_when_a_unit_is_refused(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(STEAM_50, "sandbox_partial")]).await;
        order(&partner, input(STEAM_50, 198, "most")).await.payload("createOrder");
        let before = funds(&partner, "USD").await;
        order(&partner, all_of(STEAM_50, 12, "all")).await.payload("createOrder");
        let ended = end(&app, &partner, "all").await;
        assert_eq!(ended.text("order.status"), "FAILED");
        assert_eq!(ended.text("order.failure.code"), "NOT_ALL_AVAILABLE");
        assert_eq!(funds(&partner, "USD").await, before);
        // The two that were there, and the seven of ten that were bought.
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE state = 'AVAILABLE' AND product_id = 'steam_wallet_50_usd'").await, 9);
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn all_or_nothing_that_is_cancelled_is_refunded_whatever_comes(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_pending_60s")]).await;
        let before = funds(&partner, "USD").await;
        order(&partner, all_of(EURO_20, 3, "all")).await.payload("createOrder");
        until_asked(&app, 1).await;
        let cancelled = cancel(&partner, "all").await;
        cancelled.payload("cancelOrder");
        assert_eq!(cancelled.text("cancelOrder.order.status"), "PROCESSING");
        assert!(cancelled.at("cancelOrder.order.cancelRequestedAt").is_string());
        assert_ne!(funds(&partner, "USD").await.1, "0.00", "what a vendor may have is still held");
        let ended = end(&app, &partner, "all").await;
        assert_eq!(ended.text("order.status"), "CANCELLED");
        assert_eq!(funds(&partner, "USD").await, before);
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE state = 'AVAILABLE' AND product_id = 'steam_wallet_at_20_eur'").await, 3);
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn cancelling_leaves_what_a_vendor_may_have_and_refunds_the_rest(app: SmallCatalog) {
        let partner = app.partner().await;
        let narrow = Terms { largest_batch: 2, concurrent_requests: 1, requests_per_second: 1, ..Terms::default() };
        let vendor = TestVendor::on_terms(&app, "only", narrow).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_timeout_bought")]).await;
        order(&partner, input(EURO_20, 5, "some")).await.payload("createOrder");
        poll::until_true("a purchase is on its way", async || {
            app.database.number("SELECT count(*) FROM purchases").await >= 1
        }).await;
        let cancelled = cancel(&partner, "some").await;
        cancelled.payload("cancelOrder");
        assert_eq!(cancelled.text("cancelOrder.order.status"), "PROCESSING");
        let bought = app.database.number("SELECT sum(quantity) FROM purchases").await;
        assert_eq!(cancelled.number("cancelOrder.order.refundedQuantity"), 5 - bought);
        let ended = end(&app, &partner, "some").await;
        assert_eq!(ended.text("order.status"), "PARTIALLY_DELIVERED");
        assert_eq!(ended.number("order.deliveredQuantity"), bought);
        assert_eq!(ended.text("order.failure.code"), "CANCELLED");
        resolve_all(&app).await;
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn units_wait_for_vendors_that_are_down_until_the_deadline(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_no_funds")]).await;
        let before = funds(&partner, "USD").await;
        order(&partner, input(EURO_20, 7, "late")).await.payload("createOrder");
        poll::until_true("it is refused once", async || {
            app.database.number("SELECT count(*) FROM purchases WHERE state = 'REFUSED'").await >= 1
        }).await;
        assert_eq!(find(&partner, "late").await.text("order.status"), "PROCESSING");
        app.advance_secs(1_800);
        let ended = end(&app, &partner, "late").await;
        assert_eq!(ended.text("order.status"), "FAILED");
        assert_eq!(ended.text("order.failure.code"), "DEADLINE_PASSED");
        assert_eq!(funds(&partner, "USD").await, before);
        let told = "SELECT count(*) FROM events WHERE kind = 'order.unit_refunded'";
        assert_eq!(app.database.number(told).await, 1, "the partner is told once");
    }
}
