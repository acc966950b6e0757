//! The socket, frame by frame: each close code of graphql-transport-ws, and the npm client.
//! Always true: a socket that is closed says why in its close frame. Not here: how much of everything there may be (`bounds.rs`),
//! what subscriptions tell (the features).

mod bounds;
mod watching;

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::endpoint::judge;
use super::support::app::TestApp;
use super::support::client::Client;
use super::support::socket::{Frame, Socket};

/// Longer than a socket may stay without `connection_init`.
const INIT_PATIENCE: Duration = Duration::from_secs(15);

async fn opened(app: &TestApp) -> Socket {
    Socket::connect(&app.client.url).await
}

/// Asks for an upgrade with these headers, as a plain HTTP request.
async fn upgrade(client: &Client, headers: &[(&str, &str)]) -> Response {
    let mut request = client
        .request(Method::GET, "/graphql")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("the server answers")
}

async fn upgrade_status(app: &TestApp, headers: &[(&str, &str)]) -> u16 {
    upgrade(&app.client, headers).await.status().as_u16()
}

fn message(frame: Frame) -> Value {
    match frame {
        Frame::Message(message) => message,
        Frame::Closed(code, reason) => panic!("closed: {code} {reason}"),
    }
}

both_databases! {
    async fn whatever_is_not_a_word_of_the_protocol_closes_with_4400(app: SmallCatalog) {
        let large = json!({ "type": "ping", "payload": { "x": "x".repeat(257 * 1024) } }).to_string();
        for text in [
            "not json",
            "[]",
            "{}",
            r#"{"type":"start","id":"1","payload":{"query":"{__typename}"}}"#,
            r#"{"type":"subscribe","payload":{"query":"{__typename}"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            &large,
        ] {
            let mut socket = opened(&app).await;
            socket.init("").await;
            socket.send_text(text).await;
            let (code, reason) = socket.closed().await;
            assert_eq!(code, 4400, "{text:.60}");
            assert!(!reason.is_empty() && reason.len() <= 100);
        }
        let mut socket = opened(&app).await;
        socket.send_binary(vec![1, 2, 3]).await;
        assert_eq!(socket.closed().await.0, 4400);
    }

    async fn an_operation_before_connection_init_closes_with_4401(app: SmallCatalog) {
        let mut socket = opened(&app).await;
        socket.subscribe("1", "{ __typename }", json!({})).await;
        assert_eq!(socket.closed().await, (4401, "Unauthorized".to_owned()));
    }

    async fn a_bad_token_closes_with_4403(app: SmallCatalog) {
        for payload in [
            json!({ "Authorization": "Bearer not.a.token" }),
            json!({ "authorization": "Bearer not.a.token" }),
            json!({ "token": "not.a.token" }),
            json!({ "token": 7 }),
        ] {
            let mut socket = opened(&app).await;
            socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
            assert_eq!(socket.closed().await.0, 4403, "{payload}");
        }
    }

    /// Clients come back after 4403, with a new token; after an acknowledgement they would believe the old one.
    async fn a_token_that_has_expired_already_closes_with_4403(app: SmallCatalog) {
        let partner = app.partner().await;
        app.advance_secs(3_600);
        let mut socket = opened(&app).await;
        let payload = json!({ "authorization": format!("Bearer {}", partner.session.token) });
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.receive().await, Frame::Closed(4403, "Forbidden: the token has expired".to_owned()));
    }

    async fn a_socket_is_closed_with_4403_when_its_token_expires(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut socket = partner.socket().await;
        socket.subscribe("1", "{ viewer { scopes } }", json!({})).await;
        socket.next_data("1").await;
        app.advance_secs(3_601);
        assert_eq!(socket.closed().await, (4403, "Forbidden: the token has expired".to_owned()));
    }

    async fn a_socket_is_closed_with_4403_when_its_session_ends(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut socket = partner.socket().await;
        partner.graphql("mutation { logout { userErrors { code } } }", json!({})).await.payload("logout");
        // What is known of a session may be five seconds old.
        app.advance_secs(6);
        assert_eq!(socket.closed().await, (4403, "Forbidden: the session has ended".to_owned()));
    }

    async fn a_socket_without_connection_init_is_closed_with_4408(app: SmallCatalog) {
        let mut socket = opened(&app).await;
        let frame = socket.receive_within(INIT_PATIENCE).await.expect("it is closed in time");
        assert_eq!(frame, Frame::Closed(4408, "Connection initialisation timeout".to_owned()));
    }

    async fn a_second_connection_init_closes_with_4429(app: SmallCatalog) {
        let mut socket = opened(&app).await;
        socket.init("").await;
        socket.send(&json!({ "type": "connection_init" })).await;
        assert_eq!(socket.closed().await, (4429, "Too many initialisation requests".to_owned()));
    }

    /// What fails is the reading of sessions; that says nothing about the token.
    async fn a_server_that_cannot_tell_whose_token_it_is_closes_with_1013(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut open = partner.socket().await;
        app.database.execute("ALTER TABLE sessions RENAME TO sessions_away").await;
        // What is known of a session may be five seconds old.
        app.advance_secs(6);
        let init = json!({ "type": "connection_init", "payload": { "token": partner.session.token } });
        let mut socket = opened(&app).await;
        socket.send(&init).await;
        assert_eq!(socket.closed().await.0, 1013);
        // A socket that was open stays so, until the session is known to have ended.
        open.subscribe("1", "{ __typename }", json!({})).await;
        assert_eq!(open.next_data("1").await, json!({ "__typename": "Query" }));
        app.database.execute("ALTER TABLE sessions_away RENAME TO sessions").await;
        let mut socket = opened(&app).await;
        socket.send(&init).await;
        assert_eq!(message(socket.receive().await)["type"], "connection_ack");
    }

    async fn a_stopping_server_closes_with_1001(app: SmallCatalog) {
        let mut socket = opened(&app).await;
        socket.init("").await;
        let (closed, ()) = tokio::join!(socket.closed(), app.stop());
        assert_eq!(closed, (1001, "Going away".to_owned()));
    }

    async fn other_subprotocols_and_foreign_pages_are_refused(app: SmallCatalog) {
        let spoken = ("sec-websocket-protocol", "graphql-transport-ws");
        assert_eq!(upgrade_status(&app, &[]).await, 400);
        assert_eq!(upgrade_status(&app, &[("sec-websocket-protocol", "graphql-ws")]).await, 400);
        assert_eq!(upgrade_status(&app, &[spoken, ("origin", "https://evil.example")]).await, 403);
        assert_eq!(upgrade_status(&app, &[spoken, ("origin", "null")]).await, 403);
        assert_eq!(upgrade_status(&app, &[spoken]).await, 101);
        assert_eq!(upgrade_status(&app, &[spoken, ("origin", &app.client.url)]).await, 101);
        let public = app.deps.config.public_url.clone();
        assert_eq!(upgrade_status(&app, &[spoken, ("origin", &public)]).await, 101);
    }

    async fn queries_run_over_the_socket_and_refusals_are_errors(app: SmallCatalog) {
        let mut socket = opened(&app).await;
        socket.send(&json!({ "type": "ping" })).await;
        assert_eq!(message(socket.receive().await), json!({ "type": "pong" }), "even before connection_init");
        socket.init("").await;

        socket.subscribe("a", "{ __typename }", json!({})).await;
        assert_eq!(socket.next_data("a").await, json!({ "__typename": "Query" }));
        assert_eq!(message(socket.receive().await), json!({ "id": "a", "type": "complete" }));

        socket.subscribe("a", "{ __typename", json!({})).await;
        let error = message(socket.receive().await);
        assert_eq!((&error["id"], &error["type"]), (&json!("a"), &json!("error")), "an id may be used again");
        assert_eq!(error["payload"][0]["extensions"]["code"], "GRAPHQL_PARSE_FAILED");

        for (document, expected) in [
            ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("query ($id: ID!) { product(id: $id) { id } }", "BAD_USER_INPUT"),
            ("{ viewer { scopes } }", "UNAUTHENTICATED"),
            ("subscription { orderUpdates { cursor } }", "UNAUTHENTICATED"),
            ("{...a} fragment a on Query {...a}", "GRAPHQL_VALIDATION_FAILED"),
        ] {
            socket.subscribe("b", document, json!({})).await;
            let error = message(socket.receive().await);
            assert_eq!(error["type"], "error", "{document}");
            assert_eq!(error["payload"][0]["extensions"]["code"], expected, "{document}");
        }
        socket.complete("never begun").await;
        socket.send(&json!({ "type": "pong", "payload": {} })).await;
        socket.subscribe("c", "{ __typename }", json!({})).await;
        assert_eq!(socket.next_data("c").await, json!({ "__typename": "Query" }), "neither harms");
        socket.close().await;
    }

    async fn two_operations_under_one_id_close_with_4409(app: SmallCatalog) {
        let partner = app.partner().await;
        for id in ["1", &"x".repeat(128), &"é".repeat(64)] {
            let mut socket = partner.socket().await;
            socket.subscribe(id, "subscription { orderUpdates { cursor } }", json!({})).await;
            socket.subscribe(id, "subscription { orderUpdates { cursor } }", json!({})).await;
            let (code, reason) = socket.closed().await;
            assert_eq!(code, 4409, "{id}");
            assert!(reason.starts_with("Subscriber for ") && reason.len() <= 100, "{reason}");
        }
    }

    async fn a_socket_runs_twenty_operations_at_once(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut socket = partner.socket().await;
        let subscription = "subscription { orderUpdates { cursor } }";
        for id in 0..20 {
            socket.subscribe(&id.to_string(), subscription, json!({})).await;
        }
        socket.subscribe("one more", subscription, json!({})).await;
        let refused = message(socket.receive().await);
        assert_eq!((&refused["id"], &refused["type"]), (&json!("one more"), &json!("error")));
        assert_eq!(refused["payload"][0]["extensions"]["code"], "RATE_LIMITED");
        socket.complete("7").await;
        socket.subscribe("7", "{ __typename }", json!({})).await;
        assert_eq!(socket.next_data("7").await, json!({ "__typename": "Query" }), "the others go on");
        socket.close().await;
    }

    async fn a_message_may_be_as_large_as_a_body_and_a_document_no_larger_than_there(app: SmallCatalog) {
        const BODY_BYTES: usize = 256 * 1024;
        let subscribe = |document: &str, padding: usize| {
            let payload = json!({ "query": document, "extensions": { "padding": "x".repeat(padding) } });
            json!({ "id": "1", "type": "subscribe", "payload": payload }).to_string()
        };
        let envelope = subscribe("{ __typename }", 0).len();
        let mut socket = opened(&app).await;
        socket.init("").await;
        socket.send_text(&subscribe("{ __typename }", BODY_BYTES - envelope)).await;
        assert_eq!(socket.next_data("1").await, json!({ "__typename": "Query" }));
        assert_eq!(message(socket.receive().await)["type"], "complete");
        socket.send_text(&subscribe(&format!("{{ __typename }} # {}", "x".repeat(64 * 1024)), 0)).await;
        let refused = message(socket.receive().await);
        assert_eq!((&refused["id"], &refused["type"]), (&json!("1"), &json!("error")));
        assert_eq!(refused["payload"][0]["extensions"]["code"], "PAYLOAD_TOO_LARGE");
        socket.send_text(&subscribe("{ __typename }", BODY_BYTES - envelope + 1)).await;
        let too_large = "Invalid message: a message has at most 256 kB";
        assert_eq!(socket.receive().await, Frame::Closed(4400, too_large.to_owned()));
    }

    async fn the_npm_client_is_served(app: SmallCatalog) {
        let url = app.client.url.replacen("http", "ws", 1) + "/graphql";
        let told = judge("socket.mjs", &[&url], "").await;
        assert_eq!(told.trim(), "7 passed, 0 failed");
    }
}
