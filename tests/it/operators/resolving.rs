//! Deciding what nobody could learn: `octopus attempts resolve`.
//! Not here: what is listed (`attempts.rs`).

use serde_json::json;

use super::{in_doubt, place_in_doubt, run, stage, told, write};
use crate::fulfillment::{end, find};
use crate::orders::{funds, order};
use crate::support::app::TestApp;
use crate::support::catalog::{DIRECT_PLAYER, EURO_20};
use crate::support::poll;
use crate::support::vendor::{TestVendor, assert_agreed};

/// Resolves a purchase; the command has to be done.
async fn resolve(app: &TestApp, purchase: &str, verdict: &str, note: &str) -> serde_json::Value {
    let line = format!("attempts resolve --json --operator Ada {purchase} {verdict} --note");
    run(app, &line, &[note]).await.json()
}

async fn purchases(app: &TestApp) -> Vec<String> {
    let sql = "SELECT state || ' ' || ended_by || ' ' || epoch AS line FROM purchases ORDER BY id";
    app.database.texts(sql).await
}

async fn outcomes(app: &TestApp) -> Vec<String> {
    let sql = "SELECT unit_index || ' ' || number || ' ' || outcome AS line FROM attempts ORDER BY unit_index, number";
    app.database.texts(sql).await
}

both_databases! {
    async fn what_a_person_was_told_goes_to_its_units_and_the_others_go_on(app: SmallCatalog) {
        let (partner, _silent) = stage(&app, EURO_20).await;
        let purchase = place_in_doubt(&app, &partner, EURO_20, 2).await;
        let epoch = app.database.number("SELECT epoch FROM purchases").await;
        let other = TestVendor::open(&app, "other").await;
        other.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        write(&app, "came.csv", "code,pin,expires_at\nCANARY-0001,4711,2090-01-31\n");
        let told = resolve(&app, &purchase, "--delivered came.csv --cost 18.5 --vendor-ref T-77", "their desk said so").await;
        assert_eq!((&told["state"], &told["ended_by"]), (&json!("DELIVERED"), &json!("DECISION")));
        assert_eq!((&told["cost"], &told["vendor_ref"]), (&json!("18.5"), &json!("T-77")));
        assert_eq!(told["delivered_quantity"], 1);
        assert!(!told.to_string().contains("CANARY"), "{told}");
        let call = told["calls"].as_array().unwrap().last().unwrap();
        assert_eq!((&call["kind"], &call["outcome"], &call["actor"]), (&json!("DECISION"), &json!("DELIVERED"), &json!("Ada")));
        assert_eq!(call["message"], "1 units; it cost more than was expected: their desk said so");
        assert_eq!(app.database.number(&format!("SELECT epoch FROM purchases WHERE id = '{purchase}'")).await, epoch + 1);
        let ended = end(&app, &partner, "one").await;
        assert_eq!(ended.text("order.status"), "DELIVERED");
        assert_eq!(ended.list("order.vouchers").len(), 2);
        assert_eq!(ended.text("order.vouchers.0.code"), "CANARY-0001");
        assert_eq!(outcomes(&app).await, ["1 1 DELIVERED", "2 1 REFUSED", "2 2 DELIVERED"]);
        let owed = "SELECT sum(p.amount) FROM postings p JOIN ledger_transactions t ON t.id = p.transaction_id
            WHERE p.account = 'PAYABLE' AND t.reference = ";
        assert_eq!(app.database.number(&format!("{owed} '{purchase}'")).await, -18_500_000);
        let audited = app.database.texts("SELECT subject || ' ' || detail AS line FROM audit_log WHERE action = 'purchases.resolved'").await;
        assert_eq!(audited.len(), 1);
        assert!(audited[0].starts_with(&purchase) && audited[0].contains("their desk said so") && audited[0].contains("\"operator\":\"Ada\""), "{audited:?}");
        assert!(!audited[0].contains("CANARY"), "{audited:?}");
    }

    /// The vendor had it after all: what then comes is stock, and the unit keeps what it has from elsewhere.
    async fn what_never_happened_is_not_sent_again_and_its_units_go_elsewhere(app: SmallCatalog) {
        let (partner, silent) = stage(&app, EURO_20).await;
        let purchase = place_in_doubt(&app, &partner, EURO_20, 1).await;
        let other = TestVendor::open(&app, "other").await;
        other.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let told = resolve(&app, &purchase, "--not-executed", "they have no such order").await;
        assert_eq!((&told["state"], &told["sends"]), (&json!("NOT_EXECUTED"), &json!(1)));
        assert_eq!(end(&app, &partner, "one").await.text("order.status"), "DELIVERED");
        assert_eq!(outcomes(&app).await, ["1 1 NOT_EXECUTED", "1 2 DELIVERED"]);
        assert_eq!(silent.booked().len(), 1);
        app.advance_secs(200);
        poll::until_true("what came late is stock", async || {
            app.database.number("SELECT count(*) FROM vouchers WHERE state = 'AVAILABLE' AND purchase_id IS NOT NULL").await == 1
        }).await;
        assert_eq!(outcomes(&app).await, ["1 1 SURPLUS", "1 2 DELIVERED"]);
        assert_eq!(app.database.number("SELECT max(sends) FROM purchases").await, 1);
    }

    /// The vendor had it after all, whatever a person was told: what then comes is stock, and the unit keeps what it has.
    async fn what_a_person_says_was_refused_is_asked_about_on_and_what_comes_is_stock(app: SmallCatalog) {
        let (partner, silent) = stage(&app, EURO_20).await;
        let purchase = place_in_doubt(&app, &partner, EURO_20, 1).await;
        let other = TestVendor::open(&app, "other").await;
        other.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        resolve(&app, &purchase, "--refused", "they say no").await;
        assert_eq!(end(&app, &partner, "one").await.text("order.status"), "DELIVERED");
        assert_eq!(outcomes(&app).await, ["1 1 REFUSED", "1 2 DELIVERED"]);
        app.advance_secs(200);
        poll::until_true("what came late is stock", async || {
            app.database.number("SELECT count(*) FROM vouchers WHERE state = 'AVAILABLE' AND purchase_id IS NOT NULL").await == 1
        }).await;
        assert_eq!(outcomes(&app).await, ["1 1 SURPLUS", "1 2 DELIVERED"]);
        let ends = app.database.texts("SELECT state || ' ' || ended_by || ' ' || sends AS line FROM purchases ORDER BY id").await;
        assert_eq!(ends, ["DELIVERED LOOK 1", "DELIVERED ANSWER 1"]);
        assert_agreed(&app, &[&silent, &other]).await;
    }

    async fn what_its_vendor_says_was_refused_too_is_asked_about_no_more(app: SmallCatalog) {
        let (partner, refusing) = stage(&app, EURO_20).await;
        refusing.sell_for(&app, &[(EURO_20, "sandbox_pending_refused_100s")], "0.90").await;
        let purchase = place_in_doubt(&app, &partner, EURO_20, 1).await;
        resolve(&app, &purchase, "--refused", "they say no").await;
        assert_eq!(end(&app, &partner, "one").await.text("order.failure.code"), "SOURCES_REFUSED");
        app.advance_secs(200);
        poll::until_true("nobody asks on", async || {
            app.database.number("SELECT count(*) FROM purchases WHERE next_at IS NULL AND worker_id IS NULL").await == 1
        }).await;
        let calls = app.database.texts("SELECT kind || ' ' || outcome AS line FROM purchase_calls ORDER BY n DESC LIMIT 2").await;
        assert_eq!(calls, ["LOOK REFUSED", "DECISION REFUSED"]);
        assert!(purchases(&app).await[0].starts_with("REFUSED DECISION "), "{:?}", purchases(&app).await);
        assert_eq!(outcomes(&app).await, ["1 1 REFUSED"]);
    }

    async fn a_success_that_a_person_tells_of_what_was_refused_is_stock(app: SmallCatalog) {
        let (partner, _silent) = stage(&app, EURO_20).await;
        let purchase = place_in_doubt(&app, &partner, EURO_20, 1).await;
        resolve(&app, &purchase, "--refused", "they say no").await;
        assert_eq!(end(&app, &partner, "one").await.text("order.failure.code"), "SOURCES_REFUSED");
        write(&app, "late.csv", "code\nLATE-0001\n");
        for verdict in ["--not-executed", "--refused"] {
            let line = format!("attempts resolve --json --operator Ada {purchase} {verdict} --note again");
            let refused = told(run(&app, &line, &[]).await, 3);
            assert_eq!(refused.1, "it is held to have been refused already: only --delivered can tell otherwise");
        }
        resolve(&app, &purchase, "--delivered late.csv", "they found it").await;
        assert_eq!(outcomes(&app).await, ["1 1 SURPLUS"]);
        assert_eq!(find(&partner, "one").await.text("order.status"), "FAILED");
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE state = 'AVAILABLE' AND purchase_id IS NOT NULL").await, 1);
    }

    async fn a_success_that_a_person_tells_late_is_stock(app: SmallCatalog) {
        let (partner, _silent) = stage(&app, EURO_20).await;
        let purchase = place_in_doubt(&app, &partner, EURO_20, 1).await;
        let other = TestVendor::open(&app, "other").await;
        other.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        resolve(&app, &purchase, "--not-executed", "they have no such order").await;
        assert_eq!(end(&app, &partner, "one").await.text("order.status"), "DELIVERED");
        write(&app, "late.csv", "code\nLATE-0001\n");
        for verdict in ["--not-executed", "--refused"] {
            let line = format!("attempts resolve --json --operator Ada {purchase} {verdict} --note again");
            let refused = told(run(&app, &line, &[]).await, 3);
            assert_eq!(refused.1, "it is held to have never happened already: only --delivered can tell otherwise");
        }
        resolve(&app, &purchase, "--delivered late.csv", "they found it").await;
        assert_eq!(outcomes(&app).await, ["1 1 SURPLUS", "1 2 DELIVERED"]);
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE state = 'AVAILABLE' AND purchase_id IS NOT NULL").await, 1);
        let line = format!("attempts resolve --json --operator Ada {purchase} --refused --note again");
        assert_eq!(told(run(&app, &line, &[]).await, 3).1, "it has ended DELIVERED, which never changes");
    }

    async fn units_that_nobody_waits_for_are_refunded(app: SmallCatalog) {
        let (partner, _silent) = stage(&app, EURO_20).await;
        let before = funds(&partner, "EUR").await;
        order(&partner, json!({ "productId": EURO_20, "currency": "EUR", "reference": "one", "waitMs": 0 })).await
            .payload("createOrder");
        let purchase = in_doubt(&app).await;
        app.database.execute("UPDATE orders SET deadline_at = 1").await;
        assert_eq!(find(&partner, "one").await.text("order.units.nodes.0.status"), "AWAITING_VENDOR");
        resolve(&app, &purchase, "--refused", "they say no").await;
        let found = find(&partner, "one").await;
        assert_eq!(found.text("order.status"), "FAILED");
        assert_eq!(found.text("order.failure.code"), "DEADLINE_PASSED");
        assert_eq!(funds(&partner, "EUR").await, before);
        let states: Vec<String> = purchases(&app).await;
        assert!(states[0].starts_with("REFUSED DECISION "), "{states:?}");
    }

    async fn a_credit_is_told_by_its_receipt(app: SmallCatalog) {
        let (partner, _silent) = stage(&app, DIRECT_PLAYER).await;
        order(&partner, json!({ "productId": DIRECT_PLAYER, "reference": "one", "waitMs": 0,
            "recipient": { "playerId": "player-77" } })).await.payload("createOrder");
        let purchase = in_doubt(&app).await;
        write(&app, "codes.csv", "code\nCANARY-1\n");
        let line = format!("attempts resolve --json --operator Ada {purchase} --delivered codes.csv --note them");
        let refused = told(run(&app, &line, &[]).await, 3);
        assert_eq!(refused.1, "the product is credited to its recipient: the file needs the column receipt alone");
        write(&app, "receipts.csv", "receipt\nR-4711\n");
        resolve(&app, &purchase, "--delivered receipts.csv", "their desk read it to us").await;
        let found = find(&partner, "one").await;
        assert_eq!(found.text("order.status"), "DELIVERED");
        assert_eq!(found.text("order.units.nodes.0.receipt.number"), "R-4711");
    }

    async fn what_cannot_be_is_refused_with_its_mend_and_changes_nothing(app: SmallCatalog) {
        let (partner, _silent) = stage(&app, EURO_20).await;
        let purchase = place_in_doubt(&app, &partner, EURO_20, 1).await;
        let before = app.database.texts("SELECT state || epoch AS line FROM purchases").await;
        write(&app, "two.csv", "code\nCANARY-0001\nCANARY-0002\n");
        write(&app, "none.csv", "code\n");
        write(&app, "receipt.csv", "receipt\nR-1\n");
        write(&app, "column.csv", "code,colour\nCANARY-0001,red\n");
        write(&app, "bad.csv", "code,url,expires_at\nCANARY-0001,,soon\n,ftp://CANARY,\n,,\n");
        write(&app, "one.csv", "code\nCANARY-0001\n");
        let say = async |what: &str, words: &[&str], code: i32| {
            let ended = run(&app, &format!("attempts resolve --json --operator Ada {what}"), words).await;
            let printed = format!("{ended:?}");
            let (_, message) = told(ended, code);
            assert!(!printed.contains("CANARY"), "{printed}");
            message
        };
        for (what, code, message) in [
            ("--delivered two.csv --note it", 3, "the file has 2 units where 1 were asked for: leave the others out, and \
                take them in with `octopus stock import`"),
            ("--delivered none.csv --note it", 3, "the file has no line behind its heading: say --refused or --not-executed"),
            ("--delivered receipt.csv --note it", 3, "the product is delivered as codes: the file needs the column code or url"),
            ("--delivered column.csv --note it", 2, "column.csv: column 2 of the header is none of code, pin, serial, url, \
                expires_at, receipt"),
            ("--delivered bad.csv --note it", 3, "bad.csv has 3 bad lines; nothing was changed"),
            ("--delivered one.csv --cost 1.1234567 --note it", 3, "the cost must be from 0 to a billion a unit, with six digits \
                behind the point at most"),
            ("--delivered one.csv --cost 1000000000.1 --note it", 3, "the cost must be from 0 to a billion a unit, with six digits \
                behind the point at most"),
            ("--delivered one.csv --cost -1 --note it", 2, ""),
            ("--refused --not-executed --note it", 2, ""),
            ("--refused --vendor-ref T-1 --note it", 2, "--vendor-ref and --cost go with --delivered"),
            ("--note it", 2, ""),
        ] {
            let said = say(&format!("{purchase} {what}"), &[], code).await;
            assert!(message.is_empty() || said == message, "{what}: {said}");
        }
        let said = say(&format!("{purchase} --refused --note"), &[""], 3).await;
        assert_eq!(said, "the note must have 1 to 500 printable characters: say how it is known");
        let nobody = "pur_00000000000000000000000000";
        let said = say(&format!("{nobody} --refused --note it"), &[], 3).await;
        assert_eq!(said, format!("there is no purchase {nobody}: `octopus attempts list` shows them"));
        app.database.execute("UPDATE purchases SET state = 'SENDING'").await;
        let said = say(&format!("{purchase} --refused --note it"), &[], 3).await;
        assert_eq!(said, "it is on its way to the vendor: wait until it is UNKNOWN or REVIEW, as `octopus attempts list` shows");
        app.database.execute("UPDATE purchases SET state = 'UNKNOWN'").await;
        assert_eq!(app.database.texts("SELECT state || epoch AS line FROM purchases").await, before);
        assert_eq!(app.database.number("SELECT count(*) FROM audit_log WHERE action = 'purchases.resolved'").await, 0);
        assert_eq!(app.database.number("SELECT count(*) FROM purchase_calls WHERE kind = 'DECISION'").await, 0);
    }
}
