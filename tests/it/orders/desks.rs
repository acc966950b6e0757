//! Two desks that want the same codes at the same moment.
//! Always true: each of the seeded partners has a desk of its own (on SQLite there is one desk); that the desks never waited
//! for each other in a circle is asserted at the end of every test (`support/app.rs`). Not here: one desk (`concurrency.rs`).

use std::collections::{BTreeMap, HashSet};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{codes, order};
use crate::support::answer::Answer;
use crate::support::app::Partner;
use crate::support::catalog::stock_csv;

/// How many codes there are of each product.
const CODES: usize = 40;
/// How many an order asks for.
const WANTED: i64 = 30;

/// The products of one face value that come as codes, and of which there are none.
async fn empty_shelves(partner: &Partner) -> Vec<String> {
    let page = "{ products(first: 100) { nodes { id delivery denomination { kind } stock { available } } } }";
    let answer = partner.graphql(page, Value::Null).await;
    let fits = |product: &&Value| {
        product["delivery"] == "CODE"
            && product["denomination"]["kind"] == "FIXED"
            && product["stock"]["available"] == 0
    };
    let nodes = answer.list("products.nodes").iter().filter(fits);
    nodes.map(|product| product["id"].as_str().unwrap().to_owned()).collect()
}

/// Codes of all these products, in one file.
fn shelves(products: &[String]) -> String {
    let mut csv = String::new();
    for product in products {
        let rows = stock_csv(product, "", 1, CODES);
        let from = if csv.is_empty() { 0 } else { rows.find('\n').unwrap() + 1 };
        csv.push_str(&rows[from..]);
    }
    csv
}

/// How many units of an order were delivered at once; 0 if it was refused for want of stock.
fn delivered(answer: &Answer) -> i64 {
    if answer.at("createOrder.order").is_null() {
        answer.expect_user_errors("createOrder", &[("OUT_OF_STOCK", "input.quantity")]);
        return 0;
    }
    let delivered = answer.payload("createOrder")["order"]["deliveredQuantity"].as_i64().unwrap();
    let shown = i64::try_from(codes(answer).len()).unwrap();
    assert_eq!(shown, delivered);
    delivered
}

both_databases! {
    async fn two_desks_that_fight_for_the_last_codes_end_with_orders_or_out_of_stock(app: SmallCatalog) {
        let partners = [app.partner().await, app.other_partner().await];
        let products = empty_shelves(&partners[0]).await;
        assert!(products.len() >= 25, "{products:?}");
        app.load_stock(&shelves(&products)).await;
        let mut wanted = Vec::new();
        for (round, product) in products.iter().enumerate() {
            for (partner, policy) in [(0, "ALL_OR_NOTHING"), (1, "BEST_EFFORT"), (1, "ALL_OR_NOTHING"), (0, "BEST_EFFORT")] {
                let input = json!({ "productId": product, "quantity": WANTED, "currency": "USD", "waitMs": 0,
                    "failurePolicy": policy, "reference": format!("{policy}-{round}") });
                wanted.push((partner, policy, product, input));
            }
        }
        let answers = join_all(wanted.iter().map(|(partner, _, _, input)| order(&partners[*partner], input.clone()))).await;

        let (mut all, mut of_product) = (HashSet::new(), BTreeMap::new());
        for ((_, policy, product, _), answer) in wanted.iter().zip(&answers) {
            let delivered = delivered(answer);
            assert!(*policy == "BEST_EFFORT" || [0, WANTED].contains(&delivered), "{answer:#?}");
            *of_product.entry(*product).or_insert(0) += delivered;
            if delivered > 0 {
                for code in codes(answer) {
                    assert!(all.insert(code.clone()), "{code} was sold twice");
                }
            }
        }
        // Whoever came first, what was left over found a buyer.
        let every_code = i64::try_from(CODES).unwrap();
        assert_eq!(of_product, products.iter().map(|product| (product, every_code)).collect());
        assert_eq!(all.len(), products.len() * CODES);
    }
}
