//! How fast vendors are asked, and whose turn it is.
//! Always true: what a vendor saw is counted by its own record. A request may reach it late and never early, so that the first
//! so many requests never come faster than the rate allows, however slow the machine is.
//! Not here: vendors that fail (`routes.rs`, `outcomes.rs`).

use std::time::Instant;

use entity::ids::WorkerId;
use octopus_cards::domain::fulfillment::{self, Since};
use octopus_cards::simulator::Question;
use octopus_cards::store::engine_clock;
use serde_json::json;

use super::{end, find, input};
use crate::orders::order;
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::{EURO_20, YEN_1000, stock_csv};
use crate::support::poll;
use crate::support::vendor::{Terms, TestVendor, assert_agreed, resolve_all};

/// A vendor that takes so many requests a second, and sells unit by unit.
async fn slow(app: &TestApp, requests_per_second: u32) -> TestVendor {
    let terms = Terms { largest_batch: 1, requests_per_second, ..Terms::default() };
    TestVendor::on_terms(app, "slow", terms).await
}

async fn units(app: &TestApp, reference: &str, status: &str) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM order_units u JOIN orders o ON o.id = u.order_id
        WHERE o.reference = '{reference}' AND u.status = '{status}'"
    );
    app.database.number(&sql).await
}

async fn cancel(partner: &Partner, reference: &str) {
    let document = "mutation($reference: String!) { cancelOrder(input: { reference: $reference }) { userErrors { code } } }";
    partner.graphql(document, json!({ "reference": reference })).await.payload("cancelOrder");
}

/// Asserts that a vendor of ten requests a second, two of them at once, never saw more since an instant.
fn assert_paced(vendor: &TestVendor, begun: Instant) {
    for (count, arrival) in vendor.simulator.arrivals().into_iter().enumerate() {
        // The database's clock may be read to the millisecond.
        let allowed = 2 + (arrival.duration_since(begun).as_millis() + 2).div_euclid(100);
        assert!(u128::try_from(count).unwrap() < allowed, "request {} came before its time", count + 1);
    }
}

/// For how many seconds a vendor is left alone.
async fn rests_for(app: &TestApp) -> i64 {
    let clock = engine_clock(app.deps.database.backend());
    app.database.number(&format!("SELECT (free_at - {clock} + 999999) / 1000000 FROM vendor_limits")).await
}

both_databases! {
    async fn a_vendor_never_sees_more_requests_than_it_takes_whatever_they_are(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = slow(&app, 10).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_error_bought")]).await;
        let begun = Instant::now();
        order(&partner, input(EURO_20, 20, "doubts")).await.payload("createOrder");
        assert_eq!(end(&app, &partner, "doubts").await.text("order.status"), "DELIVERED");
        let system = app.system();
        fulfillment::reconcile(&system, vendor.row.id, Since::LastTime).await.expect("it has a statement");
        let calls = app.database.number("SELECT count(*) FROM purchase_calls WHERE kind IN ('SEND', 'LOOK')").await;
        let seen = i64::try_from(vendor.simulator.arrivals().len()).unwrap();
        assert!(calls >= 40 && seen == calls + 1, "{calls} calls and a statement, {seen} requests");
        assert_paced(&vendor, begun);
        assert_agreed(&app, &[&vendor]).await;
    }

    /// Every unit ends in doubt: at a vendor that is never idle, questions are asked while most units are still to be bought.
    async fn purchases_do_not_keep_look_ups_waiting_nor_the_reverse(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = slow(&app, 5).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_error_bought")]).await;
        order(&partner, input(EURO_20, 200, "many")).await.payload("createOrder");
        poll::until_within(poll::PATIENCE * 4, "some are found", async || {
            app.advance_secs(1);
            (units(&app, "many", "DELIVERED").await >= 5).then_some(())
        }).await;
        let bought = app.database.number("SELECT count(*) FROM purchases").await;
        assert!(bought < 150, "{bought} bought");
        // With a lot of questions due, purchases go on all the same.
        poll::until_within(poll::PATIENCE * 4, "more are bought", async || {
            app.advance_secs(1);
            (app.database.number("SELECT count(*) FROM purchases").await > bought + 2).then_some(())
        }).await;
        cancel(&partner, "many").await;
        resolve_all(&app).await;
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn a_vendor_that_says_when_is_left_alone_so_long_and_is_not_taken_to_fail(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = slow(&app, 1_000).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_error_bought")]).await;
        vendor.simulator.play(Question::Find, None, Some("too_many")).unwrap();
        order(&partner, input(EURO_20, 8, "asked")).await.payload("createOrder");
        poll::until_true("all are in doubt", async || {
            app.database.number("SELECT count(*) FROM purchases WHERE state = 'UNKNOWN'").await == 8
        }).await;
        let sent = vendor.simulator.arrivals().len();
        app.database.execute("UPDATE vendor_health SET failures = 0, open_until = 0").await;
        app.advance_secs(2);
        poll::until_true("it is asked", async || vendor.simulator.arrivals().len() > sent).await;
        poll::until_true("it is left alone", async || rests_for(&app).await > 1).await;
        assert!(rests_for(&app).await <= 7, "as long as it said");
        assert_eq!(app.database.number("SELECT count(*) FROM vendor_health WHERE failures > 0").await, 0);
        assert_eq!(app.database.number("SELECT max(looks) FROM purchases").await, 0, "what was turned away is no look");
        // A purchase is no other matter: units wait, and nothing is sent.
        let before = vendor.simulator.arrivals().len();
        order(&partner, input(EURO_20, 1, "waits")).await.payload("createOrder");
        poll::until_true("it was worked on", async || {
            app.database.number("SELECT count(*) FROM orders WHERE reference = 'waits' AND lease_epoch > 1").await == 1
        }).await;
        assert_eq!((units(&app, "waits", "PENDING").await, vendor.simulator.arrivals().len()), (1, before));
        vendor.simulator.play(Question::Find, None, None).unwrap();
        app.database.execute("UPDATE vendor_limits SET free_at = 0").await;
        assert_eq!(end(&app, &partner, "asked").await.text("order.status"), "DELIVERED");
        assert_eq!(end(&app, &partner, "waits").await.text("order.status"), "DELIVERED");
        // So it is when it says so of its statement.
        vendor.simulator.play(Question::Statement, None, Some("too_many")).unwrap();
        assert!(fulfillment::reconcile(&app.system(), vendor.row.id, Since::LastTime).await.is_err());
        assert!((2..=7).contains(&rests_for(&app).await));
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn a_large_order_does_not_keep_another_partners_unit_waiting(app: SmallCatalog) {
        let (large, small) = (app.partner().await, app.other_partner().await);
        let vendor = slow(&app, 2).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        order(&large, input(EURO_20, 200, "large")).await.payload("createOrder");
        order(&large, input(EURO_20, 200, "larger")).await.payload("createOrder");
        poll::until_true("it has begun", async || units(&app, "large", "DELIVERED").await > 0).await;
        order(&small, input(EURO_20, 1, "small")).await.payload("createOrder");
        poll::until_within(poll::PATIENCE * 4, "the unit is delivered", async || {
            (find(&small, "small").await.text("order.status") == "DELIVERED").then_some(())
        }).await;
        assert!(units(&app, "large", "PENDING").await > 150, "{}", units(&app, "large", "PENDING").await);
        cancel(&large, "large").await;
        cancel(&large, "larger").await;
        resolve_all(&app).await;
        assert_agreed(&app, &[&vendor]).await;
    }

    /// Forty orders wait for a vendor that wants to be left alone, and each has something to do all the while.
    async fn orders_that_wait_for_a_busy_vendor_keep_no_others_waiting(app: SmallCatalog) {
        let partner = app.partner().await;
        let (busy, free) = (TestVendor::open(&app, "busy").await, TestVendor::open(&app, "free").await);
        busy.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        free.sell(&app, &[(YEN_1000, "sandbox_ok")]).await;
        let clock = engine_clock(app.deps.database.backend());
        let rest = |secs: i64| format!("UPDATE vendor_limits SET free_at = {clock} + {secs} * 1000000 WHERE vendor_id = '{}'", busy.row.id);
        app.database.execute(&rest(300)).await;
        for number in 0..40 {
            order(&partner, input(EURO_20, 1, &format!("busy-{number}"))).await.payload("createOrder");
        }
        // 50 of them are in stock.
        order(&partner, input(YEN_1000, 55, "free")).await.payload("createOrder");
        poll::until_true("the vendor that is free is asked", async || {
            find(&partner, "free").await.text("order.status") == "DELIVERED"
        })
        .await;
        assert_eq!(app.database.number("SELECT count(*) FROM purchases").await, 1);
        app.database.execute(&rest(0)).await;
        poll::until_true("they are all delivered", async || {
            app.database.number("SELECT count(*) FROM orders WHERE status = 'DELIVERED'").await == 41
        })
        .await;
        assert_agreed(&app, &[&busy, &free]).await;
    }

    /// A clock that was once years ahead has left its mark wherever an instant is written ahead of time.
    async fn a_clock_that_was_ahead_keeps_no_vendor_and_no_lease_for_ever(app: SmallCatalog) {
        const FAR: &str = "9000000000000000000";
        let partner = app.partner().await;
        let vendor = slow(&app, 100).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_error_bought")]).await;
        app.database.execute(&format!("UPDATE vendor_limits SET free_at = {FAR}, looks_free_at = {FAR}")).await;
        order(&partner, input(EURO_20, 1, "bought")).await.payload("createOrder");
        poll::until_true("it is in doubt", async || {
            app.database.number("SELECT count(*) FROM purchases WHERE state = 'UNKNOWN'").await == 1
        }).await;
        // As if a worker had it whose last sign of life was written then.
        let gone = WorkerId::from_uuid(app.system().uuid());
        app.database.execute(&format!("INSERT INTO workers (id, lease_until, started_at) VALUES ('{gone}', {FAR}, 0);
            UPDATE purchases SET worker_id = '{gone}', next_at = NULL")).await;
        assert_eq!(end(&app, &partner, "bought").await.text("order.status"), "DELIVERED");
        const AUSTRALIAN: &str = "steam_wallet_50_aud";
        order(&partner, input(AUSTRALIAN, 21, "leased")).await.payload("createOrder");
        app.database.execute(&format!("UPDATE orders SET lease_until = {FAR} WHERE reference = 'leased'")).await;
        app.load_stock(&stock_csv(AUSTRALIAN, "50", 21, 1)).await;
        poll::until_true("the order is worked on", async || units(&app, "leased", "DELIVERED").await == 21).await;
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn questions_keep_to_the_lines_of_their_vendor(app: SmallCatalog) {
        let partner = app.partner().await;
        let terms = Terms { largest_batch: 1, concurrent_requests: 2, ..Terms::default() };
        let vendor = TestVendor::on_terms(&app, "narrow", terms).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_pending_500s")]).await;
        order(&partner, input(EURO_20, 6, "six")).await.payload("createOrder");
        poll::until_true("all are in doubt", async || {
            app.advance_secs(1);
            app.database.number("SELECT count(*) FROM purchases WHERE state = 'UNKNOWN' AND worker_id IS NULL").await == 6
        }).await;
        app.stop().await;
        app.database.execute("UPDATE purchases SET next_at = 0").await;
        // One worker asks, and hears nothing; another one takes its place when it is gone.
        for _ in 0..2 {
            let worker = WorkerId::from_uuid(app.system().uuid());
            fulfillment::beat(&app.deps, worker).await.unwrap();
            let mut taken = Vec::new();
            for _ in 0..2 {
                taken.push(fulfillment::claim(&app.deps, worker, 32).await.unwrap().len());
            }
            assert_eq!(taken, [2, 0]);
            app.advance_secs(11);
        }
    }

    /// It has the purchase, and delivers after a time of the clock, which stands still meanwhile.
    async fn a_vendor_that_is_slower_than_the_caller_waits_answers_later(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "late").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_pending_3s")]).await;
        let wanted = json!({ "productId": EURO_20, "reference": "late", "waitMs": 1_000 });
        let placed = order(&partner, wanted).await;
        assert_eq!(placed.text("createOrder.order.status"), "PROCESSING");
        assert_eq!(placed.at("createOrder.order.vouchers"), &json!([]));
        assert_eq!(end(&app, &partner, "late").await.text("order.status"), "DELIVERED");
        assert_agreed(&app, &[&vendor]).await;
    }
}
