//! A fact about a purchase, ready to be written, and who brings it.
//!
//! What lives here: what a worker learnt or a person decided, with its goods sealed.
//! What is always true: a person decides only what nobody knows, or tells a success that came late.
//! What is not here: what follows from it (`conclude.rs`).

use entity::ids::{StockWriterId, WorkerId};
use entity::state::{PurchaseCallKind, PurchaseState};

use super::goods::Parcel;
use crate::domain::audit::Entry;
use crate::domain::fulfillment::{Sign, VendorRefusal};

/// Who learnt a fact, and how.
#[derive(Debug, Clone, Copy)]
pub struct Witness<'a> {
    /// Who tells the moves of stock.
    pub writer: StockWriterId,
    /// The worker.
    pub worker: WorkerId,
    /// How it is known.
    pub kind: PurchaseCallKind,
    /// How long the call took, in microseconds.
    pub duration_micros: i64,
    /// Who did it, for the record.
    pub actor: &'a str,
    /// What a person said; `None` where a vendor did.
    pub decision: Option<&'a Decision>,
}

/// What goes on record of what a person decided.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Why, in the person's words.
    pub note: String,
    /// The row of the audit log.
    pub audited: Entry,
}

impl Witness<'_> {
    /// What is on record of the fact, in words.
    pub fn message(&self, news: &News) -> String {
        match (self.decision, news) {
            (None, _) => news.message(),
            (Some(decision), News::Parcel(parcel)) => format!("{}: {}", parcel.message(), decision.note),
            (Some(decision), News::Refused(_) | News::NotExecuted) => decision.note.clone(),
        }
    }
}

/// A fact with its goods sealed.
pub enum News {
    /// It was made.
    Parcel(Box<Parcel>),
    /// It was refused.
    Refused(VendorRefusal),
    /// It never happened.
    NotExecuted,
}

impl News {
    /// The word that is on record.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Parcel(_) => "DELIVERED",
            Self::Refused(_) => "REFUSED",
            Self::NotExecuted => "NOT_EXECUTED",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Parcel(parcel) => parcel.message(),
            Self::Refused(refusal) => refusal.message.clone(),
            Self::NotExecuted => "the vendor never knew it".to_owned(),
        }
    }

    /// What it says of how the vendor is.
    pub const fn sign(&self) -> Sign<'_> {
        match self {
            Self::Parcel(parcel) if parcel.is_loss => Sign::Dear,
            Self::Parcel(_) => Sign::Well,
            Self::Refused(refusal) => Sign::Refused(refusal),
            Self::NotExecuted => Sign::Silent,
        }
    }

    /// Whether a person may decide so about a purchase in a state.
    pub const fn may_be_decided(&self, state: PurchaseState) -> bool {
        match state {
            PurchaseState::Unknown | PurchaseState::Review => true,
            PurchaseState::Refused | PurchaseState::NotExecuted => matches!(self, Self::Parcel(_)),
            PurchaseState::Sending | PurchaseState::Delivered => false,
        }
    }
}
