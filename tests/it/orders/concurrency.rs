//! Many buyers at once.
//! Always true: what is refused leaves no row anywhere, and the money of nobody. Not here: two desks that want the same codes
//! (`desks.rs`), orders that break a batch (`poison.rs`).

use std::collections::{BTreeMap, HashSet};

use futures_util::future::join_all;
use serde_json::json;

use super::{codes, events, funds, minor, new_rows, order, rows, unheld_funds};
use crate::support::answer::Answer;
use crate::support::catalog::{DINAR_10, STEAM_50, YEN_1000, stock_csv};

/// What one `STEAM_50` costs in US cents.
const STEAM_PRICE: i64 = 4_940;

fn refused_with(answers: &[Answer], code: &str) -> usize {
    let code_of =
        |answer: &Answer| answer.at("createOrder.userErrors").get(0).map(|error| error["code"] == code);
    answers.iter().filter(|answer| code_of(answer) == Some(true)).count()
}

/// The answers that have an order, and those that have none.
fn sold_and_refused(answers: &[Answer]) -> (Vec<&Answer>, Vec<&Answer>) {
    answers.iter().partition(|answer| !answer.at("createOrder.order").is_null())
}

fn distinct_codes(sold: &[&Answer]) -> usize {
    sold.iter().flat_map(|answer| codes(answer)).collect::<HashSet<String>>().len()
}

both_databases! {
    async fn fifty_buyers_of_forty_codes_get_exactly_forty(app: SmallCatalog) {
        let sku = "playstation_store_ae_50_usd";
        app.load_stock(&stock_csv(sku, "50", 1, 40)).await;
        let buyers = [app.partner().await, app.other_partner().await];
        let before = (rows(&app).await, unheld_funds(&buyers[0], "USD").await, unheld_funds(&buyers[1], "USD").await);
        let orders = (0..50).map(|n: usize| {
            let input = json!({ "productId": sku, "currency": "USD", "reference": format!("buyer-{n}") });
            order(&buyers[n % 2], input)
        });
        let answers = join_all(orders).await;
        let (sold, refused) = sold_and_refused(&answers);
        assert_eq!((sold.len(), distinct_codes(&sold), refused.len()), (40, 40, 10));
        let mut paid = [0, 0];
        for (n, answer) in answers.iter().enumerate() {
            if answer.at("createOrder.order").is_null() {
                let errors = answer.expect_user_errors("createOrder", &[("OUT_OF_STOCK", "input.quantity")]);
                assert_eq!(errors[0]["availableUnits"], 0);
                let row = format!("SELECT count(*) FROM orders WHERE reference = 'buyer-{n}'");
                assert_eq!(app.database.number(&row).await, 0, "buyer-{n} was refused");
            } else {
                // 50 × (1 − 0.04), in dollars, whoever pays.
                assert_eq!(answer.text("createOrder.order.total.amount"), "48.00");
                paid[n % 2] += 4_800;
            }
        }
        assert_eq!(unheld_funds(&buyers[0], "USD").await, before.1 - paid[0]);
        assert_eq!(unheld_funds(&buyers[1], "USD").await, before.2 - paid[1]);
        let mut grown = new_rows(&app, &before.0).await;
        // A wallet's event and a move of stock are one a commit, and how many orders share one is not said.
        grown.retain(|table, _| !["events", "stock_moves"].contains(table));
        assert_eq!(grown, BTreeMap::from([("audit_log", 40), ("ledger_transactions", 40), ("order_transitions", 80),
            ("order_units", 40), ("orders", 40), ("postings", 80), ("vouchers sold", 40)]));
        let holds = "SELECT count(*) FROM ledger_transactions WHERE kind <> 'SALE' AND order_id IS NOT NULL";
        assert_eq!(app.database.number(holds).await, 0);
        let told = "SELECT count(*) FROM events WHERE order_id IS NOT NULL";
        assert_eq!(app.database.number(told).await, 80);
    }

    async fn a_wallet_with_half_the_funds_sells_exactly_what_it_can_pay(app: SmallCatalog) {
        app.load_stock(&stock_csv(STEAM_50, "50", 201, 200)).await;
        let partner = app.unfunded_partner("Half Funded", "USD").await;
        app.credit(&partner, ("USD", 128 * STEAM_PRICE), "half").await;
        let (before, last_event) = (rows(&app).await, events(&partner, &json!(null)).await[0]["cursor"].clone());
        let clients = (0..256).map(|n| order(&partner, json!({ "productId": STEAM_50, "reference": format!("c-{n}") })));
        let answers = join_all(clients).await;
        let (sold, refused) = sold_and_refused(&answers);
        assert_eq!((sold.len(), distinct_codes(&sold), refused.len()), (128, 128, 128));
        for answer in refused {
            let errors = answer.expect_user_errors("createOrder", &[("INSUFFICIENT_FUNDS", "")]);
            assert_eq!(errors[0]["required"], json!({ "amount": "49.40", "currency": "USD" }));
            assert_eq!(errors[0]["available"], json!({ "amount": "0.00", "currency": "USD" }));
        }
        assert_eq!(funds(&partner, "USD").await, ("0.00".to_owned(), "0.00".to_owned()));

        // Exactly what 128 orders make. The wallet's change and the move of stock are told once a commit.
        let told = events(&partner, &last_event).await;
        let of_wallet: Vec<_> = told.iter().filter(|event| event["type"] == "wallet.debited").collect();
        let commits = i64::try_from(of_wallet.len()).unwrap();
        assert_eq!(new_rows(&app, &before).await, BTreeMap::from([("audit_log", 128), ("events", 256 + commits),
            ("ledger_transactions", 128), ("order_transitions", 256), ("order_units", 128), ("orders", 128),
            ("postings", 256), ("stock_moves", commits), ("vouchers sold", 128)]));
        let debited: i64 = of_wallet.iter().map(|event| minor(event["amount"]["amount"].as_str().unwrap())).sum();
        assert_eq!(debited, -128 * STEAM_PRICE);
        // The first entry is the credit.
        let number = |event: &serde_json::Value, name: &str| event[name].as_str().unwrap().parse::<i64>().unwrap();
        let entries: Vec<i64> = of_wallet
            .iter()
            .flat_map(|event| number(event, "firstEntrySequence")..=number(event, "lastEntrySequence"))
            .collect();
        assert_eq!(entries, (2..=129).collect::<Vec<_>>());
        let moved = "SELECT sum(delta) FROM stock_moves WHERE kind = 'ALLOCATED'";
        assert_eq!(app.database.number(moved).await, -128);
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
        assert_eq!(sold_and_refused(&answers).0.len(), 20);
        assert_eq!(refused_with(&answers, "OUT_OF_STOCK"), 10);
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
