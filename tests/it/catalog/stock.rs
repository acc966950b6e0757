//! Stock as the catalog shows it, while codes come and run out of time.
//! Always true: the server learns of both by itself. Not here: allocation (`orders.rs`).

use super::{ids, product, products};
use crate::orders::order;
use crate::support::app::Partner;
use crate::support::catalog::{EURO_20, STEAM_50, stock_csv};
use crate::support::poll::until;
use crate::support::process::Binary;
use serde_json::json;

async fn shows(partner: &Partner, count: i64) {
    shows_of(partner, EURO_20, count).await;
}

async fn shows_of(partner: &Partner, sku: &str, count: i64) {
    let what = format!("the server shows {count} codes of {sku}");
    until(&what, async || {
        (product(partner, sku).await.number("product.stock.available") == count).then_some(())
    })
    .await;
}

both_databases! {
    async fn a_running_server_sees_the_codes_that_the_command_line_loads(app: SmallCatalog) {
        let partner = app.partner().await;
        let available = json!({ "filter": { "availableOnly": true, "brand": "steam_wallet" }, "first": 100 });
        assert!(!ids(&products(&partner, available.clone()).await).contains(&EURO_20.to_owned()));
        let file = app.database.folder.path().join("codes.csv");
        std::fs::write(&file, stock_csv(EURO_20, "20", 1, 30)).unwrap();
        Binary::on(&app.database).run(&["stock", "import", file.to_str().unwrap()]).await.expect_code(0);
        shows(&partner, 30).await;
        assert_eq!(product(&partner, EURO_20).await.at("product.orderable"), true);
        assert!(ids(&products(&partner, available).await).contains(&EURO_20.to_owned()));
        assert_eq!(product(&partner, STEAM_50).await.number("product.stock.available"), 200);
    }

    /// A code must be good for a day longer than now; one that is not is neither shown nor sold.
    async fn codes_that_run_out_of_time_leave_the_stock(app: SmallCatalog) {
        let partner = app.partner().await;
        let day = |days: i64| app.now().plus_seconds(days * 86_400);
        let csv = format!("sku,face_value,code,pin,serial,url,expires_at,cost,cost_currency,lot\n\
            {EURO_20},20,A-0001,,,,{},,,a\n{EURO_20},20,A-0002,,,,{},,,a\n{EURO_20},20,A-0003,,,,,,,a\n\
            {EURO_20},20,A-0004,,,,{},,,a\n",
            day(2), day(4), day(3));
        app.load_stock(&csv).await;
        shows(&partner, 4).await;
        app.advance_secs(86_400);
        // Sessions have ended meanwhile.
        shows(&app.partner().await, 3).await;
        app.advance_secs(2 * 86_400);
        shows(&app.partner().await, 1).await;
    }

    /// Whatever the number of writers that there ever were, only those that moved lately are read. One that was missed is caught
    /// up when it moves again, and never applied to a count that has it.
    async fn writers_that_rest_are_not_read_and_are_caught_up_once(app: SmallCatalog) {
        app.books_are_broken();
        let partner = app.partner().await;
        let clock = octopus_cards::store::engine_clock(app.deps.database.backend());
        app.database.execute("UPDATE stock_writers SET moved_at = 0").await;
        let resting = format!("(SELECT m.writer FROM stock_moves m WHERE m.product_id = '{STEAM_50}' AND m.delta = 200
            ORDER BY m.writer, m.n LIMIT 1)");
        let moves = |delta: i64, moved_at: &str| format!("BEGIN;
            UPDATE stock_writers SET n = n + 1, moved_at = {moved_at} WHERE writer = {resting};
            INSERT INTO stock_moves (writer, n, product_id, face_minor, kind, delta, at)
            SELECT w.writer, w.n, '{STEAM_50}', 5000, 'ALLOCATED', {delta}, 0 FROM stock_writers w WHERE w.writer = {resting};
            COMMIT;");
        app.database.execute(&moves(-10, "0")).await;
        order(&partner, json!({ "productId": STEAM_50, "reference": "one" })).await.payload("createOrder");
        shows_of(&partner, STEAM_50, 199).await;
        app.database.execute(&moves(-5, clock)).await;
        shows_of(&partner, STEAM_50, 184).await;
        app.database.execute(&moves(-10, "0")).await;
        // What comes in is counted: 199 codes are there, whatever the moves above said, and 5 more.
        app.load_stock(&stock_csv(STEAM_50, "50", 301, 5)).await;
        shows_of(&partner, STEAM_50, 204).await;
        app.database.execute(&moves(-3, clock)).await;
        shows_of(&partner, STEAM_50, 201).await;
    }
}
