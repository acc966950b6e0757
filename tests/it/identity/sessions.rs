//! Sessions: how they are renewed, and how they end.

use futures_util::future::join_all;
use octopus_cards::domain::identity;
use serde_json::{Value, json};

use super::LOGOUT;
use crate::support::catalog::STEAM_50;

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
        identity::sweep(&app.system()).await.unwrap();
        assert_eq!(app.database.number("SELECT count(*) FROM refresh_tokens").await, 0);
        assert_eq!(app.database.number("SELECT count(*) FROM login_throttles").await, 0);
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
        app.viewer(&partner.session.token).await.data();
        app.database.execute("UPDATE sessions SET revoked_at = 1, revoked_reason = 'elsewhere'").await;
        // What only reads may still believe the session that it saw just now.
        app.viewer(&partner.session.token).await.data();
        for (document, input, field) in [
            ("mutation M($input: CreateOrderInput!) { createOrder(input: $input) { replayed } }",
                json!({ "productId": STEAM_50, "quantity": 1, "reference": "r1" }), "createOrder"),
            ("mutation M($input: CreateApiCredentialInput!) { createApiCredential(input: $input) { password } }",
                json!({ "name": "x" }), "createApiCredential"),
        ] {
            let answer = partner.graphql(document, json!({ "input": input })).await;
            answer.expect_errors(&[("UNAUTHENTICATED", field)]);
        }
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 0);
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
