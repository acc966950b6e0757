//! How often one may try to sign in and to refresh, and that whoever tries too often is in nobody's way.

use futures_util::future::join_all;
use octopus_cards::domain::identity;
use reqwest::Method;
use serde_json::json;

/// What no writer of identity gets past.
const TABLES: &str = "login_throttles, refresh_tokens, sessions, audit_log";

both_databases! {
    /// On SQLite there is one writer, and the desks of orders need it.
    async fn whoever_is_over_a_limit_is_refused_while_nobody_can_write(app: SmallCatalog) {
        let account = app.database.seed.partners[0].clone();
        join_all((0..30).map(|_| app.try_login(&account.username, "ocs_wrong"))).await;
        join_all((0..30).map(|_| app.refresh("ocr_rubbish"))).await;
        let held = app.database.hold(TABLES).await;
        let refused = app.try_login(&account.username, &account.password).await;
        let errors = refused.expect_errors(&[("RATE_LIMITED", "login")]);
        assert_eq!(errors[0]["extensions"]["retryAfterMs"], 2_000);
        let refused = app.refresh("ocr_rubbish").await;
        let errors = refused.expect_errors(&[("RATE_LIMITED", "refreshToken")]);
        assert_eq!(errors[0]["extensions"]["retryAfterMs"], 2_000);
        held.release().await;
        app.advance_secs(2);
        app.try_login(&account.username, &account.password).await.payload("login");
        app.refresh("ocr_rubbish").await
            .expect_user_errors("refreshToken", &[("INVALID_REFRESH_TOKEN", "input.refreshToken")]);
    }

    async fn refreshes_are_counted_for_the_address_apart_from_its_sign_ins(app: SmallCatalog) {
        let partner = app.partner().await;
        for _ in 0..29 {
            app.refresh("ocr_rubbish").await
                .expect_user_errors("refreshToken", &[("INVALID_REFRESH_TOKEN", "input.refreshToken")]);
        }
        // A good token counts like any other, and passes as the thirtieth.
        let second = app.refresh(&partner.session.refresh_token).await.text("refreshToken.refreshToken").to_owned();
        app.refresh(&second).await.expect_errors(&[("RATE_LIMITED", "refreshToken")]);
        let body = json!({ "refresh_token": second });
        let limited = app.client.rest(Method::POST, "/auth/refresh", "", &body).await;
        limited.expect_problem(429, "RATE_LIMITED");
        assert_eq!((&limited.body["retry_after_ms"], limited.header("retry-after")), (&json!(2_000), "2"));
        // Refused, it was not used up; signing in is another matter.
        assert_eq!(app.database.number("SELECT count(*) FROM refresh_tokens WHERE used_at IS NOT NULL").await, 1);
        app.sign_in(&partner.account).await;
        app.advance_secs(2);
        app.refresh(&second).await.payload("refreshToken");
    }

    /// Servers share the counts: one that is ahead must not let in more, nor forget what the others count, and one that is
    /// behind must not keep everybody out.
    async fn a_server_whose_clock_is_wrong_counts_by_that_of_the_database(app: SmallCatalog) {
        let account = app.database.seed.partners[0].clone();
        join_all((0..30).map(|_| app.try_login(&account.username, "ocs_wrong"))).await;
        for wrong_by_millis in [59_000, 14_400_000, -59_000, -14_400_000] {
            app.clock.put_ahead_millis(wrong_by_millis);
            assert_eq!(identity::sweep(&app.system()).await.unwrap().throttles, 0);
            let refused = app.try_login(&account.username, &account.password).await;
            let errors = refused.expect_errors(&[("RATE_LIMITED", "login")]);
            assert_eq!(errors[0]["extensions"]["retryAfterMs"], 2_000, "wrong by {wrong_by_millis} ms");
        }
        app.advance_secs(2);
        app.try_login(&account.username, &account.password).await.payload("login");
    }
}
