//! The schema's steps, back and forth, on a database that was used.
//! Not here: what the tables refuse (`verify/guards.rs`).

use super::orders::order;
use super::support::catalog::STEAM_50;
use super::support::process::Binary;
use serde_json::json;

both_databases! {
    async fn each_step_is_taken_back_with_what_it_holds_and_applied_again(app: SmallCatalog) {
        app.books_are_broken();
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "reference": "sold" })).await.payload("createOrder");
        app.stop().await;
        for _ in 0..8 {
            Binary::on(&app.database).run(&["migrate", "down"]).await.expect_code(0);
        }
        assert!(app.database.try_execute("SELECT count(*) FROM partners").await.is_err());
        Binary::on(&app.database).run(&["migrate", "up"]).await.expect_code(0);
        assert_eq!(app.database.number("SELECT count(*) FROM partners").await, 0);
        app.verify_clean().await;
    }
}
