//! Sessions: how they are renewed, and how they end.

use futures_util::future::join_all;
use octopus_cards::domain::identity;
use reqwest::Method;
use serde_json::{Value, json};

use super::LOGOUT;
use crate::orders::order;
use crate::support::catalog::{STEAM_50, YEN_1000};
use crate::support::database::Dialect;
use crate::support::poll;

both_databases! {
    async fn a_refresh_gives_a_new_pair_and_a_longer_session(app: SmallCatalog) {
        let first = app.partner().await.session;
        app.advance_secs(3_000);
        let second = app.refresh(&first.refresh_token).await;
        second.payload("refreshToken");
        assert_eq!(second.number("refreshToken.expiresIn"), 3_600);
        assert_ne!(second.text("refreshToken.refreshToken"), first.refresh_token);
        let viewer = app.viewer(second.text("refreshToken.token")).await;
        assert_eq!(viewer.text("viewer.sessionExpiresAt"), "2026-11-29T12:50:00.000000Z");
        // The first access token lives on to its own end.
        app.viewer(&first.token).await.data();
        app.advance_secs(600);
        app.expect_unauthenticated(&first.token).await;
        app.viewer(second.text("refreshToken.token")).await.data();
    }

    async fn a_lost_reply_is_repeated_for_ten_seconds(app: SmallCatalog) {
        let first = app.partner().await.session;
        let second = app.refresh(&first.refresh_token).await.text("refreshToken.refreshToken").to_owned();
        app.advance_secs(10);
        let repeated = app.refresh(&first.refresh_token).await;
        assert_eq!(repeated.text("refreshToken.refreshToken"), second);
        app.viewer(repeated.text("refreshToken.token")).await.data();
        // Repeating made nothing: the successor is the one unused token, and works.
        assert_eq!(app.database.number("SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL").await, 1);
        app.refresh(&second).await.payload("refreshToken");
        assert_eq!(app.audited("session.reuse_detected").await, 0);
    }

    async fn a_token_that_comes_again_too_late_ends_the_session(app: SmallCatalog) {
        let first = app.partner().await.session;
        let second = app.refresh(&first.refresh_token).await;
        app.clock.advance_millis(10_001);
        app.refresh(&first.refresh_token).await
            .expect_user_errors("refreshToken", &[("INVALID_REFRESH_TOKEN", "input.refreshToken")]);
        app.expect_unauthenticated(second.text("refreshToken.token")).await;
        app.refresh(second.text("refreshToken.refreshToken")).await
            .expect_user_errors("refreshToken", &[("INVALID_REFRESH_TOKEN", "input.refreshToken")]);
        assert_eq!(app.audited("session.reuse_detected").await, 1);
    }

    async fn a_token_that_comes_again_after_its_successor_was_used_ends_the_whole_family(app: SmallCatalog) {
        let partner = app.partner().await;
        let other_session = app.sign_in(&partner.account).await.session;
        let first = partner.session;
        let second = app.refresh(&first.refresh_token).await.text("refreshToken.refreshToken").to_owned();
        let third = app.refresh(&second).await;
        app.refresh(&first.refresh_token).await
            .expect_user_errors("refreshToken", &[("INVALID_REFRESH_TOKEN", "input.refreshToken")]);
        app.expect_unauthenticated(third.text("refreshToken.token")).await;
        app.refresh(third.text("refreshToken.refreshToken")).await
            .expect_user_errors("refreshToken", &[("INVALID_REFRESH_TOKEN", "input.refreshToken")]);
        // Another session of the same credential goes on.
        app.viewer(&other_session.token).await.data();
    }

    async fn ten_refreshes_at_once_give_one_successor(app: SmallCatalog) {
        let session = app.partner().await.session;
        let answers = join_all((0..10).map(|_| app.refresh(&session.refresh_token))).await;
        let mut given: Vec<&str> =
            answers.iter().map(|answer| answer.text("refreshToken.refreshToken")).collect();
        given.dedup();
        assert_eq!(given.len(), 1, "{given:?}");
        assert_eq!(app.database.number("SELECT count(*) FROM refresh_tokens").await, 2);
        app.refresh(given[0]).await.payload("refreshToken");
    }

    async fn a_refresh_token_ends_after_seven_days_and_is_swept_away(app: SmallCatalog) {
        let session = app.partner().await.session;
        app.advance_secs(604_800);
        app.refresh(&session.refresh_token).await
            .expect_user_errors("refreshToken", &[("INVALID_REFRESH_TOKEN", "input.refreshToken")]);
        app.refresh("ocr_of_nobody").await
            .expect_user_errors("refreshToken", &[("INVALID_REFRESH_TOKEN", "input.refreshToken")]);
        app.advance_secs(7_200);
        identity::sweep(&app.system()).await.unwrap();
        assert_eq!(app.database.number("SELECT count(*) FROM refresh_tokens").await, 0);
        assert_eq!(app.database.number("SELECT count(*) FROM login_throttles").await, 0);
    }

    /// The token that renews a session is nowhere but in its hash, as soon as a lost reply can no longer be repeated.
    async fn the_sealed_copy_of_a_successor_is_forgotten_after_ten_seconds(app: SmallCatalog) {
        const SEALED: &str = "SELECT count(*) FROM refresh_tokens WHERE successor_sealed IS NOT NULL";
        let session = app.partner().await.session;
        let second = app.refresh(&session.refresh_token).await.text("refreshToken.refreshToken").to_owned();
        app.advance_secs(10);
        assert_eq!(identity::forget_successors(&app.deps).await.unwrap(), 0);
        assert_eq!(app.database.number(SEALED).await, 1);
        app.clock.advance_millis(1);
        // Nobody calls it here: the server does, every few seconds.
        poll::until_true("the copy is forgotten", async || app.database.number(SEALED).await == 0).await;
        app.refresh(&second).await.payload("refreshToken");
    }

    async fn sessions_that_ended_thirty_days_ago_go_with_their_tokens(app: SmallCatalog) {
        let partner = app.partner().await;
        // More than one step takes, each with a token of its own.
        let now = app.now().micros();
        app.database.execute(&format!("INSERT INTO sessions (id, partner_id, credential_id, scopes, created_at, expires_at)
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)
            SELECT 'ses_old_' || i, s.partner_id, s.credential_id, '', 0, {now} FROM n, sessions s")).await;
        let bytes = if app.database.dialect() == Dialect::Sqlite { "BLOB" } else { "BYTEA" };
        app.database.execute(&format!("INSERT INTO refresh_tokens (hash, session_id, issued_at, expires_at)
            SELECT CAST(id AS {bytes}), id, 0, 9000000000000000 FROM sessions WHERE expires_at = {now}")).await;
        // 7 days to its own end, and 30 more.
        app.advance_secs(37 * 86_400);
        let swept = identity::sweep(&app.system()).await.unwrap();
        assert_eq!((swept.sessions, swept.refresh_tokens), (1_002, 1));
        assert_eq!(app.database.number("SELECT count(*) FROM sessions").await, 0);
        assert_eq!(app.database.number("SELECT count(*) FROM refresh_tokens").await, 0);
        app.sign_in(&partner.account).await;
        app.advance_secs(37 * 86_400 - 1);
        assert_eq!(identity::sweep(&app.system()).await.unwrap().sessions, 0);
        assert_eq!(app.database.number("SELECT count(*) FROM sessions").await, 1);
    }

    async fn logout_ends_this_session_and_no_other(app: SmallCatalog) {
        let partner = app.partner().await;
        let other = app.sign_in(&partner.account).await.session;
        let answer = partner.graphql(LOGOUT, Value::Null).await;
        assert_eq!(answer.payload("logout")["loggedOut"], true);
        app.expect_unauthenticated(&partner.session.token).await;
        app.refresh(&partner.session.refresh_token).await
            .expect_user_errors("refreshToken", &[("INVALID_REFRESH_TOKEN", "input.refreshToken")]);
        app.viewer(&other.token).await.data();
        app.refresh(&other.refresh_token).await.payload("refreshToken");
        assert_eq!(app.audited("session.ended").await, 1);
    }

    async fn a_session_that_another_server_ended_is_refused_within_five_seconds(app: SmallCatalog) {
        let partner = app.partner().await;
        app.viewer(&partner.session.token).await.data();
        app.database.execute("UPDATE sessions SET revoked_at = 1, revoked_reason = 'elsewhere'").await;
        app.clock.advance_millis(5_000);
        app.expect_unauthenticated(&partner.session.token).await;
    }

    async fn orders_and_account_changes_do_not_wait_five_seconds(app: SmallCatalog) {
        let partner = app.partner().await;
        let open = json!({ "productId": YEN_1000, "quantity": 52, "reference": "open", "currency": "JPY", "waitMs": 0 });
        let open = order(&partner, open).await;
        let open = open.text("createOrder.order.id");
        app.database.execute("UPDATE sessions SET revoked_at = 1, revoked_reason = 'elsewhere'").await;
        // What only reads may still believe the session that it saw just now.
        app.viewer(&partner.session.token).await.data();
        for (document, input, field) in [
            ("mutation M($input: CreateOrderInput!) { createOrder(input: $input) { replayed } }",
                json!({ "productId": STEAM_50, "quantity": 1, "reference": "r1" }), "createOrder"),
            ("mutation M($input: CancelOrderInput!) { cancelOrder(input: $input) { order { status } } }",
                json!({ "reference": "open" }), "cancelOrder"),
            ("mutation M($input: CreateApiCredentialInput!) { createApiCredential(input: $input) { password } }",
                json!({ "name": "x" }), "createApiCredential"),
        ] {
            let answer = partner.graphql(document, json!({ "input": input })).await;
            answer.expect_errors(&[("UNAUTHENTICATED", field)]);
        }
        let cancelled = partner.rest(Method::POST, &format!("/api/v1/orders/{open}/cancel"), &Value::Null).await;
        cancelled.expect_problem(401, "UNAUTHENTICATED");
        assert_eq!(app.database.number("SELECT count(*) FROM orders WHERE reference = 'r1'").await, 0);
        let untouched = "SELECT count(*) FROM orders WHERE status = 'PROCESSING' AND refunded_quantity = 0
            AND cancel_requested_at IS NULL";
        assert_eq!(app.database.number(untouched).await, 1);
        assert_eq!(app.database.number("SELECT count(*) FROM api_credentials WHERE name = 'x'").await, 0);
    }

    async fn a_suspended_partner_is_out_at_once_and_signs_in_anew_when_resumed(app: SmallCatalog) {
        let partner = app.partner().await;
        let other = app.other_partner().await;
        let id = partner.account.id.parse().unwrap();
        identity::suspend_partner(&app.system(), id).await.unwrap();
        app.expect_unauthenticated(&partner.session.token).await;
        app.viewer(&other.session.token).await.data();
        identity::resume_partner(&app.system(), id).await.unwrap();
        app.expect_unauthenticated(&partner.session.token).await;
        app.viewer(&app.partner().await.session.token).await.data();
    }
}
