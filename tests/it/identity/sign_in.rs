//! Signing in: who may, what the refused learn, and how often one may try.

use std::net::IpAddr;

use futures_util::future::join_all;
use octopus_cards::ctx::{Actor, Ctx};
use octopus_cards::domain::identity::{self, CreateAdmin, IdentityRefusal, Login, Secret};
use octopus_cards::problem::{ErrorCode, Failure};
use serde_json::{Value, json};

use crate::support::app::TestApp;

both_databases! {
    async fn a_partner_signs_in_and_sees_itself(app: SmallCatalog) {
        let account = app.database.seed.partners[0].clone();
        let answer = app.try_login(&account.username, &account.password).await;
        answer.payload("login");
        assert_eq!(answer.number("login.expiresIn"), 3_600);
        assert_eq!(answer.at("login.secondFactor"), &Value::Null);
        // The header of every token, as the documentation shows it.
        assert!(answer.text("login.token").starts_with("eyJhbGciOiJIUzI1NiIs"), "{answer:#?}");
        assert!(answer.text("login.refreshToken").starts_with("ocr_"), "{answer:#?}");

        let viewer = app.viewer(answer.text("login.token")).await;
        assert_eq!(viewer.text("viewer.partner.id"), account.id);
        assert_eq!(viewer.text("viewer.partner.defaultCurrency"), "USD");
        assert_eq!(viewer.text("viewer.credential.username"), account.username);
        assert_eq!(viewer.text("viewer.credential.lastUsedAt"), "2026-11-22T12:00:00.000000Z");
        assert_eq!(viewer.text("viewer.sessionExpiresAt"), "2026-11-29T12:00:00.000000Z");
        assert_eq!(viewer.at("viewer.admin"), &Value::Null);
        assert_eq!(viewer.list("viewer.scopes").len(), 8);
        assert_eq!(app.audited("session.opened").await, 1);
    }

    async fn every_reason_to_refuse_reads_the_same_and_compares_one_hash(app: SmallCatalog) {
        let [wrong, revoked] = app.database.seed.partners.clone().try_into().expect("there are two");
        let suspended = app.new_partner("Suspended", "USD").await.account;
        identity::suspend_partner(&app.system(), suspended.id.parse().unwrap()).await.unwrap();
        app.database.execute("UPDATE api_credentials SET revoked_at = 1 WHERE name <> ''
            AND partner_id = (SELECT id FROM partners WHERE name = 'Boreal Shop')").await;
        let before = app.password_checks();
        let mut bodies = Vec::new();
        for (username, password) in [
            (wrong.username.as_str(), "ocs_wrong"),
            ("oc_nobody", "ocs_wrong"),
            ("nobody", "ocs_wrong"),
            ("", ""),
            ("nul\0", "\0"),
            (&revoked.username, &revoked.password),
            (&suspended.username, &suspended.password),
        ] {
            let answer = app.try_login(username, password).await;
            answer.expect_user_errors("login", &[("INVALID_CREDENTIALS", "")]);
            assert_eq!(answer.at("login.token"), &Value::Null);
            assert_eq!(answer.at("login.refreshToken"), &Value::Null);
            bodies.push(answer.body["data"].clone());
        }
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:#?}");
        assert_eq!(app.password_checks() - before, 7);
        assert_eq!(app.audited("session.refused").await, 7);
        // Whoever types its secret as its name finds it nowhere afterwards.
        assert_eq!(app.database.number("SELECT count(*) FROM audit_log WHERE subject LIKE '%nobody%'").await, 0);
    }

    async fn of_forty_attempts_at_once_thirty_are_judged(app: SmallCatalog) {
        let account = app.database.seed.partners[0].clone();
        let attempts = join_all((0..40).map(|_| app.try_login(&account.username, "ocs_wrong"))).await;
        let limited = attempts.iter().filter(|answer| answer.body.get("errors").is_some());
        assert_eq!(limited.count(), 10);
        assert_eq!(app.password_checks(), 30);

        // Now even the right secret has to wait, and is told how long.
        let answer = app.try_login(&account.username, &account.password).await;
        let errors = answer.expect_errors(&[("RATE_LIMITED", "login")]);
        assert_eq!(errors[0]["extensions"]["retryAfterMs"], 2_000);
        assert_eq!(app.password_checks(), 30);
        app.advance_secs(2);
        app.try_login(&account.username, &account.password).await.payload("login");
    }

    async fn an_account_and_an_address_are_counted_each_for_itself(app: SmallCatalog) {
        let account = app.database.seed.partners[0].clone();
        // One account from many addresses: the account's count ends it.
        for host in 0..30 {
            assert_refused(attempt(&app, &account.username, &format!("192.0.2.{host}")).await);
        }
        assert_limited(attempt(&app, &account.username, "192.0.2.99").await);
        // The refused attempt was not counted for its address.
        assert_refused(attempt(&app, "oc_another", "192.0.2.99").await);
        // Many accounts from one network: the address's count ends it.
        for host in 0..30 {
            assert_refused(attempt(&app, &format!("oc_{host}"), &format!("2001:db8::{host}")).await);
        }
        assert_limited(attempt(&app, "oc_last", "2001:db8::ffff").await);
        assert_refused(attempt(&app, "oc_last", "2001:db8:0:1::1").await);
    }

    async fn a_count_from_a_clock_that_was_wrong_locks_nobody_out(app: SmallCatalog) {
        let account = app.database.seed.partners[0].clone();
        app.try_login(&account.username, "ocs_wrong").await;
        app.database.execute("UPDATE login_throttles SET theoretical_arrival_at =
            theoretical_arrival_at + 86400000000").await;
        app.try_login(&account.username, &account.password).await.payload("login");
    }

    async fn an_admin_with_a_password_alone_sees_who_it_is_and_no_more(app: SmallCatalog) {
        let command = CreateAdmin { username: "ada".to_owned(), password: None };
        let made = identity::create_admin(&app.system(), command).await.unwrap();
        let session = app.client.login("ada", made.password.expose()).await;
        let answer = app.viewer(&session.token).await;
        assert_eq!(answer.text("viewer.admin.username"), "ada");
        assert_eq!(answer.at("viewer.partner"), &Value::Null);
        assert_eq!(answer.at("viewer.scopes"), &json!([]));

        // One field that fails does not take the other with it.
        let both = "{ viewer { admin { id } } admin { account { id } } apiCredentials { totalCount } }";
        let answer = app.client.graphql(&session.token, both, Value::Null).await;
        answer.expect_errors(&[("FORBIDDEN", "admin"), ("FORBIDDEN", "apiCredentials")]);
        assert_eq!(answer.body_at("data.viewer.admin.id"), &json!(made.admin.id.to_string()));
        assert_eq!(answer.body_at("data.admin"), &Value::Null);

        let again = CreateAdmin { username: "ada".to_owned(), password: None };
        let refused = identity::create_admin(&app.system(), again).await;
        assert!(matches!(refused, Err(Failure::Refused(IdentityRefusal::NameTaken))), "{refused:?}");
    }

    async fn a_caller_without_a_token_reaches_sign_in_alone(app: SmallCatalog) {
        let answer = app.client.graphql("", "{ viewer { scopes } }", Value::Null).await;
        let code = &answer.body["errors"][0]["extensions"]["code"];
        assert_eq!(code, "UNAUTHENTICATED", "{answer:#?}");
        app.client.graphql("", "{ __typename }", Value::Null).await.data();
    }
}

async fn attempt(
    app: &TestApp,
    username: &str,
    address: &str,
) -> Result<identity::Tokens, Failure<IdentityRefusal>> {
    let address: IpAddr = address.parse().expect("an address");
    let ctx = Ctx::new(app.deps.clone(), Actor::Anonymous, Some(address));
    identity::login(&ctx, Login { username: username.to_owned(), password: Secret::new("ocs_wrong") }).await
}

#[track_caller]
fn assert_refused(result: Result<identity::Tokens, Failure<IdentityRefusal>>) {
    assert!(matches!(result, Err(Failure::Refused(IdentityRefusal::InvalidCredentials))), "{result:?}");
}

#[track_caller]
fn assert_limited(result: Result<identity::Tokens, Failure<IdentityRefusal>>) {
    let limited = matches!(&result, Err(Failure::Problem(problem)) if problem.code == ErrorCode::RateLimited);
    assert!(limited, "{result:?}");
}
