//! Streams that break and go on, and what they show of the present.
//! Always true: behind a cursor comes exactly the rest, in the order of the feed, whatever happens meanwhile. Not here: the
//! events of one order, one by one (`streams.rs`).

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{events, order, unheld_funds};
use crate::support::app::Partner;
use crate::support::catalog::{STEAM_50, YEN_1000, stock_csv};
use crate::support::socket::Frame;

/// A product of which there are no codes at first.
const GAME_PASS: &str = "xbox_game_pass_ultimate_1m_usd";

/// Watches a field behind a cursor until an event is the last one, over sockets that break after each few events.
async fn watch_over_broken_sockets(
    partner: &Partner,
    field: &str,
    selection: &str,
    after: Value,
    is_last: impl Fn(&Value) -> bool,
) -> Vec<String> {
    let document = format!(
        "subscription($after: String) {{ {field}(after: $after) {{ cursor sequence {selection} }} }}"
    );
    let (mut told, mut after) = (Vec::new(), after);
    for length in (1..=9).cycle() {
        // Nobody closes it: it is dropped in the middle, as a network drops it.
        let mut socket = partner.socket().await;
        socket.subscribe("1", &document, json!({ "after": after })).await;
        for _ in 0..length {
            let event = socket.next_data("1").await[field].take();
            after = event["cursor"].clone();
            told.push(event["sequence"].as_str().unwrap().to_owned());
            if is_last(&event) {
                return told;
            }
        }
    }
    unreachable!("a cycle has no end")
}

/// Places orders of several kinds, some at once, and one that is the last.
async fn buy(partner: &Partner) {
    stream::iter(0..90).for_each_concurrent(6, async |number| {
        let (product, currency) = if number % 3 == 0 { (YEN_1000, "JPY") } else { (STEAM_50, "USD") };
        let input = json!({ "productId": product, "quantity": 1 + number % 2, "currency": currency, "waitMs": 0,
            "reference": format!("watched-{number}") });
        order(partner, input).await.payload("createOrder");
    })
    .await;
    let input = json!({ "productId": STEAM_50, "quantity": 1, "reference": "last" });
    order(partner, input).await.payload("createOrder");
}

fn sequences(events: &[Value], kind: &str) -> Vec<String> {
    let of_kind = events.iter().filter(|event| event["type"].as_str().unwrap().starts_with(kind));
    of_kind.map(|event| event["sequence"].as_str().unwrap().to_owned()).collect()
}

both_databases! {
    async fn streams_that_break_while_orders_are_placed_tell_every_event_once(app: SmallCatalog) {
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "reference": "before" })).await.payload("createOrder");
        let after = events(&partner, &Value::Null).await.last().unwrap()["cursor"].clone();
        // What is left when the last order is paid, and at no other moment: 60 orders in dollars, 30 of them of two, and the last.
        let dollars = unheld_funds(&partner, "USD").await - 4_940 * (60 + 30 + 1);
        let end = format!("{}.{:02}", dollars / 100, dollars % 100);
        let orders = watch_over_broken_sockets(&partner, "orderUpdates", "reference type", after.clone(), |event| {
            event["reference"] == "last" && event["type"] == "order.delivered"
        });
        let wallets = watch_over_broken_sockets(&partner, "walletUpdates", "available { amount currency }", after.clone(), |event| {
            event["available"] == json!({ "amount": end, "currency": "USD" })
        });
        let ((), orders, wallets) = tokio::join!(buy(&partner), orders, wallets);
        let all = events(&partner, &after).await;
        assert_eq!(orders, sequences(&all, "order."));
        assert_eq!(wallets, sequences(&all, "wallet."));
        assert_eq!(orders.len(), 2 * 91);
        // Nothing else is in the feed, and it has no gap.
        let numbers: Vec<i64> = sequences(&all, "").iter().map(|number| number.parse().unwrap()).collect();
        assert_eq!(numbers, (numbers[0]..numbers[0] + i64::try_from(orders.len() + wallets.len()).unwrap()).collect::<Vec<_>>());
    }

    async fn each_event_shows_the_order_as_it_is_then(app: SmallCatalog) {
        let partner = app.partner().await;
        app.load_stock(&stock_csv(GAME_PASS, "", 1, 1)).await;
        order(&partner, json!({ "productId": GAME_PASS, "quantity": 3, "reference": "grows", "waitMs": 0 })).await.payload("createOrder");
        let document = "subscription { orderStatus(reference: \"grows\") { type order {
            units(first: 3) { nodes { status } } statusHistory { status } vouchers { code } } } }";
        let mut socket = partner.socket().await;
        socket.subscribe("1", document, json!({})).await;
        let mut load = 2;
        for (kind, delivered) in [("order.created", 1), ("order.processing", 1), ("order.progressed", 2), ("order.delivered", 3)] {
            if kind == "order.progressed" || kind == "order.delivered" {
                app.load_stock(&stock_csv(GAME_PASS, "", load, 1)).await;
                load += 1;
            }
            let event = socket.next_data("1").await["orderStatus"].take();
            assert_eq!(event["type"], kind);
            let units: Vec<Value> = (0..3).map(|unit| json!({ "status": if unit < delivered { "DELIVERED" } else { "PENDING" } })).collect();
            assert_eq!(event["order"]["units"]["nodes"], json!(units), "{kind}");
            let steps = ["PENDING", "PROCESSING", "DELIVERED"];
            let steps: Vec<Value> = steps[..if delivered == 3 { 3 } else { 2 }].iter().map(|step| json!({ "status": step })).collect();
            assert_eq!(event["order"]["statusHistory"], json!(steps), "{kind}");
            assert_eq!(event["order"]["vouchers"].as_array().unwrap().len(), delivered, "{kind}");
        }
        assert_eq!(socket.receive().await, Frame::Message(json!({ "id": "1", "type": "complete" })));
        // Each showing of codes is on the record: the order's own, and one an event.
        let audited = "SELECT count(*) FROM audit_log WHERE action = 'vouchers.revealed'";
        assert_eq!(app.database.number(audited).await, 5);
    }

    async fn a_stream_tells_more_codes_than_one_answer_may(app: SmallCatalog) {
        let partner = app.partner().await;
        app.load_stock(&stock_csv(STEAM_50, "50", 1_001, 1_000)).await;
        let place = "mutation($input: CreateOrderInput!) { createOrder(input: $input) { order { id } userErrors { code } } }";
        for number in 0..2 {
            let input = json!({ "productId": STEAM_50, "quantity": 600, "reference": format!("many-{number}") });
            partner.graphql(place, json!({ "input": input })).await.payload("createOrder");
        }
        let after = events(&partner, &Value::Null).await[3]["cursor"].clone();
        let mut socket = partner.socket().await;
        let document = "subscription($after: String) { orderUpdates(after: $after) { type order { reference vouchers { code } } } }";
        socket.subscribe("1", document, json!({ "after": after })).await;
        for number in 0..2 {
            for kind in ["order.created", "order.delivered"] {
                let event = socket.next_data("1").await["orderUpdates"].take();
                assert_eq!((&event["type"], &event["order"]["reference"]), (&json!(kind), &json!(format!("many-{number}"))));
                assert_eq!(event["order"]["vouchers"].as_array().unwrap().len(), 600);
            }
        }
        // One answer tells at most 1,000.
        let both = partner.graphql("{ orders { nodes { vouchers { code } } } }", json!({})).await;
        assert_eq!(both.body_at("errors.0.extensions.code"), "QUERY_TOO_COMPLEX");
    }
}
