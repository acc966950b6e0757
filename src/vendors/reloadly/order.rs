//! Orders.
//!
//! What lives here: what is sent to buy, and what follows from the answer.
//! What is always true: what is sent is the same each time; it names no address and no phone of a receiver, to whom Reloadly
//! would send the code by itself. What it would refuse anyhow is refused here, and not sent.
//! What is not here: what a transaction says (`lookup.rs`).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::calls::Question;
use super::number::Id;
use super::refusals::{NotOrdered, not_ordered};
use super::transaction::Transaction;
use super::{LARGEST_BATCH, Reloadly};
use crate::domain::fulfillment::{Doubt, Outcome, PurchaseRequest, RefusalKind, Sighting, VendorRefusal};
use crate::outgoing::Answer;
use crate::vendors::reply::{Reply, decode, refusal};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    product_id: u64,
    quantity: i32,
    /// The face value of one card, to the digit.
    unit_price: Box<RawValue>,
    custom_identifier: &'a str,
    sender_name: &'a str,
}

/// What an answer that cannot be read says all the same.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    transaction_id: Id,
}

impl Reloadly {
    /// Buys.
    pub(super) async fn order(&self, request: &PurchaseRequest) -> Outcome {
        let body = match self.body(request) {
            Ok(body) => body,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        match self.ask(&Question::order(body)).await {
            Reply::Success(answer) => match decode::<Transaction>(&answer) {
                Ok(transaction) => outcome(self.settle(&transaction, request).await),
                Err(doubt) => Outcome::Unknown(Doubt { vendor_ref: name_in(&answer), ..doubt }),
            },
            Reply::Rejected(answer) => match not_ordered(&answer) {
                NotOrdered::Refused(refusal) => Outcome::Refused(refusal),
                NotOrdered::ArrivedEarlier => outcome(self.look_up(request).await),
                NotOrdered::Unknown(doubt) => Outcome::Unknown(doubt),
            },
            Reply::TurnedAway(refusal) => Outcome::Refused(refusal),
            Reply::Doubtful(doubt) => Outcome::Unknown(doubt),
        }
    }

    fn body(&self, request: &PurchaseRequest) -> Result<Zeroizing<Vec<u8>>, VendorRefusal> {
        let not_sold = |words: &str| refusal(RefusalKind::NotSold, words, None);
        if request.recipient.is_some() {
            return Err(not_sold("nothing is bought here for a receiver who has no code"));
        }
        if !(1..=LARGEST_BATCH).contains(&request.quantity) || request.face.minor <= 0 {
            return Err(not_sold("not bought here at this quantity or face value"));
        }
        let product_id =
            request.vendor_sku.parse().ok().filter(|id: &u64| id.to_string() == request.vendor_sku);
        let product_id = product_id.ok_or_else(|| not_sold("a product is named by its number"))?;
        let unit_price = RawValue::from_string(request.face.amount())
            .map_err(|_| not_sold("the face value is no number"))?;
        let (custom_identifier, sender_name) = (request.our_ref.as_str(), self.sender_name.as_str());
        let order =
            Order { product_id, quantity: request.quantity, unit_price, custom_identifier, sender_name };
        Ok(Zeroizing::new(serde_json::to_vec(&order).expect("numbers and texts are JSON")))
    }
}

fn name_in(answer: &Answer) -> Option<String> {
    serde_json::from_slice::<Named>(&answer.body).ok().map(|named| named.transaction_id.0)
}

fn outcome(sighting: Sighting) -> Outcome {
    match sighting {
        Sighting::Delivered(delivery) => Outcome::Delivered(delivery),
        Sighting::Refused(refusal) => Outcome::Refused(refusal),
        Sighting::Pending { vendor_ref } => {
            let message = "it was received, and its codes are not there yet".to_owned();
            Outcome::Unknown(Doubt { vendor_ref, ..Doubt::saying(message) })
        }
        Sighting::NotFound => {
            let message = "the reference is taken, and no transaction of it is found".to_owned();
            Outcome::Unknown(Doubt::saying(message))
        }
        Sighting::Unclear(doubt) => Outcome::Unknown(doubt),
    }
}
