//! What is kept for how long: events, and charges that nobody used.
//! Always true: time passes only by the fixed clock, and a session does not live through it. Not here: refresh tokens and counts
//! of sign-ins (`identity/sessions.rs`).

use futures_util::future::join_all;
use octopus_cards::domain::{events, pricing};
use reqwest::Method;
use serde_json::{Value, json};

use super::orders::order;
use super::support::app::{Partner, TestApp};
use super::support::catalog::{STEAM_50, stock_csv};
use super::support::socket::{Frame, Socket};

const DAY: i64 = 86_400;

const EVENTS: &str = "query Events($after: String) {
    events(after: $after, first: 100) { totalCount nodes { cursor sequence } } }";

async fn sequences(partner: &Partner, after: Value) -> Vec<String> {
    let answer = partner.graphql(EVENTS, json!({ "after": after })).await;
    answer.list("events.nodes").iter().map(|event| event["sequence"].as_str().unwrap().to_owned()).collect()
}

async fn sweep(app: &TestApp) -> u64 {
    events::sweep(&app.system()).await.unwrap()
}

/// Subscribes to orders behind a cursor, and reads one event, of this kind.
async fn watched(partner: &Partner, after: &Value, kind: &str) -> Socket {
    let mut socket = partner.socket().await;
    let updates = "subscription($after: String) { orderUpdates(after: $after) { type } }";
    socket.subscribe("1", updates, json!({ "after": after })).await;
    assert_eq!(socket.next_data("1").await, json!({ "orderUpdates": { "type": kind } }));
    socket
}

/// The code with which a subscription ends, or how else it went on.
async fn subscribed(partner: &Partner, document: &str, variables: Value) -> String {
    let mut socket = partner.socket().await;
    socket.subscribe("1", document, variables).await;
    match socket.receive().await {
        Frame::Message(message) if message["type"] == "error" => {
            message["payload"][0]["extensions"]["code"].as_str().unwrap().to_owned()
        }
        Frame::Message(message) => message["type"].as_str().unwrap().to_owned(),
        Frame::Closed(code, reason) => panic!("closed with {code} {reason}"),
    }
}

both_databases! {
    /// 90 days by default: what is older goes, what is younger stays, and a cursor tells which it is.
    async fn events_are_kept_for_the_days_of_the_setting_and_then_their_cursors_expire(app: SmallCatalog) {
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "reference": "old" })).await.payload("createOrder");
        let told = partner.graphql(EVENTS, json!({})).await;
        let cursors: Vec<Value> = told.list("events.nodes").iter().map(|event| event["cursor"].clone()).collect();
        assert_eq!(cursors.len(), 7, "four credits, two steps and a debit");
        app.advance_secs(60 * DAY);
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "reference": "young" })).await.payload("createOrder");
        app.advance_secs(30 * DAY);
        assert_eq!(sweep(&app).await, 0);
        let partner = app.partner().await;
        assert_eq!(sequences(&partner, cursors[0].clone()).await.len(), 9);

        app.advance_secs(1);
        assert_eq!(sweep(&app).await, 11, "seven of this partner and four of the other");
        assert_eq!(sweep(&app).await, 0);
        for after in [Value::Null, cursors[6].clone()] {
            assert_eq!(sequences(&partner, after).await, ["8", "9", "10"]);
        }
        for cursor in &cursors[..6] {
            let expired = partner.graphql(EVENTS, json!({ "after": cursor })).await;
            expired.expect_errors(&[("CURSOR_EXPIRED", "events")]);
        }
        let cursor = cursors[5].as_str().unwrap();
        let expired = partner.rest(Method::GET, &format!("/api/v1/events?after={cursor}"), &Value::Null).await;
        expired.expect_problem(410, "CURSOR_EXPIRED");
        let kept = partner.rest(Method::GET, "/api/v1/events", &Value::Null).await;
        assert_eq!(kept.expect_status(200).body["data"].as_array().map(Vec::len), Some(3));
        let updates = "subscription($after: String) { orderUpdates(after: $after) { sequence } }";
        assert_eq!(subscribed(&partner, updates, json!({ "after": cursors[5] })).await, "CURSOR_EXPIRED");
        assert_eq!(subscribed(&partner, updates, json!({ "after": cursors[6] })).await, "next");
        let status = "subscription { orderStatus(reference: \"old\") { sequence } }";
        assert_eq!(subscribed(&partner, status, json!({})).await, "complete");
    }

    async fn a_stream_that_the_sweep_has_overtaken_says_so(app: SmallCatalog) {
        app.books_are_broken();
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "reference": "r1" })).await.payload("createOrder");
        let told = partner.graphql(EVENTS, json!({})).await;
        let mut socket = watched(&partner, told.at("events.nodes.4.cursor"), "order.delivered").await;
        // As if two more events had been written, and swept, before the stream looked.
        let sql = "UPDATE event_heads SET sequence = sequence + 2, kept_from = sequence + 3, kept_since = 1 WHERE partner_id";
        app.database.execute(&format!("{sql} = '{}'", partner.account.id)).await;
        let Frame::Message(told) = socket.receive().await else { panic!("closed") };
        assert_eq!((&told["id"], &told["type"]), (&json!("1"), &json!("error")));
        assert_eq!(told["payload"][0]["extensions"]["code"], "CURSOR_EXPIRED");
        socket.subscribe("2", "{ __typename }", json!({})).await;
        assert_eq!(socket.next_data("2").await, json!({ "__typename": "Query" }), "the socket goes on");
        socket.close().await;
    }

    /// It has seen all there was, even if nothing of that was for it.
    async fn a_stream_to_which_nothing_happens_is_not_overtaken_by_the_sweep(app: SmallCatalog) {
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "reference": "old" })).await.payload("createOrder");
        let told = partner.graphql(EVENTS, json!({})).await;
        app.advance_secs(90 * DAY - 600);
        let partner = app.partner().await;
        app.credit(&partner, ("USD", 1), "young").await;
        // Behind what it is told lie a debit and, by now, a credit, neither of which it wants.
        let mut socket = watched(&partner, told.at("events.nodes.4.cursor"), "order.delivered").await;
        app.advance_secs(601);
        assert_eq!(sweep(&app).await, 11, "seven of this partner and four of the other");
        let expired = partner.graphql(EVENTS, json!({ "after": told.at("events.nodes.5.cursor") })).await;
        expired.expect_errors(&[("CURSOR_EXPIRED", "events")]);
        order(&partner, json!({ "productId": STEAM_50, "reference": "new" })).await.payload("createOrder");
        assert_eq!(socket.next_data("1").await, json!({ "orderUpdates": { "type": "order.created" } }));
        socket.close().await;
    }

    /// More than one transaction removes; the feed goes on where it was.
    async fn a_long_feed_is_swept_to_its_end_and_goes_on(app: SmallCatalog) {
        let partner = app.partner().await;
        app.load_stock(&stock_csv(STEAM_50, "50", 301, 100)).await;
        let place = |n: usize| {
            let partner = partner.clone();
            async move {
                let placed = order(&partner, json!({ "productId": STEAM_50, "reference": format!("r{n}") })).await;
                placed.payload("createOrder").clone()
            }
        };
        join_all((0..260).map(place)).await;
        let count = app.database.number("SELECT count(*) FROM events").await;
        let head = app.database.number("SELECT max(sequence) FROM event_heads").await;
        assert!(head > 4 + 2 * 260, "{head} events fit two transactions");
        app.advance_secs(91 * DAY);
        assert_eq!(sweep(&app).await, count.unsigned_abs());
        assert_eq!(app.database.number("SELECT count(*) FROM events").await, 0);
        app.verify_clean().await;
        let partner = app.partner().await;
        assert_eq!(sequences(&partner, Value::Null).await, Vec::<String>::new());
        order(&partner, json!({ "productId": STEAM_50, "reference": "next" })).await.payload("createOrder");
        let next = [head + 1, head + 2, head + 3].map(|sequence| sequence.to_string());
        assert_eq!(sequences(&partner, Value::Null).await, next);
    }

    async fn a_charge_that_nobody_used_is_forgotten_a_month_after_it_expired(app: SmallCatalog) {
        let create = "mutation($input: CreateChargeInput!) { createCharge(input: $input) {
            charge { id } userErrors { code message field } } }";
        let read = "query($id: ID!) { charge(id: $id) { id } }";
        let mut sweeper = pricing::ChargeSweep::default();
        let partner = app.partner().await;
        let mut ids = Vec::new();
        for _ in 0..2 {
            let charge = partner.graphql(create, json!({ "input": { "productId": STEAM_50 } })).await;
            ids.push(charge.text("createCharge.charge.id").to_owned());
        }
        order(&partner, json!({ "chargeId": ids[0], "reference": "used" })).await.payload("createOrder");
        app.advance_secs(600 + 30 * DAY);
        assert_eq!(sweeper.run(&app.system()).await.unwrap(), 0);
        let partner = app.partner().await;
        let late = order(&partner, json!({ "chargeId": ids[1], "reference": "late" })).await;
        late.expect_user_errors("createOrder", &[("CHARGE_EXPIRED", "input.chargeId")]);
        app.advance_secs(1);
        assert_eq!(sweeper.run(&app.system()).await.unwrap(), 1);
        assert_eq!(sweeper.run(&app.system()).await.unwrap(), 0);
        assert_eq!(pricing::ChargeSweep::default().run(&app.system()).await.unwrap(), 0);
        assert_eq!(partner.graphql(read, json!({ "id": ids[0] })).await.text("charge.id"), ids[0]);
        assert_eq!(partner.graphql(read, json!({ "id": ids[1] })).await.at("charge"), &Value::Null);
        let gone = order(&partner, json!({ "chargeId": ids[1], "reference": "late" })).await;
        gone.expect_user_errors("createOrder", &[("CHARGE_NOT_FOUND", "input.chargeId")]);
    }
}
