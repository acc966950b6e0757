//! Callers that wait for the end of an order.
//! Always true: a wait that is over answers the order as it stands, and is never an error. Not here: an order that ends while
//! its caller waits (`settling.rs`), a server that stops meanwhile (`crash.rs`).

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{codes, order};
use crate::support::catalog::{YEN_1000, stock_csv};
use crate::support::poll;

/// A product of which there are no codes at first.
const GAME_PASS: &str = "xbox_game_pass_ultimate_1m_usd";

/// One unit more than there are codes: it stays open until a code is loaded.
fn one_too_many(reference: &str) -> Value {
    json!({ "productId": YEN_1000, "quantity": 51, "currency": "JPY", "reference": reference })
}

both_databases! {
    async fn a_wait_that_is_over_answers_the_order_as_it_stands(app: SmallCatalog) {
        let partner = app.partner().await;
        // Without `waitMs` it is 900.
        for (round, wait_ms) in [json!(0), json!(30), Value::Null].into_iter().enumerate() {
            let mut input = json!({ "productId": GAME_PASS, "quantity": 2, "reference": format!("waits-{round}") });
            if !wait_ms.is_null() {
                input["waitMs"] = wait_ms;
            }
            app.load_stock(&stock_csv(GAME_PASS, "", round, 1)).await;
            let answer = order(&partner, input.clone()).await;
            assert_eq!(answer.expect_status(200).payload("createOrder")["replayed"], false);
            assert_eq!(answer.text("createOrder.order.status"), "PROCESSING", "{input}");
            assert_eq!(answer.number("createOrder.order.deliveredQuantity"), 1);
            assert!(answer.at("createOrder.order.completedAt").is_null());
            assert_eq!(codes(&answer).len(), 1);
            // What is still open would take the next round's code.
            let cancel = "mutation($reference: String) { cancelOrder(input: { reference: $reference }) { userErrors { code } } }";
            partner.graphql(cancel, json!({ "reference": input["reference"] })).await.payload("cancelOrder");
        }
    }

    /// Each of the fields would wait for two seconds by itself, and the operation is ended after twelve.
    async fn the_orders_of_one_document_share_one_wait(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut input = one_too_many("open");
        input["waitMs"] = json!(0);
        order(&partner, input.clone()).await.payload("createOrder");
        let mut fields = String::new();
        for number in 0..20 {
            write!(fields, " f{number}: createOrder(input: $input) {{ replayed order {{ status }} userErrors {{ code }} }}").unwrap();
        }
        let document = format!("mutation Again($input: CreateOrderInput!) {{{fields} }}");
        input["waitMs"] = json!(2_000);
        let answer = partner.graphql(&document, json!({ "input": input })).await;
        let expected = json!({ "replayed": true, "order": { "status": "PROCESSING" }, "userErrors": [] });
        for number in 0..20 {
            assert_eq!(answer.at(&format!("f{number}")), &expected);
        }
    }

    async fn a_repetition_waits_for_the_same_end(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut input = one_too_many("both");
        input["waitMs"] = json!(30_000);
        let callers = [0, 1].map(|_| {
            let (partner, input) = (partner.clone(), input.clone());
            tokio::spawn(async move { order(&partner, input).await })
        });
        poll::until_true("the order is accepted", async || {
            app.database.number("SELECT count(*) FROM orders").await == 1
        }).await;
        app.load_stock(&stock_csv(YEN_1000, "1000", 51, 1)).await;
        let mut replayed = Vec::new();
        for caller in callers {
            let answer = caller.await.expect("the caller does not panic");
            assert_eq!(answer.payload("createOrder")["order"]["status"], "DELIVERED");
            assert_eq!(codes(&answer).len(), 51);
            replayed.push(answer.at("createOrder.replayed") == true);
        }
        replayed.sort_unstable();
        assert_eq!(replayed, [false, true]);
    }
}
