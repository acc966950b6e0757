//! Orders through the endpoint: idempotency, refusals, delivery, waiting, cancelling, concurrency.

mod charges;
mod concurrency;
mod idempotency;
mod reading;
mod refusals;
mod settling;
mod streams;

use serde_json::{Value, json};

use super::support::answer::Answer;
use super::support::app::Partner;

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
