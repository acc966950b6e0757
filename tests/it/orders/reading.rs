//! Reading orders: by name, in pages, by node, and what others may not see.

use serde_json::json;

use super::{codes, order};
use crate::support::catalog::STEAM_50;
use crate::support::seed::SeededPartner;

both_databases! {
    async fn orders_are_found_by_id_reference_and_node(app: SmallCatalog) {
        let (partner, other) = (app.partner().await, app.other_partner().await);
        let placed = order(&partner, json!({ "productId": STEAM_50, "quantity": 2, "reference": "mine" })).await;
        let id = placed.text("createOrder.order.id");
        let query = "query($id: ID!) {
            byId: order(id: $id) { reference vouchers { code } }
            byReference: order(reference: \"mine\") { id product { id name current { id } } }
            node(id: $id) { id ... on Order { quantity units { totalCount nodes { id index status price { amount } } } } }
            nodes(ids: [$id, \"ord_nonsense\", \"steam_wallet_50_usd\", \"brd_steam_wallet\"]) { id }
        }";
        let found = partner.graphql(query, json!({ "id": id })).await;
        assert_eq!(found.text("byId.reference"), "mine");
        assert_eq!(found.list("byId.vouchers").len(), 2);
        assert_eq!(found.at("byId.vouchers.0.code"), &json!(codes(&placed)[0]));
        assert_eq!(found.text("byReference.product.current.id"), STEAM_50);
        assert_eq!(found.number("node.units.totalCount"), 2);
        assert_eq!(found.at("nodes"), &json!([{ "id": id }, null, { "id": STEAM_50 }, { "id": "brd_steam_wallet" }]));
        let foreign = other.graphql("query($id: ID!) { byId: order(id: $id) { id }
            byReference: order(reference: \"mine\") { id } node(id: $id) { id } }", json!({ "id": id })).await;
        assert_eq!(foreign.data(), &json!({ "byId": null, "byReference": null, "node": null }));
        let unnamed = partner.graphql("{ order { id } }", json!({})).await;
        unnamed.expect_errors(&[("BAD_USER_INPUT", "order")]);
    }

    async fn orders_come_in_pages_newest_first_both_ways(app: SmallCatalog) {
        let partner = app.partner().await;
        for n in 0..7 {
            order(&partner, json!({ "productId": STEAM_50, "reference": format!("page-{n}") })).await.payload("createOrder");
        }
        let page = "query($first: Int, $after: String, $last: Int, $before: String) {
            orders(first: $first, after: $after, last: $last, before: $before) {
                totalCount nodes { reference } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
        let first = partner.graphql(page, json!({ "first": 3 })).await;
        assert_eq!(first.at("orders.nodes"), &json!([{ "reference": "page-6" }, { "reference": "page-5" }, { "reference": "page-4" }]));
        assert_eq!(first.number("orders.totalCount"), 7);
        assert_eq!(first.at("orders.pageInfo.hasNextPage"), true);
        let next = partner.graphql(page, json!({ "first": 4, "after": first.at("orders.pageInfo.endCursor") })).await;
        assert_eq!(next.list("orders.nodes").len(), 4);
        assert_eq!(next.at("orders.pageInfo.hasNextPage"), false);
        let back = partner.graphql(page, json!({ "last": 2, "before": next.at("orders.pageInfo.startCursor") })).await;
        assert_eq!(back.at("orders.nodes"), &json!([{ "reference": "page-5" }, { "reference": "page-4" }]));
        for (variables, path) in [(json!({ "first": 101 }), "orders"), (json!({ "first": 0 }), "orders"),
            (json!({ "after": "nonsense" }), "orders"), (json!({ "first": 1, "last": 1 }), "orders")] {
            partner.graphql(page, variables).await.expect_errors(&[("BAD_USER_INPUT", path)]);
        }
    }

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

    async fn the_product_as_sold_does_not_change_with_the_catalog(app: SmallCatalog) {
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "reference": "frozen" })).await.payload("createOrder");
        app.database.execute("UPDATE products SET name = 'Renamed' WHERE id = 'steam_wallet_50_usd'").await;
        app.database.execute("UPDATE versions SET version = version + 1 WHERE subject = 'catalog'").await;
        crate::support::poll::until_true("the catalog is reloaded", async || {
            let now = partner.graphql("{ product(id: \"steam_wallet_50_usd\") { name } }", json!({})).await;
            now.text("product.name") == "Renamed"
        }).await;
        let shown = partner.graphql("{ order(reference: \"frozen\") { product { name current { name } } } }", json!({})).await;
        assert_eq!(shown.text("order.product.name"), "Steam Wallet 50 USD");
        assert_eq!(shown.text("order.product.current.name"), "Renamed");
    }
}
