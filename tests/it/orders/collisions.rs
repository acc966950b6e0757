//! Orders that collide, when they are inserted: with what has gone a moment later, and with what another node has committed.
//! Always true: who collides gives back what it was given, and is tried again with those that it stood in the way of; an order
//! that exists is the answer, whatever has become short meanwhile. Not here: replays and mismatches of one node
//! (`idempotency.rs`), and used charges (`charges.rs`).

use futures_util::future::join_all;
use serde_json::json;

use super::{codes, funds, new_rows, order, rows};
use crate::support::answer::Answer;
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::{STEAM_50, stock_csv};
use crate::support::database::Dialect;

/// Lets each order's first insertion come to nothing, as a collision with an order that is then undone does.
async fn swallow_first_insertions(app: &TestApp) {
    app.database.execute("CREATE TABLE swallowed (reference TEXT PRIMARY KEY)").await;
    let statements: &[&str] = match app.database.dialect() {
        Dialect::Sqlite => &["CREATE TRIGGER swallow BEFORE INSERT ON orders
             WHEN NOT EXISTS (SELECT 1 FROM swallowed s WHERE s.reference = NEW.reference)
             BEGIN INSERT INTO swallowed VALUES (NEW.reference); SELECT RAISE(IGNORE); END"],
        Dialect::Postgres => &[
            "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF EXISTS (SELECT 1 FROM swallowed s WHERE s.reference = NEW.reference) THEN RETURN NEW; END IF;
             INSERT INTO swallowed VALUES (NEW.reference); RETURN NULL; END $$",
            "CREATE TRIGGER swallow BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION swallow()",
        ],
    };
    for statement in statements {
        app.database.execute(statement).await;
    }
}

/// Has every caller place the same order several times at once: one order is made, and all others replay it.
async fn expect_one_order(callers: &[Partner], sku: &str, reference: &str) {
    let input = json!({ "productId": sku, "reference": reference });
    let calls = (0..8).flat_map(|_| callers).map(|caller| order(caller, input.clone()));
    let answers: Vec<Answer> = join_all(calls).await;
    for answer in &answers {
        answer.payload("createOrder");
    }
    let replayed = answers.iter().filter(|answer| answer.at("createOrder.replayed") == true).count();
    assert_eq!(replayed, answers.len() - 1, "{reference}");
    assert!(answers.iter().all(|answer| codes(answer) == codes(&answers[0])), "{reference}");
}

both_databases! {
    async fn orders_that_collide_with_what_has_gone_cost_nobody_anything(app: SmallCatalog) {
        let partner = app.unfunded_partner("Thrifty", "USD").await;
        // Ten cost as much to the cent.
        app.credit(&partner, ("USD", 49_400), "funds").await;
        swallow_first_insertions(&app).await;
        let before = rows(&app).await;
        let orders = (0..30).map(|n| {
            order(&partner, json!({ "productId": STEAM_50, "reference": format!("twice-{n}") }))
        });
        let answers = join_all(orders).await;
        let sold = answers.iter().filter(|answer| !answer.at("createOrder.order").is_null()).count();
        assert_eq!(sold, 10);
        for refused in answers.iter().filter(|answer| answer.at("createOrder.order").is_null()) {
            refused.expect_user_errors("createOrder", &[("INSUFFICIENT_FUNDS", "")]);
        }
        let grown = new_rows(&app, &before).await;
        assert_eq!((grown["orders"], grown["ledger_transactions"], grown["vouchers sold"]), (10, 10, 10));
        assert_eq!(funds(&partner, "USD").await, ("0.00".to_owned(), "0.00".to_owned()));
    }

    /// There is money for one order each time: whoever comes second, on whichever node, is short, and has the order all the same.
    async fn nodes_that_are_short_of_money_for_the_same_order_replay_it(app: SmallCatalog) {
        let partner = app.unfunded_partner("Thrifty", "USD").await;
        let second = app.second_node().await;
        let callers = [partner.clone(), second.caller(&partner)];
        for round in 0..12 {
            app.credit(&partner, ("USD", 4_940), &format!("funds-{round}")).await;
            expect_one_order(&callers, STEAM_50, &format!("same-{round}")).await;
        }
        second.leave().await;
    }

    async fn nodes_that_are_short_of_codes_for_the_same_order_replay_it(app: SmallCatalog) {
        let sku = "playstation_store_ae_50_usd";
        let partner = app.partner().await;
        let second = app.second_node().await;
        let callers = [partner.clone(), second.caller(&partner)];
        for round in 0..12 {
            app.load_stock(&stock_csv(sku, "50", round + 1, 1)).await;
            expect_one_order(&callers, sku, &format!("same-{round}")).await;
        }
        second.leave().await;
    }
}
