//! The vault and the stock.
//!
//! What lives here: keys and what they seal, codes on their way in (`load`, `import`, `generate`), and codes handed to orders
//! (`store`).
//! What is always true: a code lies in the database sealed, bound to its row; its plaintext exists only in `Secret`, which
//! prints nothing and is wiped; the same code of a brand is never loaded twice; every change of the number of available codes
//! leaves a stock move, and what codes cost leaves a posting, in the same transaction; what may be kept for a time only ends with
//! its key.
//! What is not here: who may see a code, and when it is paid for; that is orders.

pub mod keys;
pub mod model;

mod bought;
mod csv_rows;
mod destroying;
mod generate;
mod import;
mod jobs;
mod keys_store;
mod load;
mod load_store;
mod quoting;
mod resealing;
mod reserved;
mod retention;
mod sealing;
mod secret;
mod store;
mod vault;

pub use bought::{Bought, BoughtOf, seal_bought, take_in};
pub use csv_rows::{read_contents, read_expiry};
pub use destroying::destroy_expired_keys;
pub use generate::{GenerateCodes, choose_sandbox_products, generate};
pub use import::{BadRow, BadRows, Import, ImportError, Imported, Progress, Step, import};
pub use jobs::{KEYS_EVERY, watch};
pub use load::{Cost, LoadError, Loaded, NewVoucher, load};
pub use model::MOST_COST_MICROS;
pub use quoting::Quoting;
pub use resealing::keep_as_stock;
pub use reserved::{deliver_reserved, find_reserved, give_back, reserve};
pub use retention::{BadRetention, Retention, is_over, readable_until};
pub use sealing::Place;
pub use secret::{Contents, Opened, Secret};
pub use store::{
    Demand, Handover, StockMove, count_with_locked, deliver, deliver_instead, lock_free, lock_waiting,
    record_moves,
};
pub use vault::{Vault, require_vault, vault};
