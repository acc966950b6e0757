//! How many statements a page costs: as many at a hundred items as at one.
//! Always true: every statement of the request is counted, in whatever table, audit included; but not the look at its session,
//! for what that says is remembered for five seconds, and time alone tells on which request the next one falls.
//! Not here: what the pages show (the features' files).

use std::fmt::Write as _;

use entity::money::Money;
use octopus_cards::domain::identity::{self, CreateCredential};
use octopus_cards::domain::wallet::{self, CreditWallet};
use serde_json::{Value, json};

use super::support::app::{Partner, TestApp};
use super::support::catalog::STEAM_50;
use super::support::statements;

const SIZES: [usize; 3] = [1, 20, 100];

/// Asks for pages of these sizes, and asserts that each costs exactly `expected` statements and holds as many items as it
/// should. The first asking is not counted: it may read what the server then remembers.
async fn costs(partner: &Partner, document: &str, list: &str, pages: Vec<(usize, Value)>, expected: usize) {
    partner.graphql(document, pages[0].1.clone()).await.data();
    for (size, variables) in pages {
        let answer = partner.graphql(document, variables).await;
        assert_eq!(answer.list(list).len(), size, "{document}");
        let mut run = statements::of(&answer);
        run.retain(|statement| !statement.contains("FROM sessions s"));
        assert_eq!(run.len(), expected, "{size} items of {document}: {run:#?}");
    }
}

async fn page_costs(partner: &Partner, document: &str, list: &str, expected: usize) {
    let pages = SIZES.into_iter().map(|size| (size, json!({ "first": size })));
    costs(partner, document, list, pages.collect(), expected).await;
}

/// As many of these ids as the sizes say, as `nodes` finds them.
async fn nodes_cost(partner: &Partner, fields: &str, ids: &[Value], expected: usize) {
    let document = format!("query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ __typename {fields} }} }}");
    let sizes = SIZES.into_iter().map(|size| size.min(ids.len()));
    let pages = sizes.map(|size| (size, json!({ "ids": ids[..size] })));
    costs(partner, &document, "nodes", pages.collect(), expected).await;
}

/// A hundred orders of two units, each on a charge of its own.
async fn place_orders(partner: &Partner) {
    for batch in 0..4 {
        let mut charges = "mutation {".to_owned();
        for n in 0..25 {
            write!(charges, "c{n}: createCharge(input: {{ productId: \"{STEAM_50}\", quantity: 2 }}) {{ charge {{ id }} }} ").unwrap();
        }
        let charges = partner.graphql(&(charges + "}"), json!({})).await;
        let mut orders = "mutation {".to_owned();
        for n in 0..25 {
            let charge = charges.text(&format!("c{n}.charge.id"));
            write!(orders, "o{n}: createOrder(input: {{ chargeId: \"{charge}\", reference: \"{batch}-{n}\" }}) {{ order {{ status }} }} ").unwrap();
        }
        let orders = partner.graphql(&(orders + "}"), json!({})).await;
        (0..25).for_each(|n| assert_eq!(orders.text(&format!("o{n}.order.status")), "DELIVERED"));
    }
}

/// A wallet in every currency that can be settled in.
async fn open_wallets(app: &TestApp, partner: &Partner) {
    let known = partner
        .graphql("{ currencies(settlementOnly: true, first: 100) { nodes { code } } }", json!({}))
        .await;
    for node in known.list("currencies.nodes") {
        let currency = node["code"].as_str().unwrap().parse().unwrap();
        let (partner, amount) = (partner.account.id.parse().unwrap(), Money::from_minor(1, currency));
        let command = CreditWallet { partner, amount, reference: format!("opened-{currency}"), note: None };
        wallet::credit(&app.system(), command).await.unwrap();
    }
}

/// The ids of twenty more credentials of a partner.
async fn make_credentials(app: &TestApp, partner: &Partner) -> Vec<Value> {
    let mut ids = Vec::new();
    for number in 0..20 {
        let command = CreateCredential { name: format!("number {number}"), scopes: None };
        let partner = partner.account.id.parse().unwrap();
        let made = identity::create_credential_for(&app.system(), partner, command).await.unwrap();
        ids.push(json!(made.credential.id.to_string()));
    }
    ids
}

/// The values at a path below each item of a list.
fn each(items: &[Value], pointer: &str) -> Vec<Value> {
    items
        .iter()
        .map(|item| item.pointer(pointer).unwrap_or_else(|| panic!("{pointer} of {item}")).clone())
        .collect()
}

both_databases! {
    threads: 1;

    /// With brand, country, category, price and stock: everything is in memory.
    async fn a_page_of_the_catalog_costs_no_statement(app: FullCatalog) {
        statements::record();
        let partner = app.partner().await;
        page_costs(&partner, "query ($first: Int) { products(first: $first) { totalCount nodes {
            id orderable brand { name category { slug } } country { name } denomination { min { amount } }
            stock { available } price { unitPrice { amount } } } } }", "products.nodes", 0).await;
        page_costs(&partner, "query ($first: Int) { products(first: $first, filter: { search: \"steam\" }) {
            totalCount nodes { id } } }", "products.nodes", 0).await;
        page_costs(&partner, "query ($first: Int) { brands(first: $first) { totalCount nodes { category { slug } } } }",
            "brands.nodes", 0).await;
        page_costs(&partner, "query ($first: Int) { currencies(first: $first) { nodes { code } } }", "currencies.nodes", 0).await;
    }

    async fn a_page_costs_a_fixed_number_of_statements(app: SmallCatalog) {
        statements::record();
        let partner = app.partner().await;
        place_orders(&partner).await;

        page_costs(&partner, "query ($first: Int) { orders(first: $first) { nodes { id } } }", "orders.nodes", 1).await;
        // The page, the count, charges, their orders, units, histories.
        page_costs(&partner, "query ($first: Int) { orders(first: $first) { totalCount nodes {
            product { name current { id } } charge { id order { id } } statusHistory { status }
            units(first: 2) { totalCount nodes { id status } } } } }", "orders.nodes", 6).await;
        // The page, the codes, the session, the audit.
        page_costs(&partner, "query ($first: Int) { orders(first: $first) { nodes { vouchers { code } } } }", "orders.nodes", 4).await;
        // The wallet, the page, the count, the orders.
        page_costs(&partner, "query ($first: Int) { wallet(currency: \"USD\") { entries(first: $first) {
            totalCount nodes { order { reference } } } } }", "wallet.entries.nodes", 4).await;
        // The page, the count, the orders or wallets, the wallets' funds.
        page_costs(&partner, "query ($first: Int) { events(first: $first, types: [\"order.created\"]) { totalCount nodes {
            ... on OrderEvent { order { status } } } } }", "events.nodes", 3).await;
        page_costs(&partner, "query ($first: Int) { events(first: $first, types: [\"wallet.debited\"]) { totalCount nodes {
            ... on WalletEvent { wallet { currency balance { amount } } } } } }", "events.nodes", 4).await;

        open_wallets(&app, &partner).await;
        let wallets = "query ($first: Int) { wallets(first: $first) { totalCount nodes {
            id balance { amount } held { amount } available { amount }
            entries(first: 2) { totalCount nodes { order { id } } } } } }";
        let count = partner.graphql("{ wallets { totalCount } }", json!({})).await.number("wallets.totalCount");
        let count = usize::try_from(count).unwrap();
        assert!(count > 50, "{count}");
        // The page, the count, funds, entries, their counts; no order moved these wallets lately.
        let pages = SIZES.map(|size| (size.min(count), json!({ "first": size })));
        costs(&partner, &wallets.replace("order { id }", "id"), "wallets.nodes", pages.to_vec(), 5).await;
    }

    async fn objects_by_id_cost_a_fixed_number_of_statements(app: SmallCatalog) {
        statements::record();
        let partner = app.partner().await;
        place_orders(&partner).await;
        open_wallets(&app, &partner).await;
        let all = partner.graphql("{ orders(first: 100) { nodes { id vouchers { id } units { nodes { id } } charge { id } } }
            wallets(first: 100) { nodes { id } } wallet(currency: \"USD\") { entries(first: 100) { nodes { id } } }
            events(first: 100, types: [\"order.delivered\"]) { nodes { id } } }", json!({})).await;
        let orders = all.list("orders.nodes");
        let entries = all.list("wallet.entries.nodes");
        nodes_cost(&partner, "... on Order { statusHistory { status } units(first: 1) { nodes { id } } }", &each(orders, "/id"), 3).await;
        nodes_cost(&partner, "... on Unit { status }", &each(orders, "/units/nodes/0/id"), 2).await;
        nodes_cost(&partner, "... on Charge { order { id } }", &each(orders, "/charge/id"), 2).await;
        nodes_cost(&partner, "... on Wallet { balance { amount } entries(first: 1) { totalCount nodes { id } } }",
            &each(all.list("wallets.nodes"), "/id"), 4).await;
        nodes_cost(&partner, "... on WalletEntry { kind }", &each(entries, "/id"), 1).await;
        nodes_cost(&partner, "... on WalletEntry { order { id } }", &each(&entries[1..], "/id"), 2).await;
        // Whose they are, the orders, the codes, the session, the audit.
        nodes_cost(&partner, "... on Voucher { code }", &each(orders, "/vouchers/0/id"), 5).await;
        nodes_cost(&partner, "... on OrderEvent { order { id } }", &each(all.list("events.nodes"), "/id"), 2).await;
        nodes_cost(&partner, "... on ApiCredential { name }", &make_credentials(&app, &partner).await, 1).await;
        // The partner, the credential and the session: who is calling, read once.
        nodes_cost(&partner, "... on Partner { name }", &vec![json!(partner.account.id); 100], 3).await;
        let whose = json!({ "ids": [partner.account.id, partner.account.id] });
        let whole = "query ($ids: [ID!]!) { viewer { partner { id } } nodes(ids: $ids) { id } }";
        costs(&partner, whole, "nodes", vec![(2, whose)], 3).await;
    }
}
