//! What Reloadly's report says was bought.

use entity::timestamp::Timestamp;
use octopus_cards::domain::fulfillment::{StatementLine, Trouble};

use super::super::contract::{delivered, statement};
use super::super::reloadly_replica::{APP_STORE_FR, Canned, MASTERCARD};
use super::super::stage::Stage;
use super::{ReloadlyStage, dollars};

#[tokio::test]
async fn dates_are_sent_wider_and_what_lies_outside_is_cut_off() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    stage.book(Some("before"));
    stage.advance_secs(1_800);
    // Half a second into the second of the purchase: times are told in whole seconds.
    let since = Timestamp::from_micros(stage.now().micros() + 500_000);
    stage.book(Some("at-once"));
    stage.advance_secs(1_800);
    stage.book(Some("after"));
    let lines = statement(&*vendor, since).await;
    let told: Vec<_> = lines.iter().map(|line| line.our_ref.as_deref()).collect();
    assert_eq!(told, [Some("at-once"), Some("after")]);
    let lines: Vec<String> = stage.replica.seen("GET /reports").into_iter().map(|seen| seen.line).collect();
    assert_eq!(
        lines,
        [
            "GET /reports/transactions?page=1&size=50&startDate=2026-11-23%2000%3A30%3A00&endDate=2026-11-26%2001%3A00%3A00"
        ]
    );
}

#[tokio::test]
async fn a_line_says_what_was_delivered_and_what_was_taken() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let since = stage.now();
    let made = delivered(vendor.purchase(&stage.order("made-1", &APP_STORE_FR, "5.00", 2)).await);
    stage.advance_secs(1);
    let by_hand = stage.book(None).to_string();
    stage.advance_secs(1);
    for (status, shown_cost) in [
        ("REFUNDED", None),
        ("FAILED", Some("0")),
        ("FAILED", None),
        ("PENDING", None),
        ("PENDING", Some("null")),
    ] {
        stage.book(Some("other"));
        stage.replica.change_last(|booked| (booked.status, booked.shown_cost) = (Some(status), shown_cost));
    }
    stage.replica.books.lock().unwrap().balance_digits = 6;
    drop(vendor.purchase(&stage.order("slow-1", &MASTERCARD, "10.00", 1)).await);
    let line = |our_ref: Option<&str>, id: &str, sku: &str, quantity, cost, secs| StatementLine {
        our_ref: our_ref.map(str::to_owned),
        vendor_ref: id.to_owned(),
        vendor_sku: Some(sku.to_owned()),
        quantity,
        cost: dollars(cost),
        at: since.plus_seconds(secs),
    };
    assert_eq!(made.cost, Some(dollars("13.76776")));
    assert_eq!(
        statement(&*vendor, since).await,
        [
            // 2 × 6.8838820 = 13.767764, now that balances are told to the sixth digit.
            line(Some("made-1"), "79965", "15363", 2, "13.767764", 0),
            line(None, &by_hand, "13948", 1, "5.75", 1),
            line(Some("other"), "79969", "13948", 0, "5.75", 2),
            line(Some("other"), "79970", "13948", 0, "5.75", 2),
            line(Some("other"), "79971", "13948", 0, "5.75", 2),
            line(Some("slow-1"), "79972", "20316", 0, "11", 2),
        ]
    );
}

#[tokio::test]
async fn a_long_statement_comes_in_parts_oldest_first() {
    let stage = ReloadlyStage::open().await;
    let since = stage.now();
    let mut expected = Vec::new();
    for _ in 0..2_100 {
        expected.push(stage.book(None).to_string());
        // A month in all, some at the same instant.
        if expected.len() % 3 == 0 {
            stage.advance_secs(3_703);
        }
    }
    let vendor = stage.good();
    let first = vendor.statement(since, None).await.unwrap();
    assert!(first.items.len() < 2_000, "{} lines", first.items.len());
    assert!(first.next.is_some());
    let lines = statement(&*vendor, since).await;
    assert!(lines.is_sorted_by_key(|line| line.at));
    assert_eq!(lines.into_iter().map(|line| line.vendor_ref).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_statement_that_is_not_understood_is_none() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    for (row, words) in [
        ("{}", "a transaction is not of the form that was agreed"),
        (r#"{"transactionId":7,"status":"SUCCESSFUL"}"#, "transaction 7 tells no time"),
        (
            r#"{"transactionId":7,"status":"SUCCESSFUL","transactionCreatedTime":"2026-11-24 12:00:00"}"#,
            "transaction 7 tells no cost or quantity",
        ),
    ] {
        let body = format!(r#"{{"content":[{row}],"totalElements":1,"totalPages":1,"last":true}}"#);
        stage.replica.answer_once(Canned("GET /reports", 200, "application/json", body));
        let told = vendor.statement(Timestamp::from_micros(0), None).await;
        assert_eq!(told, Err(Trouble::Failed(words.to_owned())));
    }
    let told = vendor.statement(stage.now(), Some("page 2".to_owned())).await;
    assert_eq!(told, Err(Trouble::Failed("the statement has no such part".to_owned())));
}
