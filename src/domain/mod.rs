//! The product.
//!
//! What lives here: a folder a feature, with the same file names in each: `mod.rs` (what is true, and the public functions),
//! `model.rs` (pure rules), `<verb>.rs` (one command each), `queries.rs` (reads), `store.rs` (writes and locks), `jobs.rs`
//! (background work); and the kernel that all share, `events` and `audit`.
//! What is always true: a feature calls another through its `mod.rs`, and only orders orchestrates.
//! What is not here: HTTP, GraphQL, the command line.

pub mod audit;
pub mod catalog;
pub mod events;
pub mod feed;
pub mod fulfillment;
pub mod identity;
pub mod orders;
pub mod pricing;
pub mod verify;
pub mod vouchers;
pub mod wallet;
