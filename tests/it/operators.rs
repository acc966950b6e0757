//! What operators do from the command line, beside a running server: vendors, offers, attempts, refunds, other codes.
//! Always true: a command is the real binary in a process of its own; what it did is seen through the endpoint. Not here: exit
//! codes of each command (`command_line.rs`).

mod attempts;
mod goodwill;
mod replacing;
mod resolving;
mod syncing;
mod vendors;

use std::fs;

use serde_json::Value;

use super::fulfillment::{end, input};
use super::orders::order;
use super::support::app::{Partner, TestApp};
use super::support::poll;
use super::support::process::{Binary, Ended};
use super::support::vendor::TestVendor;

/// Runs a command of the operator, its words split at blanks, then those that have blanks. The clock goes with one that is done:
/// what it did lies at the machine's present.
async fn run(app: &TestApp, line: &str, words: &[&str]) -> Ended {
    let words: Vec<&str> = line.split(' ').chain(words.iter().copied()).collect();
    let ended = Binary::on(&app.database).run(&words).await;
    if ended.code == Some(0) {
        app.meet_the_machine();
    }
    ended
}

/// A failure as a program reads it: its code and message.
fn told(ended: Ended, code: i32) -> (String, String) {
    let ended = ended.expect_code(code);
    assert_eq!(ended.stdout, "", "{ended:#?}");
    let told: Value =
        serde_json::from_str(&ended.stderr).unwrap_or_else(|error| panic!("{error}: {ended:#?}"));
    (told["code"].as_str().unwrap().to_owned(), told["message"].as_str().unwrap().to_owned())
}

/// Writes a file into the folder in which commands run.
fn write(app: &TestApp, name: &str, text: &str) {
    fs::write(app.database.folder.path().join(name), text).unwrap();
}

/// A partner, and a vendor that never says what became of a purchase.
async fn stage(app: &TestApp, product: &str) -> (Partner, TestVendor) {
    app.meet_the_machine();
    let partner = app.partner().await;
    let silent = TestVendor::open(app, "silent").await;
    silent.sell_for(app, &[(product, "sandbox_pending_100s")], "0.90").await;
    (partner, silent)
}

/// Places an order, and waits until what became of its one purchase is in doubt; tells the purchase.
async fn place_in_doubt(app: &TestApp, partner: &Partner, product: &str, quantity: u32) -> String {
    order(partner, input(product, quantity, "one")).await.payload("createOrder");
    in_doubt(app).await
}

/// Waits until a purchase is in doubt, and tells it.
async fn in_doubt(app: &TestApp) -> String {
    poll::until("the purchase is in doubt", async || {
        app.database.texts("SELECT id AS line FROM purchases WHERE state = 'UNKNOWN'").await.pop()
    })
    .await
}
