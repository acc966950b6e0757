//! Malformed values of our own scalars, in the document and for its variables.
//! Always true: both are refused alike: one code, one message, the path of the field. Not here: documents that do not
//! fit the contract (`endpoint_documents.rs`).

use serde_json::{Value, json};

/// An argument: its field and what it is for, its name, its type, a malformed value, and the path to what is wrong with it.
const MALFORMED: &[(&str, &str, &str, &str, &str)] = &[
    ("products(@) { nodes { id } }", "filter", "ProductFilter", "{ country: \"us\" }", "filter.country"),
    ("products(@) { nodes { id } }", "filter", "ProductFilter", "{ country: 7 }", "filter.country"),
    ("products(@) { nodes { id } }", "filter", "ProductFilter", "{ currency: \"usd\" }", "filter.currency"),
    ("products(@) { nodes { id } }", "filter", "ProductFilter", "{ currency: [\"USD\"] }", "filter.currency"),
    (
        "products(@) { nodes { id } }",
        "filter",
        "ProductFilter",
        "{ search: \"a\", faceValue: \"ten\" }",
        "filter.faceValue",
    ),
    ("products(@) { nodes { id } }", "filter", "ProductFilter", "{ faceValue: true }", "filter.faceValue"),
    (
        "products(@) { nodes { id } }",
        "filter",
        "ProductFilter",
        "{ updatedSince: \"yesterday\" }",
        "filter.updatedSince",
    ),
    (
        "orders(@) { nodes { id } }",
        "filter",
        "OrderFilter",
        "{ createdSince: \"2026-13-01\" }",
        "filter.createdSince",
    ),
    ("wallet(@) { id }", "currency", "CurrencyCode!", "\"XXX\"", "currency"),
    ("exchangeRate(quote: \"USD\", @) { rate }", "base", "CurrencyCode!", "\"\"", "base"),
    (
        "product(id: \"x\") { price(@) { unitPrice { amount } } }",
        "faceValue",
        "MoneyAmount",
        "\"1e3\"",
        "faceValue",
    ),
    ("wallets { nodes { entries(@) { nodes { id } } } }", "from", "DateTime", "\"now\"", "from"),
];

const CREATE_ORDER: &str =
    "mutation ($input: CreateOrderInput!) { createOrder(input: $input) { order { id } } }";

/// A value of the document as JSON: a variable's.
fn as_variable(literal: &str) -> Value {
    let mut text = literal.to_owned();
    for name in ["country", "currency", "search", "faceValue", "updatedSince", "createdSince"] {
        text = text.replace(&format!("{name}:"), &format!("\"{name}\":"));
    }
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What is told of the one error.
fn told(answer: &crate::support::answer::Answer) -> (Value, Value) {
    answer.expect_status(400).expect_errors(&[("BAD_USER_INPUT", "")]);
    assert!(answer.body.get("data").is_none(), "{answer:#?}");
    let error = &answer.body["errors"][0];
    (error["message"].clone(), error["extensions"].clone())
}

both_databases! {
    async fn a_malformed_value_is_told_alike_in_a_document_and_in_variables(app: SmallCatalog) {
        let partner = app.partner().await;
        for (field, argument, ty, literal, path) in MALFORMED {
            let inline = format!("{{ {} }}", field.replace('@', &format!("{argument}: {literal}")));
            let inline = partner.graphql(&inline, json!({})).await;
            let named = format!("query (${argument}: {ty}) {{ {} }}", field.replace('@', &format!("{argument}: ${argument}")));
            let named = partner.graphql(&named, json!({ *argument: as_variable(literal) })).await;
            assert_eq!(told(&inline), told(&named), "{field} {literal}");
            let (message, extensions) = told(&inline);
            let steps: Vec<&str> = path.split('.').collect();
            assert_eq!(extensions, json!({ "code": "BAD_USER_INPUT", "field": steps }), "{field} {literal}");
            assert!(message.as_str().is_some_and(|text| text.starts_with(&format!("`{path}`: "))), "{message}");
            assert!(inline.body["errors"][0]["locations"][0]["column"].is_u64(), "a literal has a place: {inline:#?}");
        }
        let inline = "{ products(filter: { country: \"us\" }) { nodes { id } } }";
        let (message, _) = told(&partner.graphql(inline, json!({})).await);
        assert_eq!(message, "`filter.country`: a country is an ISO 3166-1 alpha-2 code in capitals, such as US.");
    }

    async fn a_value_that_is_no_string_is_told_that_one_is_wanted(app: SmallCatalog) {
        let partner = app.partner().await;
        for (name, value, shown, wanted) in [
            ("maxTotal", json!(50), "50", "an amount is a plain decimal number as a string, such as \"12.50\"; it must be \
                a string, not the number 50"),
            ("faceValue", json!(50.5), "50.5", "an amount is a plain decimal number as a string, such as \"12.50\"; it \
                must be a string, not the number 50.5"),
            ("currency", json!(true), "true", "a currency is an active ISO 4217 code in capitals, such as USD; it must be a \
                string, not a boolean"),
        ] {
            let message = format!("`input.{name}`: {wanted}.");
            let input = json!({ "productId": "steam_wallet_50_usd", "reference": "r", name: value });
            let named = told(&partner.graphql(CREATE_ORDER, json!({ "input": input })).await);
            assert_eq!(named.0, message);
            let input = format!("{{ productId: \"steam_wallet_50_usd\", reference: \"r\", {name}: {shown} }}");
            let inline = format!("mutation {{ createOrder(input: {input}) {{ order {{ id }} }} }}");
            assert_eq!(told(&partner.graphql(&inline, json!({})).await), named);
        }
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 0);
    }

    async fn a_word_that_is_none_of_an_enum_is_told_which_there_are(app: SmallCatalog) {
        let partner = app.partner().await;
        for (policy, field) in [(json!("HOPE"), "failurePolicy"), (json!(1), "failurePolicy")] {
            let input = json!({ "productId": "steam_wallet_50_usd", "reference": "r", "failurePolicy": policy });
            let (message, extensions) = told(&partner.graphql(CREATE_ORDER, json!({ "input": input })).await);
            assert_eq!(message, "`input.failurePolicy`: the value is not of type FailurePolicy: it must be one of \
                BEST_EFFORT, ALL_OR_NOTHING.");
            assert_eq!(extensions["field"], json!(["input", field]));
        }
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 0);
    }

    async fn a_malformed_amount_of_an_order_names_its_field_and_buys_nothing(app: SmallCatalog) {
        let partner = app.partner().await;
        for name in ["faceValue", "maxTotal", "currency"] {
            let input = format!("{{ productId: \"steam_wallet_50_usd\", reference: \"r\", {name}: \"abc\" }}");
            let inline = format!("mutation {{ createOrder(input: {input}) {{ order {{ id }} }} }}");
            let inline = partner.graphql(&inline, json!({})).await;
            let input = json!({ "productId": "steam_wallet_50_usd", "reference": "r", name: "abc" });
            let named = partner.graphql(CREATE_ORDER, json!({ "input": input })).await;
            assert_eq!(told(&inline), told(&named), "{name}");
            assert_eq!(told(&inline).1["field"], json!(["input", name]));
        }
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 0);
    }
}
