//! The outermost layer: HTTP, GraphQL and websockets in front of the domain.
//!
//! Lives here: what speaks a protocol. Always true: nothing below imports it, and it never touches the database: it
//! parses, calls a domain function, and wraps the result. Not here: any rule of the business.

pub mod auth;
pub mod caller;
mod endpoint;
pub mod graphql;
mod health;
pub mod http;
pub mod limits;
pub mod ops;
mod origin;
pub mod playground;
pub mod rest;
mod server;
mod ws;
mod ws_operation;
mod ws_protocol;
