//! Where an adapter is tested: its vendor's replica, and accounts there.
//! Always true: a replica has books of its own, which say what was really bought. Not here: the checks (`contract.rs`).

use std::sync::Arc;

use entity::currency::Currency;
use entity::timestamp::Timestamp;
use octopus_cards::domain::fulfillment::{PurchaseRequest, Vendor};

use super::hostile::Fault;

/// Which account an adapter is opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// One that works, with more time than a busy machine needs.
    Good,
    /// One that works, with a second for each call: for answers that never end.
    Hurried,
    /// Its key is not the vendor's.
    WrongKey,
    /// Its address is one where nobody listens.
    Nowhere,
}

impl Account {
    /// How long a call may take.
    pub fn timeout_ms(self) -> u32 {
        if self == Self::Hurried { 1_000 } else { 20_000 }
    }
}

/// Where a fault is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Where something is bought.
    Purchase,
    /// Where a purchase is looked up by reference.
    Find,
    /// Where the statement is read.
    Statement,
    /// Where the catalog is read.
    Catalog,
}

/// A vendor's replica and the adapter that speaks to it. Each check opens one of its own.
pub trait Stage: Sized {
    /// Faults that this vendor's API has no place for: a price without a currency cannot have a wrong one.
    const CANNOT: &[Fault];

    /// A replica that has sold nothing.
    async fn open() -> Self;

    /// The adapter on an account.
    fn vendor(&self, account: Account) -> Arc<dyn Vendor>;

    /// Has the replica play a fault at each call of a kind from now on; `None` ends it.
    async fn play(&self, at: At, fault: Option<Fault>);

    /// A purchase of something that the replica sells by code.
    fn request(&self, our_ref: &str, quantity: i32) -> PurchaseRequest;

    /// The same for something that is credited to a recipient, and a recipient that cannot receive it; `None` if it sells none.
    fn request_for_nobody(&self, our_ref: &str) -> Option<PurchaseRequest>;

    /// Our references in the vendor's own books, one for each purchase that was made, in order.
    async fn booked(&self) -> Vec<String>;

    /// The currency of our account there.
    fn currency(&self) -> Currency;

    /// How much of an endless answer the replica got rid of.
    fn streamed_bytes(&self) -> u64;

    /// Lets the vendor's time pass.
    fn advance_secs(&self, secs: i64);

    /// The vendor's present.
    fn now(&self) -> Timestamp;
}
