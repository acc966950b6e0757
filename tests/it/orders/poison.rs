//! Orders that break the batch they are in.
//! Always true: the batch is run again order by order, so that all others are sold. Not here: orders that are only refused
//! (`concurrency.rs`).

use futures_util::future::join_all;
use serde_json::json;

use super::{new_rows, order, rows};
use crate::support::catalog::STEAM_50;
use crate::support::database::Dialect;

both_databases! {
    async fn a_poison_order_harms_nobody_else(app: SmallCatalog) {
        let partner = app.partner().await;
        let before = rows(&app).await;
        // The database refuses orders of this reference: the batch that has it fails, and runs singly.
        app.database.execute(match app.database.dialect() {
            Dialect::Sqlite =>
                "CREATE TRIGGER poison BEFORE INSERT ON orders WHEN NEW.reference = 'poison'
                 BEGIN SELECT RAISE(ABORT, 'poison'); END",
            Dialect::Postgres =>
                "ALTER TABLE orders ADD CONSTRAINT poison CHECK (reference <> 'poison')",
        }).await;
        let orders = (0..40).map(|n| {
            let reference = if n == 20 { "poison".to_owned() } else { format!("good-{n}") };
            order(&partner, json!({ "productId": STEAM_50, "reference": reference }))
        });
        let answers = join_all(orders).await;
        for (n, answer) in answers.iter().enumerate() {
            if n == 20 {
                answer.expect_errors(&[("INTERNAL_SERVER_ERROR", "createOrder")]);
            } else {
                answer.payload("createOrder");
            }
        }
        let grown = new_rows(&app, &before).await;
        assert_eq!((grown["orders"], grown["ledger_transactions"], grown["vouchers sold"]), (39, 39, 39));
    }

    /// A wallet whose entries cannot be counted further makes the code itself stop, in builds that look for overflow.
    async fn an_order_that_makes_a_batch_panic_harms_nobody_else(app: SmallCatalog) {
        let partner = app.partner().await;
        let euros = format!("partner_id = '{}' AND currency = 'EUR'", partner.account.id);
        app.database.execute(&format!("UPDATE wallets SET sequence = {} WHERE {euros}", i64::MAX)).await;
        let before = rows(&app).await;
        for round in 0..3 {
            let orders = (0..20).map(|n| {
                let currency = if n == 10 { "EUR" } else { "USD" };
                let reference = format!("{currency}-{round}-{n}");
                order(&partner, json!({ "productId": STEAM_50, "currency": currency, "reference": reference }))
            });
            let answers = join_all(orders).await;
            for (n, answer) in answers.iter().enumerate() {
                if n == 10 {
                    answer.expect_errors(&[("INTERNAL_SERVER_ERROR", "createOrder")]);
                } else {
                    answer.payload("createOrder");
                }
            }
        }
        let grown = new_rows(&app, &before).await;
        assert_eq!((grown["orders"], grown["ledger_transactions"], grown["vouchers sold"]), (57, 57, 57));
        app.database.execute(&format!("UPDATE wallets SET sequence = 1 WHERE {euros}")).await;
        let mended = order(&partner, json!({ "productId": STEAM_50, "currency": "EUR", "reference": "EUR-0-10" })).await;
        assert_eq!(mended.payload("createOrder")["replayed"], false);
    }
}
