//! What is told of the reading of a vendor's catalog.
//!
//! What lives here: how far it is, what it did, and why it did nothing.
//! What is always true: products are named by our skus, and what is left out by the vendor's.
//! What is not here: the reading (`sync.rs`).

use serde::Serialize;

use super::listing::LeftOut;

/// Why a catalog was not taken in. What was written of it stays; where the listing itself is at fault, that is nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncRefusal {
    /// The vendor cannot be spoken to from this process.
    #[error("the vendor is not open in this process: `octopus vendor list` says why")]
    NotOpen,
    /// It has none.
    #[error("this vendor does not tell what it sells")]
    Unsupported,
    /// Another process is about it, or it is not due any more.
    #[error("another process reads the catalog just now")]
    Busy,
    /// The vendor told nothing that can be used.
    #[error("the catalog cannot be read: {0}")]
    Failed(String),
    /// So much would vanish that it is rather thought wrong.
    #[error(
        "{vanishing} of {selling} offers are not listed any more; nothing was changed: if that is true, run `octopus vendor \
         sync --allow-vanishing`"
    )]
    TooMuchVanishes {
        /// How many offers are not listed.
        vanishing: usize,
        /// How many were sold.
        selling: usize,
    },
}

/// Whether any number of offers may vanish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vanishing {
    /// Half of them at most, where there are many.
    Limited,
    /// All of them.
    Allowed,
}

/// How far it is: items that were read of so many, if that is told; then offers that were written of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncProgress {
    /// Items read, and how many there are, if that is told.
    Read(usize, Option<usize>),
    /// Offers written, and how many there are to be written.
    Written(usize, usize),
}

/// Who hears how far it is.
pub type Told<'a> = &'a (dyn Fn(SyncProgress) + Send + Sync);

/// What reading a catalog did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyncReport {
    /// The vendor.
    pub vendor: String,
    /// Things that were listed.
    pub items: usize,
    /// Products that are new.
    pub products_added: usize,
    /// Offers that are new.
    pub added: usize,
    /// Offers that say something else.
    pub changed: usize,
    /// Offers that stay as they are.
    pub unchanged: usize,
    /// Products whose offers are not listed any more.
    pub vanished: Vec<String>,
    /// Products whose offers are listed again.
    pub returned: Vec<String>,
    /// Products that are paused, since nobody sells them any more.
    pub withdrawn: Vec<String>,
    /// Products that are sold again.
    pub restored: Vec<String>,
    /// What is left out, and why.
    pub left_out: Vec<LeftOut>,
}
