//! The token that Reloadly is called with.

use octopus_cards::domain::fulfillment::{RefusalKind, Sighting};

use super::super::contract::{delivered, refused};
use super::super::reloadly_replica::Canned;
use super::super::stage::{Account, Stage};
use super::ReloadlyStage;

const JSON: &str = "application/json";

#[tokio::test]
async fn one_token_serves_until_five_minutes_before_its_end() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let request = stage.request("t-1", 1);
    for (secs, given) in [(0, 1), (0, 1), (3_299, 1), (1, 2), (3_299, 2), (1, 3)] {
        stage.advance_secs(secs);
        assert!(matches!(vendor.find(&request).await, Sighting::NotFound));
        assert_eq!(stage.replica.tokens_given(), given, "after {secs} seconds");
    }
    let asked = stage.replica.seen("POST /oauth/token").remove(0);
    assert_eq!(
        asked.body,
        format!(
            r#"{{"client_id":"client-id-of-octopus","client_secret":"client-secret-of-octopus","grant_type":"client_credentials","audience":"{}"}}"#,
            stage.replica.address
        )
    );
}

#[tokio::test]
async fn a_short_token_serves_for_three_quarters_of_its_life() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let body = r#"{"access_token":"token-0","scope":"developer","expires_in":"100","token_type":"Bearer"}"#;
    stage.replica.answer_once(Canned("POST /oauth/token", 200, JSON, body.to_owned()));
    stage.replica.answer_once(Canned(
        "GET /accounts",
        200,
        JSON,
        r#"{"balance":1,"currencyCode":"USD"}"#.to_owned(),
    ));
    stage.replica.answer_once(Canned(
        "GET /accounts",
        200,
        JSON,
        r#"{"balance":1,"currencyCode":"USD"}"#.to_owned(),
    ));
    for (secs, given) in [(0, 0), (74, 0), (1, 1)] {
        stage.advance_secs(secs);
        vendor.balance().await.unwrap();
        assert_eq!(stage.replica.tokens_given(), given, "after {secs} seconds");
    }
}

#[tokio::test]
async fn callers_without_a_token_share_one_request_for_it() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let request = stage.request("t-1", 1);
    let five = || futures_util::future::join_all((0..5).map(|_| vendor.find(&request)));
    assert!(five().await.iter().all(|sighting| matches!(sighting, Sighting::NotFound)));
    assert_eq!(stage.replica.tokens_given(), 1);
    stage.replica.revoke_tokens();
    assert!(five().await.iter().all(|sighting| matches!(sighting, Sighting::NotFound)));
    assert_eq!(stage.replica.tokens_given(), 2);
}

#[tokio::test]
async fn an_order_that_was_turned_away_is_sent_once_more_with_another_token() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    vendor.balance().await.unwrap();
    stage.replica.revoke_tokens();
    delivered(vendor.purchase(&stage.request("t-1", 1)).await);
    assert_eq!(stage.replica.tokens_given(), 2);
    let sent: Vec<String> = stage.replica.seen("POST /orders").into_iter().map(|seen| seen.body).collect();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
    assert_eq!(stage.booked().await, ["t-1"]);
}

#[tokio::test]
async fn an_order_that_is_turned_away_twice_is_refused() {
    let stage = ReloadlyStage::open().await;
    for _ in 0..2 {
        let body = r#"{"message":"no","errorCode":"INVALID_TOKEN"}"#.to_owned();
        stage.replica.answer_once(Canned("POST /orders", 401, JSON, body));
    }
    let refusal = refused(stage.good().purchase(&stage.request("t-1", 1)).await);
    assert_eq!(refusal.kind, RefusalKind::NotAuthorized);
    assert_eq!((stage.replica.tokens_given(), stage.replica.seen("POST /orders").len()), (2, 2));
    assert_eq!(stage.booked().await, [""; 0]);
}

#[tokio::test]
async fn without_a_token_nothing_was_sent() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    for (status, body, kind, words) in [
        (
            401,
            r#"{"message":"Access Denied","errorCode":"INVALID_CREDENTIALS"}"#,
            RefusalKind::NotAuthorized,
            "INVALID_CREDENTIALS: Access Denied",
        ),
        (
            400,
            r#"{"message":"Access Denied","errorCode":"INVALID_AUDIENCE"}"#,
            RefusalKind::NotAuthorized,
            "INVALID_AUDIENCE: Access Denied",
        ),
        (
            403,
            r#"{"error":"access_denied","error_description":"Unauthorized"}"#,
            RefusalKind::NotAuthorized,
            "Unauthorized",
        ),
        (429, "", RefusalKind::TooMany, "HTTP 429"),
        (500, "{}", RefusalKind::Unreachable, "HTTP 500"),
        (408, "{}", RefusalKind::Unreachable, "HTTP 408"),
        (200, "{}", RefusalKind::Unreachable, "the answer has none in it"),
        (200, r#"{"access_token":""}"#, RefusalKind::Unreachable, "the answer has none in it"),
        (200, "<html>", RefusalKind::Unreachable, "the answer has none in it"),
    ] {
        stage.replica.answer_once(Canned("POST /oauth/token", status, JSON, body.to_owned()));
        let refusal = refused(vendor.purchase(&stage.request("t-1", 1)).await);
        assert_eq!((refusal.kind, refusal.message), (kind, format!("no token was given: {words}")), "{body}");
    }
    assert_eq!(stage.replica.seen("POST /orders").len(), 0);
}

#[tokio::test]
async fn a_token_is_for_one_audience() {
    let stage = ReloadlyStage::open().await;
    let mut account = stage.account(Account::Good);
    account.options.insert("audience".to_owned(), "https://giftcards.reloadly.com".to_owned());
    let refusal = refused(stage.open_with(account).unwrap().purchase(&stage.request("t-1", 1)).await);
    assert_eq!(refusal.message, "no token was given: INVALID_AUDIENCE: Access Denied");
}
