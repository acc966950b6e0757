//! Purchases at Reloadly, looked up by our reference.

use octopus_cards::domain::fulfillment::{RefusalKind, Sighting};

use super::super::contract::{delivered, sighted};
use super::super::reloadly_replica::{Canned, Ordered, XBOX_US, number};
use super::super::stage::Stage;
use super::{ReloadlyStage, dollars};

impl ReloadlyStage {
    /// Books a card of five dollars, as if somebody had bought it by hand.
    pub fn book(&self, identifier: Option<&str>) -> u64 {
        let now = self.now();
        let identifier = identifier.map(str::to_owned);
        let ordered = Ordered { identifier, product: XBOX_US, quantity: 1, unit_price: number("5.00") };
        self.replica.books.lock().unwrap().book(ordered, now, now).id
    }
}

#[tokio::test]
async fn each_status_means_what_is_documented() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let mut request = stage.request("s-1", 1);
    delivered(vendor.purchase(&request).await);
    request.vendor_ref = Some("79965".to_owned());
    for (status, shown_cost, expected) in [
        ("SUCCESSFUL", None, "Delivered"),
        ("successful", None, "Delivered"),
        ("PENDING", None, "Pending"),
        ("PROCESSING", None, "Pending"),
        ("REFUNDED", None, "Refused"),
        ("REFUNDED", Some("0"), "Refused"),
        // Its money is out, or may be.
        ("FAILED", None, "Unclear"),
        ("FAILED", Some("null"), "Unclear"),
        ("FAILED", Some("0.00001"), "Unclear"),
        ("FAILED", Some("0.00000"), "Refused"),
        ("ON_HOLD", None, "Unclear"),
        ("", None, "Unclear"),
        ("\\u001b[2J", None, "Unclear"),
    ] {
        for spelled in ["balanceInfo", "balaneInfo"] {
            stage.replica.books.lock().unwrap().balance_info = spelled;
            stage.replica.change_last(|booked| {
                (booked.status, booked.shown_cost) = (Some(status), shown_cost);
            });
            let sighting = vendor.find(&request).await;
            assert!(format!("{sighting:?}").starts_with(expected), "{status} {shown_cost:?}: {sighting:?}");
            match sighting {
                Sighting::Delivered(delivery) => assert_eq!(delivery.cost, Some(dollars("5.75"))),
                Sighting::Refused(refusal) => {
                    assert_eq!(refusal.kind, RefusalKind::Other);
                    assert_eq!(refusal.message, "transaction 79965 failed, and cost nothing");
                }
                Sighting::Pending { vendor_ref } => assert_eq!(vendor_ref.as_deref(), Some("79965")),
                Sighting::Unclear(doubt) => {
                    assert_eq!(doubt.vendor_ref.as_deref(), Some("79965"));
                    assert!(!doubt.message.contains(char::is_control), "{doubt:?}");
                }
                Sighting::NotFound => panic!("it is there"),
            }
        }
    }
}

#[tokio::test]
async fn a_reference_is_compared_to_the_letter_over_all_pages() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let request = stage.request("abcdef", 1);
    // 63 that differ in letter case, newer than ours and all found by the search.
    let ours = stage.book(Some("abcdef"));
    for variant in 1..64_u32 {
        let cased = (0..6_u32).zip("abcdef".chars()).map(|(place, letter)| {
            if variant >> place & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
        });
        stage.book(Some(&cased.collect::<String>()));
    }
    assert_eq!(sighted(vendor.find(&request).await).vendor_ref, ours.to_string());
    let lines: Vec<String> = stage.replica.seen("GET /reports").into_iter().map(|seen| seen.line).collect();
    assert_eq!(
        lines,
        [
            "GET /reports/transactions?page=1&size=50&customIdentifier=abcdef",
            "GET /reports/transactions?page=2&size=50&customIdentifier=abcdef",
        ]
    );
    stage.replica.books.lock().unwrap().booked.remove(0);
    assert!(matches!(vendor.find(&request).await, Sighting::NotFound));
}

#[tokio::test]
async fn a_purchase_that_was_told_once_counts_though_the_search_does_not_find_it() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let mut request = stage.request("told-1", 1);
    request.vendor_ref = Some(stage.book(None).to_string());
    assert_eq!(sighted(vendor.find(&request).await).vendor_ref, "79965");
    // A second one under the reference: they are two.
    stage.book(Some("told-1"));
    let Sighting::Unclear(doubt) = vendor.find(&request).await else { panic!("a fact of two") };
    assert_eq!(doubt.message, "2 transactions carry this reference: 79966, 79965");
    // One that the vendor does not know any more is no proof of anything.
    for gone in ["79999", "79965/../79966", ""] {
        request.our_ref = "told-2".to_owned();
        request.vendor_ref = Some(gone.to_owned());
        let sighting = vendor.find(&request).await;
        let Sighting::Unclear(doubt) = sighting else { panic!("{gone}: {sighting:?}") };
        assert_eq!(doubt.vendor_ref.as_deref(), Some(gone));
    }
}

#[tokio::test]
async fn a_purchase_of_another_reference_is_not_ours() {
    let stage = ReloadlyStage::open().await;
    let mut request = stage.request("mine-1", 1);
    request.vendor_ref = Some(stage.book(Some("yours-1")).to_string());
    let Sighting::Unclear(doubt) = stage.good().find(&request).await else { panic!("not ours") };
    assert_eq!(doubt.message, "transaction 79965 is for another reference");
}

#[tokio::test]
async fn codes_are_told_again_however_old_they_are() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let request = stage.request("old-1", 2);
    let first = delivered(vendor.purchase(&request).await);
    stage.advance_secs(10 * 365 * 86_400);
    assert_eq!(super::texts(&sighted(vendor.find(&request).await)), super::texts(&first));
}

/// Were a service to count its pages from 0, its first one would seem empty, and a purchase that was made unknown.
#[tokio::test]
async fn a_listing_that_is_shorter_than_it_says_proves_nothing() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let request = stage.request("short-1", 1);
    let canned = |line, body: &str| {
        stage.replica.answer_once(Canned(line, 200, "application/json", body.to_owned()));
    };
    let words = "the listing is shorter than it says";
    for body in [
        r#"{"content":[],"totalElements":1,"totalPages":1,"last":true}"#,
        r#"{"content":[],"totalElements":1,"totalPages":1,"last":false}"#,
        r#"{"content":[],"totalElements":1}"#,
    ] {
        canned("GET /reports", body);
        let Sighting::Unclear(doubt) = vendor.find(&request).await else { panic!("a fact: {body}") };
        assert_eq!(doubt.message, words);
        canned("GET /reports", body);
        assert_eq!(vendor.statement(stage.now(), None).await.unwrap_err().to_string(), words);
        canned("GET /products", body);
        assert_eq!(vendor.catalog(None).await.unwrap_err().to_string(), words);
    }
    for body in [r#"{"content":[]}"#, r#"{"content":[],"totalElements":0,"totalPages":0,"last":true}"#] {
        canned("GET /reports", body);
        assert!(matches!(vendor.find(&request).await, Sighting::NotFound), "{body}");
    }
    for body in ["{}", "[]", "null", r#"{"content":null,"totalElements":0}"#] {
        canned("GET /reports", body);
        assert!(matches!(vendor.find(&request).await, Sighting::Unclear(_)), "{body}");
    }
}
