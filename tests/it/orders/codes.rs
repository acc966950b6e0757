//! Reading the codes of orders, after they were placed.
//! Always true: who reads is on record, and nobody reads whose session has ended. Not here: codes in the answer to an order
//! (`idempotency.rs`, `concurrency.rs`), over sockets (`resuming.rs`), and what the log holds of them (`canary.rs`).

use reqwest::Method;
use serde_json::{Value, json};

use super::order;
use crate::support::catalog::{STEAM_50, stock_csv};
use crate::support::seed::SeededPartner;

both_databases! {
    async fn each_reading_of_codes_is_audited_once_an_order_and_request(app: SmallCatalog) {
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "quantity": 5, "reference": "a" })).await.payload("createOrder");
        order(&partner, json!({ "productId": STEAM_50, "quantity": 5, "reference": "b" })).await.payload("createOrder");
        let audited = "SELECT count(*) FROM audit_log WHERE action = 'vouchers.revealed'";
        assert_eq!(app.database.number(audited).await, 2);
        partner.graphql("{ orders { nodes { id units { totalCount } } } }", json!({})).await.data();
        assert_eq!(app.database.number(audited).await, 2);
        let read = partner.graphql("{ orders { nodes { vouchers { code } again: vouchers(first: 2) { code } } } }", json!({})).await;
        assert_eq!(read.list("orders.nodes.0.vouchers").len(), 5);
        assert_eq!(app.database.number(audited).await, 4);
        assert_eq!(read.header("cache-control"), "no-store");
    }

    async fn every_code_that_may_not_be_read_has_an_error_of_its_own(app: SmallCatalog) {
        let partner = app.partner().await;
        for n in 0..12 {
            order(&partner, json!({ "productId": STEAM_50, "reference": format!("r{n}") })).await.payload("createOrder");
        }
        let made = partner.graphql(
            "mutation { createApiCredential(input: { name: \"reader\", scopes: [ORDERS_READ] }) {
                credential { username } password userErrors { code } } }", json!({})).await;
        let account = SeededPartner {
            id: partner.account.id.clone(),
            username: made.text("createApiCredential.credential.username").to_owned(),
            password: made.text("createApiCredential.password").to_owned(),
        };
        let reader = app.sign_in(&account).await;
        let answer = reader.graphql("{ orders(first: 20) { nodes { reference vouchers { code } } } }", json!({})).await;
        let orders = answer.body_at("data.orders.nodes").as_array().expect("a list");
        assert!(orders.iter().all(|order| order["reference"].is_string() && order["vouchers"].is_null()), "{answer:#?}");
        // Which is told first is a matter of chance; that each is told, and once, is not.
        let errors = answer.body_at("errors").as_array().expect("a list");
        let mut places: Vec<i64> = errors.iter().map(|error| error["path"][2].as_i64().expect("a place")).collect();
        places.sort_unstable();
        assert_eq!(places, (0..12).collect::<Vec<_>>());
        for error in errors {
            assert_eq!(error["extensions"]["code"], "FORBIDDEN", "{error}");
            assert_eq!((&error["path"][1], &error["path"][3]), (&json!("nodes"), &json!("vouchers")), "{error}");
        }
    }

    /// What an answer may tell is counted by what it can hold, not by what the order has.
    async fn the_last_codes_of_a_large_order_count_as_those_that_they_are(app: SmallCatalog) {
        let partner = app.partner().await;
        app.load_stock(&stock_csv(STEAM_50, "50", 1_001, 600)).await;
        order(&partner, json!({ "productId": STEAM_50, "quantity": 600, "reference": "large" })).await.payload("createOrder");
        let all = partner.graphql("{ order(reference: \"large\") { vouchers { id code } } }", json!({})).await;
        let all = all.list("order.vouchers");
        let document = "query($after: ID) { order(reference: \"large\") {
            all: vouchers { code } last: vouchers(after: $after) { code } } }";
        let fits = partner.graphql(document, json!({ "after": all[199]["id"] })).await;
        assert_eq!((fits.list("order.all").len(), fits.list("order.last").len()), (600, 400));
        assert_eq!(fits.at("order.last.0.code"), &all[200]["code"]);
        let too_many = partner.graphql(document, json!({ "after": all[198]["id"] })).await;
        assert_eq!(too_many.body_at("errors.0.extensions.code"), "QUERY_TOO_COMPLEX");
    }

    async fn vouchers_by_id_are_those_of_their_units(app: SmallCatalog) {
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "quantity": 9, "reference": "nine" })).await.payload("createOrder");
        let all = partner.graphql("{ order(reference: \"nine\") { vouchers { id unitIndex code } } }", json!({})).await;
        let mut wanted = all.list("order.vouchers").to_vec();
        wanted.reverse();
        let ids: Vec<&Value> = wanted.iter().map(|voucher| &voucher["id"]).collect();
        let found = partner
            .graphql("query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Voucher { unitIndex code } } }", json!({ "ids": ids }))
            .await;
        assert_eq!(found.list("nodes"), wanted);
    }

    /// As `octopus partner suspend` does it beside the server, which remembers sessions for some seconds.
    async fn a_partner_that_was_suspended_beside_the_server_reads_no_code(app: SmallCatalog) {
        let partner = app.partner().await;
        let placed = order(&partner, json!({ "productId": STEAM_50, "quantity": 2, "reference": "mine" })).await;
        let voucher = placed.text("createOrder.order.vouchers.0.id").to_owned();
        let id = &partner.account.id;
        app.database.execute(&format!("UPDATE partners SET status = 'SUSPENDED' WHERE id = '{id}'")).await;
        let read = "query($id: ID!) { order(reference: \"mine\") { vouchers { code } } node(id: $id) { ... on Voucher { code } } }";
        let answer = partner.graphql(read, json!({ "id": voucher })).await;
        assert_eq!(answer.body_at("errors.0.extensions.code"), "UNAUTHENTICATED");
        let body = format!("{answer:?}");
        assert!(!body.contains(placed.text("createOrder.order.vouchers.0.code")), "{body}");
        let by_rest = partner.rest(Method::GET, "/api/v1/orders?reference=mine", &Value::Null).await;
        by_rest.expect_problem(401, "UNAUTHENTICATED");
        let audited = "SELECT count(*) FROM audit_log WHERE action = 'vouchers.revealed'";
        assert_eq!(app.database.number(audited).await, 1);
    }
}
