//! What a vendor's answer is worth. Pure.
//!
//! What lives here: which answers are facts about the purchase that was sent or asked about, and what is left of those that are not.
//! What is always true: an answer that this purchase cannot have had is a doubt; what a vendor says goes on only as far as a row can
//! hold it and a person read it; a refusal of what was sent again says nothing of the first time, unless the vendor goes by the
//! reference, and came as far as that.
//! What is not here: asking (`calls.rs`); the JSON of a vendor (`src/vendors`).

use entity::purchases;
use entity::state::PurchaseState;
use entity::timestamp::Timestamp;

use super::live::KnownVendor;
use super::model::{Unfound, most_cost_micros};
use super::vendor::{Capabilities, Delivery, Doubt, Goods, Outcome, Sighting, VendorRefusal};

/// How many characters of a vendor's words are kept, and how many its names may have.
const LONGEST_TEXT: usize = 200;

/// A fact about a purchase.
#[derive(Debug)]
pub enum Fact {
    /// It was made.
    Delivered(Delivery),
    /// It was refused.
    Refused(VendorRefusal),
    /// The vendor never knew it.
    NotExecuted,
}

/// What a call came to.
#[derive(Debug)]
pub enum Finding {
    /// A fact.
    Fact(Fact),
    /// It is under way at the vendor.
    Pending {
        /// The vendor's own name for it.
        vendor_ref: Option<String>,
    },
    /// The vendor does not know it; how often, in a row, and since when.
    NotFound(i32, Timestamp),
    /// Nothing.
    Doubt(Doubt),
}

/// What it means how the sending of a purchase ended.
pub(super) fn of_sending(
    capabilities: Capabilities,
    purchase: &purchases::Model,
    outcome: Outcome,
) -> Finding {
    match outcome {
        Outcome::Delivered(delivery) => made(purchase, delivery),
        Outcome::Refused(refusal) => refused(capabilities, purchase, readable(refusal)),
        Outcome::Unknown(doubt) => doubted(doubt),
    }
}

/// What it means what a vendor says of a purchase when it is asked.
pub(super) fn of_looking(
    known: &KnownVendor,
    purchase: &purchases::Model,
    sighting: Sighting,
    now: Timestamp,
) -> Finding {
    match sighting {
        Sighting::Delivered(delivery) => made(purchase, delivery),
        Sighting::Refused(refusal) => Finding::Fact(Fact::Refused(readable(refusal))),
        Sighting::Pending { vendor_ref } => {
            Finding::Pending { vendor_ref: vendor_ref.filter(|name| is_name(name)) }
        }
        Sighting::Unclear(doubt) => doubted(doubt),
        Sighting::NotFound => unfound(known, purchase, now),
    }
}

/// A refusal of what was sent. Whoever was taken over is in doubt: that was not the first time, however often it is said to be sent.
fn refused(capabilities: Capabilities, purchase: &purchases::Model, refusal: VendorRefusal) -> Finding {
    let is_first = purchase.state == PurchaseState::Sending && purchase.sends == 1;
    let is_of_all = capabilities.idempotent_create && !refusal.kind.is_passing();
    if is_first || is_of_all {
        return Finding::Fact(Fact::Refused(refusal));
    }
    let blame = refusal.kind.blame();
    Finding::Doubt(Doubt {
        blame,
        ..Doubt::saying(format!("sent again, it was refused: {}", refusal.message))
    })
}

/// A delivery, unless it is none that this purchase can have had.
fn made(purchase: &purchases::Model, delivery: Delivery) -> Finding {
    let most = most_cost_micros(delivery.goods.len());
    let is_unreadable = |goods: &Goods| matches!(goods, Goods::Receipt { number, .. } if !is_name(number));
    let wrong = if usize::try_from(purchase.quantity).is_ok_and(|asked| delivery.goods.len() > asked) {
        "the vendor delivered more than was asked for"
    } else if delivery.cost.is_some_and(|cost| cost.currency != purchase.cost_currency) {
        "the vendor took another currency than was agreed"
    } else if delivery.cost.is_some_and(|cost| !(0..=most).contains(&cost.micros)) {
        "the vendor took more than anything costs"
    } else if !is_name(&delivery.vendor_ref) {
        "the vendor's name for the purchase is none that can be kept"
    } else if delivery.goods.iter().any(is_unreadable) {
        "the vendor's receipt is none that can be kept"
    } else {
        return Finding::Fact(Fact::Delivered(delivery));
    };
    doubted(Doubt { vendor_ref: Some(delivery.vendor_ref), ..Doubt::saying(wrong.to_owned()) })
}

fn unfound(known: &KnownVendor, purchase: &purchases::Model, now: Timestamp) -> Finding {
    let timeout_ms = known.row.timeout_ms;
    if !Unfound::counts(purchase.sent_at, timeout_ms, now) {
        return Finding::NotFound(0, now);
    }
    let unfound = Unfound {
        times: purchase.not_found.saturating_add(1),
        since: purchase.not_found_since.unwrap_or(now),
        sent_at: purchase.sent_at,
        settle_window_secs: known.row.settle_window_secs,
        timeout_ms,
    };
    if purchase.ended_at.is_none() && unfound.was_not_executed(now) {
        Finding::Fact(Fact::NotExecuted)
    } else {
        Finding::NotFound(unfound.times, unfound.since)
    }
}

fn doubted(doubt: Doubt) -> Finding {
    let vendor_ref = doubt.vendor_ref.filter(|name| is_name(name));
    Finding::Doubt(Doubt { message: words(&doubt.message), vendor_ref, ..doubt })
}

fn readable(refusal: VendorRefusal) -> VendorRefusal {
    VendorRefusal { message: words(&refusal.message), ..refusal }
}

/// Words without what a terminal would obey, or a row not hold.
fn words(text: &str) -> String {
    let shown = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    shown.take(LONGEST_TEXT).collect()
}

/// Whether a text can be a vendor's name for something.
fn is_name(text: &str) -> bool {
    (1..=LONGEST_TEXT).contains(&text.chars().count())
        && !text.trim().is_empty()
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
