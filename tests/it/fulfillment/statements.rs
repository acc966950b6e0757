//! Vendors' statements, held against our purchases.
//! Always true: what is read again posts nothing again. Not here: how adapters read statements (`vendors/`).

use std::sync::Arc;

use entity::timestamp::Timestamp;
use octopus_cards::app as server;
use octopus_cards::clock::SeededIds;
use octopus_cards::domain::fulfillment::{self, ReconcileRefusal, ReconcileReport, Since};
use octopus_cards::problem::Failure;
use serde_json::{Value, json};

use super::desk::Desk;
use super::{end, find, input};
use crate::orders::order;
use crate::support::app::TestApp;
use crate::support::catalog::EURO_20;
use crate::support::poll;
use crate::support::process::Binary;
use crate::support::seed;
use crate::support::vendor::{TestVendor, assert_agreed};

/// How many corrections were posted.
pub const CORRECTIONS: &str = "SELECT count(*) FROM ledger_transactions WHERE kind = 'ADJUSTMENT'";
/// The lines, by the vendor's names.
pub const LINES: &str =
    "SELECT vendor_ref || ' ' || verdict AS line FROM statement_lines ORDER BY vendor_ref";
/// How many were told.
const TOLD: &str = "SELECT count(*) FROM audit_log WHERE action = 'vendors.statement_differs'";

/// A line of a statement.
pub fn line(id: &str, reference: &str, quantity: i32, euros: &str, at: Timestamp) -> Value {
    json!({ "id": id, "reference": reference, "sku": "any_sandbox_ok", "quantity": quantity,
        "cost": { "amount": euros, "currency": "EUR" }, "at": at })
}

/// Reads a vendor's statement, once nobody else does.
pub async fn reconcile(app: &TestApp, vendor: &TestVendor) -> ReconcileReport {
    poll::until("the statement is free", async || {
        match fulfillment::reconcile(&app.system(), vendor.row.id, Since::LastTime).await {
            Ok(report) => Some(report),
            Err(Failure::Refused(ReconcileRefusal::Busy)) => None,
            Err(other) => panic!("{other:?}"),
        }
    })
    .await
}

/// A vendor that has delivered a unit for 19 euros; with its name for the purchase, and ours.
async fn bought(app: &TestApp) -> (TestVendor, String, String) {
    let partner = app.partner().await;
    let vendor = TestVendor::open(app, "only").await;
    vendor.sell(app, &[(EURO_20, "sandbox_ok")]).await;
    order(&partner, input(EURO_20, 1, "one")).await.payload("createOrder");
    assert_eq!(end(app, &partner, "one").await.text("order.status"), "DELIVERED");
    assert_eq!(app.database.number("SELECT cost_micros FROM purchases").await, 19_000_000);
    let names = app.database.texts("SELECT vendor_ref || ' ' || our_ref AS line FROM purchases").await;
    let (theirs, ours) = names[0].split_once(' ').unwrap();
    (vendor, theirs.to_owned(), ours.to_owned())
}

/// What is owed to vendors and what of it is disputed, in millionths.
pub async fn posted(app: &TestApp) -> (i64, i64) {
    let sum =
        |account: &str| format!("SELECT coalesce(sum(amount), 0) FROM postings WHERE account = '{account}'");
    (-app.database.number(&sum("PAYABLE")).await, app.database.number(&sum("DISPUTED")).await)
}

both_databases! {
    async fn what_both_have_is_matched_and_posts_nothing(app: SmallCatalog) {
        let (vendor, theirs, _) = bought(&app).await;
        for news in [0, 0] {
            let report = reconcile(&app, &vendor).await;
            assert_eq!((report.lines, report.matched, report.news, report.corrected), (1, 1, news, 0));
        }
        assert_eq!(app.database.texts(LINES).await, [format!("{theirs} MATCHED")]);
        assert_eq!((app.database.number(CORRECTIONS).await, app.database.number(TOLD).await), (0, 0));
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn a_cost_that_differs_is_corrected_once_and_back_when_it_does_not(app: SmallCatalog) {
        let (vendor, theirs, ours) = bought(&app).await;
        let desk = Desk::instead_of(&app, &vendor).await;
        desk.tell(Some(vec![line(&theirs, &ours, 1, "21.5", app.now())]));
        for (news, corrected) in [(1, 1), (0, 0)] {
            let report = reconcile(&app, &vendor).await;
            assert_eq!((report.matched, report.news, report.corrected), (0, news, corrected));
            assert_eq!(posted(&app).await, (21_500_000, 2_500_000));
        }
        assert_eq!(app.database.texts(LINES).await, [format!("{theirs} COST_DIFFERS")]);
        assert_eq!(app.database.number(TOLD).await, 1);
        app.verify_clean().await;
        desk.tell(Some(vec![line(&theirs, &ours, 1, "19", app.now())]));
        let report = reconcile(&app, &vendor).await;
        assert_eq!((report.matched, report.corrected), (1, 1));
        assert_eq!(posted(&app).await, (19_000_000, 0));
        // Units that were not asked for are told, whatever they cost.
        desk.tell(Some(vec![line(&theirs, &ours, 2, "19", app.now())]));
        assert_eq!(reconcile(&app, &vendor).await.news, 1);
        assert_eq!(app.database.texts(LINES).await, [format!("{theirs} QUANTITY_DIFFERS")]);
        assert_eq!((posted(&app).await, app.database.number(CORRECTIONS).await), ((19_000_000, 0), 2));
    }

    /// As after a backup was restored, or when somebody bought by hand; and a vendor that made one purchase twice.
    async fn what_is_not_ours_is_disputed_once_and_told(app: SmallCatalog) {
        let (vendor, theirs, ours) = bought(&app).await;
        let desk = Desk::instead_of(&app, &vendor).await;
        let lines = vec![
            line(&theirs, &ours, 1, "19", app.now()),
            line("x-1", "pur-from-before-the-backup", 2, "38", app.now()),
            line("x-2", &ours, 1, "19", app.now()),
        ];
        desk.tell(Some(lines));
        let report = reconcile(&app, &vendor).await;
        assert_eq!((report.lines, report.matched, report.news, report.corrected), (3, 1, 2, 2));
        let read = Binary::on(&app.database).run(&["--json", "vendor", "reconcile", "only", "--since", "2026-11-01T00:00:00Z"])
            .await.json();
        assert_eq!((&read[0]["lines"], &read[0]["news"], &read[0]["corrected"]), (&json!(3), &json!(0), &json!(0)));
        let listed: Vec<_> = read[0]["differences"].as_array().unwrap().iter()
            .map(|line| (line["vendor_ref"].as_str().unwrap(), line["verdict"].as_str().unwrap())).collect();
        assert_eq!(listed, [("x-2", "UNKNOWN_HERE"), ("x-1", "UNKNOWN_HERE")]);
        assert_eq!(posted(&app).await, (76_000_000, 57_000_000));
        assert_eq!((app.database.number(CORRECTIONS).await, app.database.number(TOLD).await), (2, 2));
        assert_eq!(app.database.number("SELECT count(*) FROM purchases").await, 1);
    }

    async fn a_purchase_that_is_open_here_is_asked_about_at_once_and_never_booked_by_the_statement(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_pending_100s")]).await;
        order(&partner, input(EURO_20, 1, "wait")).await.payload("createOrder");
        let open = "SELECT count(*) FROM purchases WHERE state = 'UNKNOWN' AND worker_id IS NULL";
        poll::until_true("the vendor works on it", async || app.database.number(open).await == 1).await;
        app.database.execute("UPDATE purchases SET next_at = 4000000000000000").await;
        assert_eq!(reconcile(&app, &vendor).await.lines, 0, "it is not delivered yet");
        app.advance_secs(101);
        let report = reconcile(&app, &vendor).await;
        assert_eq!((report.lines, report.asked, report.corrected), (1, 1, 0));
        let ended = end(&app, &partner, "wait").await;
        assert_eq!(ended.text("order.status"), "DELIVERED");
        assert_eq!(app.database.texts("SELECT state || ' ' || ended_by AS line FROM purchases").await, ["DELIVERED LOOK"]);
        assert_eq!(reconcile(&app, &vendor).await.matched, 1);
        assert_eq!((app.database.number(CORRECTIONS).await, app.database.number(TOLD).await), (0, 0));
        assert!(find(&partner, "wait").await.list("order.vouchers").len() == 1);
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn what_a_statement_lacks_is_told_once_and_no_more_when_it_comes(app: SmallCatalog) {
        let (vendor, theirs, ours) = bought(&app).await;
        let made = app.now();
        let desk = Desk::instead_of(&app, &vendor).await;
        assert_eq!(reconcile(&app, &vendor).await.news, 0, "it may turn up yet");
        app.advance_secs(50_000);
        for _ in 0..2 {
            reconcile(&app, &vendor).await;
            assert_eq!(app.database.texts(LINES).await, [format!("{theirs} NOT_LISTED_THERE")]);
        }
        assert_eq!((app.database.number(CORRECTIONS).await, app.database.number(TOLD).await), (0, 1));
        desk.tell(Some(vec![line(&theirs, &ours, 1, "19", made)]));
        reconcile(&app, &vendor).await;
        assert_eq!(app.database.texts(LINES).await, [format!("{theirs} MATCHED")]);
        assert_eq!(app.database.number(CORRECTIONS).await, 0);
    }

    async fn of_many_processes_one_reads_and_a_statement_that_fails_counts_as_unread(app: SmallCatalog) {
        let (vendor, theirs, ours) = bought(&app).await;
        let desk = Desk::instead_of(&app, &vendor).await;
        app.stop().await;
        let mut nodes = Vec::new();
        for seed in [7, 8] {
            let config = seed::config(&app.database.url, app.database.folder.path());
            nodes.push(server::open(config, app.clock.clone(), Arc::new(SeededIds::new(seed))).await.unwrap());
        }
        let tend = async || {
            let (one, other) = tokio::join!(fulfillment::tend_once(&nodes[0]), fulfillment::tend_once(&nodes[1]));
            one.unwrap().len() + other.unwrap().len()
        };
        assert_eq!(tend().await, 0, "a vendor's first statement is due after an interval");
        app.advance_secs(900);
        desk.tell(None);
        assert_eq!(tend().await, 0);
        let failed = "SELECT count(*) FROM statement_turns WHERE failures = 1 AND read_until IS NULL AND failure IS NOT NULL";
        assert_eq!(app.database.number(failed).await, 1);
        desk.tell(Some(vec![line(&theirs, &ours, 1, "20", app.now())]));
        app.advance_secs(60);
        assert_eq!((tend().await, app.database.number(CORRECTIONS).await), (1, 1));
        assert_eq!(tend().await, 0);
        app.advance_secs(900);
        assert_eq!((tend().await, app.database.number(CORRECTIONS).await), (1, 1));
        for node in nodes {
            server::close(&node).await;
        }
    }
}
