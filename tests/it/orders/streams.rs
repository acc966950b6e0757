//! Watching orders and wallets over a socket, and the pull feed.

use entity::ids::EventId;
use serde_json::{Value, json};

use super::order;
use crate::support::catalog::{STEAM_50, YEN_1000, stock_csv};
use crate::support::socket::{Frame, Socket};

const ORDER_STATUS: &str = "subscription($reference: String, $after: String) {
    orderStatus(reference: $reference, after: $after) {
        cursor sequence type status previousStatus deliveredQuantity refundedQuantity order { status } } }";

async fn next(socket: &mut Socket) -> Value {
    match socket.receive().await {
        Frame::Message(message) => message,
        Frame::Closed(code, reason) => panic!("closed with {code} {reason}"),
    }
}

both_databases! {
    async fn an_order_is_watched_from_its_first_event_to_its_end(app: SmallCatalog) {
        let partner = app.partner().await;
        let input = json!({ "productId": YEN_1000, "quantity": 55, "currency": "JPY", "reference": "watched", "waitMs": 0 });
        order(&partner, input).await.payload("createOrder");
        let mut socket = partner.socket().await;
        socket.subscribe("1", ORDER_STATUS, json!({ "reference": "watched" })).await;
        let mut told = Vec::new();
        for _ in 0..2 {
            told.push(next(&mut socket).await["payload"]["data"]["orderStatus"].clone());
        }
        app.load_stock(&stock_csv(YEN_1000, "1000", 51, 2)).await;
        told.push(next(&mut socket).await["payload"]["data"]["orderStatus"].clone());
        app.load_stock(&stock_csv(YEN_1000, "1000", 53, 3)).await;
        told.push(next(&mut socket).await["payload"]["data"]["orderStatus"].clone());
        let kinds: Vec<&str> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["order.created", "order.processing", "order.progressed", "order.delivered"]);
        let counts: Vec<i64> = told.iter().map(|event| event["deliveredQuantity"].as_i64().unwrap()).collect();
        assert_eq!(counts, [0, 50, 52, 55]);
        assert_eq!(next(&mut socket).await["type"], "complete");
        // Behind a cursor comes exactly the rest; behind the last one, only the end.
        socket.subscribe("2", ORDER_STATUS, json!({ "reference": "watched", "after": told[1]["cursor"] })).await;
        for event in &told[2..] {
            assert_eq!(&next(&mut socket).await["payload"]["data"]["orderStatus"]["cursor"], &event["cursor"]);
        }
        assert_eq!(next(&mut socket).await, json!({ "id": "2", "type": "complete" }));
        socket.subscribe("3", ORDER_STATUS, json!({ "reference": "watched", "after": told[3]["cursor"] })).await;
        assert_eq!(next(&mut socket).await, json!({ "id": "3", "type": "complete" }));
    }

    async fn a_cancelled_order_is_watched_to_its_last_step(app: SmallCatalog) {
        let partner = app.partner().await;
        let input = json!({ "productId": YEN_1000, "quantity": 52, "currency": "JPY", "reference": "ends", "waitMs": 0 });
        order(&partner, input).await.payload("createOrder");
        let mut socket = partner.socket().await;
        socket.subscribe("1", ORDER_STATUS, json!({ "reference": "ends" })).await;
        let cancel = "mutation { cancelOrder(input: { reference: \"ends\" }) { userErrors { code } } }";
        partner.graphql(cancel, json!({})).await.payload("cancelOrder");
        // Each begins where the last one ended.
        for (kind, previous, status, delivered, refunded) in [
            ("order.created", Value::Null, "PENDING", 0, 0),
            ("order.processing", json!("PENDING"), "PROCESSING", 50, 0),
            ("order.unit_refunded", json!("PROCESSING"), "PROCESSING", 50, 2),
            ("order.partially_delivered", json!("PROCESSING"), "PARTIALLY_DELIVERED", 50, 2),
        ] {
            let event = &next(&mut socket).await["payload"]["data"]["orderStatus"];
            assert_eq!(
                (&event["type"], &event["previousStatus"], &event["status"]),
                (&json!(kind), &previous, &json!(status))
            );
            assert_eq!((&event["deliveredQuantity"], &event["refundedQuantity"]), (&json!(delivered), &json!(refunded)));
        }
        assert_eq!(next(&mut socket).await, json!({ "id": "1", "type": "complete" }));
    }

    /// What happens to an order after its end, such as a refund, is no step that could end a stream.
    async fn whoever_has_been_told_the_end_is_not_kept_waiting(app: SmallCatalog) {
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "reference": "ended" })).await.payload("createOrder");
        let (account, refund) = (&partner.account.id, EventId::from_uuid(app.system().uuid()));
        app.database.execute(&format!("UPDATE event_heads SET sequence = sequence + 1 WHERE partner_id = '{account}'")).await;
        app.database.execute(&format!(
            "INSERT INTO events (partner_id, sequence, id, kind, order_id, payload, occurred_at)
             SELECT e.partner_id, h.sequence, '{refund}', 'order.unit_refunded', e.order_id, e.payload, e.occurred_at
             FROM events e JOIN event_heads h ON h.partner_id = e.partner_id
             WHERE e.partner_id = '{account}' AND e.kind = 'order.delivered'"
        )).await;
        let told = partner.graphql("{ events(first: 100) { nodes { type cursor } } }", json!({})).await;
        let told = told.list("events.nodes");
        assert_eq!(told.last().unwrap()["type"], "order.unit_refunded");
        let mut socket = partner.socket().await;
        let behind = |kind: &str| told.iter().find(|event| event["type"] == kind).unwrap()["cursor"].clone();
        for after in [behind("order.delivered"), behind("order.unit_refunded")] {
            socket.subscribe("1", ORDER_STATUS, json!({ "reference": "ended", "after": after })).await;
            assert_eq!(next(&mut socket).await, json!({ "id": "1", "type": "complete" }));
        }
        socket.subscribe("2", ORDER_STATUS, json!({ "reference": "ended", "after": behind("order.created") })).await;
        assert_eq!(socket.next_data("2").await["orderStatus"]["type"], "order.delivered");
        assert_eq!(next(&mut socket).await, json!({ "id": "2", "type": "complete" }));
    }

    async fn updates_come_from_now_on_and_only_to_their_partner(app: SmallCatalog) {
        let (partner, other) = (app.partner().await, app.other_partner().await);
        order(&partner, json!({ "productId": STEAM_50, "reference": "before" })).await.payload("createOrder");
        let mut socket = partner.socket().await;
        socket.subscribe("o", "subscription { orderUpdates { type reference } }", json!({})).await;
        let mut wallets = partner.socket().await;
        wallets.subscribe("w", "subscription { walletUpdates { type amount { amount currency } available { amount } firstEntrySequence } }", json!({})).await;
        // Both streams have begun once a query that was sent behind them is answered.
        for socket in [&mut socket, &mut wallets] {
            socket.subscribe("q", "{ viewer { scopes } }", json!({})).await;
            assert_eq!(next(socket).await["id"], "q");
            assert_eq!(next(socket).await["type"], "complete");
        }
        order(&other, json!({ "productId": STEAM_50, "reference": "foreign" })).await.payload("createOrder");
        order(&partner, json!({ "productId": STEAM_50, "reference": "after" })).await.payload("createOrder");
        for kind in ["order.created", "order.delivered"] {
            let event = &next(&mut socket).await["payload"]["data"]["orderUpdates"];
            assert_eq!(event, &json!({ "type": kind, "reference": "after" }));
        }
        let event = &next(&mut wallets).await["payload"]["data"]["walletUpdates"];
        assert_eq!(event["type"], "wallet.debited");
        assert!(event["amount"]["amount"].as_str().unwrap().starts_with('-'));
    }

    async fn the_feed_is_gapless_and_pages_by_cursor(app: SmallCatalog) {
        let partner = app.partner().await;
        for n in 0..5 {
            order(&partner, json!({ "productId": STEAM_50, "reference": format!("feed-{n}") })).await.payload("createOrder");
        }
        let page = "query($after: String, $types: [String!], $first: Int) {
            events(after: $after, types: $types, first: $first) {
                totalCount pageInfo { hasNextPage endCursor } nodes { cursor sequence type } } }";
        let (mut after, mut sequences) = (Value::Null, Vec::new());
        loop {
            let answer = partner.graphql(page, json!({ "after": after, "first": 4 })).await;
            sequences.extend(answer.list("events.nodes").iter().map(|event| event["sequence"].as_str().unwrap().parse::<i64>().unwrap()));
            after = answer.at("events.pageInfo.endCursor").clone();
            if answer.at("events.pageInfo.hasNextPage") == false {
                break;
            }
        }
        assert_eq!(sequences, (1..=i64::try_from(sequences.len()).unwrap()).collect::<Vec<_>>());
        let delivered = partner.graphql(page, json!({ "types": ["order.delivered"] })).await;
        assert_eq!(delivered.number("events.totalCount"), 5);
        for variables in [json!({ "types": ["order.lost"] }), json!({ "after": "nonsense" }), json!({ "first": 101 })] {
            partner.graphql(page, variables).await.expect_errors(&[("BAD_USER_INPUT", "events")]);
        }
    }

    async fn an_unknown_order_cannot_be_watched(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut socket = partner.socket().await;
        socket.subscribe("1", ORDER_STATUS, json!({ "reference": "nobody" })).await;
        let frame = next(&mut socket).await;
        assert_eq!(frame["type"], "error");
        assert_eq!(frame["payload"][0]["extensions"]["code"], "NOT_FOUND", "{frame}");
    }
}
