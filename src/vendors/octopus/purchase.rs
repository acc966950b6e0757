//! Placing an order at another Octopus, and looking it up.
//!
//! What lives here: what is sent, and which answer is which outcome.
//! What is always true: what is sent for a purchase is the same each time, so that it is met by its reference; an order that is
//! under way is asked about, never taken for an end.
//! What is not here: what an order says (`order.rs`).

use entity::state::{FailurePolicy, RecipientKind};
use serde::{Deserialize, Serialize};

use super::Octopus;
use super::calls::{Question, escaped};
use super::money::most;
use super::order::{Order, Standing};
use super::refusals::of_order;
use super::session::wiped;
use crate::domain::fulfillment::{
    Doubt, Outcome, PurchaseRequest, Recipient, RefusalKind, Sighting, VendorRefusal,
};
use crate::outgoing::Answer;
use crate::vendors::reply::{Reply, decode, doubt, not_looked_at, refusal};

#[derive(Serialize)]
struct Wanted<'a> {
    product_id: &'a str,
    quantity: i32,
    reference: &'a str,
    face_value: String,
    currency: entity::currency::Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_total: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<Named<'a>>,
    failure_policy: FailurePolicy,
    wait_ms: u32,
}

/// A recipient under the name of its kind.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Named<'a> {
    Phone(&'a str),
    PlayerId(&'a str),
    Username(&'a str),
}

impl<'a> Named<'a> {
    fn of(recipient: &'a Recipient) -> Self {
        let value = recipient.value.expose();
        match recipient.kind {
            RecipientKind::Phone => Self::Phone(value),
            RecipientKind::PlayerId => Self::PlayerId(value),
            RecipientKind::Username => Self::Username(value),
        }
    }
}

/// A page of orders.
#[derive(Deserialize)]
struct Found {
    data: Vec<Order>,
}

impl Octopus {
    /// Places the order of a purchase, or meets the one that holds its reference.
    pub(super) async fn order(&self, request: &PurchaseRequest) -> Outcome {
        let question = match self.question(request) {
            Ok(question) => question,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let answer = match self.ask(&question).await {
            Reply::Success(answer) => answer,
            Reply::Rejected(answer) => {
                let unknown =
                    || Outcome::Unknown(doubt(&answer, format!("the vendor answered {}", answer.status)));
                return of_order(&answer).map_or_else(unknown, Outcome::Refused);
            }
            Reply::TurnedAway(refusal) => return Outcome::Refused(refusal),
            Reply::Doubtful(doubt) => return Outcome::Unknown(doubt),
        };
        let order = match decode::<Order>(&answer) {
            Ok(order) => order,
            Err(doubt) => return Outcome::Unknown(doubt),
        };
        match judge(&answer, order, request) {
            Ok((_, Standing::Delivered(delivery))) => Outcome::Delivered(delivery),
            Ok((_, Standing::Failed(refusal))) => Outcome::Refused(refusal),
            Ok((vendor_ref, Standing::Open)) => {
                Outcome::Unknown(Doubt { vendor_ref, ..doubt(&answer, "the order is under way") })
            }
            Err(doubt) => Outcome::Unknown(doubt),
        }
    }

    /// What to send. A purchase whose cost is expected in another currency than our account has is not sent at all.
    fn question(&self, request: &PurchaseRequest) -> Result<Question<'static>, VendorRefusal> {
        let unfit = |words: &str| refusal(RefusalKind::Other, words, None);
        if request.expected_cost.currency != self.currency {
            return Err(unfit("the expected cost is not in the currency of our account"));
        }
        let told = |highest| most(request, highest).ok_or_else(|| unfit("the highest cost cannot be told"));
        let max_total = request.highest_cost.map(told).transpose()?;
        let recipient = request.recipient.as_ref();
        let wanted = Wanted {
            product_id: &request.vendor_sku,
            quantity: request.quantity,
            reference: &request.our_ref,
            face_value: request.face.amount(),
            currency: self.currency,
            max_total,
            recipient: recipient.map(Named::of),
            failure_policy: FailurePolicy::BestEffort,
            wait_ms: self.wait_ms,
        };
        let length = recipient.map_or(0, |recipient| recipient.value.expose().len());
        Ok(Question::place(wiped(&wanted, length.saturating_add(request.vendor_sku.len()))))
    }

    /// Looks for the order that holds the reference of a purchase.
    pub(super) async fn look_up(&self, request: &PurchaseRequest) -> Sighting {
        let path = format!("/api/v1/orders?reference={}", escaped(&request.our_ref));
        let answer = match self.ask(&Question::about_order(&path)).await {
            Reply::Success(answer) => answer,
            Reply::Rejected(answer) => {
                return Sighting::Unclear(doubt(&answer, format!("the vendor answered {}", answer.status)));
            }
            Reply::TurnedAway(refusal) => return Sighting::Unclear(not_looked_at(refusal)),
            Reply::Doubtful(doubt) => return Sighting::Unclear(doubt),
        };
        let mut found = match decode::<Found>(&answer) {
            Ok(found) => found.data,
            Err(doubt) => return Sighting::Unclear(doubt),
        };
        let Some(order) = found.pop() else { return Sighting::NotFound };
        if !found.is_empty() {
            return Sighting::Unclear(doubt(&answer, "several orders stand under one reference"));
        }
        match judge(&answer, order, request) {
            Ok((_, Standing::Delivered(delivery))) => Sighting::Delivered(delivery),
            Ok((_, Standing::Failed(refusal))) => Sighting::Refused(refusal),
            Ok((vendor_ref, Standing::Open)) => Sighting::Pending { vendor_ref },
            Err(doubt) => Sighting::Unclear(doubt),
        }
    }
}

/// What an order says, and its id.
fn judge(
    answer: &Answer,
    order: Order,
    request: &PurchaseRequest,
) -> Result<(Option<String>, Standing), Doubt> {
    let vendor_ref = order.vendor_ref().filter(|_| order.reference == request.our_ref);
    match order.standing(request) {
        Ok(standing) => Ok((vendor_ref, standing)),
        Err(why) => {
            Err(Doubt { vendor_ref, ..doubt(answer, format!("the order is not what was asked for: {why}")) })
        }
    }
}
