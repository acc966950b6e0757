//! Background work of identity.
//!
//! What lives here: forgetting what means nothing any more.
//! What is always true: a sweep holds the database for one short statement at a time, and repeats harmlessly.
//! What is not here: when it runs; the runner of jobs decides.

use std::sync::Arc;

use entity::timestamp::Timestamp;

use super::store::{self, Stale};
use crate::ctx::{Ctx, Deps};
use crate::problem::Problem;
use crate::store::write;

/// Rows in one transaction.
const AT_ONCE: u32 = 500;
/// A count is kept this long after it is back at nought, so that no attempt meets its removal.
const KEEP_MILLIS: i64 = 3_600_000;

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Refresh tokens that had expired.
    pub refresh_tokens: u64,
    /// Counts of sign-ins that were back at nought.
    pub throttles: u64,
}

/// Removes expired refresh tokens and idle counts of sign-ins. To be run every few minutes by one process.
///
/// # Errors
/// What the database says; what was removed until then stays removed.
pub async fn sweep(ctx: &Ctx) -> Result<Swept, Problem> {
    Ok(Swept {
        refresh_tokens: remove(&ctx.deps, Stale::RefreshTokens, ctx.now).await?,
        throttles: remove(&ctx.deps, Stale::Throttles, ctx.now.plus_millis(-KEEP_MILLIS)).await?,
    })
}

async fn remove(deps: &Arc<Deps>, table: Stale, before: Timestamp) -> Result<u64, Problem> {
    let mut total = 0_u64;
    loop {
        let removed = write::<_, Problem, _>(deps, move |transaction| {
            Box::pin(async move { Ok(store::remove_stale(transaction, table, before, AT_ONCE).await?) })
        })
        .await?;
        total = total.saturating_add(removed);
        if removed < u64::from(AT_ONCE) {
            return Ok(total);
        }
    }
}
