//! Orders at Reloadly: what is sent, what it costs, and what each answer means.

use std::sync::Arc;

use entity::money::Money;
use entity::state::RecipientKind;
use octopus_cards::domain::fulfillment::{Goods, Outcome, Recipient, RefusalKind, Secret, Sighting, Vendor};
use tokio::sync::Barrier;

use super::super::contract::{delivered, refused, sighted};
use super::super::reloadly_replica::{
    ANY_AMOUNT, APP_STORE_FR, Canned, DONG, FREE_FIRE, MASTERCARD, XBOX_US, shown,
};
use super::super::stage::{Account, Stage};
use super::{ReloadlyStage, dollars, texts};

const JSON: &str = "application/json";
const V1: &str = "application/com.reloadly.giftcards-v1+json";
const V2: &str = "application/com.reloadly.giftcards-v2+json";

#[tokio::test]
async fn an_order_is_sent_as_it_is_documented_and_its_codes_are_read_in_version_2() {
    let stage = ReloadlyStage::open().await;
    let request = stage.order("o-1", &XBOX_US, "5.00", 2);
    let delivery = delivered(stage.good().purchase(&request).await);
    let sent = stage.replica.seen("POST /orders");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].accept, V1);
    assert_eq!(
        sent[0].body,
        r#"{"productId":13948,"quantity":2,"unitPrice":5.00,"customIdentifier":"o-1","senderName":"Octopus Cards"}"#
    );
    let codes = stage.replica.seen("GET /orders/transactions/79965/cards");
    assert_eq!(codes.iter().map(|seen| seen.accept.as_str()).collect::<Vec<_>>(), [V2]);
    assert_eq!(delivery.vendor_ref, "79965");
    assert_eq!(texts(&delivery), ["CODE-79965-0|0||", "CODE-79965-1|1||"]);
    assert_eq!(delivery.cost, Some(dollars("11.5")));
    for goods in &delivery.goods {
        let Goods::Code { face, expires_at, .. } = goods else { panic!("{goods:?}") };
        assert_eq!((*face, *expires_at), (Some(request.face), None));
    }
}

#[tokio::test]
async fn the_sender_is_named_as_the_operator_wants() {
    let stage = ReloadlyStage::open().await;
    let mut account = stage.account(Account::Good);
    account.options.insert("sender_name".to_owned(), "Shop \"9\"".to_owned());
    delivered(stage.open_with(account).unwrap().purchase(&stage.request("o-1", 1)).await);
    let sent = stage.replica.seen("POST /orders").remove(0).body;
    assert!(sent.ends_with(r#""senderName":"Shop \"9\""}"#), "{sent}");
}

#[tokio::test]
async fn what_was_taken_is_told_to_the_digits_that_are_shown() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    for (number, (product, face, quantity, taken, moved)) in [
        (&XBOX_US, "5.00", 1, "5.75", "5.750000"),
        (&XBOX_US, "10.00", 2, "21", "21.000000"),
        (&APP_STORE_FR, "5.00", 1, "6.88388", "6.883882"),
        (&APP_STORE_FR, "25.00", 1, "30.41941", "30.419410"),
        (&ANY_AMOUNT, "1.21", 3, "6.5574", "6.557400"),
        (&DONG, "500000", 1, "19.05", "19.050000"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = stage.order(&format!("o-{number}"), product, face, quantity);
        let delivery = delivered(vendor.purchase(&request).await);
        assert_eq!(delivery.cost, Some(dollars(taken)), "{} {face}", product.name);
        stage.replica.change_last(|booked| assert_eq!(shown(&booked.cost, 6), moved));
    }
}

#[tokio::test]
async fn what_was_taken_is_told_to_the_sixth_digit_where_the_balances_are() {
    let stage = ReloadlyStage::open().await;
    stage.replica.books.lock().unwrap().balance_digits = 6;
    let delivery = delivered(stage.good().purchase(&stage.order("o-1", &APP_STORE_FR, "5.00", 1)).await);
    assert_eq!(delivery.cost, Some(dollars("6.883882")));
}

#[tokio::test]
async fn what_can_never_be_bought_is_not_sent() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let mut requests = vec![
        stage.order("n-0", &XBOX_US, "5.00", 11),
        stage.order("n-1", &XBOX_US, "5.00", 0),
        stage.order("n-2", &XBOX_US, "0.00", 1),
        stage.order("n-3", &FREE_FIRE, "2.00", 1),
    ];
    requests[3].recipient =
        Some(Recipient { kind: RecipientKind::PlayerId, value: Secret::new("player-7".to_owned()) });
    for sku in ["", "xbox", "013948", "+13948", "13948/../5", "-1"] {
        let mut request = stage.request("n-4", 1);
        sku.clone_into(&mut request.vendor_sku);
        requests.push(request);
    }
    for request in requests {
        let refusal = refused(vendor.purchase(&request).await);
        assert_eq!(refusal.kind, RefusalKind::NotSold, "{request:?}");
    }
    assert!(stage.replica.seen.lock().unwrap().is_empty());
}

fn error(code: &str, message: &str) -> String {
    format!(
        r#"{{"timeStamp":"t","message":"{message}","path":"/orders","errorCode":{code},"infoLink":null,"details":[]}}"#
    )
}

#[tokio::test]
async fn refusals_are_what_reloadly_itself_refuses_with_a_4xx() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let spring = r#"{"timestamp":"t","status":404,"error":"Not Found","path":"/orders"}"#.to_owned();
    for (status, body, kind) in [
        (400, error(r#""INSUFFICIENT_BALANCE""#, "Insufficient funds"), RefusalKind::NoFunds),
        (400, error("null", "Insufficient funds in the wallet to complete this"), RefusalKind::NoFunds),
        (400, error(r#""WRONG_PRODUCT_PRICE""#, "Invalid price"), RefusalKind::NotSold),
        (404, error(r#""INVALID_PRODUCT""#, "Product not found"), RefusalKind::NotSold),
        (
            400,
            error("null", "Sorry, you cannot order products valued more than 100 USD at a go."),
            RefusalKind::NotSold,
        ),
        (400, error(r#""INVALID_INPUT_PROVIDED""#, "Missing required field"), RefusalKind::Other),
        (400, error(r#""TRANSACTION_CANNOT_BE_PROCESSED_AT_THE_MOMENT""#, "Try later"), RefusalKind::Other),
        (400, r#"{"message":"Product does not exist"}"#.to_owned(), RefusalKind::Other),
        (404, spring, RefusalKind::Other),
        (429, String::new(), RefusalKind::TooMany),
    ] {
        stage.replica.answer_once(Canned("POST /orders", status, JSON, body.clone()));
        let refusal = refused_or_told(vendor.purchase(&stage.request("r-1", 1)).await, &body);
        assert_eq!(refusal, kind, "{status} {body}");
    }
    assert_eq!(stage.booked().await, [""; 0]);
}

#[track_caller]
fn refused_or_told(outcome: Outcome, body: &str) -> RefusalKind {
    match outcome {
        Outcome::Refused(refusal) => refusal.kind,
        other => panic!("{body}: {other:?}"),
    }
}

#[tokio::test]
async fn reloadly_refuses_by_its_own_rules() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let mut poor = stage.order("r-3", &XBOX_US, "5.00", 1);
    for (request, words) in [
        (
            stage.order("r-0", &XBOX_US, "5.01", 1),
            "WRONG_PRODUCT_PRICE: Invalid price. Please ensure you selected the right price",
        ),
        (
            stage.order("r-1", &ANY_AMOUNT, "0.99", 1),
            "WRONG_PRODUCT_PRICE: Invalid price. Please ensure you selected the right price",
        ),
        (
            stage.order("r-2", &XBOX_US, "25.00", 5),
            "Sorry, you cannot order products valued more than 100 USD at a go.",
        ),
    ] {
        let refusal = refused(vendor.purchase(&request).await);
        assert_eq!((refusal.kind, refusal.message.as_str()), (RefusalKind::NotSold, words));
    }
    "999999".clone_into(&mut poor.vendor_sku);
    assert_eq!(refused(vendor.purchase(&poor).await).message, "INVALID_PRODUCT: Product not found");
    // A refused request does not use its identifier up.
    assert_eq!(delivered(vendor.purchase(&stage.request("r-0", 1)).await).goods.len(), 1);
    stage.replica.books.lock().unwrap().balance = super::number("5.74");
    assert_eq!(refused(vendor.purchase(&stage.request("r-4", 1)).await).kind, RefusalKind::NoFunds);
    assert_eq!(stage.booked().await, ["r-0"]);
}

#[tokio::test]
async fn everything_else_is_a_doubt() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let refusing = error(r#""INVALID_PRODUCT""#, "no");
    for (status, kind, body, vendor_ref) in [
        (408, JSON, refusing.as_str(), None),
        (500, JSON, &refusing, None),
        (500, JSON, &error(r#""TRANSACTION_CANNOT_BE_PROCESSED_AT_THE_MOMENT""#, "no"), None),
        (502, "text/html", "<html></html>", None),
        (404, "text/html", "<html></html>", None),
        (400, "text/plain", &refusing, None),
        (400, JSON, r#"{"detail":"of a proxy"}"#, None),
        (400, JSON, r#"{"message":"","errorCode":null}"#, None),
        (400, JSON, "[]", None),
        (400, JSON, "", None),
        (302, JSON, "{}", None),
        (204, JSON, "", None),
        (200, JSON, "{}", None),
        (200, JSON, r#"{"transactionId":null,"status":"SUCCESSFUL"}"#, None),
        (200, JSON, r#"{"transactionId":"7/../8","status":"SUCCESSFUL"}"#, None),
        (200, "text/plain", r#"{"transactionId":7,"status":"SUCCESSFUL"}"#, None),
        (200, JSON, r#"{"transactionId":7,"status":"SUCCESSFUL","amount":"five"}"#, Some("7")),
        (200, JSON, r#"{"transactionId":7,"status":"SUCCESSFUL","status":"FAILED"}"#, Some("7")),
        (200, JSON, r#"{"transactionId":7,"status":"ON_HOLD"}"#, Some("7")),
        (200, JSON, r#"{"transactionId":7}"#, Some("7")),
        (200, JSON, r#"{"transactionId":7,"status":"FAILED"}"#, Some("7")),
    ] {
        stage.replica.answer_once(Canned("POST /orders", status, kind, body.to_owned()));
        match vendor.purchase(&stage.request("d-1", 1)).await {
            Outcome::Unknown(doubt) => assert_eq!(doubt.vendor_ref.as_deref(), vendor_ref, "{body}"),
            other => panic!("{status} {kind} {body}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_identifier_that_is_taken_means_that_the_order_arrived() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let request = stage.request("used-1", 2);
    let first = delivered(vendor.purchase(&request).await);
    let again = delivered(vendor.purchase(&request).await);
    assert_eq!((texts(&again), again.vendor_ref), (texts(&first), first.vendor_ref));
    assert_eq!(stage.booked().await, ["used-1"]);
    // The code may be missing.
    let words = error("null", "The custom identifier provided has already been used");
    stage.replica.answer_once(Canned("POST /orders", 400, JSON, words));
    assert_eq!(delivered(vendor.purchase(&request).await).goods.len(), 2);
    // It came to nothing.
    stage.replica.change_last(|booked| booked.status = Some("REFUNDED"));
    assert_eq!(refused(vendor.purchase(&request).await).kind, RefusalKind::Other);
    // It is not found yet.
    let words = error(r#""CUSTOM_IDENTIFIER_ALREADY_USED""#, "used");
    stage.replica.answer_once(Canned("POST /orders", 400, JSON, words));
    let outcome = vendor.purchase(&stage.request("used-2", 1)).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
}

#[tokio::test]
async fn two_orders_that_meet_are_both_made_and_the_look_up_says_so() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    assert!(!vendor.capabilities().idempotent_create);
    *stage.replica.crossing.lock().unwrap() = Some(Arc::new(Barrier::new(2)));
    let request = stage.request("met-1", 1);
    let (left, right) = tokio::join!(vendor.purchase(&request), vendor.purchase(&request));
    assert_ne!(delivered(left).vendor_ref, delivered(right).vendor_ref);
    assert_eq!(stage.booked().await, ["met-1", "met-1"]);
    let Sighting::Unclear(doubt) = vendor.find(&request).await else { panic!("a fact of two") };
    assert_eq!(doubt.message, "2 transactions carry this reference: 79966, 79965");
    // What was paid back does not count.
    stage.replica.change_last(|booked| booked.status = Some("REFUNDED"));
    let found = sighted(vendor.find(&request).await);
    assert_eq!((found.vendor_ref.as_str(), found.cost), ("79965", Some(dollars("5.75"))));
}

#[tokio::test]
async fn what_is_made_later_is_asked_for_later() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let mut request = stage.order("slow-1", &MASTERCARD, "10.00", 1);
    let Outcome::Unknown(doubt) = vendor.purchase(&request).await else { panic!("a fact too early") };
    assert_eq!(doubt.vendor_ref.as_deref(), Some("79965"));
    request.vendor_ref = doubt.vendor_ref;
    let sighting = vendor.find(&request).await;
    let Sighting::Pending { vendor_ref } = sighting else { panic!("{sighting:?}") };
    assert_eq!(vendor_ref.as_deref(), Some("79965"));
    stage.advance_secs(1);
    assert_eq!(texts(&sighted(vendor.find(&request).await)), ["CODE-79965-0|0||"]);
}

#[tokio::test]
async fn what_was_bought_must_be_what_was_asked_for() {
    let stage = ReloadlyStage::open().await;
    let vendor: Arc<dyn Vendor> = stage.good();
    delivered(vendor.purchase(&stage.request("same-1", 2)).await);
    for (number, what) in ["product", "quantity", "face value", "currency"].into_iter().enumerate() {
        let mut request = stage.request("same-1", 2);
        match number {
            0 => "13949".clone_into(&mut request.vendor_sku),
            1 => request.quantity = 1,
            2 => request.face = Money::from_minor(501, request.face.currency),
            _ => request.face.currency = "CAD".parse().unwrap(),
        }
        let Sighting::Unclear(doubt) = vendor.find(&request).await else { panic!("another {what}") };
        assert_eq!(doubt.message, format!("transaction 79965 is for another {what}"));
        assert_eq!(doubt.vendor_ref.as_deref(), Some("79965"));
    }
}
