//! What operations cost, as `extensions.cost` tells it, and what happens to those who cannot pay.
//! Always true: a price is compared to the point. Not here: the table of prices (pipeline/cost_tests.rs).

use serde_json::{Value, json};

use super::code;
use crate::support::answer::Answer;
use crate::support::catalog::STEAM_50;
use crate::support::process::Binary;

/// What an answer cost: asked for, and spent.
fn cost(answer: &Answer) -> (u64, u64) {
    answer.data();
    let points = |which: &str| answer.body_at(&format!("extensions.cost.{which}")).as_u64().expect("points");
    (points("requestedQueryCost"), points("actualQueryCost"))
}

both_databases! {
    /// The small catalog has 44 products; the partner has four wallets, each with the entry that funded it, and no order.
    async fn the_cost_of_an_operation_is_told_to_the_point(app: SmallCatalog) {
        let partner = app.partner().await;
        let ids = |number: usize| vec![STEAM_50; number];
        let by_ids = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Product { brand { name } } } }";
        let units = "query ($ids: [ID!]!) { nodes(ids: $ids) {
            ... on Order { units(first: 50) { totalCount nodes { id } } } } }";
        let of_wallet = |fields: &str| format!("{{ wallet(currency: \"USD\") {{ {fields} }} }}");
        for (document, variables, expected) in [
            ("{ __typename }", json!({}), (1, 1)),
            ("{ viewer { partner { name } } }", json!({}), (2, 2)),
            ("{ products(first: 50) { nodes { id } } }", json!({}), (51, 45)),
            ("{ products(first: 50) { totalCount pageInfo { hasNextPage } } }", json!({}), (22, 22)),
            ("{ products(first: 5, filter: { search: \"steam\" }) { nodes { id } } }", json!({}), (106, 106)),
            ("{ products(first: 5, filter: { search: \"none\" }) { totalCount nodes { id } } }", json!({}), (126, 121)),
            ("query ($f: ProductFilter) { products(first: 5, filter: $f) { nodes { id } } }", json!({ "f": {} }), (6, 6)),
            ("{ brands(first: 1, search: \"steam\") { nodes { category { slug } } } }", json!({}), (103, 103)),
            ("{ orders(filter: { productId: \"x\" }) { nodes { id } } }", json!({}), (121, 101)),
            ("{ events(first: 10, types: [\"order.created\"]) { edges { node { id } } } }", json!({}), (121, 101)),
            ("{ exchangeRate(base: \"USD\", quote: \"EUR\") { rate } }", json!({}), (1, 1)),
            (&format!("{{ nodes(ids: [\"{STEAM_50}\", \"{STEAM_50}\", \"nothing\"]) {{ id }} }}"), json!({}), (3, 3)),
            (by_ids, json!({ "ids": ids(100) }), (200, 200)),
            (units, json!({ "ids": ids(100) }), (100 * (1 + 1 + 20 + 50), 100)),
            (&of_wallet("balance { amount } held { amount }"), json!({}), (3, 3)),
            (&of_wallet("entries(first: 50) { totalCount nodes { id } }"), json!({}), (1 + 1 + 20 + 50, 1 + 1 + 20 + 1)),
            (&of_wallet("entries(first: 50, from: \"2027-01-01T00:00:00Z\") { nodes { id } }"), json!({}), (152, 102)),
            // A statement is one object: what it was asked for has been read, unless it tells how much less.
            (&of_wallet("statement { content }"), json!({}), (10_001, 10_001)),
            (&of_wallet("statement(first: 500) { content }"), json!({}), (501, 501)),
            (&of_wallet("statement(first: 500) { content number: entryCount }"), json!({}), (501, 2)),
            ("{ __schema { types { name fields { name } } } }", json!({}), (500, 500)),
            ("{ __type(name: \"Order\") { fields { name } } }", json!({}), (50, 50)),
        ] {
            let answer = partner.graphql(document, variables).await;
            assert_eq!(cost(&answer), expected, "{document}");
        }
        let answer = partner.graphql("{ __typename }", json!({})).await;
        let status = answer.body_at("extensions.cost.throttleStatus");
        assert_eq!((&status["maximumAvailable"], &status["restoreRate"]), (&json!(1_000_000), &json!(50_000)));
    }

    async fn what_can_never_be_paid_is_too_complex(app: SmallCatalog) {
        let partner = app.partner().await;
        let deep = "{ orders(first: 100) { nodes { charge { order { units(first: 100) { nodes { id } } } }
            units(first: 100) { nodes { id } } vouchers { code } } } }";
        partner.graphql(deep, json!({})).await.data();
        let deeper = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Wallet { entries(first: 100) { nodes {
            order { units(first: 100) { nodes { id } } } } } } } }";
        let refused = partner.graphql(deeper, json!({ "ids": vec![STEAM_50; 100] })).await;
        refused.expect_status(400).expect_errors(&[("QUERY_TOO_COMPLEX", "")]);
        assert_eq!(
            refused.body["errors"][0]["message"],
            "The operation may cost 1030200 points; at most 1000000 are taken."
        );
        assert!(refused.body.get("data").is_none());
        partner.graphql(deeper, json!({ "ids": vec![STEAM_50; 97] })).await.data();
    }

    /// With two points a second, and forty saved up.
    async fn whoever_has_spent_its_points_is_told_when_they_are_back(app: SmallCatalog) {
        app.stop().await;
        let server = Binary::on(&app.database).with("OCTOPUS_COST_PER_SECOND", "2").serve().await;
        let account = &app.database.seed.partners[0];
        let session = server.client.login(&account.username, &account.password).await;
        let statement = "{ wallet(currency: \"USD\") { statement(first: 39) { content } } }";
        let paid = server.client.graphql(&session.token, statement, json!({})).await;
        assert_eq!(cost(&paid), (40, 40));
        let refused = server.client.graphql(&session.token, statement, json!({})).await;
        assert_eq!((refused.status.as_u16(), code(&refused)), (429, "RATE_LIMITED"));
        // The machine's time gives points back meanwhile: the wait is for those that are missing.
        let message = refused.body["errors"][0]["message"].as_str().expect("a message");
        let left = message.strip_prefix("The operation may cost 40 points; ").and_then(|it| it.strip_suffix(" are left."));
        let left: u64 = left.and_then(|left| left.parse().ok()).unwrap_or_else(|| panic!("{message}"));
        assert!(left < 40, "{message}");
        assert_eq!(refused.body["errors"][0]["extensions"], json!({ "code": "RATE_LIMITED", "retryAfterMs": (40 - left) * 500 }));
        assert_eq!(refused.header("retry-after"), (40 - left).div_ceil(2).to_string());
        assert_eq!(refused.body.get("data").unwrap_or(&Value::Null), &Value::Null);
        let never = "{ products(first: 40) { nodes { id } } }";
        assert_eq!(code(&server.client.graphql(&session.token, never, json!({})).await), "QUERY_TOO_COMPLEX");
        let other = &app.database.seed.partners[1];
        let session = server.client.login(&other.username, &other.password).await;
        let apart = server.client.graphql(&session.token, statement, json!({})).await;
        assert_eq!(cost(&apart), (40, 40), "allowances are apart");
    }
}
