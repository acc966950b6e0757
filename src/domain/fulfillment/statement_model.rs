//! How a line of a vendor's statement stands to our purchases, pure.
//!
//! What lives here: the verdict on a line, and what has to be posted so that its vendor is owed what it took.
//! What is always true: a statement delivers nothing: a purchase that is not delivered here stays so until its vendor was asked; a
//! purchase is one line at most, the one under whose name it was delivered, or else the first that told of it.
//! What is not here: reading statements (`reconcile.rs`); writing (`statement_store.rs`).

use std::collections::BTreeMap;

use entity::currency::Currency;
use entity::state::{PurchaseState, StatementVerdict};
use entity::{purchases, statement_lines};

use super::listing::StatementLine;

/// What follows from a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// What is owed is brought to what the vendor took.
    Post,
    /// The vendor is asked about the purchase at once.
    Ask,
}

/// The verdict on a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged<'a> {
    pub(super) verdict: StatementVerdict,
    /// The purchase that it is.
    pub(super) purchase: Option<&'a purchases::Model>,
    pub(super) follows: Follows,
}

/// What was read of a line and its purchase before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before<'a> {
    /// The line.
    pub(super) line: Option<&'a statement_lines::Model>,
    /// The name of the line that is the purchase, if one is.
    pub(super) taken_for_it: Option<&'a str>,
}

/// Judges a line, beside the purchase that its references name.
pub(super) fn judge<'a>(
    line: &StatementLine,
    named: Option<&'a purchases::Model>,
    before: Before<'_>,
) -> Judged<'a> {
    // A vendor that made it twice tells it under two names of its own.
    let is_another = |purchase: &&purchases::Model| {
        let known = purchase.vendor_ref.as_deref().or(before.taken_for_it);
        purchase.state == PurchaseState::Delivered && known.is_some_and(|known| known != line.vendor_ref)
    };
    let Some(purchase) = named.filter(|purchase| !is_another(purchase)) else {
        return Judged { verdict: StatementVerdict::UnknownHere, purchase: None, follows: Follows::Post };
    };
    let cost = (Some(line.cost.micros), line.cost.currency);
    let (verdict, follows) = match purchase.state {
        PurchaseState::Delivered if purchase.delivered_quantity != line.quantity => {
            (StatementVerdict::QuantityDiffers, Follows::Post)
        }
        PurchaseState::Delivered if (purchase.cost_micros, purchase.cost_currency) != cost => {
            (StatementVerdict::CostDiffers, Follows::Post)
        }
        PurchaseState::Delivered => (StatementVerdict::Matched, Follows::Post),
        PurchaseState::Sending | PurchaseState::Unknown | PurchaseState::Review => {
            (StatementVerdict::NotDeliveredHere, Follows::Ask)
        }
        // It was asked because of this line, and has nothing more to say.
        PurchaseState::Refused | PurchaseState::NotExecuted
            if before.line.is_some() && purchase.next_at.is_none() =>
        {
            (StatementVerdict::NotDeliveredHere, Follows::Post)
        }
        PurchaseState::Refused | PurchaseState::NotExecuted => {
            (StatementVerdict::NotDeliveredHere, Follows::Ask)
        }
    };
    Judged { verdict, purchase: Some(purchase), follows }
}

/// What has to be added to what is owed, by currency: what the vendor took, less what was posted with the purchase and what
/// earlier corrections added.
pub(super) fn corrections(
    line: &StatementLine,
    judged: Judged<'_>,
    earlier: impl Iterator<Item = (Currency, i64)>,
) -> BTreeMap<Currency, i64> {
    let mut missing: BTreeMap<Currency, i64> = BTreeMap::new();
    let mut add = |currency, micros: i64| {
        let sum = missing.entry(currency).or_default();
        *sum = sum.saturating_add(micros);
    };
    if judged.follows == Follows::Post {
        add(line.cost.currency, line.cost.micros);
        if let Some((purchase, posted)) =
            judged.purchase.and_then(|purchase| purchase.cost_micros.map(|micros| (purchase, micros)))
        {
            add(purchase.cost_currency, posted.saturating_neg());
        }
    }
    earlier.for_each(|(currency, micros)| add(currency, micros.saturating_neg()));
    missing.retain(|_, micros| *micros != 0);
    missing
}
