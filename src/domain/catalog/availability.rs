//! From where a product can be had.
//!
//! What lives here: the live counter and mark of a product, and what they say together.
//! What is always true: they stay the same for the life of the process, whatever snapshot the product is in, and cost a reader
//! two loads.
//! What is not here: who counts (`stock.rs`), and who knows what vendors deliver (`domain/orders/supply.rs`).

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use serde::Serialize;

/// From where a unit of a product would come now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Availability {
    /// From a code in own stock.
    InStock,
    /// From a vendor, when it is ordered.
    OnDemand,
    /// From nowhere.
    Unavailable,
}

/// What is known of a product's sources.
#[derive(Debug, Default)]
pub struct Supply {
    codes: AtomicI64,
    on_demand: AtomicBool,
}

impl Supply {
    /// How many codes are in stock, over all face values.
    pub fn codes(&self) -> i64 {
        self.codes.load(Ordering::Relaxed)
    }

    /// From where a unit would come while the product is sold.
    pub fn availability(&self) -> Availability {
        if self.codes() > 0 {
            Availability::InStock
        } else if self.on_demand() {
            Availability::OnDemand
        } else {
            Availability::Unavailable
        }
    }

    /// Whether vendors deliver it, whatever is in stock.
    pub fn on_demand(&self) -> bool {
        self.on_demand.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, codes: i64) {
        self.codes.store(codes, Ordering::Relaxed);
    }

    pub(super) fn move_by(&self, delta: i64) {
        self.codes.fetch_add(delta, Ordering::Relaxed);
    }

    pub(super) fn mark(&self, is_on_demand: bool) {
        self.on_demand.store(is_on_demand, Ordering::Relaxed);
    }
}
