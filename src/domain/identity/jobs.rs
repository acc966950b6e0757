//! Background work of identity.
//!
//! What lives here: forgetting what means nothing any more.
//! What is always true: a sweep opens a transaction only where the reader sees something to remove, holds the database for one
//! short step at a time, and repeats harmlessly.
//! What is not here: when it runs; the composition root decides.

use std::sync::Arc;

use entity::timestamp::Timestamp;

use super::model::REPEAT_MICROS;
use super::store::{self, Stale};
use crate::ctx::{Ctx, Deps};
use crate::problem::Problem;
use crate::store::{database_now, write};

/// Rows in one transaction.
const AT_ONCE: u32 = 500;
/// A count is kept this long after it is back at nought, so that no attempt meets its removal.
const KEEP_COUNTS_SECS: i64 = 3_600;
/// A session is kept this long after its end, for whoever asks later what happened: 30 days.
const KEEP_SESSIONS_SECS: i64 = 30 * 86_400;

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Refresh tokens that had expired.
    pub refresh_tokens: u64,
    /// Counts of attempts that were back at nought.
    pub throttles: u64,
    /// Sessions that had ended more than 30 days ago.
    pub sessions: u64,
}

/// Removes expired refresh tokens, idle counts of attempts, and sessions that ended long ago. To be run every few minutes.
///
/// # Errors
/// What the database says; what was removed until then stays removed.
pub async fn sweep(ctx: &Ctx) -> Result<Swept, Problem> {
    let deps = &ctx.deps;
    let idle_since = database_now(deps).await?.plus_seconds(-KEEP_COUNTS_SECS);
    let ended_by = ctx.now.plus_seconds(-KEEP_SESSIONS_SECS);
    Ok(Swept {
        refresh_tokens: remove(deps, Stale::RefreshTokens, ctx.now).await?,
        throttles: remove(deps, Stale::Throttles, idle_since).await?,
        sessions: remove(deps, Stale::Sessions, ended_by).await?,
    })
}

/// Forgets the sealed copies of refresh tokens whose predecessors cannot be answered again any more; tells how many. To be run
/// every few seconds: until then the tokens that renew sessions lie in the database, if only sealed. It has no context, since
/// what runs all the time must not use up ids.
///
/// # Errors
/// What the database says; what was forgotten until then stays forgotten.
pub async fn forget_successors(deps: &Arc<Deps>) -> Result<u64, Problem> {
    let before = deps.clock.now().micros().saturating_sub(REPEAT_MICROS);
    remove(deps, Stale::Successors, Timestamp::from_micros(before)).await
}

async fn remove(deps: &Arc<Deps>, stale: Stale, before: Timestamp) -> Result<u64, Problem> {
    if !store::has_stale(&deps.database.reader, stale, before).await? {
        return Ok(0);
    }
    let mut total = 0_u64;
    loop {
        let removed = write::<_, Problem, _>(deps, move |transaction| {
            Box::pin(async move { Ok(store::remove_stale(transaction, stale, before, AT_ONCE).await?) })
        })
        .await?;
        total = total.saturating_add(removed);
        if removed < u64::from(AT_ONCE) {
            return Ok(total);
        }
    }
}
