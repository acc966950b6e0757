//! Fulfillment: many vendors, and outcomes that are never guessed.
//!
//! What lives here: what a vendor is (`vendor.rs`).
//! What is always true: nothing is sent to a vendor that is not on record before.
//! What is not here: settling units, which needs the wallet and is orders'; adapters (`src/vendors`).

mod vendor;

pub use crate::domain::vouchers::{Contents, Cost, Secret};
pub use vendor::{
    Adapter, Adapters, BadAccount, BadHint, Capabilities, CatalogItem, CostRule, Delivery, Doubt, Faces,
    Goods, Hint, HintedPurchase, OpenVendor, Outcome, Part, PurchaseRequest, Recipient, RefusalKind,
    Sighting, StatementLine, Trouble, Vendor, VendorAccount, VendorRefusal,
};
