//! Orders that collide, when they are inserted, with what has gone a moment later.
//! Always true: who collides gives back what it was given, and is tried again with those that it stood in the way of. Not here:
//! collisions with what stays, which are replays and mismatches (`idempotency.rs`) and used charges (`charges.rs`).

use futures_util::future::join_all;
use serde_json::json;

use super::{funds, new_rows, order, rows};
use crate::support::app::TestApp;
use crate::support::catalog::STEAM_50;
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
}
