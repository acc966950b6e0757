//! The whole suite, one binary: each feature through its public door, on both databases.

mod schema;
mod tidy;
