//! Fulfillment: many vendors, and outcomes that are never guessed.
//!
//! What lives here: what a vendor is (`vendor.rs`, `listing.rs`, `adapter.rs`), from which vendors units come (`model.rs`,
//! `sourcing.rs`), what vendors list (`sync.rs`), purchases from their record to their end (`calls.rs`, `answers.rs`, `ending.rs`), what vendors' statements say of them
//! (`reconcile.rs`), and the vendors and offers that a process works with (`live.rs`).
//! What is always true: nothing is sent to a vendor that is not on record and committed before; a unit has one open attempt at
//! most; what is not known is asked, never guessed, and no other vendor is tried meanwhile; only who holds a purchase's epoch
//! changes it.
//! What is not here: settling units, which needs the wallet and is orders'; adapters (`src/vendors`).

mod adapter;
mod allowance;
mod answers;
mod balance;
mod calls;
mod ending;
mod ending_store;
mod hints;
mod jobs;
mod listing;
mod live;
mod model;
mod offer_file;
mod offers;
mod offers_store;
mod pace;
mod queries;
mod reconcile;
mod retention;
mod sourcing;
mod standing;
mod statement_booking;
mod statement_model;
mod statement_store;
mod store;
mod sync;
mod sync_goods;
mod sync_listing;
mod sync_model;
mod sync_reading;
mod sync_report;
mod sync_store;
mod turns;
mod vendor;
mod vendor_store;
mod vendors;
mod wording;
mod workers;

pub use crate::domain::vouchers::{Contents, Cost, Retention, Secret};
pub use adapter::{Adapter, Adapters, BadAccount, OpenVendor, VendorAccount};
pub use answers::{Fact, Finding};
pub use balance::{BalanceRefusal, balance};
pub use calls::{Learnt, call_of, look, put_off, recall, send};
pub use ending::{LockedPurchase, Made, Sign, known_by, lock, record_fact};
pub use hints::{HintRefusal, take_hint};
pub use jobs::{VENDORS_EVERY, sync_once, tend, tend_catalogs, tend_once, watch};
pub use listing::{
    BadHint, CatalogItem, CostRule, Faces, Hint, HintedPurchase, LeftOut, Listed, Part, StatementLine,
    Trouble,
};
pub use live::{KnownOffer, KnownVendor, Live, refresh};
pub use model::{NotExecuted, Prospect, after_not_executed, converted, most_cost_micros, next_try};
pub use offer_file::{BadOffer, read_offers};
pub use offers::{NewOffer, OffersReport, put_offers};
pub use pace::{claim, take_turn_again};
pub use queries::{
    PurchaseFilter, PurchaseHistory, count_vanished, get_purchase, list_health, list_purchases,
};
pub use reconcile::{ReconcileRefusal, ReconcileReport, Since, list_differences, reconcile};
pub use retention::{retention_of, set_retention};
pub use sourcing::{Sold, Sourced, Sourcing, ToBase, WantedUnit, cover};
pub use sync::{list_syncs, sync};
pub use sync_report::{HeldCost, SyncProgress, SyncRefusal, SyncReport, Told, Vanishing};
pub use turns::LastReading;
pub use vendor::{
    Blame, Capabilities, Delivery, Doubt, Goods, Outcome, PurchaseRequest, Recipient, RefusalKind, Requests,
    Sighting, TooMany, Vendor, VendorRefusal,
};
pub use vendors::{
    AddVendor, VendorRefusedReason, add_vendor, get as get_vendor, list_vendors, move_vendor,
    set_vendor_status,
};
pub use wording::plain_words;
pub use workers::{beat, find_held, is_held, leave, let_go};
