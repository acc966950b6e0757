//! What bounds sockets: how long one may stay, how large its messages are, how many an address has, and how often it asks.
//! Always true: what is beyond a bound is refused with its reason, and harms no other. Not here: the frames (`ws.rs`).

use std::sync::Arc;

use octopus_cards::app as server;
use octopus_cards::clock::SeededIds;
use octopus_cards::config::Config;
use octopus_cards::ctx::Deps;
use octopus_cards::problem::Problem;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{message, opened, upgrade};
use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::client::Client;
use crate::support::poll;
use crate::support::socket::{Frame, Socket};

const SPOKEN: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

/// A server with settings of its own, in place of the test's.
struct Served {
    client: Client,
    deps: Arc<Deps>,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), Problem>>,
}

impl Served {
    async fn in_place_of(app: &TestApp, config: Config) -> Self {
        app.stop().await;
        let ids = Arc::new(SeededIds::new(2));
        let deps = server::open(config, app.clock.clone(), ids).await.expect("it opens");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a spare port");
        let client = Client::new(format!("http://{}", listener.local_addr().expect("it is bound")));
        let stop = CancellationToken::new();
        let serving =
            tokio::spawn(server::serve(Arc::clone(&deps), listener, stop.clone().cancelled_owned()));
        Self { client, deps, stop, serving }
    }

    async fn end(self) {
        self.stop.cancel();
        self.serving.await.expect("the server does not panic").expect("the server ends well");
        server::close(&self.deps).await;
    }
}

both_databases! {
    async fn a_socket_without_a_token_stays_open_for_a_minute(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut signed_in = partner.socket().await;
        let mut socket = opened(&app).await;
        socket.init("").await;
        app.advance_secs(59);
        socket.subscribe("1", "{ __typename }", json!({})).await;
        assert_eq!(socket.next_data("1").await, json!({ "__typename": "Query" }));
        app.advance_secs(1);
        let why = "Forbidden: without a token a socket stays open for a minute";
        assert_eq!(socket.closed().await, (4403, why.to_owned()));
        signed_in.subscribe("1", "{ viewer { scopes } }", json!({})).await;
        signed_in.next_data("1").await;
        signed_in.close().await;
    }

    /// A frame says how long it will be: nothing is kept for one that is too long, and its sender learns why.
    async fn a_message_that_is_far_too_large_is_refused_at_its_first_bytes(app: SmallCatalog) {
        const CLAIMED_BYTES: u64 = 300 * 1024;
        let mut socket = opened(&app).await;
        socket.init("").await;
        let mut frame = vec![0x81, 0xff];
        frame.extend(CLAIMED_BYTES.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend([b'x'; 16 * 1024]);
        socket.send_bytes(&frame).await;
        let why = "Invalid message: the message is too large or not a websocket frame";
        assert_eq!(socket.receive().await, Frame::Closed(4400, why.to_owned()));
    }

    async fn an_address_has_as_many_sockets_as_is_set(app: SmallCatalog) {
        let trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
        let config = Config { sockets_per_address: 2, trusted_proxies, ..app.deps.config.clone() };
        let served = Served::in_place_of(&app, config).await;
        let first = served.client.socket("").await;
        let mut second = served.client.socket("").await;

        let refused = Answer::read(upgrade(&served.client, &[SPOKEN]).await).await;
        refused.expect_status(429);
        assert_eq!(refused.header("retry-after"), "5");
        let extensions = json!({ "code": "RATE_LIMITED", "retryAfterMs": 5_000 });
        assert_eq!(refused.body_at("errors.0.extensions"), &extensions);
        // Neither other addresses nor other requests are harmed, nor the sockets that are open.
        let elsewhere = upgrade(&served.client, &[SPOKEN, ("x-forwarded-for", "203.0.113.7")]).await;
        assert_eq!(elsewhere.status(), 101);
        served.client.graphql("", "{ __typename }", json!({})).await.data();
        second.subscribe("1", "{ __typename }", json!({})).await;
        second.next_data("1").await;

        first.close().await;
        poll::until_true("a place is free", async || upgrade(&served.client, &[SPOKEN]).await.status() == 101).await;
        second.close().await;
        served.end().await;
    }

    async fn the_operations_of_a_socket_count_for_the_limit_of_its_address(app: SmallCatalog) {
        let config = Config { requests_per_second: 1, ..app.deps.config.clone() };
        let served = Served::in_place_of(&app, config).await;
        let mut socket = Socket::connect(&served.client.url).await;
        socket.init("").await;
        // Two requests are let through at once and one more a second: twenty would take eighteen seconds.
        let mut refused = Value::Null;
        for id in 0..20 {
            socket.subscribe(&id.to_string(), "{ __typename }", json!({})).await;
            let told = message(socket.receive().await);
            if told["type"] == "error" {
                refused = told;
                break;
            }
            assert_eq!(message(socket.receive().await), json!({ "id": id.to_string(), "type": "complete" }));
        }
        let extensions = &refused["payload"][0]["extensions"];
        assert_eq!(extensions["code"], "RATE_LIMITED", "{refused}");
        assert!(extensions["retryAfterMs"].as_u64().is_some_and(|wait| (1..=1_000).contains(&wait)), "{refused}");
        socket.send(&json!({ "type": "ping" })).await;
        assert_eq!(message(socket.receive().await), json!({ "type": "pong" }), "the socket goes on");
        socket.close().await;
        served.end().await;
    }
}
