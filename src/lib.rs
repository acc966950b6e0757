//! Octopus Cards: the open server that sells digital products to businesses.
//!
//! Read the modules in this order: each imports only those above it.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crash;
pub mod ctx;
pub mod domain;
pub mod drain;
pub mod outgoing;
pub mod problem;
pub mod rates;
pub mod simulator;
pub mod store;
pub mod telemetry;
pub mod transport;
pub mod vendors;
