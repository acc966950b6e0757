//! Prepaid money and the ledger.
//!
//! What lives here: wallets, the double-entry ledger, credits, statements.
//! What is always true: every transaction sums to nought per currency and scale; a wallet's row is what its entries sum to and
//! never below nought; entries are never changed.
//! What is not here: what an order costs (pricing) and when it is paid (orders).

pub mod store;
