//! Codes of Reloadly's cards, in every shape in which they come.

use octopus_cards::domain::fulfillment::{Outcome, Sighting};

use super::super::contract::{delivered, sighted};
use super::super::reloadly_replica::Canned;
use super::super::stage::Stage;
use super::{ReloadlyStage, texts};

const CARDS: &str = "GET /orders/transactions/";
const JSON: &str = "application/com.reloadly.giftcards-v2+json";

#[tokio::test]
async fn codes_are_read_in_every_shape() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    for (number, (cards, expected)) in [
        (r#"[{"cardNumber":"AAAA-1","pinCode":"12","redemptionUrl":null}]"#, "AAAA-1|12||"),
        // Numbers, as they were written: too long for a float.
        (r#"[{"cardNumber":12345678901234567890,"pinCode":1234}]"#, "12345678901234567890|1234||"),
        // A card alone, with a link beside its number.
        (
            r#" {"cardNumber":6120200345149064,"pinCode":"EFSD","redemptionUrl":"https://swype.cards/?c=X"}"#,
            "6120200345149064|EFSD||https://swype.cards/?c=X",
        ),
        // A link where the number is.
        (
            r#"[{"cardNumber":"https:\/\/reloadly.com\/r?c=1","pinCode":null}]"#,
            "|||https://reloadly.com/r?c=1",
        ),
        (
            r#"[{"cardNumber":"https://reloadly.com/r","redemptionUrl":"https://reloadly.com/r"}]"#,
            "|||https://reloadly.com/r",
        ),
        // A pin without a number is what is redeemed.
        (
            r#"[{"cardNumber":"","pinCode":"22610test","redemptionUrl":"https://reloadly.com"}]"#,
            "22610test|||https://reloadly.com",
        ),
        (r#"[{"pinCode":" 0042 "}]"#, "0042|||"),
    ]
    .into_iter()
    .enumerate()
    {
        stage.replica.answer_once(Canned(CARDS, 200, JSON, cards.to_owned()));
        let delivery = delivered(vendor.purchase(&stage.request(&format!("c-{number}"), 1)).await);
        assert_eq!(texts(&delivery), [expected], "{cards}");
    }
}

#[tokio::test]
async fn codes_that_are_not_there_yet_are_asked_for_later() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let missing = r#"{"timeStamp":"t","message":"Invalid transaction id","path":"/","errorCode":null}"#;
    let one_of_two = r#"[{"cardNumber":"A-1"}]"#;
    for (number, (status, body)) in [(404, missing), (200, "[]"), (200, one_of_two)].into_iter().enumerate() {
        let mut request = stage.request(&format!("later-{number}"), 2);
        stage.replica.answer_once(Canned(CARDS, status, JSON, body.to_owned()));
        let Outcome::Unknown(doubt) = vendor.purchase(&request).await else { panic!("a fact: {body}") };
        request.vendor_ref = doubt.vendor_ref;
        assert_eq!(request.vendor_ref, Some((79_965 + number).to_string()));
        stage.replica.answer_once(Canned(CARDS, status, JSON, body.to_owned()));
        let sighting = vendor.find(&request).await;
        assert!(matches!(sighting, Sighting::Pending { .. }), "{body}: {sighting:?}");
        assert_eq!(sighted(vendor.find(&request).await).goods.len(), 2);
    }
    assert_eq!(stage.replica.seen("POST /orders").len(), 3);
}

#[tokio::test]
async fn codes_that_are_not_understood_are_a_doubt_that_names_the_purchase() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    for (number, (status, kind, body)) in [
        (200, JSON, r#"[{"cardNumber":null,"pinCode":"","redemptionUrl":null}]"#),
        (200, JSON, r#"[{"cardNumber":["SECRET-1"]}]"#),
        (200, JSON, r#"[{"cardNumber":true}]"#),
        (200, JSON, r#"[{"cardNumber":6.0327123456789E15}]"#),
        (200, JSON, r#"[{"cardNumber":"A-1","pinCode":1234.0}]"#),
        (200, JSON, r#"[{"cardNumber":"SECRET-1"},{"cardNumber":"SECRET-2"}]"#),
        (200, JSON, r#"[{"cardNumber":"SECRET-1""#),
        (200, JSON, r#""SECRET-1""#),
        (200, "text/html", "<html>SECRET-1</html>"),
        (406, "text/plain", ""),
        (404, "text/html", "<html></html>"),
        (500, JSON, "{}"),
    ]
    .into_iter()
    .enumerate()
    {
        stage.replica.answer_once(Canned(CARDS, status, kind, body.to_owned()));
        let outcome = vendor.purchase(&stage.request(&format!("odd-{number}"), 1)).await;
        let Outcome::Unknown(doubt) = outcome else { panic!("{body}: {outcome:?}") };
        assert_eq!(doubt.vendor_ref, Some((79_965 + number).to_string()), "{body}");
        assert!(!doubt.message.contains("SECRET"), "{doubt:?}");
    }
}
