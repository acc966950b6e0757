//! Reading orders: by name, in pages, by node, and what others may not see.

use serde_json::{Value, json};

use super::{codes, order};
use crate::support::answer::Answer;
use crate::support::app::Partner;
use crate::support::catalog::{STEAM_50, YEN_1000};

/// The references of a page of orders, in its order.
fn references(page: &Answer) -> String {
    let nodes = page.list("orders.nodes").iter();
    nodes.map(|node| node["reference"].as_str().expect("it is text")).collect::<Vec<_>>().join(" ")
}

/// A page of the units of the order `seven`.
async fn units(partner: &Partner, variables: Value) -> Answer {
    let document =
        "query ($first: Int, $after: String, $last: Int, $before: String) { order(reference: \"seven\") {
        units(first: $first, after: $after, last: $last, before: $before) {
            totalCount edges { cursor node { index } } nodes { index }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";
    partner.graphql(document, variables).await
}

fn indexes(page: &Answer) -> Vec<i64> {
    let nodes = page.list("order.units.nodes").iter();
    nodes.map(|node| node["index"].as_i64().expect("it is a number")).collect()
}

both_databases! {
    async fn orders_are_filtered_by_state_product_and_time(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut placed_at = Vec::new();
        // The stock of the yen card is fifty: the third order stays open, and the fourth finds nothing.
        for (reference, product, quantity) in [("a", STEAM_50, 1), ("b", YEN_1000, 1), ("c", YEN_1000, 60), ("d", YEN_1000, 5)] {
            app.advance_secs(10);
            placed_at.push(app.now().to_string());
            let input = json!({ "productId": product, "quantity": quantity, "reference": reference, "waitMs": 0 });
            let refused = order(&partner, input).await;
            if reference == "d" {
                refused.expect_user_errors("createOrder", &[("OUT_OF_STOCK", "input.quantity")]);
            } else {
                refused.payload("createOrder");
            }
        }
        let document = "query ($filter: OrderFilter) { orders(filter: $filter) { totalCount nodes { reference } } }";
        for (filter, expected) in [
            (json!(null), "c b a"),
            (json!({}), "c b a"),
            (json!({ "status": ["DELIVERED"] }), "b a"),
            (json!({ "status": ["PROCESSING"] }), "c"),
            (json!({ "status": ["PROCESSING", "DELIVERED", "CANCELLED"] }), "c b a"),
            (json!({ "status": ["FAILED"] }), ""),
            (json!({ "status": [] }), ""),
            (json!({ "productId": YEN_1000 }), "c b"),
            (json!({ "productId": "no_such_product" }), ""),
            (json!({ "productId": YEN_1000, "status": ["DELIVERED"] }), "b"),
            (json!({ "createdSince": placed_at[1] }), "c b"),
            (json!({ "createdBefore": placed_at[1] }), "a"),
            (json!({ "createdBefore": "9999-12-31T23:59:59Z" }), "c b a"),
            (json!({ "createdSince": placed_at[1], "createdBefore": placed_at[2] }), "b"),
            (json!({ "createdSince": placed_at[2], "createdBefore": placed_at[1] }), ""),
            (json!({ "createdSince": placed_at[0], "productId": STEAM_50, "status": ["PROCESSING"] }), ""),
        ] {
            let found = partner.graphql(document, json!({ "filter": filter })).await;
            assert_eq!(references(&found), expected, "{filter}");
            let total = i64::try_from(expected.split_whitespace().count()).expect("a few");
            assert_eq!(found.number("orders.totalCount"), total, "{filter}");
        }
        let page = "query ($filter: OrderFilter, $after: String) { orders(filter: $filter, first: 1, after: $after) {
            totalCount nodes { reference } pageInfo { hasNextPage endCursor } } }";
        let filter = json!({ "productId": YEN_1000 });
        let first = partner.graphql(page, json!({ "filter": filter })).await;
        assert_eq!((&*references(&first), first.number("orders.totalCount")), ("c", 2));
        assert_eq!(first.at("orders.pageInfo.hasNextPage"), true);
        let second = partner.graphql(page, json!({ "filter": filter, "after": first.at("orders.pageInfo.endCursor") })).await;
        assert_eq!((&*references(&second), second.number("orders.totalCount")), ("b", 2));
        assert_eq!(second.at("orders.pageInfo.hasNextPage"), false);
    }

    async fn the_units_of_an_order_come_in_pages_both_ways(app: SmallCatalog) {
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "quantity": 7, "reference": "seven" })).await.payload("createOrder");
        let all = units(&partner, json!({})).await;
        assert_eq!(indexes(&all), [1, 2, 3, 4, 5, 6, 7]);
        let cursor = |index: usize| all.at(&format!("order.units.edges.{}.cursor", index - 1)).clone();
        for (variables, expected, previous, following) in [
            (json!({ "first": 3 }), vec![1, 2, 3], false, true),
            (json!({ "first": 3, "after": cursor(3) }), vec![4, 5, 6], true, true),
            (json!({ "first": 3, "after": cursor(6) }), vec![7], true, false),
            (json!({ "first": 3, "after": cursor(7) }), vec![], true, false),
            (json!({ "first": 3, "before": cursor(6) }), vec![1, 2, 3], false, true),
            (json!({ "first": 9, "before": cursor(3) }), vec![1, 2], false, true),
            (json!({ "last": 3 }), vec![5, 6, 7], true, false),
            (json!({ "last": 3, "before": cursor(5) }), vec![2, 3, 4], true, true),
            (json!({ "last": 3, "before": cursor(2) }), vec![1], false, true),
            (json!({ "last": 3, "before": cursor(1) }), vec![], false, true),
            (json!({ "last": 2, "after": cursor(4) }), vec![6, 7], true, false),
            (json!({ "first": 9, "after": cursor(2), "before": cursor(6) }), vec![3, 4, 5], true, true),
        ] {
            let page = units(&partner, variables.clone()).await;
            assert_eq!(indexes(&page), expected, "{variables}");
            assert_eq!(page.number("order.units.totalCount"), 7);
            let info = page.at("order.units.pageInfo");
            assert_eq!((&info["hasPreviousPage"], &info["hasNextPage"]), (&json!(previous), &json!(following)), "{variables}");
            let ends = [expected.first(), expected.last()].map(|index| index.map(|index| cursor(usize::try_from(*index).expect("it is small"))));
            assert_eq!(json!([info["startCursor"], info["endCursor"]]), json!(ends), "{variables}");
        }
        let of_orders = partner.graphql("{ orders { pageInfo { endCursor } } }", json!({})).await;
        for (variables, field) in [
            (json!({ "first": 0 }), "first"),
            (json!({ "first": 101 }), "first"),
            (json!({ "last": 0 }), "last"),
            (json!({ "first": 1, "last": 1 }), "last"),
            (json!({ "after": "nonsense!" }), "after"),
            (json!({ "after": "" }), "after"),
            (json!({ "before": of_orders.at("orders.pageInfo.endCursor") }), "before"),
        ] {
            let answer = units(&partner, variables.clone()).await;
            let errors = answer.expect_errors(&[("BAD_USER_INPUT", "order.units")]);
            assert_eq!(errors[0]["extensions"]["field"], json!([field]), "{variables}");
        }
    }

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
        // Whether items lie beyond a page does not depend on the end from which it was taken.
        let cursor = next.at("orders.pageInfo.startCursor");
        let end = next.at("orders.pageInfo.endCursor");
        for (variables, references, previous, following) in [
            (json!({ "first": 2, "before": cursor }), "page-6 page-5", false, true),
            (json!({ "last": 2, "before": cursor }), "page-5 page-4", true, true),
            (json!({ "first": 2, "after": cursor }), "page-2 page-1", true, true),
            (json!({ "last": 2, "after": cursor }), "page-1 page-0", true, false),
            (json!({ "first": 9, "after": cursor, "before": end }), "page-2 page-1", true, true),
            (json!({ "last": 9, "after": cursor, "before": end }), "page-2 page-1", true, true),
        ] {
            let found = partner.graphql(page, variables.clone()).await;
            assert_eq!(self::references(&found), references, "{variables}");
            assert_eq!(found.at("orders.pageInfo.hasPreviousPage"), previous, "{variables}");
            assert_eq!(found.at("orders.pageInfo.hasNextPage"), following, "{variables}");
        }
        for (variables, path) in [(json!({ "first": 101 }), "orders"), (json!({ "first": 0 }), "orders"),
            (json!({ "after": "nonsense" }), "orders"), (json!({ "first": 1, "last": 1 }), "orders")] {
            partner.graphql(page, variables).await.expect_errors(&[("BAD_USER_INPUT", path)]);
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
