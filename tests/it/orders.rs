//! Orders through the endpoint: idempotency, refusals, delivery, waiting, cancelling, concurrency.

mod apollo;
mod bad_input;
mod charges;
mod codes;
mod collisions;
mod concurrency;
mod desks;
mod idempotency;
mod poison;
mod reading;
mod refusals;
mod resuming;
mod settling;
mod streams;
mod waiting;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::support::answer::Answer;
use super::support::app::{Partner, TestApp};

/// Places an order and asks for everything that tests look at, codes included.
pub const CREATE_ORDER: &str = "mutation CreateOrder($input: CreateOrderInput!) {
    createOrder(input: $input) {
        replayed
        order {
            id reference status quantity deliveredQuantity refundedQuantity deadlineAt completedAt
            unitPrice { amount currency } total { amount currency } refundedTotal { amount }
            statusHistory { status reason }
            failure { code }
            vouchers { id unitIndex code pin serial redemptionUrl faceValue { amount currency } }
        }
        userErrors {
            code message field
            ... on InsufficientFundsError { required { amount currency } available { amount currency } }
            ... on OutOfStockError { availableUnits: available }
            ... on IdempotencyMismatchError { order { id reference } differingFields }
            ... on PriceChangedError { charge { id total { amount currency } } }
        }
    }
}";

/// Places an order with this input.
pub async fn order(partner: &Partner, input: Value) -> Answer {
    partner.graphql(CREATE_ORDER, json!({ "input": input })).await
}

/// The codes of an answer's order, in order.
pub fn codes(answer: &Answer) -> Vec<String> {
    let vouchers = answer.list("createOrder.order.vouchers");
    vouchers.iter().map(|voucher| voucher["code"].as_str().expect("codes are text").to_owned()).collect()
}

/// What a partner's wallet has available and held.
pub async fn funds(partner: &Partner, currency: &str) -> (String, String) {
    let query = "query($currency: CurrencyCode!) { wallet(currency: $currency) {
        available { amount } held { amount } } }";
    let answer = partner.graphql(query, json!({ "currency": currency })).await;
    (answer.text("wallet.available.amount").to_owned(), answer.text("wallet.held.amount").to_owned())
}

/// What a partner's wallet has available, in minor units; nothing is held.
pub async fn unheld_funds(partner: &Partner, currency: &str) -> i64 {
    let (available, held) = funds(partner, currency).await;
    assert_eq!(minor(&held), 0, "held of {currency}");
    minor(&available)
}

/// An amount in minor units.
pub fn minor(amount: &str) -> i64 {
    amount.replace('.', "").parse().expect("it is an amount")
}

/// The tables in which an order may leave rows.
const TABLES: [&str; 11] = [
    "audit_log",
    "charges",
    "events",
    "ledger_transactions",
    "order_transitions",
    "order_units",
    "orders",
    "postings",
    "stock_moves",
    "unit_settlements",
    "wallets",
];

/// How many rows there are in each table in which an order may leave some, and how many codes are sold.
pub async fn rows(app: &TestApp) -> BTreeMap<&'static str, i64> {
    let mut counts = BTreeMap::new();
    for table in TABLES {
        counts.insert(table, app.database.number(&format!("SELECT count(*) FROM {table}")).await);
    }
    let sold = "SELECT count(*) FROM vouchers WHERE state <> 'AVAILABLE'";
    counts.insert("vouchers sold", app.database.number(sold).await);
    counts
}

/// What has come to [`rows`] since; what has not changed is left out.
pub async fn new_rows(app: &TestApp, before: &BTreeMap<&'static str, i64>) -> BTreeMap<&'static str, i64> {
    let grown = rows(app).await.into_iter().map(|(table, count)| (table, count - before[table]));
    grown.filter(|(_, count)| *count != 0).collect()
}

/// Every event of the partner's feed behind a cursor, or all if that is null.
pub async fn events(partner: &Partner, after: &Value) -> Vec<Value> {
    let page = "query($after: String) { events(after: $after, first: 100) {
        nodes { cursor sequence type
            ... on WalletEvent { amount { amount } available { amount } firstEntrySequence lastEntrySequence } }
        pageInfo { hasNextPage endCursor } } }";
    let (mut told, mut after) = (Vec::new(), after.clone());
    loop {
        let answer = partner.graphql(page, json!({ "after": after })).await;
        told.extend_from_slice(answer.list("events.nodes"));
        if answer.at("events.pageInfo.hasNextPage") == false {
            return told;
        }
        after = answer.at("events.pageInfo.endCursor").clone();
    }
}
