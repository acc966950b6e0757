//! Many buyers at once.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::json;

use super::{codes, funds, order};
use crate::support::answer::Answer;
use crate::support::catalog::{DINAR_10, STEAM_50, YEN_1000, stock_csv};

fn refused_with(answers: &[Answer], code: &str) -> usize {
    let code_of =
        |answer: &Answer| answer.at("createOrder.userErrors").get(0).map(|error| error["code"] == code);
    answers.iter().filter(|answer| code_of(answer) == Some(true)).count()
}

fn delivered(answers: &[Answer]) -> Vec<&Answer> {
    answers.iter().filter(|answer| !answer.at("createOrder.order").is_null()).collect()
}

both_databases! {
    async fn fifty_buyers_of_forty_codes_get_exactly_forty(app: SmallCatalog) {
        let sku = "playstation_store_ae_50_usd";
        app.load_stock(&stock_csv(sku, "50", 1, 40)).await;
        let (one, other) = (app.partner().await, app.other_partner().await);
        let before = (funds(&one, "USD").await, funds(&other, "USD").await);
        let buyers = (0..50).map(|n| {
            let buyer = if n % 2 == 0 { &one } else { &other };
            order(buyer, json!({ "productId": sku, "currency": "USD", "reference": format!("buyer-{n}") }))
        });
        let answers = join_all(buyers).await;
        let sold = delivered(&answers);
        assert_eq!(sold.len(), 40);
        let distinct: HashSet<String> = sold.iter().flat_map(|answer| codes(answer)).collect();
        assert_eq!(distinct.len(), 40);
        let refused: Vec<&Answer> =
            answers.iter().filter(|answer| answer.at("createOrder.order").is_null()).collect();
        assert_eq!(refused.len(), 10);
        for answer in refused {
            answer.expect_user_errors("createOrder", &[("OUT_OF_STOCK", "input.quantity")]);
        }
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 40);
        assert_eq!(app.database.number("SELECT count(*) FROM ledger_transactions WHERE kind = 'SALE'").await, 40);
        assert_ne!((funds(&one, "USD").await, funds(&other, "USD").await), before);
    }

    async fn a_wallet_with_half_the_funds_sells_exactly_what_it_can_pay(app: SmallCatalog) {
        app.load_stock(&stock_csv(STEAM_50, "50", 201, 200)).await;
        let partner = app.new_partner("Half Funded", "USD").await;
        let price = order(&partner, json!({ "productId": STEAM_50, "reference": "price" })).await;
        let unit: i64 = price.text("createOrder.order.total.amount").replace('.', "").parse().unwrap();
        let wallet = "UPDATE wallets SET available = AMOUNT WHERE currency = 'USD' AND partner_id = 'PARTNER'";
        let funded = wallet.replace("AMOUNT", &(unit * 128).to_string()).replace("PARTNER", &partner.account.id);
        app.database.execute(&funded).await;
        app.books_are_broken();
        let clients = (0..256).map(|n| order(&partner, json!({ "productId": STEAM_50, "reference": format!("c-{n}") })));
        let answers = join_all(clients).await;
        assert_eq!(delivered(&answers).len(), 128);
        assert_eq!(refused_with(&answers, "INSUFFICIENT_FUNDS"), 128);
        assert_eq!(funds(&partner, "USD").await, ("0.00".to_owned(), "0.00".to_owned()));
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 129);
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE state = 'DELIVERED'").await, 129);
    }

    async fn a_refused_large_order_does_not_refuse_a_small_one_behind_it(app: SmallCatalog) {
        let partner = app.partner().await;
        let mixed = (0..30).map(|n| {
            let quantity = if n % 3 == 0 { 1_000 } else { 1 };
            let policy = if n % 3 == 0 { "ALL_OR_NOTHING" } else { "BEST_EFFORT" };
            order(&partner, json!({ "productId": STEAM_50, "quantity": quantity, "failurePolicy": policy,
                "reference": format!("mixed-{n}") }))
        });
        let answers = join_all(mixed).await;
        assert_eq!(delivered(&answers).len(), 20);
        assert_eq!(refused_with(&answers, "OUT_OF_STOCK"), 10);
    }

    async fn a_poison_order_harms_nobody_else(app: SmallCatalog) {
        let partner = app.partner().await;
        // The database refuses orders of this reference: the batch that has it fails, and runs singly.
        app.database.execute(match app.database.dialect() {
            crate::support::database::Dialect::Sqlite =>
                "CREATE TRIGGER poison BEFORE INSERT ON orders WHEN NEW.reference = 'poison'
                 BEGIN SELECT RAISE(ABORT, 'poison'); END",
            crate::support::database::Dialect::Postgres =>
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
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 39);
    }

    async fn partners_wallets_and_products_mixed_keep_their_books(app: SmallCatalog) {
        let (one, other) = (app.partner().await, app.other_partner().await);
        let products = [(STEAM_50, "USD"), (YEN_1000, "JPY"), (DINAR_10, "KWD"), (STEAM_50, "EUR"), (YEN_1000, "USD")];
        let orders = (0..200).map(|n: usize| {
            let buyer = if n.is_multiple_of(2) { &one } else { &other };
            let (product, currency) = products[n % products.len()];
            order(buyer, json!({ "productId": product, "quantity": 1 + n % 3, "currency": currency,
                "reference": format!("mix-{}", n % 170) }))
        });
        for answer in join_all(orders).await {
            answer.data();
        }
        let sold = app.database.number("SELECT count(*) FROM vouchers WHERE state = 'DELIVERED'").await;
        assert_eq!(app.database.number("SELECT sum(delivered_quantity) FROM orders").await, sold);
    }
}
