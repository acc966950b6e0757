//! The whole suite, one binary: each feature through its public door, on both databases.

mod reference;
mod schema;
mod tidy;
