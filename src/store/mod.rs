//! What all features need of a database.
//!
//! What lives here: opening the pools, transactions, sets of rows as one parameter, pages by key, and versions.
//! What is always true: every write runs in a spawned task and in an explicit transaction, so that a caller that hangs up
//! leaves neither half a write nor a connection inside a transaction.
//! What is not here: any table's statements; each feature has its own `store.rs`.

mod installation;
mod leftovers;
mod paging;
mod pools;
mod rowset;
mod statistics;
mod transaction;
mod versions;

pub use installation::{read_environment, settle_environment};
pub use leftovers::forget_past;
pub use paging::{Page, PageRequest, Slice, decode_cursor, encode_cursor};
pub use pools::close;
pub use pools::open;
pub use pools::ping;
pub use pools::unusable;
pub use rowset::{ColumnKind, Rows, bytes, insert, insertion, json, rowset};
pub use statistics::learn;
pub use transaction::{
    Repeatable, Transaction, begin, begin_snapshot, can_hold, database_clock, database_now, engine_clock,
    expect_all, is_repeatable, lapsed, statement, write,
};
pub use versions::{Subject, bump, versions};
