//! The GraphQL endpoint: its pipeline, its types and its resolvers.
//!
//! Lives here: `pipeline` (every step from bytes to an answer), `errors` (what callers learn of failures), and one
//! file a feature with its inputs, objects and resolvers. Always true: a resolver has three moves: parse, call, wrap.
//! Not here: sockets and HTTP (ws.rs, http.rs).

pub mod catalog;
pub mod charges;
mod codes;
pub mod enums;
pub mod errors;
pub mod events;
pub mod identity;
pub mod list;
pub mod loaders;
pub mod node;
pub mod order_fields;
pub mod orders;
pub mod pipeline;
pub mod products;
mod request_loaders;
mod root;
pub mod types;
pub mod user_errors;
pub mod wallet;
pub use root::{Schema, build_schema, request_data};
