//! Units bought from vendors, through the endpoint: routes, outcomes, policies, and the books of both sides.
//! Always true: at the end of a test no purchase is open, and vendors' books and ours agree.

mod answers;
mod bulk;
mod catalogs;
mod chained;
mod contradictions;
mod desk;
mod fencing;
mod goods;
mod hints;
mod listings;
mod outcomes;
mod pace;
mod policies;
mod retention;
mod routes;
mod statements;
mod workers;

use serde_json::{Value, json};

use super::support::answer::Answer;
use super::support::app::{Partner, TestApp};
use super::support::poll;

/// An order as it stands, to its units.
const FIND: &str = "query($reference: String!) { order(reference: $reference) {
    status deliveredQuantity refundedQuantity failure { code } cancelRequestedAt
    statusHistory { status reason }
    vouchers { unitIndex code redemptionUrl }
    units(first: 100) { nodes { index status resolvesBy receipt { number } } } } }";

/// An order by its reference.
pub async fn find(partner: &Partner, reference: &str) -> Answer {
    partner.graphql(FIND, json!({ "reference": reference })).await
}

/// Waits until an order has ended, moving the clock on by a second with each look; tells it as it is then.
pub async fn end(app: &TestApp, partner: &Partner, reference: &str) -> Answer {
    // Two minutes of the clock, a second at a time, take a while on a machine that does other things.
    poll::until_within(poll::PATIENCE * 4, "the order ends", async || {
        let found = find(partner, reference).await;
        let status = found.text("order.status");
        if !matches!(status, "PENDING" | "PROCESSING") {
            return Some(found);
        }
        // What is on its way in this moment does not need time to pass.
        if app.database.number("SELECT count(*) FROM purchases WHERE state = 'SENDING'").await == 0 {
            app.advance_secs(1);
        }
        None
    })
    .await
}

/// The input of an order that does not wait.
pub fn input(product: &str, quantity: u32, reference: &str) -> Value {
    json!({ "productId": product, "quantity": quantity, "reference": reference, "waitMs": 0 })
}
