//! Processes that are put to sleep, and told to stop, in the middle of purchases (F6 to F8).
//! Always true: what a sleeper missed is done by others, or by itself when it wakes, and once.

use serde_json::{Value, json};

use super::let_time_pass;
use crate::fulfillment::input;
use crate::orders::CREATE_ORDER;
use crate::support::app::TestApp;
use crate::support::catalog::EURO_20;
use crate::support::database::Dialect;
use crate::support::poll;
use crate::support::process::{Binary, Process};
use crate::support::socket::{Frame, Socket};
use crate::support::vendor::{Terms, TestVendor, assert_agreed};

const WATCH: &str = "subscription($reference: String, $after: String) {
    orderStatus(reference: $reference, after: $after) { cursor sequence status deliveredQuantity } }";
/// Calls that take long enough for a signal to find some of them under way.
const SLOW: Terms = Terms {
    largest_batch: 10,
    requests_per_second: 1_000,
    concurrent_requests: 4,
    latency_ms: 200,
    settle_window_secs: Some(1),
};

/// A server that has sold an order of so many units, and is buying them.
struct Buying {
    app: TestApp,
    binary: Binary,
    vendor: TestVendor,
    server: Process,
    token: String,
}

impl Buying {
    async fn begin(app: TestApp, quantity: u32) -> Self {
        app.meet_the_machine();
        let vendor = TestVendor::on_terms(&app, "only", SLOW).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        app.stop().await;
        let binary = Binary::on(&app.database)
            .with("OCTOPUS_ENV", "sandbox")
            .with("OCTOPUS_PUBLIC_URL", "http://localhost:8080")
            .with("OCTOPUS_LOG", "error");
        let server = binary.serve().await;
        let account = &app.database.seed.partners[0];
        let token = server.client.login(&account.username, &account.password).await.token;
        let variables = json!({ "input": input(EURO_20, quantity, "bulk") });
        server.client.graphql(&token, CREATE_ORDER, variables).await.payload("createOrder");
        Self { app, binary, vendor, server, token }
    }

    async fn until_bought(&self, purchases: i64) {
        let made = "SELECT count(*) FROM purchases WHERE state = 'DELIVERED'";
        let reached = async || self.app.database.number(made).await >= purchases;
        poll::until_true("purchases go on", reached).await;
    }

    async fn until_it_ends(&self) {
        let open = "SELECT count(*) FROM orders WHERE completed_at IS NULL";
        poll::until_within(poll::PATIENCE * 4, "the order ends", async || {
            super::hurry(&self.app).await;
            (self.app.database.number(open).await == 0).then_some(())
        })
        .await;
        assert_eq!(self.app.database.texts("SELECT status FROM orders").await, ["DELIVERED"]);
    }
}

/// What a stream told until it ended: its events, and the code with which its socket was closed, if it was.
async fn watch(mut socket: Socket, after: Value) -> (Vec<Value>, Option<u16>) {
    socket.subscribe("1", WATCH, json!({ "reference": "bulk", "after": after })).await;
    let mut told = Vec::new();
    loop {
        match socket.receive().await {
            Frame::Closed(code, _) => return (told, Some(code)),
            Frame::Message(message) if message["type"] == "complete" => return (told, None),
            Frame::Message(message) => told.push(message["payload"]["data"]["orderStatus"].clone()),
        }
    }
}

fn sequences(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["sequence"].as_str().unwrap().parse().unwrap()).collect()
}

both_databases! {
    async fn a_server_that_slept_through_its_lease_changes_nothing_that_others_did(app: SmallCatalog) {
        let buying = Buying::begin(app, 200).await;
        buying.until_bought(2).await;
        buying.server.signal("STOP");
        if buying.app.database.dialect() == Dialect::Postgres {
            // Its lease has run out: another worker does everything that is left while it sleeps.
            let_time_pass(&buying.app).await;
            let worker = buying.binary.work();
            buying.until_it_ends().await;
            buying.server.signal("CONT");
            assert_eq!(worker.stop().await, Some(0));
        } else {
            // Nobody else may work on SQLite. The sleeper's lease has run out all the same, unless it sleeps on the lock.
            while buying.app.database.try_execute("UPDATE workers SET lease_until = 0").await.is_err() {
                buying.server.signal("CONT");
                buying.server.signal("STOP");
            }
            buying.server.signal("CONT");
            buying.until_it_ends().await;
        }
        let found = buying.server.client.graphql(&buying.token, "{ order(reference: \"bulk\") { status } }", json!({})).await;
        assert_eq!(found.text("order.status"), "DELIVERED");
        assert_eq!(buying.server.stop().await, Some(0));
        assert_agreed(&buying.app, &[&buying.vendor]).await;
    }

    async fn a_server_that_is_told_to_stop_amid_a_thousand_units_hands_over_all_of_it(app: SmallCatalog) {
        let buying = Buying::begin(app, 1_000).await;
        let socket = buying.server.client.socket(&buying.token).await;
        let watching = tokio::spawn(watch(socket, Value::Null));
        buying.until_bought(10).await;
        assert_eq!(buying.server.stop().await, Some(0));
        let (before, closed) = watching.await.expect("the stream does not panic");
        assert_eq!(closed, Some(1001));
        assert_eq!(buying.app.database.number("SELECT count(*) FROM purchases WHERE state = 'SENDING'").await, 0);
        let server = buying.binary.serve().await;
        let socket = server.client.socket(&buying.token).await;
        let cursor = before.last().expect("it told something")["cursor"].clone();
        let (after, closed) = watch(socket, cursor).await;
        assert_eq!(closed, None, "the stream ends with the order");
        assert_eq!(after.last().unwrap()["deliveredQuantity"], 1_000);
        let all = [sequences(&before), sequences(&after)].concat();
        assert!(all.is_sorted_by(|left, right| left < right), "each event once: {all:?}");
        let last = after.last().unwrap()["sequence"].as_str().unwrap();
        let of_order = format!(
            "SELECT count(*) FROM events WHERE sequence <= {last} AND kind LIKE 'order.%'"
        );
        assert_eq!(i64::try_from(all.len()).unwrap(), buying.app.database.number(&of_order).await, "none is missing");
        assert_eq!(server.stop().await, Some(0));
        assert_agreed(&buying.app, &[&buying.vendor]).await;
    }

    async fn a_server_that_is_killed_while_it_stops_loses_nothing(app: SmallCatalog) {
        let mut buying = Buying::begin(app, 100).await;
        buying.until_bought(2).await;
        buying.server.signal("TERM");
        buying.server.signal("TERM");
        buying.server.kill();
        let_time_pass(&buying.app).await;
        let server = buying.binary.serve().await;
        buying.until_it_ends().await;
        assert_eq!(server.stop().await, Some(0));
        assert_agreed(&buying.app, &[&buying.vendor]).await;
    }
}
