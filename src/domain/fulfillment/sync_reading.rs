//! Reading a vendor's catalog to its end.
//!
//! What lives here: asking for part after part, within the vendor's rate and within limits.
//! What is always true: what is handed on was read whole; a reading that goes on for ever ends, be it for its parts, for what they
//! come to, or for its time; the turn is kept meanwhile, and no transaction is open.
//! What is not here: what a listing may come to (`sync_listing.rs`), and what follows from it (`sync_model.rs`).

use std::sync::Arc;

use entity::timestamp::Timestamp;

use super::listing::Trouble;
use super::live::KnownVendor;
use super::pace;
use super::sync_listing::Listing;
use super::sync_report::{SyncProgress, SyncRefusal, Told};
use super::turns::{self, Listing as Turns, Turn};
use super::wording::plain_words;
use crate::ctx::Ctx;
use crate::problem::{Failure, Problem};
use crate::store::write;

/// More parts than these have no end.
const MOST_PARTS: usize = 10_000;

/// Who reads.
pub(super) struct Reader<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) known: &'a Arc<KnownVendor>,
    pub(super) turn: &'a Turn,
    /// Since when.
    pub(super) begun: Timestamp,
}

impl Reader<'_> {
    /// Everything that is listed. A listing that says that there is more than it told was cut.
    ///
    /// # Errors
    /// `Failed`; `Busy` if another process has taken over; what the database says.
    pub(super) async fn read(&self, told: Told<'_>) -> Result<Listing, Failure<SyncRefusal>> {
        let deps = &self.ctx.deps;
        let (mut listing, mut from) = (Listing::default(), None);
        for _ in 0..MOST_PARTS {
            turns::in_time(deps, self.begun).map_err(failed)?;
            pace::take_turn(deps, self.known, 1).await?;
            let part = self.known.vendor.catalog(from.take()).await;
            if let Err(Trouble::TooMany(too_many)) = &part {
                pace::leave_alone(deps, self.known.row.id, *too_many).await?;
            }
            let mut part = part.map_err(|trouble| failed(trouble.to_string()))?;
            let (next, total) = (part.next.take(), part.total);
            listing.take(part).map_err(failed)?;
            told(SyncProgress::Read(listing.told(), total));
            self.hold().await?;
            if next.is_none() {
                return listing.whole(total).map_err(failed);
            }
            from = next;
        }
        Err(failed("it has no end".to_owned()))
    }

    /// Another part was read: the turn goes on.
    async fn hold(&self) -> Result<(), Failure<SyncRefusal>> {
        let (deps, turn) = (Arc::clone(&self.ctx.deps), self.turn.clone());
        let held = write::<_, Problem, _>(&self.ctx.deps, move |transaction| {
            let (deps, turn) = (Arc::clone(&deps), turn.clone());
            Box::pin(async move { Ok(turns::hold_turn(&deps, transaction, Turns::Catalog, &turn).await?) })
        })
        .await?;
        if held { Ok(()) } else { Err(Failure::Refused(SyncRefusal::Busy)) }
    }
}

fn failed(reason: String) -> Failure<SyncRefusal> {
    Failure::Refused(SyncRefusal::Failed(plain_words(&reason)))
}
