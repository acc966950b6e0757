//! What is kept for how long: events, and charges that nobody used.
//! Always true: time passes only by the fixed clock, and a session does not live through it. Not here: refresh tokens and counts
//! of sign-ins (`identity/sessions.rs`).

use entity::ids::ChargeId;
use futures_util::future::join_all;
use octopus_cards::domain::pricing::SweptCharges;
use octopus_cards::domain::{events, pricing};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

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

fn swept(seen: usize, removed: u64) -> SweptCharges {
    SweptCharges { seen, removed }
}

/// A charge for one unit.
async fn charge(partner: &Partner) -> String {
    let create = "mutation($input: CreateChargeInput!) { createCharge(input: $input) {
        charge { id } userErrors { code message field } } }";
    let answer = partner.graphql(create, json!({ "input": { "productId": STEAM_50 } })).await;
    answer.text("createCharge.charge.id").to_owned()
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
        let read = "query($id: ID!) { charge(id: $id) { id } }";
        let mut sweeper = pricing::ChargeSweep::default();
        let partner = app.partner().await;
        let ids = [charge(&partner).await, charge(&partner).await];
        order(&partner, json!({ "chargeId": ids[0], "reference": "used" })).await.payload("createOrder");
        app.advance_secs(600 + 30 * DAY);
        assert_eq!(sweeper.run(&app.system()).await.unwrap(), swept(0, 0));
        let partner = app.partner().await;
        let late = order(&partner, json!({ "chargeId": ids[1], "reference": "late" })).await;
        late.expect_user_errors("createOrder", &[("CHARGE_EXPIRED", "input.chargeId")]);
        app.advance_secs(1);
        assert_eq!(sweeper.run(&app.system()).await.unwrap(), swept(2, 1));
        assert_eq!(partner.graphql(read, json!({ "id": ids[0] })).await.text("charge.id"), ids[0]);
        assert_eq!(partner.graphql(read, json!({ "id": ids[1] })).await.at("charge"), &Value::Null);
        let gone = order(&partner, json!({ "chargeId": ids[1], "reference": "late" })).await;
        gone.expect_user_errors("createOrder", &[("CHARGE_NOT_FOUND", "input.chargeId")]);
    }

    /// Charges that were used are kept for ever: to look at all of them again and again would take ever longer.
    async fn a_sweep_of_charges_looks_at_each_but_once_until_the_server_begins_anew(app: SmallCatalog) {
        let partner = app.partner().await;
        for reference in ["first", "second"] {
            let used = charge(&partner).await;
            order(&partner, json!({ "chargeId": used, "reference": reference })).await.payload("createOrder");
        }
        // More than go at once, all of one instant.
        multiply_charge(&app, "first", 1_100).await;
        app.advance_secs(600 + 30 * DAY + 1);
        let mut sweeper = pricing::ChargeSweep::default();
        assert_eq!(sweeper.run(&app.system()).await.unwrap(), swept(1_102, 1_100));
        assert_eq!(sweeper.run(&app.system()).await.unwrap(), swept(0, 0));
        assert_eq!(app.database.number("SELECT count(*) FROM charges").await, 2);

        let partner = app.partner().await;
        charge(&partner).await;
        app.advance_secs(600 + 30 * DAY + 1);
        assert_eq!(sweeper.run(&app.system()).await.unwrap(), swept(1, 1));
        assert_eq!(pricing::ChargeSweep::default().run(&app.system()).await.unwrap(), swept(2, 0));
    }

    /// As when the database is away for a moment: nothing is passed over.
    async fn a_sweep_of_charges_that_failed_goes_on_from_where_it_was(app: SmallCatalog) {
        let partner = app.partner().await;
        let used = charge(&partner).await;
        order(&partner, json!({ "chargeId": used, "reference": "first" })).await.payload("createOrder");
        multiply_charge(&app, "first", 700).await;
        app.advance_secs(600 + 30 * DAY + 1);
        let mut sweeper = pricing::ChargeSweep::default();
        app.database.execute("CREATE TABLE holders (charge_id TEXT REFERENCES charges (id));
            INSERT INTO holders SELECT max(id) FROM charges WHERE id NOT IN (SELECT charge_id FROM orders)").await;
        sweeper.run(&app.system()).await.unwrap_err();
        let left = app.database.number("SELECT count(*) FROM charges").await;
        assert_eq!(left, 201, "what the first page had is gone, the second has one that is held");
        app.database.execute("DROP TABLE holders").await;
        assert_eq!(sweeper.run(&app.system()).await.unwrap(), swept(201, 200));
    }
}

/// Gives the charge of an order so many companions that nobody used.
async fn multiply_charge(app: &TestApp, reference: &str, count: u128) {
    const COLUMNS: &str = "partner_id, product_id, quantity, face_minor, face_currency, currency, discount, discount_rule,
        fee_minor, fee_rule, rate, rate_source, rate_as_of, margin_bps, margin_rule, unit_price_minor, unit_sales_minor,
        unit_fx_minor, unit_fee_minor, unit_rounding_minor, total_minor, created_at, expires_at";
    let of_order = format!("(SELECT o.charge_id FROM orders o WHERE o.reference = '{reference}')");
    // Their ids sort ahead of its own, and they expire at the same instant.
    let ids: Vec<String> =
        (1..=count).map(|n| format!("('{}')", ChargeId::from_uuid(Uuid::from_u128(n)))).collect();
    let sql = format!(
        "INSERT INTO charges (id, {COLUMNS}) SELECT made.column1, {COLUMNS}
        FROM charges c CROSS JOIN (VALUES {}) AS made WHERE c.id = {of_order}",
        ids.join(", ")
    );
    app.database.execute(&sql).await;
}
