//! Messages that Reloadly sends of its own accord.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use octopus_cards::domain::fulfillment::{BadHint, Hint, HintedPurchase};
use sha2::Sha256;

use super::super::stage::{Account, Stage};
use super::{ReloadlyStage, WEBHOOK_SECRET};

/// 2026-11-24T12:00:00Z, the replica's present.
const NOW: i64 = 1_795_521_600;

/// The headers under which a body is sent.
pub fn signed(secret: &str, sent: &str, body: &str) -> BTreeMap<String, String> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{body}:{sent}").as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    BTreeMap::from([
        ("x-reloadly-signature".to_owned(), signature),
        ("x-reloadly-request-timestamp".to_owned(), sent.to_owned()),
    ])
}

const BODY: &str = r#"{"type":"giftcard_transaction.status","data":{"customIdentifier":"h-1","transactionId":79965,"status":"SUCCESSFUL"}}"#;

#[tokio::test]
async fn the_signature_is_the_documented_one() {
    let stage = ReloadlyStage::open().await;
    // Made with another program: printf '%s' "$BODY:1795521600" | openssl dgst -sha256 -hmac "$SECRET"
    let signature = "e4ce5d2cb3272939a3dfc14bc63f210589eb3c577f3795af05fc8f560ba37ae2";
    let headers = BTreeMap::from([
        ("x-reloadly-signature".to_owned(), signature.to_owned()),
        ("x-reloadly-request-timestamp".to_owned(), NOW.to_string()),
    ]);
    let hint = Hint { headers: &headers, body: BODY.as_bytes() };
    let read = stage.good().read_hint(&hint, stage.now());
    assert_eq!(read, Ok(HintedPurchase::OurRef("h-1".to_owned())));
}

#[tokio::test]
async fn only_the_reference_is_taken_wherever_it_stands() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    assert_eq!(stage.now().seconds(), NOW);
    let ours = |text: &str| Ok(HintedPurchase::OurRef(text.to_owned()));
    let theirs = |text: &str| Ok(HintedPurchase::VendorRef(text.to_owned()));
    for (body, expected) in [
        (BODY, ours("h-1")),
        (r#"{"event":"giftcard_transaction.status","transaction":{"customIdentifier":"h-2"}}"#, ours("h-2")),
        (r#"{"customIdentifier":"h-3","status":"FAILED","transactionId":1}"#, ours("h-3")),
        (r#"{"type":"x","data":{"transaction":{"customIdentifier":"h-4"}}}"#, ours("h-4")),
        (r#"{"event":{"data":{"customIdentifier":"h-5"}}}"#, ours("h-5")),
        (r#"{"data":{"transactionId":79965}}"#, theirs("79965")),
        (r#"{"data":{"transactionId":"79965","customIdentifier":null}}"#, theirs("79965")),
        // The reference counts before the number, at whatever depth.
        (r#"{"transactionId":1,"data":{"customIdentifier":"h-6"}}"#, ours("h-6")),
        (r#"{"transactionId":1,"data":{"customIdentifier":""}}"#, theirs("1")),
        (r#"{"data":{"transactionId":"1/../2"}}"#, Err(BadHint::Unreadable)),
        (r#"{"data":{"data":{"data":{"data":{"customIdentifier":"deep"}}}}}"#, Err(BadHint::Unreadable)),
        (r#"{"data":[]}"#, Err(BadHint::Unreadable)),
        ("[]", Err(BadHint::Unreadable)),
        ("h-1", Err(BadHint::Unreadable)),
        ("", Err(BadHint::Unreadable)),
    ] {
        let headers = signed(WEBHOOK_SECRET, &NOW.to_string(), body);
        let read = vendor.read_hint(&Hint { headers: &headers, body: body.as_bytes() }, stage.now());
        assert_eq!(read, expected, "{body}");
    }
}

#[tokio::test]
async fn a_message_of_somebody_else_or_of_long_ago_is_not_taken() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let read = |headers: &BTreeMap<String, String>, body: &str| {
        vendor.read_hint(&Hint { headers, body: body.as_bytes() }, stage.now()).err()
    };
    for (sent, expected) in [
        (NOW.to_string(), None),
        ((NOW - 300).to_string(), None),
        ((NOW + 300).to_string(), None),
        ((NOW - 301).to_string(), Some(BadHint::NotSigned)),
        ((NOW + 301).to_string(), Some(BadHint::NotSigned)),
        ((NOW * 1_000 - 299_000).to_string(), None),
        ((NOW * 1_000 - 301_000).to_string(), Some(BadHint::NotSigned)),
        ("yesterday".to_owned(), Some(BadHint::NotSigned)),
        (String::new(), Some(BadHint::NotSigned)),
    ] {
        assert_eq!(read(&signed(WEBHOOK_SECRET, &sent, BODY), BODY), expected, "{sent}");
    }
    let good = signed(WEBHOOK_SECRET, &NOW.to_string(), BODY);
    assert_eq!(
        read(&signed("client-secret-of-octopus", &NOW.to_string(), BODY), BODY),
        Some(BadHint::NotSigned)
    );
    assert_eq!(read(&good, &BODY.replace("h-1", "h-2")), Some(BadHint::NotSigned));
    for (name, value) in [
        ("x-reloadly-request-timestamp", (NOW - 1).to_string()),
        ("x-reloadly-signature", good["x-reloadly-signature"][..62].to_owned()),
        ("x-reloadly-signature", good["x-reloadly-signature"][..63].to_owned()),
        ("x-reloadly-signature", "g".repeat(64)),
        ("x-reloadly-signature", String::new()),
    ] {
        let mut changed = good.clone();
        changed.insert(name.to_owned(), value.clone());
        assert_eq!(read(&changed, BODY), Some(BadHint::NotSigned), "{name} {value}");
    }
    for name in ["x-reloadly-signature", "x-reloadly-request-timestamp"] {
        let mut less = good.clone();
        less.remove(name);
        assert_eq!(read(&less, BODY), Some(BadHint::NotSigned), "without {name}");
    }
    let mut capitals = good.clone();
    capitals.insert("x-reloadly-signature".to_owned(), good["x-reloadly-signature"].to_uppercase());
    assert_eq!(read(&capitals, BODY), None);
}

#[tokio::test]
async fn without_its_secret_no_message_is_taken() {
    let stage = ReloadlyStage::open().await;
    let mut account = stage.account(Account::Good);
    account.credentials.remove("webhook_secret");
    let vendor = stage.open_with(account).unwrap();
    let headers = signed("", &NOW.to_string(), BODY);
    let read = vendor.read_hint(&Hint { headers: &headers, body: BODY.as_bytes() }, stage.now());
    assert_eq!(read, Err(BadHint::Unsupported));
}
