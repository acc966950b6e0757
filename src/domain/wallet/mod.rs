//! Prepaid money and the ledger.
//!
//! What lives here: wallets, the double-entry ledger, credits, statements.
//! What is always true: every transaction sums to nought per currency and scale; a wallet's row is what its entries sum to and
//! never below nought; entries are never changed.
//! What is not here: what an order costs (pricing) and when it is paid (orders).

mod credit;
mod entries;
mod queries;
mod statement;
pub mod store;

pub use credit::{CreditRefusal, CreditWallet, Credited, credit, held_of, lock_owner};
pub use entries::{EntriesWanted, Entry, EntryRange, count_entries, find_entries, list_entries};
pub use queries::{
    Funds, count_wallets, find_wallet_by_currency, find_wallet_of, find_wallets, funds_of, list_all_wallets,
    list_wallets,
};
pub use statement::{Format, Lines, Statement, StatementRequest, StatementText, statement, statement_of};
pub use store::{Line, LockedWallet, NewTransaction, WalletChange, lock, lock_of, post};

/// Digits behind the point of what goods cost: finer than any currency, for a code may cost a fraction of a minor unit.
pub const COST_SCALE: u32 = 6;
