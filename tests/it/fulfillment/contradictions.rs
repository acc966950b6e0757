//! Statements that contradict what was known: of what was refused, of what a person told, of what was missed, and more than once.
//! Always true: a statement delivers nothing; whatever it says, it can be read again. Not here: what statements differ in by the
//! amount alone (`statements.rs`).

use std::str::FromStr as _;

use entity::decimal::Decimal;
use octopus_cards::domain::fulfillment::{self, Contents, Goods, Secret};
use octopus_cards::domain::orders::{self, Resolve, Verdict};
use serde_json::{Value, json};

use super::desk::Desk;
use super::statements::{CORRECTIONS, LINES, line, posted, reconcile};
use super::{end, find, input};
use crate::orders::order;
use crate::support::app::TestApp;
use crate::support::catalog::EURO_20;
use crate::support::poll;
use crate::support::vendor::TestVendor;

const STOCK: &str = "SELECT count(*) FROM vouchers WHERE state = 'AVAILABLE' AND purchase_id IS NOT NULL";
const ENDS: &str = "SELECT state || ' ' || ended_by AS line FROM purchases";

async fn our_ref(app: &TestApp) -> String {
    app.database.texts("SELECT our_ref AS line FROM purchases").await.remove(0)
}

/// A vendor whose word it is that it sold nothing, and what the same vendor tells afterwards; with our reference.
async fn refused(app: &TestApp) -> (TestVendor, Desk, String) {
    let partner = app.partner().await;
    let vendor = TestVendor::open(app, "only").await;
    vendor.sell(app, &[(EURO_20, "sandbox_out_of_stock_late")]).await;
    order(&partner, input(EURO_20, 1, "one")).await.payload("createOrder");
    assert_eq!(end(app, &partner, "one").await.text("order.status"), "FAILED");
    assert_eq!(app.database.texts(ENDS).await, ["REFUSED ANSWER"]);
    let desk = Desk::instead_of(app, &vendor).await;
    let ours = our_ref(app).await;
    desk.know(&ours, "any_sandbox_out_of_stock_late");
    desk.tell(Some(vec![line("T-1", &ours, 1, "19", app.now())]));
    (vendor, desk, ours)
}

/// Has a person say that the only purchase brought these codes, under no name of the vendor's.
async fn tell(app: &TestApp, codes: &[&str], cost: &str) {
    let id = app.database.texts("SELECT id AS line FROM purchases").await.remove(0);
    let goods = |code: &&str| Goods::Code {
        contents: Contents { code: Some(Secret::new((*code).to_owned())), ..Contents::default() },
        expires_at: None,
        face: None,
    };
    let goods = codes.iter().map(goods).collect();
    let cost = Some(Decimal::from_str(cost).unwrap());
    let command = Resolve {
        operator: "Ada".to_owned(),
        purchase: id.parse().unwrap(),
        verdict: Verdict::Delivered { goods, vendor_ref: None, cost },
        note: "they told us".to_owned(),
    };
    orders::resolve(&app.system(), command).await.unwrap();
}

/// A purchase that its vendor never told of, and a person did; with our reference.
async fn told_by_a_person(app: &TestApp, codes: &[&str], cost: &str) -> (TestVendor, Desk, String) {
    let partner = app.partner().await;
    let vendor = TestVendor::open(app, "only").await;
    vendor.sell(app, &[(EURO_20, "sandbox_down")]).await;
    let quantity = u32::try_from(codes.len()).unwrap();
    order(&partner, input(EURO_20, quantity, "one")).await.payload("createOrder");
    let in_doubt =
        "SELECT count(*) FROM purchases WHERE state = 'UNKNOWN' AND worker_id IS NULL AND vendor_ref IS NULL";
    poll::until_true("it is in doubt", async || app.database.number(in_doubt).await == 1).await;
    tell(app, codes, cost).await;
    assert_eq!(find(&partner, "one").await.text("order.status"), "DELIVERED");
    let desk = Desk::instead_of(app, &vendor).await;
    let ours = our_ref(app).await;
    (vendor, desk, ours)
}

fn refusal() -> Value {
    json!({ "status": "refused", "units": [], "cost": null, "refusal": { "code": "out_of_stock", "message": "none left" } })
}

both_databases! {
    async fn what_was_refused_and_is_in_the_statement_is_asked_about_and_becomes_stock(app: SmallCatalog) {
        let (vendor, _desk, _) = refused(&app).await;
        let report = reconcile(&app, &vendor).await;
        assert_eq!((report.lines, report.asked, report.corrected), (1, 1, 0));
        poll::until_true("its code is stock", async || app.database.number(STOCK).await == 1).await;
        assert_eq!(app.database.texts(ENDS).await, ["DELIVERED LOOK"]);
        assert_eq!(app.database.texts("SELECT outcome AS line FROM attempts").await, ["SURPLUS"]);
        assert_eq!(app.database.texts("SELECT status AS line FROM orders").await, ["FAILED"]);
        let report = reconcile(&app, &vendor).await;
        assert_eq!((report.matched, report.asked, report.corrected), (1, 0, 0));
        assert_eq!((app.database.texts(LINES).await, posted(&app).await), (vec!["T-1 MATCHED".to_owned()], (19_000_000, 0)));
    }

    /// What nobody can explain is owed and disputed, until somebody can.
    async fn what_its_vendor_refused_twice_and_took_money_for_is_disputed_until_it_comes(app: SmallCatalog) {
        let (vendor, desk, _) = refused(&app).await;
        desk.say(refusal());
        assert_eq!(reconcile(&app, &vendor).await.asked, 1);
        let asked = "SELECT count(*) FROM purchases p WHERE p.next_at IS NULL AND p.worker_id IS NULL
            AND EXISTS (SELECT 1 FROM purchase_calls c WHERE c.purchase_id = p.id AND c.kind = 'LOOK')";
        poll::until_true("it says no again", async || app.database.number(asked).await == 1).await;
        for (news, corrected) in [(1, 1), (0, 0)] {
            let report = reconcile(&app, &vendor).await;
            assert_eq!((report.asked, report.news, report.corrected), (0, news, corrected));
            assert_eq!(posted(&app).await, (19_000_000, 19_000_000));
        }
        assert_eq!(app.database.texts(LINES).await, ["T-1 NOT_DELIVERED_HERE"]);
        assert_eq!(app.database.texts(ENDS).await, ["REFUSED ANSWER"]);
        tell(&app, &["LATE-0001"], "19").await;
        assert_eq!((app.database.number(STOCK).await, posted(&app).await.0), (1, 38_000_000));
        app.verify_clean().await;
        // However long ago its line was read.
        desk.tell(Some(Vec::new()));
        assert_eq!(reconcile(&app, &vendor).await.corrected, 1);
        assert_eq!((app.database.texts(LINES).await, posted(&app).await), (vec!["T-1 MATCHED".to_owned()], (19_000_000, 0)));
    }

    async fn of_two_lines_of_one_purchase_the_first_is_it_and_the_other_is_not_ours(app: SmallCatalog) {
        let (vendor, desk, ours) = told_by_a_person(&app, &["TOLD-0001"], "19").await;
        let lines = |names: [&str; 2]| names.map(|name| line(name, &ours, 1, "19", app.now())).to_vec();
        for (names, news, corrected) in [(["x-1", "x-2"], 1, 1), (["x-1", "x-2"], 0, 0), (["x-0", "x-2"], 1, 1)] {
            desk.tell(Some(lines(names)));
            let report = reconcile(&app, &vendor).await;
            assert_eq!((report.lines, report.news, report.corrected), (2, news, corrected), "{names:?}");
        }
        assert_eq!(app.database.texts(LINES).await, ["x-0 UNKNOWN_HERE", "x-1 MATCHED", "x-2 UNKNOWN_HERE"]);
        assert_eq!(posted(&app).await, (57_000_000, 38_000_000));
    }

    async fn what_was_missed_by_our_name_comes_by_the_vendors(app: SmallCatalog) {
        let (vendor, desk, ours) = told_by_a_person(&app, &["TOLD-0001"], "19").await;
        let made = app.now();
        app.advance_secs(50_000);
        reconcile(&app, &vendor).await;
        assert_eq!(app.database.texts(LINES).await, [format!("{ours} NOT_LISTED_THERE")]);
        desk.tell(Some(vec![line("x-1", &ours, 1, "19", made)]));
        for _ in 0..2 {
            assert_eq!(reconcile(&app, &vendor).await.matched, 1);
            assert_eq!(app.database.texts(LINES).await, ["x-1 MATCHED"]);
        }
        assert_eq!(app.database.number(CORRECTIONS).await, 0);
    }

    /// As a thousand codes at 1.3 million dong each do.
    async fn a_purchase_may_cost_more_than_a_billion_if_its_units_do_not(app: SmallCatalog) {
        let (vendor, desk, ours) = told_by_a_person(&app, &["TOLD-0001", "TOLD-0002"], "1500000000").await;
        assert_eq!(app.database.number("SELECT cost_micros FROM purchases").await, 1_500_000_000_000_000);
        desk.tell(Some(vec![line("x-1", &ours, 2, "1500000000", app.now())]));
        assert_eq!(reconcile(&app, &vendor).await.matched, 1);
        desk.tell(Some(vec![line("x-1", &ours, 1, "1000000000.1", app.now())]));
        assert!(fulfillment::reconcile(&app.system(), vendor.row.id, fulfillment::Since::LastTime).await.is_err());
    }

    async fn a_statement_that_cannot_be_written_does_not_keep_the_next_one_waiting(app: SmallCatalog) {
        let (first, second) = (TestVendor::open(&app, "first").await, TestVendor::open(&app, "second").await);
        let (one, other) = (Desk::instead_of(&app, &first).await, Desk::instead_of(&app, &second).await);
        app.stop().await;
        app.database.execute("CREATE UNIQUE INDEX of_this_test ON statement_lines (vendor_id)").await;
        let strange = |name: &str| line(name, "not-ours", 1, "19", app.now());
        one.tell(Some(vec![strange("x-1"), strange("x-2")]));
        other.tell(Some(vec![strange("y-1")]));
        app.advance_secs(900);
        fulfillment::tend_once(&app.deps).await.expect_err("one of them is not written");
        assert_eq!(app.database.texts(LINES).await, ["y-1 UNKNOWN_HERE"]);
        assert_eq!(app.database.number("SELECT count(*) FROM statement_turns WHERE failures = 1").await, 1);
    }
}
