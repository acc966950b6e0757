//! Large orders over several vendors, watched to their end.

use std::collections::BTreeSet;

use serde_json::json;

use super::{find, input};
use crate::orders::order;
use crate::support::catalog::EURO_20;
use crate::support::poll;
use crate::support::socket::{Frame, Socket};
use crate::support::vendor::{Terms, TestVendor, assert_agreed};
use octopus_cards::simulator::Question;

const WATCH: &str = "subscription($reference: String) { orderStatus(reference: $reference) {
    type status deliveredQuantity refundedQuantity order { units(first: 1) { totalCount } } } }";

/// Watches the order to its end; tells how many events there were, and the last count. Each counts up from the one before.
async fn watch(mut socket: Socket) -> (usize, i64) {
    socket.subscribe("1", WATCH, json!({ "reference": "bulk" })).await;
    let (mut told, mut last) = (0, 0);
    loop {
        let Frame::Message(message) = socket.receive().await else { panic!("the socket closed") };
        if message["type"] == "complete" {
            return (told, last);
        }
        let event = &message["payload"]["data"]["orderStatus"];
        let count = event["deliveredQuantity"].as_i64().unwrap();
        assert!(count >= last, "{event}");
        (told, last) = (told + 1, count);
    }
}

both_databases! {
    async fn a_thousand_units_survive_a_vendor_that_dies_half_way(app: SmallCatalog) {
        let partner = app.partner().await;
        let quick = Terms { largest_batch: 10, concurrent_requests: 4, ..Terms::default() };
        let limited = Terms { largest_batch: 10, requests_per_second: 50, concurrent_requests: 4, ..Terms::default() };
        let dying = TestVendor::on_terms(&app, "dying", quick).await;
        let steady = TestVendor::on_terms(&app, "steady", limited).await;
        dying.sell_for(&app, &[(EURO_20, "sandbox_slow_20ms")], "0.80").await;
        steady.sell_for(&app, &[(EURO_20, "sandbox_ok")], "0.85").await;
        order(&partner, input(EURO_20, 1_000, "bulk")).await.payload("createOrder");
        let watching = tokio::spawn(watch(partner.socket().await));
        let delivered = "SELECT count(*) FROM order_units WHERE status = 'DELIVERED'";
        poll::until_true("it is half way", async || app.database.number(delivered).await >= 300).await;
        // From here on it neither sells nor knows anything.
        dying.simulator.play(Question::Purchase, None, Some("closed")).unwrap();
        let open = "SELECT count(*) FROM orders WHERE completed_at IS NULL";
        poll::until_within(poll::PATIENCE * 4, "the order ends", async || {
            if app.database.number("SELECT count(*) FROM purchases WHERE state = 'SENDING'").await == 0 {
                app.advance_secs(1);
            }
            (app.database.number(open).await == 0).then_some(())
        })
        .await;
        let ended = find(&partner, "bulk").await;
        assert_eq!(ended.text("order.status"), "DELIVERED");
        assert_eq!(ended.number("order.deliveredQuantity"), 1_000);
        let codes: BTreeSet<&str> =
            ended.list("order.vouchers").iter().map(|voucher| voucher["code"].as_str().unwrap()).collect();
        assert_eq!(codes.len(), 1_000, "each code once");
        assert!(dying.booked().len() > 5 && steady.booked().len() > 5);
        let (told, last) = watching.await.expect("the stream counts up to its end");
        assert!(told > 50, "{told} events");
        assert_eq!(last, 1_000);
        assert_eq!(find(&partner, "bulk").await.list("order.units.nodes").len(), 100);
        assert_agreed(&app, &[&dying, &steady]).await;
    }
}
