//! Open units: stock that arrives, the deadline, cancelling, waiting.

use entity::ids::{StockWriterId, WorkerId};
use octopus_cards::domain::orders::jobs;
use serde_json::json;

use super::{codes, funds, order};
use crate::support::app::Partner;
use crate::support::catalog::{STEAM_50, YEN_1000, stock_csv};
use crate::support::poll;

async fn status(partner: &Partner, reference: &str) -> String {
    let query = "query($reference: String!) { order(reference: $reference) { status } }";
    partner.graphql(query, json!({ "reference": reference })).await.text("order.status").to_owned()
}

const CANCEL: &str = "mutation($input: CancelOrderInput!) { cancelOrder(input: $input) {
    order { status deliveredQuantity refundedQuantity refundedTotal { amount } failure { code } cancelRequestedAt }
    userErrors { code message field } } }";

both_databases! {
    async fn what_stock_lacks_is_held_and_delivered_when_it_arrives(app: SmallCatalog) {
        let partner = app.partner().await;
        let before = funds(&partner, "JPY").await;
        let input = json!({ "productId": YEN_1000, "quantity": 60, "currency": "JPY", "reference": "bulk", "waitMs": 0 });
        let placed = order(&partner, input).await;
        placed.payload("createOrder");
        assert_eq!(placed.text("createOrder.order.status"), "PROCESSING");
        assert_eq!(placed.number("createOrder.order.deliveredQuantity"), 50);
        assert_eq!(codes(&placed).len(), 50);
        assert!(placed.at("createOrder.order.deadlineAt").is_string());
        let (available, held) = funds(&partner, "JPY").await;
        assert_ne!(held, "0");
        assert_ne!(available, before.0);
        app.load_stock(&stock_csv(YEN_1000, "1000", 51, 4)).await;
        app.load_stock(&stock_csv(YEN_1000, "1000", 55, 10)).await;
        poll::until_true("the order is delivered", async || status(&partner, "bulk").await == "DELIVERED").await;
        assert_eq!(funds(&partner, "JPY").await, (available, "0".to_owned()));
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE state = 'AVAILABLE' AND product_id = 'google_play_1000_jpy'").await, 4);
    }

    async fn a_worker_that_slept_through_its_lease_writes_nothing(app: SmallCatalog) {
        let partner = app.partner().await;
        let input = json!({ "productId": YEN_1000, "quantity": 52, "currency": "JPY", "reference": "slept", "waitMs": 0 });
        order(&partner, input).await.payload("createOrder");
        // The server's own worker has to stay out of it.
        app.stop().await;
        app.load_stock(&stock_csv(YEN_1000, "1000", 51, 2)).await;
        let system = app.system();
        let writer = StockWriterId::from_uuid(system.uuid());
        let (first, second) = (WorkerId::from_uuid(system.uuid()), WorkerId::from_uuid(system.uuid()));
        let something = async |worker, lease: &jobs::Lease| {
            jobs::work_on_leased(&app.deps, writer, worker, lease).await.unwrap().something
        };
        let waiting = async || jobs::find_waiting(&app.deps, &[]).await.unwrap();
        let seen = waiting().await;
        let slept = jobs::lease(&app.deps, seen.clone()).await.unwrap();
        assert_eq!(slept.len(), 1);
        assert!(waiting().await.is_empty(), "it is leased");
        assert!(jobs::lease(&app.deps, seen).await.unwrap().is_empty(), "it is leased meanwhile");
        app.advance_secs(11);
        let taken_over = jobs::lease(&app.deps, waiting().await).await.unwrap();
        assert_eq!(taken_over.len(), 1, "the lease is over");
        assert!(!something(first, &slept[0]).await);
        assert_eq!(app.database.number("SELECT count(*) FROM unit_settlements").await, 0);
        assert!(something(second, &taken_over[0]).await);
        assert_eq!(app.database.number("SELECT count(*) FROM unit_settlements WHERE outcome = 'CAPTURED'").await, 2);
        assert!(!something(first, &slept[0]).await);
    }

    async fn what_stays_open_is_refunded_at_the_deadline(app: SmallCatalog) {
        let partner = app.partner().await;
        let before = funds(&partner, "JPY").await;
        let input = json!({ "productId": YEN_1000, "quantity": 60, "currency": "JPY", "reference": "late", "waitMs": 0 });
        let placed = order(&partner, input).await;
        let unit: i64 = placed.text("createOrder.order.unitPrice.amount").parse().unwrap();
        app.advance_secs(1_799);
        assert_eq!(status(&partner, "late").await, "PROCESSING");
        app.advance_secs(1);
        poll::until_true("the order ends", async || status(&partner, "late").await == "PARTIALLY_DELIVERED").await;
        let total: i64 = before.0.parse().unwrap();
        assert_eq!(funds(&partner, "JPY").await, ((total - 50 * unit).to_string(), "0".to_owned()));
        let query = "{ order(reference: \"late\") { failure { code } refundedQuantity completedAt
            statusHistory { status reason } units(last: 1) { nodes { index status refundedAt } } } }";
        let shown = partner.graphql(query, json!({})).await;
        assert_eq!(shown.text("order.failure.code"), "DEADLINE_PASSED");
        assert_eq!(shown.number("order.refundedQuantity"), 10);
        assert_eq!(shown.text("order.units.nodes.0.status"), "REFUNDED");
        assert_eq!(shown.list("order.statusHistory").len(), 3);
    }

    async fn cancelling_refunds_what_is_pending_and_keeps_what_is_delivered(app: SmallCatalog) {
        let partner = app.partner().await;
        let input = json!({ "productId": YEN_1000, "quantity": 53, "currency": "JPY", "reference": "stop", "waitMs": 0 });
        order(&partner, input).await.payload("createOrder");
        let cancelled = partner.graphql(CANCEL, json!({ "input": { "reference": "stop" } })).await;
        cancelled.payload("cancelOrder");
        assert_eq!(cancelled.text("cancelOrder.order.status"), "PARTIALLY_DELIVERED");
        assert_eq!(cancelled.number("cancelOrder.order.refundedQuantity"), 3);
        assert_eq!(cancelled.text("cancelOrder.order.failure.code"), "CANCELLED");
        assert!(cancelled.at("cancelOrder.order.cancelRequestedAt").is_string());
        assert_eq!(funds(&partner, "JPY").await.1, "0");
        let again = partner.graphql(CANCEL, json!({ "input": { "reference": "stop" } })).await;
        again.expect_user_errors("cancelOrder", &[("NOT_CANCELLABLE", "")]);
    }

    async fn an_order_that_cannot_be_stopped_says_so(app: SmallCatalog) {
        let (partner, other) = (app.partner().await, app.other_partner().await);
        let placed = order(&partner, json!({ "productId": STEAM_50, "reference": "done" })).await;
        let id = placed.text("createOrder.order.id");
        let refused = partner.graphql(CANCEL, json!({ "input": { "orderId": id } })).await;
        refused.expect_user_errors("cancelOrder", &[("NOT_CANCELLABLE", "")]);
        for (input, field) in [
            (json!({ "orderId": id }), "input.orderId"),
            (json!({ "orderId": "ord_nonsense" }), "input.orderId"),
            (json!({ "reference": "done" }), "input.reference"),
            (json!({ "reference": "no reference" }), "input.reference"),
        ] {
            let foreign = other.graphql(CANCEL, json!({ "input": input })).await;
            foreign.expect_user_errors("cancelOrder", &[("NOT_FOUND", field)]);
        }
        for input in [json!({}), json!({ "orderId": id, "reference": "done" })] {
            let unnamed = partner.graphql(CANCEL, json!({ "input": input })).await;
            unnamed.expect_user_errors("cancelOrder", &[("INVALID_INPUT", "input.orderId")]);
        }
    }

    async fn a_caller_that_waits_is_answered_when_the_order_ends(app: SmallCatalog) {
        let partner = app.partner().await;
        let input = json!({ "productId": YEN_1000, "quantity": 51, "currency": "JPY", "reference": "wait", "waitMs": 30_000 });
        let waiting = tokio::spawn({
            let partner = partner.clone();
            async move { order(&partner, input).await }
        });
        poll::until_true("the order is accepted", async || {
            app.database.number("SELECT count(*) FROM orders").await == 1
        }).await;
        app.load_stock(&stock_csv(YEN_1000, "1000", 51, 1)).await;
        let answer = waiting.await.expect("the caller does not panic");
        assert_eq!(answer.text("createOrder.order.status"), "DELIVERED");
        assert_eq!(codes(&answer).len(), 51);
    }

    async fn codes_that_expire_first_go_first_and_those_about_to_expire_do_not_go(app: SmallCatalog) {
        let sku = "xbox_game_pass_ultimate_1m_usd";
        let header = "sku,face_value,code,pin,serial,url,expires_at,cost,cost_currency,lot\n";
        let row = |code: &str, expires: &str| format!("{sku},,{code},,,,{expires},,,lot\n");
        let csv = format!("{header}{}{}{}{}", row("NEVER-1", ""), row("LATER-1", "2027-06-01T00:00:00Z"),
            row("SOONER-1", "2027-01-01T00:00:00Z"), row("TODAY-1", "2026-11-22T18:00:00Z"));
        app.load_stock(&csv).await;
        let partner = app.partner().await;
        let answer = order(&partner, json!({ "productId": sku, "quantity": 3, "reference": "expiry" })).await;
        assert_eq!(codes(&answer), ["SOONER-1", "LATER-1", "NEVER-1"]);
        let refused = order(&partner, json!({ "productId": sku, "reference": "expiry-2" })).await;
        refused.expect_user_errors("createOrder", &[("OUT_OF_STOCK", "input.quantity")]);
    }
}
