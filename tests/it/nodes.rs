//! Objects by id: the scope that each kind needs, and lists in which some ids may be seen and some not.
//! Always true: an id asks for what the field of its kind asks for; one id's refusal is its own.
//! Not here: what each object shows (the features' files).

use octopus_cards::domain::identity::{self, CreateCredential};
use serde_json::{Value, json};

use super::orders::order;
use super::support::answer::Answer;
use super::support::app::{Partner, TestApp};
use super::support::catalog::STEAM_50;
use super::support::process::Binary;

const NODE: &str = "query Node($id: ID!) { node(id: $id) { __typename id } }";
const NODES: &str = "query Nodes($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
const CHARGE: &str = "query Charge($id: ID!) { charge(id: $id) { id } }";

/// A session of the same partner that may do this much alone.
async fn limited(app: &TestApp, partner: &Partner, scopes: &str) -> String {
    let command =
        CreateCredential { name: "limited".to_owned(), scopes: Some(identity::parse_scopes(scopes)) };
    let id = partner.account.id.parse().expect("the id of a partner");
    let made = identity::create_credential_for(&app.system(), id, command).await.expect("it may be made");
    app.client.login(&made.credential.username, made.secret.expose()).await.token
}

/// An order, its first unit, its code, a charge and a wallet of a partner.
async fn things(partner: &Partner) -> [String; 5] {
    let placed = order(partner, json!({ "productId": STEAM_50, "reference": "r1" })).await;
    placed.payload("createOrder");
    let charge = "mutation { createCharge(input: { productId: \"steam_wallet_50_usd\" }) { charge { id } userErrors { code } } }";
    let charge = partner.graphql(charge, Value::Null).await;
    let query = "{ order(reference: \"r1\") { units { nodes { id } } } wallet(currency: \"USD\") { id } }";
    let found = partner.graphql(query, Value::Null).await;
    [
        placed.text("createOrder.order.id"),
        found.text("order.units.nodes.0.id"),
        placed.text("createOrder.order.vouchers.0.id"),
        charge.text("createCharge.charge.id"),
        found.text("wallet.id"),
    ]
    .map(str::to_owned)
}

#[track_caller]
fn ids(answer: &Answer) -> Vec<Option<&str>> {
    answer.body_at("data.nodes").as_array().expect("a list").iter().map(|node| node["id"].as_str()).collect()
}

both_databases! {
    async fn one_id_without_its_scope_leaves_the_others_be(app: SmallCatalog) {
        let partner = app.partner().await;
        let [order, unit, voucher, charge, wallet] = things(&partner).await;
        let asked = json!({ "ids": [order, wallet, voucher, STEAM_50, unit, charge, "ord_none"] });
        let all = partner.graphql(NODES, asked.clone()).await;
        all.data();
        let expected =
            [&order, &wallet, &voucher, STEAM_50, &unit, &charge].map(Some).into_iter().chain([None]);
        assert_eq!(ids(&all), expected.collect::<Vec<_>>());

        let token = limited(&app, &partner, "catalog:read orders:read").await;
        let some = app.client.graphql(&token, NODES, asked.clone()).await;
        some.expect_errors(&[("FORBIDDEN", "nodes.1"), ("FORBIDDEN", "nodes.2")]);
        assert_eq!(ids(&some), [Some(order.as_str()), None, None, Some(STEAM_50), Some(&unit), Some(&charge), None]);

        let token = limited(&app, &partner, "wallet:read").await;
        let one = app.client.graphql(&token, NODES, json!({ "ids": [wallet, STEAM_50] })).await;
        one.expect_errors(&[("FORBIDDEN", "nodes.1")]);
        assert_eq!(ids(&one), [Some(wallet.as_str()), None]);
        let codes = "SELECT count(*) FROM audit_log WHERE action = 'vouchers.revealed'";
        assert_eq!(app.database.number(codes).await, 2, "with the delivery, and by the one who may");
    }

    async fn an_event_by_id_needs_what_the_feed_needs(app: SmallCatalog) {
        let partner = app.partner().await;
        things(&partner).await;
        let feed = "{ events(first: 100) { nodes { id type } } }";
        let feed = partner.graphql(feed, Value::Null).await;
        let id = |kind: &str| {
            let event = feed.list("events.nodes").iter().find(|event| event["type"] == kind);
            event.expect("it was told")["id"].as_str().expect("a text").to_owned()
        };
        let (delivered, debited) = (id("order.delivered"), id("wallet.debited"));
        let asked = json!({ "ids": [delivered, debited] });
        for (scopes, seen) in [
            ("orders:read wallet:read", [Some(delivered.as_str()), Some(&debited)]),
            ("orders:read", [Some(&delivered), None]),
            ("wallet:read", [None, Some(&debited)]),
        ] {
            let token = limited(&app, &partner, scopes).await;
            let answer = app.client.graphql(&token, NODES, asked.clone()).await;
            answer.expect_errors(&[]);
            assert_eq!(ids(&answer), seen, "{scopes}");
        }
        let token = limited(&app, &partner, "catalog:read orders:write").await;
        let refused = app.client.graphql(&token, NODES, asked).await;
        refused.expect_errors(&[("FORBIDDEN", "nodes.0"), ("FORBIDDEN", "nodes.1")]);
        for id in [&delivered, &debited] {
            app.client.graphql(&token, NODE, json!({ "id": id })).await.expect_errors(&[("FORBIDDEN", "node")]);
        }
    }

    /// What is read at once fails at once: the log tells the cause, and not once for each that waited for it.
    async fn a_batch_that_fails_is_logged_once(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut asked = Vec::new();
        for reference in ["r1", "r2", "r3"] {
            let placed = order(&partner, json!({ "productId": STEAM_50, "reference": reference })).await;
            asked.push(placed.text("createOrder.order.id").to_owned());
        }
        app.stop().await;
        let process = Binary::on(&app.database).serve().await;
        let account = &partner.account;
        let token = process.client.login(&account.username, &account.password).await.token;
        app.database.execute("ALTER TABLE order_transitions RENAME TO order_transitions_away").await;
        let document = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Order { statusHistory { status } } } }";
        let failed = process.client.graphql(&token, document, json!({ "ids": asked })).await;
        failed.expect_errors(&[
            ("INTERNAL_SERVER_ERROR", "nodes.0.statusHistory"),
            ("INTERNAL_SERVER_ERROR", "nodes.1.statusHistory"),
            ("INTERNAL_SERVER_ERROR", "nodes.2.statusHistory"),
        ]);
        let log = process.log();
        assert_eq!(log.matches("a resolver failed").count(), 1, "{log}");
        assert!(log.contains("order_transitions"), "{log}");
        app.database.execute("ALTER TABLE order_transitions_away RENAME TO order_transitions").await;
        assert_eq!(process.stop().await, Some(0));
    }

    async fn a_charge_by_id_needs_what_the_field_of_charges_needs(app: SmallCatalog) {
        let partner = app.partner().await;
        let [.., charge, _] = things(&partner).await;
        for (scopes, may) in [
            ("charges:write", true),
            ("orders:read", true),
            ("catalog:read wallet:read orders:write", false),
        ] {
            let token = limited(&app, &partner, scopes).await;
            for (document, field) in [(CHARGE, "charge"), (NODE, "node")] {
                let answer = app.client.graphql(&token, document, json!({ "id": charge })).await;
                if may {
                    assert_eq!(answer.text(&format!("{field}.id")), charge, "{scopes}");
                } else {
                    answer.expect_errors(&[("FORBIDDEN", field)]);
                }
            }
            let answer = app.client.graphql(&token, NODES, json!({ "ids": [charge] })).await;
            answer.expect_errors(if may { &[] } else { &[("FORBIDDEN", "nodes.0")] });
        }
    }
}
