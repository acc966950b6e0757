//! Messages that a vendor sends of its own accord: `POST /vendors/{id}/hints`.
//! Always true: the clock stands still, so that nothing but a message can have a purchase asked about early.
//! Not here: how a message names its purchase (`vendors/reloadly/hints.rs`).

use entity::ids::VendorId;
use reqwest::Method;
use serde_json::json;

use super::catalogs::{XBOX_5, add_reloadly, price_xbox, sync};
use super::{end, find, input};
use crate::orders::order;
use crate::support::answer::Answer;
use crate::support::app::{Partner, TestApp};
use crate::support::poll;
use crate::support::vendor::TestVendor;
use crate::vendors::hostile::Fault;
use crate::vendors::reloadly::hints::signed;
use crate::vendors::reloadly::{ReloadlyStage, WEBHOOK_SECRET};
use crate::vendors::stage::{At, Stage as _};

const CALLS: &str = "SELECT kind || ' ' || outcome AS line FROM purchase_calls ORDER BY n";
const NEXT: &str = "SELECT next_at FROM purchases";

/// A purchase that was made, and of which we have been told nothing.
async fn in_doubt(app: &TestApp) -> (ReloadlyStage, VendorId, Partner, String) {
    let partner = app.partner().await;
    let (stage, vendor) = add_reloadly(app).await;
    sync(app, vendor).await;
    price_xbox(app).await;
    stage.play(At::Purchase, Some(Fault::ErrorBought)).await;
    order(&partner, input(XBOX_5, 1, "doubt")).await.payload("createOrder");
    let unknown = "SELECT count(*) FROM purchases WHERE state = 'UNKNOWN' AND worker_id IS NULL";
    poll::until_true("the purchase is in doubt", async || app.database.number(unknown).await == 1).await;
    let reference = app.database.texts("SELECT our_ref AS line FROM purchases").await.remove(0);
    (stage, vendor, partner, reference)
}

fn about(reference: &str) -> String {
    json!({ "type": "giftcard_transaction.status", "data": { "customIdentifier": reference, "status": "FAILED" } }).to_string()
}

/// Sends a body as the vendor does, signed with a secret, said to be sent so many seconds from now.
async fn send(app: &TestApp, vendor: &str, (secret, secs): (&str, i64), body: &str) -> Answer {
    let sent = (app.now().seconds() + secs).to_string();
    let mut request = app.client.request(Method::POST, &format!("/vendors/{vendor}/hints"));
    for (name, value) in signed(secret, &sent, body) {
        request = request.header(name, value);
    }
    Answer::read(request.body(body.to_owned()).send().await.unwrap()).await
}

async fn hint(app: &TestApp, vendor: VendorId, body: &str) {
    let taken = send(app, &vendor.to_string(), (WEBHOOK_SECRET, 0), body).await;
    assert_eq!(taken.expect_status(200).body, json!({ "taken": true }));
}

both_databases! {
    async fn a_signed_message_has_its_purchase_asked_about_at_once_and_settles_nothing_itself(app: SmallCatalog) {
        let (stage, vendor, partner, reference) = in_doubt(&app).await;
        assert_eq!(app.database.texts(CALLS).await, ["SEND UNKNOWN"]);
        // It says that the purchase failed. What the vendor says when it is asked counts.
        hint(&app, vendor, &about(&reference)).await;
        poll::until_true("the order is delivered", async || find(&partner, "doubt").await.text("order.status") == "DELIVERED").await;
        assert_eq!(stage.booked().await, [reference.as_str()]);
        let told = app.database.texts(CALLS).await;
        assert_eq!(told.len(), 2, "{told:?}");
        // Again, and about what nobody knows: taken, and nothing follows.
        for body in [about(&reference), about("nobody-knows-this"), about("a\0b"), r#"{"data":{"transactionId":1}}"#.to_owned(), "not JSON".to_owned()] {
            hint(&app, vendor, &body).await;
        }
        assert_eq!(app.database.texts(CALLS).await, told);
        assert_eq!(app.database.number("SELECT count(*) FROM purchases WHERE next_at IS NOT NULL").await, 0);
    }

    async fn what_the_vendor_has_not_signed_changes_nothing(app: SmallCatalog) {
        let (_stage, vendor, partner, reference) = in_doubt(&app).await;
        let sandbox = TestVendor::open(&app, "sandbox").await;
        octopus_cards::domain::fulfillment::refresh(&app.deps).await.unwrap();
        let before = app.database.number(NEXT).await;
        let (ours, good) = (vendor.to_string(), about(&reference));
        for (secret, secs, body) in [
            ("another secret", 0, good.as_str()),
            (WEBHOOK_SECRET, -301, &good),
            (WEBHOOK_SECRET, 301, &good),
            ("", 0, "\u{1}\u{2} garbage"),
        ] {
            let refused = send(&app, &ours, (secret, secs), body).await;
            refused.expect_problem(403, "FORBIDDEN");
            assert!(!refused.body.to_string().contains(&reference), "{refused:#?}");
        }
        let bare = app.client.request(Method::POST, &format!("/vendors/{ours}/hints")).body(good.clone());
        Answer::read(bare.send().await.unwrap()).await.expect_problem(403, "FORBIDDEN");
        let sandbox = sandbox.row.id.to_string();
        for nobody in ["vnd_01kb00000000000000000000zz", "reloadly", "%00", &sandbox] {
            send(&app, nobody, (WEBHOOK_SECRET, 0), &good).await.expect_problem(404, "NOT_FOUND");
        }
        let huge = " ".repeat(300_000);
        send(&app, &ours, (WEBHOOK_SECRET, 0), &huge).await.expect_problem(413, "PAYLOAD_TOO_LARGE");
        let read = app.client.request(Method::GET, &format!("/vendors/{ours}/hints"));
        assert_eq!(read.send().await.unwrap().status(), 405);
        assert_eq!(app.database.number(NEXT).await, before);
        assert_eq!(app.database.texts(CALLS).await, ["SEND UNKNOWN"]);
        assert_eq!(end(&app, &partner, "doubt").await.text("order.status"), "DELIVERED");
    }

    async fn a_stream_of_messages_does_not_have_the_vendor_asked_again_and_again(app: SmallCatalog) {
        let (stage, vendor, partner, reference) = in_doubt(&app).await;
        stage.play(At::Find, Some(Fault::Down)).await;
        for _ in 0..5 {
            hint(&app, vendor, &about(&reference)).await;
        }
        let looked = "SELECT count(*) FROM purchases WHERE looks = 1 AND worker_id IS NULL AND state = 'UNKNOWN'";
        poll::until_true("it was asked once", async || app.database.number(looked).await == 1).await;
        let at = app.now().micros();
        for secs in [0, 1] {
            app.advance_secs(secs);
            for _ in 0..5 {
                hint(&app, vendor, &about(&reference)).await;
            }
            // The worker asks when this instant has come: five seconds behind the look, messages or none.
            assert_eq!(app.database.number(NEXT).await, at + 5_000_000);
        }
        assert_eq!(app.database.texts(CALLS).await, ["SEND UNKNOWN", "LOOK UNKNOWN"]);
        stage.play(At::Find, None).await;
        assert_eq!(end(&app, &partner, "doubt").await.text("order.status"), "DELIVERED");
    }
}
