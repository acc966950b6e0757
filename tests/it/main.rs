//! The whole suite, one binary: each feature through its public door, on both databases.
#![allow(
    unreachable_pub,
    clippy::integer_division,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

#[macro_use]
mod support;

mod beside;
mod canary;
mod catalog;
mod charges;
mod command_line;
mod crash;
mod endpoint;
mod endpoint_documents;
mod examples;
mod faults;
mod fulfillment;
mod hangups;
mod harness;
mod identity;
mod ledger_laws;
mod migrate;
mod nodes;
mod nul;
mod opening;
mod operators;
mod orders;
mod playground;
mod pools;
mod rates;
mod readme;
mod reference;
mod rest;
mod retention;
mod schema;
mod settings;
mod statements;
mod stock;
mod tidy;
mod vendors;
mod verify;
mod wallet;
mod ws;
