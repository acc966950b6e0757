//! Adapters: how each kind of vendor is spoken to.
//!
//! What lives here: the list of them, one file each; what came back from any vendor is sorted in one place (`reply.rs`).
//! What is always true: an adapter knows the `Vendor` trait of fulfillment, calls through `outgoing`, and nothing else of the
//! product; a new one is a file, a line in the list, and a test that runs the shared contract.
//! What is not here: when they are called.

use crate::domain::fulfillment::Adapter;

mod octopus;
mod reloadly;
mod reply;
mod sandbox;

/// Every adapter.
pub const ADAPTERS: &[Adapter] = &[octopus::ADAPTER, reloadly::ADAPTER, sandbox::ADAPTER];
