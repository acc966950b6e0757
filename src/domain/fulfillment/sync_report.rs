//! What is told of the reading of a vendor's catalog.
//!
//! What lives here: how far it is, what it did, and why it did nothing.
//! What is always true: products are named by our skus, and what is left out by the vendor's.
//! What is not here: the reading (`sync.rs`).

use entity::decimal::Decimal;
use entity::money::Money;
use serde::Serialize;

use super::listing::{CatalogItem, LeftOut};
use crate::domain::catalog::Product;
use crate::domain::vouchers::Cost;

/// A cost that is not believed: the offer keeps the one that it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldCost {
    /// The product.
    pub product: String,
    /// The vendor's name for it.
    pub vendor_sku: String,
    /// The face value of a unit.
    pub face_value: String,
    /// What such a unit costs.
    pub before: String,
    /// What it would cost by the listing.
    pub after: String,
}

impl HeldCost {
    /// A product whose unit of a face value cost so much, and would cost so much.
    pub(super) fn new(
        product: &Product,
        item: &CatalogItem,
        (face, before, after): (Money, Cost, Cost),
    ) -> Self {
        let written = |cost: Cost| format!("{} {}", Decimal::new(cost.micros.into(), 6), cost.currency);
        Self {
            product: product.id.clone(),
            vendor_sku: item.vendor_sku.clone(),
            face_value: face.to_string(),
            before: written(before),
            after: written(after),
        }
    }
}

/// Why a catalog was not taken in. What was written of it stays; where the listing itself is at fault, that is nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncRefusal {
    /// The vendor cannot be spoken to from this process.
    #[error("the vendor is not open in this process: `octopus vendor list` says why")]
    NotOpen,
    /// It has none.
    #[error("this vendor does not tell what it sells")]
    Unsupported,
    /// Another process is about it, or it is not due any more.
    #[error("another process reads the catalog just now")]
    Busy,
    /// The vendor told nothing that can be used.
    #[error("the catalog cannot be read: {0}")]
    Failed(String),
    /// So much would vanish that it is rather thought wrong.
    #[error(
        "{vanishing} of {selling} offers are not listed any more, or cannot be read; nothing was changed: if that is true, run \
         `octopus vendor sync --allow-vanishing`"
    )]
    TooMuchVanishes {
        /// How many offers are not listed, or have an item that cannot be read.
        vanishing: usize,
        /// How many were sold.
        selling: usize,
    },
}

/// Whether any number of offers may vanish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vanishing {
    /// Half of them at most, where there are many.
    Limited,
    /// All of them.
    Allowed,
}

/// How far it is: items that were read of so many, if that is told; then offers that were written of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncProgress {
    /// Items read, and how many there are, if that is told.
    Read(usize, Option<usize>),
    /// Offers written, and how many there are to be written.
    Written(usize, usize),
}

/// Who hears how far it is.
pub type Told<'a> = &'a (dyn Fn(SyncProgress) + Send + Sync);

/// What reading a catalog did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyncReport {
    /// The vendor.
    pub vendor: String,
    /// Things that were listed.
    pub items: usize,
    /// Products that are new.
    pub products_added: usize,
    /// Offers that are new.
    pub added: usize,
    /// Offers that say something else.
    pub changed: usize,
    /// Offers that stay as they are.
    pub unchanged: usize,
    /// Products whose offers are not listed any more.
    pub vanished: Vec<String>,
    /// Products whose offers are listed again.
    pub returned: Vec<String>,
    /// Products that are paused, since nobody sells them any more.
    pub withdrawn: Vec<String>,
    /// Products that are sold again.
    pub restored: Vec<String>,
    /// Products of which nothing is bought there, since what is listed of them cannot be read.
    pub unreadable: Vec<String>,
    /// Costs that are not believed.
    pub held: Vec<HeldCost>,
    /// What is left out, and why.
    pub left_out: Vec<LeftOut>,
}

impl SyncReport {
    /// What of the catalog is not believed, and wants a person; `None` if all is.
    pub fn doubt(&self) -> Option<String> {
        let mut doubts = Vec::new();
        if !self.held.is_empty() {
            let count = self.held.len();
            doubts.push(format!(
                "{count} of its costs fell by more than half, or are in another currency, and stay as they were"
            ));
        }
        if !self.unreadable.is_empty() {
            let count = self.unreadable.len();
            doubts.push(format!("{count} of its offers cannot be read, and nothing is bought by them"));
        }
        (!doubts.is_empty()).then(|| format!("{}: `octopus vendor sync` names them", doubts.join("; ")))
    }
}
