//! Going along a feed.
//!
//! What lives here: the reader that replays what is behind its place, slice by slice, and then waits for more.
//! What is always true: a reader that has all there is stands at the end of the whole feed, not at the last event that it
//! wanted, so that one whose events are rare is not overtaken by the sweep while it waits.
//! What is not here: what a reader makes of the events.

use entity::events;
use entity::ids::PartnerId;

use super::queries::{Interest, Place, read_slice};
use super::watch::{Watch, watch};
use crate::ctx::Ctx;
use crate::problem::Problem;

/// How many events are read at once.
const SLICE: u64 = 256;

/// A reader on its way along a partner's feed.
#[derive(Debug)]
pub struct Following {
    ctx: Ctx,
    partner: PartnerId,
    interest: Interest,
    place: Place,
    is_at_the_end: bool,
    watch: Watch,
}

/// Begins to follow a partner's feed behind a place.
pub fn follow(ctx: Ctx, partner: PartnerId, interest: Interest, place: Place) -> Following {
    // Watched before it is read, so that nothing falls between the replay and the first wake-up.
    let watch = watch(&ctx.deps, partner);
    Following { ctx, partner, interest, place, is_at_the_end: false, watch }
}

impl Following {
    /// The next events that interest, oldest first; waits until there are some.
    ///
    /// # Errors
    /// BAD_USER_INPUT if the place is not in the feed; CURSOR_EXPIRED if not all that lay behind it is kept; what the database
    /// says.
    pub async fn next(&mut self) -> Result<Vec<events::Model>, Problem> {
        loop {
            if self.is_at_the_end {
                self.watch.moved().await;
            }
            let slice = read_slice(&self.ctx, self.partner, &self.interest, self.place, SLICE).await?;
            self.place = slice.end;
            self.is_at_the_end = slice.is_last;
            if !slice.events.is_empty() {
                return Ok(slice.events);
            }
        }
    }
}
