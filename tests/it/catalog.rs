//! The catalog through its doors: imports by the command line, pages, filters and stock through GraphQL.
//! Always true: what a page shows is compared with the whole list, searched the slow way. Not here: prices
//! (`charges.rs`), codes (`vouchers.rs`).

#[path = "catalog/imports.rs"]
mod imports;
#[path = "catalog/pages.rs"]
mod pages;
#[path = "catalog/stock.rs"]
mod stock;
#[path = "catalog/supply.rs"]
mod supply;

use serde_json::{Value, json};

use super::support::answer::Answer;
use super::support::app::{Partner, TestApp};
use super::support::catalog::{DIRECT_PLAYER, RANGE_USD, STEAM_50, TOPUP_FIXED};

/// A page of products with everything that a list shows.
const PRODUCTS: &str =
    "query Products($filter: ProductFilter, $orderBy: ProductOrder, $first: Int, $after: String,
    $last: Int, $before: String) {
    products(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
        totalCount
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        edges { cursor node { id } }
        nodes { id name status orderable brand { slug name } country { code } stock { availability available maxQuantity }
            price { unitPrice { amount currency } } }
    }
}";

async fn products(partner: &Partner, variables: Value) -> Answer {
    partner.graphql(PRODUCTS, variables).await
}

fn ids(answer: &Answer) -> Vec<String> {
    answer.list("products.nodes").iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect()
}

const PRODUCT: &str = "query Product($id: ID!) { product(id: $id) {
    id name faceCurrency delivery discount unitLabel status orderable updatedAt
    redemptionInstructions expiryRule
    brand { id slug name category { slug } productCount } category { id slug name }
    country { id code alpha3 name currency }
    denomination { kind value { amount currency } min { amount } max { amount } step { amount } }
    requiredInputs { kind label pattern }
    stock { availability available maxQuantity }
} }";

async fn product(partner: &Partner, id: &str) -> Answer {
    partner.graphql(PRODUCT, json!({ "id": id })).await
}

both_databases! {
    async fn a_product_shows_what_it_is_and_what_an_order_of_it_needs(app: SmallCatalog) {
        let partner = app.partner().await;
        let steam = product(&partner, STEAM_50).await;
        assert_eq!(steam.text("product.name"), "Steam Wallet 50 USD");
        assert_eq!(steam.text("product.brand.id"), "brd_steam_wallet");
        assert_eq!(steam.text("product.category.slug"), "gaming");
        assert_eq!(steam.text("product.country.alpha3"), "USA");
        assert_eq!(steam.text("product.discount"), "0.012");
        assert_eq!(steam.at("product.denomination"), &json!({ "kind": "FIXED",
            "value": { "amount": "50.00", "currency": "USD" }, "min": null, "max": null, "step": null }));
        assert_eq!(steam.at("product.stock"), &json!({ "availability": "IN_STOCK", "available": 200, "maxQuantity": 1000 }));
        assert_eq!(steam.at("product.orderable"), true);
        assert_eq!(steam.at("product.requiredInputs"), &json!([]));

        let range = product(&partner, RANGE_USD).await;
        assert_eq!(range.at("product.denomination"), &json!({ "kind": "RANGE", "value": null,
            "min": { "amount": "0.15" }, "max": { "amount": "2000.00" }, "step": { "amount": "0.01" } }));

        let topup = product(&partner, TOPUP_FIXED).await;
        assert_eq!(topup.text("product.requiredInputs.0.kind"), "PHONE");
        assert_eq!(topup.at("product.stock"), &json!({ "availability": "UNAVAILABLE", "available": 0, "maxQuantity": 0 }));
        assert_eq!(topup.at("product.orderable"), false);
        let direct = product(&partner, DIRECT_PLAYER).await;
        assert_eq!(direct.text("product.requiredInputs.0.kind"), "PLAYER_ID");

        assert_eq!(product(&partner, "no_such_sku").await.at("product"), &Value::Null);
    }

    async fn nobody_sees_the_catalog_without_a_token(app: SmallCatalog) {
        for field in ["products { totalCount }", "product(id: \"x\") { id }", "brands { totalCount }",
            "categories { totalCount }", "countries { totalCount }", "currencies { totalCount }",
            "exchangeRate(base: \"USD\", quote: \"EUR\") { rate }"] {
            let answer = app.client.graphql("", &format!("{{ {field} }}"), json!({})).await;
            answer.expect_errors(&[("UNAUTHENTICATED", "")]);
        }
    }

    async fn counts_of_brands_categories_countries_and_currencies_sum_to_the_products(app: FullCatalog) {
        let partner = app.partner().await;
        for list in ["brands", "categories", "countries", "currencies"] {
            let (mut sum, mut seen, mut after) = (0, 0, Value::Null);
            let document = format!("query Sums($after: String) {{ {list}(first: 100, after: $after) {{
                totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ productCount }} }} }}");
            loop {
                let page = partner.graphql(&document, json!({ "after": after })).await;
                let nodes = page.list(&format!("{list}.nodes"));
                sum += nodes.iter().map(|node| node["productCount"].as_i64().unwrap()).sum::<i64>();
                seen += i64::try_from(nodes.len()).unwrap();
                if page.at(&format!("{list}.pageInfo.hasNextPage")) == false {
                    assert_eq!(page.number(&format!("{list}.totalCount")), seen, "{list}");
                    break;
                }
                after = page.at(&format!("{list}.pageInfo.endCursor")).clone();
            }
            assert_eq!(sum, 12_839, "{list}");
        }
    }

    async fn more_than_fifty_currencies_can_be_settled_in_and_the_fragile_cannot(app: SmallCatalog) {
        let partner = app.partner().await;
        let all = partner.graphql("{ currencies { totalCount } }", json!({})).await;
        assert_eq!(all.number("currencies.totalCount"), 155);
        let settled = "query Settled($after: String) { currencies(settlementOnly: true, first: 100, after: $after) {
            totalCount nodes { code minorUnits settlement } pageInfo { endCursor } } }";
        let first = partner.graphql(settled, json!({})).await;
        let rest = partner.graphql(settled, json!({ "after": first.at("currencies.pageInfo.endCursor") })).await;
        let nodes = [first.list("currencies.nodes"), rest.list("currencies.nodes")].concat();
        assert_eq!(first.number("currencies.totalCount"), i64::try_from(nodes.len()).unwrap());
        assert!(nodes.len() > 50 && nodes.iter().all(|node| node["settlement"] == true));
        for fragile in ["IRR", "LBP", "SYP", "VES", "ARS", "SDG", "ZWG", "KPW"] {
            assert!(nodes.iter().all(|node| node["code"] != fragile), "{fragile}");
        }
        let yen = nodes.iter().find(|node| node["code"] == "JPY").unwrap();
        assert_eq!(yen["minorUnits"], 0);
    }

    async fn brands_are_found_by_words_and_by_category(app: FullCatalog) {
        let partner = app.partner().await;
        let brands = "query Brands($search: String, $category: String) {
            brands(search: $search, category: $category, first: 100) { totalCount nodes { slug category { slug } } } }";
        let steam = partner.graphql(brands, json!({ "search": "STEAM wall" })).await;
        assert_eq!(steam.at("brands.nodes.0.slug"), "steam_wallet");
        let gaming = partner.graphql(brands, json!({ "category": "gaming" })).await;
        assert!(gaming.number("brands.totalCount") > 1);
        assert!(gaming.list("brands.nodes").iter().all(|brand| brand["category"]["slug"] == "gaming"));
        let none = partner.graphql(brands, json!({ "category": "no_such_category" })).await;
        assert_eq!(none.number("brands.totalCount"), 0);
        let wordless = partner.graphql(brands, json!({ "search": "!!!" })).await;
        assert_eq!(wordless.at("brands"), &json!({ "totalCount": 0, "nodes": [] }), "a text without words names no brand");
        let unsearched = partner.graphql(brands, json!({ "search": "" })).await;
        assert_eq!(unsearched.number("brands.totalCount"), 541);
    }
}

/// The whole catalog as the server has it in memory, to be searched the slow way.
fn whole(app: &TestApp) -> std::sync::Arc<octopus_cards::domain::catalog::Snapshot> {
    app.deps.feature::<octopus_cards::domain::catalog::Live>().snapshot()
}
