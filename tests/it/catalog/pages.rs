//! Pages of products: filters, orders and cursors, against the whole list searched the slow way.
//! Always true: what is expected is computed from the products alone, without an index. Not here: what a product shows.

use entity::money::Money;
use octopus_cards::domain::catalog::{Product, fold};
use serde_json::{Value, json};

use super::{ids, products, whole};
use crate::support::app::{Partner, TestApp};

/// Every id of a list, walked forwards.
async fn forwards(partner: &Partner, filter: &Value, order: &str, size: usize) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let page =
            products(partner, json!({ "filter": filter, "orderBy": order, "first": size, "after": after }))
                .await;
        assert_eq!(page.at("products.pageInfo.hasPreviousPage"), !found.is_empty());
        found.extend(ids(&page));
        if page.at("products.pageInfo.hasNextPage") == false {
            let total = page.number("products.totalCount");
            assert_eq!(total, i64::try_from(found.len()).unwrap(), "{filter} {order}");
            return found;
        }
        assert_eq!(ids(&page).len(), size);
        after = page.at("products.pageInfo.endCursor").clone();
    }
}

/// Every id of a list, walked backwards.
async fn backwards(partner: &Partner, filter: &Value, order: &str, size: usize) -> Vec<String> {
    let (mut found, mut before) = (Vec::new(), Value::Null);
    loop {
        let page =
            products(partner, json!({ "filter": filter, "orderBy": order, "last": size, "before": before }))
                .await;
        assert_eq!(page.at("products.pageInfo.hasNextPage"), !found.is_empty());
        found.splice(0..0, ids(&page));
        if page.at("products.pageInfo.hasPreviousPage") == false {
            return found;
        }
        before = page.at("products.pageInfo.startCursor").clone();
    }
}

/// The ids of the products that are kept, in an order, without an index.
fn slowly(app: &TestApp, order: &str, keep: impl Fn(&Product) -> bool) -> Vec<String> {
    let snapshot = whole(app);
    let mut kept: Vec<&Product> =
        snapshot.products().iter().map(AsRef::as_ref).filter(|it| keep(it)).collect();
    let face = |it: &Product| (it.face_currency.code().to_owned(), it.denomination.least(), it.id.clone());
    match order.trim_end_matches("_ASC").trim_end_matches("_DESC") {
        "NAME" => kept.sort_by_key(|it| (fold(&it.name), it.id.clone())),
        "FACE_VALUE" => kept.sort_by_key(|it| face(it)),
        _ => kept.sort_by_key(|it| (it.updated_at, it.id.clone())),
    }
    if order.ends_with("_DESC") {
        kept.reverse();
    }
    kept.iter().map(|it| it.id.clone()).collect()
}

const ORDERS: [&str; 6] =
    ["NAME_ASC", "NAME_DESC", "FACE_VALUE_ASC", "FACE_VALUE_DESC", "UPDATED_AT_ASC", "UPDATED_AT_DESC"];

fn has_words(product: &Product, words: &[&str]) -> bool {
    let names = fold(&format!("{} {}", product.name, product.brand.name));
    let found: Vec<&str> = names.split(|it: char| !it.is_alphanumeric()).collect();
    words.iter().all(|word| found.iter().any(|it| it.starts_with(word)))
}

/// A condition, as the contract has it and as a rule over one product.
type Condition = (Value, Box<dyn Fn(&Product) -> bool>);

fn conditions(app: &TestApp) -> Vec<Condition> {
    let sold = whole(app);
    vec![
        (json!({ "country": "JP" }), Box::new(|it| it.country.code == "JP")),
        (json!({ "category": "music" }), Box::new(|it| it.category.slug == "music")),
        (json!({ "brand": "steam_wallet" }), Box::new(|it| it.brand.slug == "steam_wallet")),
        (json!({ "currency": "KWD" }), Box::new(|it| it.face_currency.code() == "KWD")),
        (json!({ "search": "STEAM wal" }), Box::new(|it| has_words(it, &["steam", "wal"]))),
        (json!({ "search": "curacao top" }), Box::new(|it| has_words(it, &["curacao", "top"]))),
        (json!({ "search": "CURAÇAO" }), Box::new(|it| has_words(it, &["curacao"]))),
        (json!({ "search": "", "country": "AE" }), Box::new(|it| it.country.code == "AE")),
        (json!({ "search": "!!!" }), Box::new(|_| false)),
        (json!({ "search": " \u{2014} ", "brand": "steam_wallet" }), Box::new(|_| false)),
        (json!({ "search": "steam team" }), Box::new(|it| has_words(it, &["steam", "team"]))),
        (
            json!({ "faceValue": "12.50" }),
            Box::new(|it| {
                Money::parse("12.50", it.face_currency).is_ok_and(|face| it.denomination.contains(face.minor))
            }),
        ),
        (json!({ "availableOnly": true }), Box::new(move |it| sold.available(&it.id) > 0)),
        (
            json!({ "country": "DE", "category": "gaming", "currency": "EUR", "search": "10" }),
            Box::new(|it| {
                it.country.code == "DE"
                    && it.category.slug == "gaming"
                    && it.face_currency.code() == "EUR"
                    && has_words(it, &["10"])
            }),
        ),
        (
            json!({ "updatedSince": "2026-11-22T12:00:00Z", "brand": "xbox" }),
            Box::new(|it| it.brand.slug == "xbox"),
        ),
        (json!({ "updatedSince": "2026-11-22T12:00:00.000001Z" }), Box::new(|_| false)),
        (json!({ "brand": "no_such_brand" }), Box::new(|_| false)),
        (json!({ "country": "AQ" }), Box::new(|_| false)),
    ]
}

both_databases! {
    async fn every_filter_finds_what_a_slow_search_finds(app: FullCatalog) {
        let partner = app.partner().await;
        for (filter, keep) in conditions(&app) {
            let expected = slowly(&app, "NAME_ASC", keep);
            assert_eq!(forwards(&partner, &filter, "NAME_ASC", 100).await, expected, "{filter}");
        }
    }

    async fn every_order_is_the_same_forwards_and_backwards(app: FullCatalog) {
        let partner = app.partner().await;
        let filter = json!({ "country": "GB" });
        for order in ORDERS {
            let expected = slowly(&app, order, |it| it.country.code == "GB");
            assert!(expected.len() > 100);
            assert_eq!(forwards(&partner, &filter, order, 37).await, expected, "{order}");
            assert_eq!(backwards(&partner, &filter, order, 41).await, expected, "{order}");
        }
    }

    async fn the_whole_catalog_can_be_walked(app: FullCatalog) {
        let partner = app.partner().await;
        let walked = forwards(&partner, &json!({}), "NAME_ASC", 100).await;
        assert_eq!(walked, slowly(&app, "NAME_ASC", |_| true));
        assert_eq!(walked.len(), 12_839);
    }

    async fn a_page_between_two_cursors_ends_at_both(app: SmallCatalog) {
        let partner = app.partner().await;
        let all = products(&partner, json!({ "first": 40 })).await;
        let cursor = |at: usize| all.at(&format!("products.edges.{at}.cursor")).clone();
        let between = json!({ "after": cursor(4), "before": cursor(9), "first": 100 });
        assert_eq!(ids(&products(&partner, between).await), ids(&all)[5..9].to_vec());
        let crossed = json!({ "after": cursor(9), "before": cursor(4), "first": 100 });
        assert_eq!(ids(&products(&partner, crossed).await), Vec::<String>::new());
        let some = products(&partner, json!({})).await;
        assert_eq!(ids(&some).len(), 20);
    }

    async fn a_malformed_page_or_filter_is_bad_user_input(app: SmallCatalog) {
        let partner = app.partner().await;
        let by_face = products(&partner, json!({ "orderBy": "FACE_VALUE_ASC" })).await;
        let other_list = by_face.at("products.pageInfo.endCursor").clone();
        for (variables, field) in [
            (json!({ "first": 101 }), "first"),
            (json!({ "first": 0 }), "first"),
            (json!({ "last": -1 }), "last"),
            (json!({ "first": 1, "last": 1 }), "last"),
            (json!({ "after": "nonsense!" }), "after"),
            (json!({ "before": "bm9uc2Vuc2U" }), "before"),
            (json!({ "after": other_list }), "after"),
            (json!({ "filter": { "search": "x".repeat(101) } }), "filter search"),
            (json!({ "filter": { "faceValue": "0" } }), "filter faceValue"),
        ] {
            let answer = products(&partner, variables).await;
            let errors = answer.expect_errors(&[("BAD_USER_INPUT", "products")]);
            assert_eq!(errors[0]["extensions"]["field"], json!(field.split(' ').collect::<Vec<_>>()));
        }
        for filter in [
            json!({ "country": "USA" }),
            json!({ "country": "us" }),
            json!({ "currency": "usd" }),
            json!({ "currency": "XXX" }),
            json!({ "faceValue": "ten" }),
            json!({ "updatedSince": "yesterday" }),
            json!({ "colour": "red" }),
        ] {
            let answer = products(&partner, json!({ "filter": filter })).await;
            let errors = answer.expect_errors(&[("BAD_USER_INPUT", "")]);
            let name = filter.as_object().unwrap().keys().next().unwrap();
            assert_eq!(errors[0]["extensions"]["field"], json!(["filter", name]), "{errors:#?}");
        }
    }
}
