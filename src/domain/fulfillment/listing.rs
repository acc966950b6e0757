//! What a vendor tells where nothing is bought.
//!
//! What lives here: the lines of its statements, what it sells and for how much, and the messages that it sends of its own accord.
//! What is always true: a listing comes in parts, each of which says where the next one begins; a hint is never believed, only
//! asked about.
//! What is not here: purchases and their answers (`vendor.rs`); what a unit costs by a rule (`model.rs`).

use std::collections::BTreeMap;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::state::{DeliveryKind, RecipientKind};
use entity::timestamp::Timestamp;
use serde::Serialize;

use super::vendor::TooMany;
use crate::domain::vouchers::Cost;

/// Why a question that buys nothing has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The vendor has no such thing; its capabilities say so.
    #[error("the vendor cannot tell")]
    Unsupported,
    /// It is asked too often; worth another try when it has been left alone.
    #[error("the vendor asks us to slow down")]
    TooMany(TooMany),
    /// It failed; worth another try later.
    #[error("{0}")]
    Failed(String),
}

/// A purchase as a vendor's statement has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// Our reference; `None` if the purchase has none, as when somebody bought by hand.
    pub our_ref: Option<String>,
    /// The vendor's own name for it.
    pub vendor_ref: String,
    /// The vendor's name for the product, if it tells it.
    pub vendor_sku: Option<String>,
    /// How many units were delivered.
    pub quantity: i32,
    /// What the vendor took for it.
    pub cost: Cost,
    /// When it was made.
    pub at: Timestamp,
}

/// A part of a listing, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// What there is.
    pub items: Vec<T>,
    /// Where the next part begins; `None` behind the last.
    pub next: Option<String>,
    /// How many there are in all, if it is told.
    pub total: Option<usize>,
    /// How many bytes it was told in.
    pub bytes: usize,
}

/// What a unit of an item costs: `face × factor + fee`, rounded half up at scale 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostRule {
    /// The currency that the vendor takes.
    pub currency: Currency,
    /// Units of `currency` for one of the face currency, discounts and shares included; 0 where the fee is the whole.
    pub factor: Decimal,
    /// Added to each unit, at scale 6 of `currency`.
    pub fee_micros: i64,
}

/// The face values that an item comes in, in minor units of its face currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Faces {
    /// These.
    Fixed(Vec<i64>),
    /// Any from `min` to `max` by `step`.
    Range {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
        /// The distance between values.
        step: i64,
    },
}

/// Something that a vendor sells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogItem {
    /// The vendor's name for it.
    pub vendor_sku: String,
    /// Its name, for people.
    pub name: String,
    /// The brand's name.
    pub brand: String,
    /// The category's name.
    pub category: String,
    /// Where it is redeemed: ISO 3166-1 alpha-2; `None` if it is not bound to a country.
    pub country: Option<String>,
    /// The currency of its face value.
    pub face_currency: Currency,
    /// The face values that it comes in.
    pub faces: Faces,
    /// What a unit costs.
    pub cost: CostRule,
    /// How it reaches its user.
    pub delivery: DeliveryKind,
    /// What a purchase must name; `None` for codes.
    pub recipient: Option<RecipientKind>,
    /// How to redeem, if it is told.
    pub redemption_instructions: Option<String>,
    /// How many there are; `None` if it is not told.
    pub available: Option<i64>,
    /// How many units a purchase may have; `None` if it is not told.
    pub max_quantity: Option<i32>,
    /// Whether it can be bought now.
    pub is_active: bool,
}

/// Something in a vendor's catalog that cannot be offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The vendor's name for it; `None` if even that cannot be read.
    pub vendor_sku: Option<String>,
    /// Why.
    pub reason: String,
}

impl LeftOut {
    /// Something of a name, and why it is left out.
    pub fn new(vendor_sku: &str, reason: impl Into<String>) -> Self {
        Self { vendor_sku: Some(vendor_sku.to_owned()), reason: reason.into() }
    }
}

/// An item of a catalog, or why it is none.
pub type Listed = Result<CatalogItem, LeftOut>;

/// A message that a vendor sends of its own accord. It is a hint alone: what it says is asked again before it is believed.
#[derive(Debug)]
pub struct Hint<'a> {
    /// Its headers, names in lower case.
    pub headers: &'a BTreeMap<String, String>,
    /// Its body.
    pub body: &'a [u8],
}

/// Why a hint is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadHint {
    /// This vendor sends none.
    Unsupported,
    /// It is not signed by the vendor, or long ago.
    NotSigned,
    /// It names no purchase.
    Unreadable,
}

/// Which purchase a hint is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HintedPurchase {
    /// By our reference.
    OurRef(String),
    /// By the vendor's own name for it.
    VendorRef(String),
}
