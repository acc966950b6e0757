//! The catalog: what can be bought.
//!
//! What lives here: products with brand, category, country and denomination; their import from files, and those that vendors
//! bring; the snapshot in memory from which every question about them is answered; how many codes of each are in stock, and
//! which are delivered on demand.
//! What is always true: a product's id is its sku; an import never touches what the operator set (status, largest quantity,
//! instructions, expiry rule) nor price rules; the snapshot is replaced whole within 100 ms of a change, and the counters
//! follow the stock within 200 ms.
//! What is not here: prices (`domain/pricing`), codes (`domain/vouchers`). The counters are for showing: whether a unit can be
//! had is decided by the order's transaction, which asks the database.

mod availability;
mod import;
mod jobs;
mod lines;
mod live;
mod model;
mod queries;
mod rows;
mod snapshot;
mod stock;
mod store;
mod supply;

pub use availability::{Availability, Supply};
pub use import::{BadRows, Files, Import, ImportRefusal, ImportReport, Progress, import};
pub use jobs::{CATALOG_EVERY, STOCK_EVERY, watch};
pub use lines::BadRow;
pub use live::{Live, load, refresh_catalog, refresh_stock};
pub use model::{
    Brand, Category, Country, Denomination, FaceValueRefusal, KnownCurrency, MOST_ORDER_UNITS, Product,
};
pub use model::{SaleRefusal, fold, words};
pub use queries::{Currencies, Listed, ProductFilter, ProductOrder};
pub use snapshot::{BrokenRow, Snapshot, Tables};
pub use supply::{
    NewProduct, Shelf, Supplied, add_products, fingerprint, restore_products, withdraw_products,
};
