//! Removing charges that nobody used.
//!
//! What lives here: the command that removes charges without an order a month after they expired.
//! What is always true: a charge with an order stays for ever, which the database sees to; a transaction removes at most 500,
//! found before it began.
//! What is not here: when it runs (`app.rs`).

use std::sync::Arc;

use entity::timestamp::Timestamp;

use super::store;
use crate::ctx::Ctx;
use crate::problem::Problem;
use crate::store::write;

/// How many charges one transaction removes.
const AT_ONCE: usize = 500;
/// How long an expired charge stays: whoever held it learns CHARGE_EXPIRED, and not that it never was.
const KEPT_SECS: i64 = 30 * 86_400;

/// The removal of unused charges, which goes on where it came to: what was used then is used for ever.
#[derive(Debug, Default)]
pub struct ChargeSweep {
    /// Of the charges that expired earlier, only those with an order are left.
    reached: Option<Timestamp>,
}

impl ChargeSweep {
    /// Removes what has become too old since the last time; tells how many.
    ///
    /// # Errors
    /// What the database says; what was removed until then stays removed.
    pub async fn run(&mut self, ctx: &Ctx) -> Result<u64, Problem> {
        let before = ctx.now.plus_seconds(-KEPT_SECS);
        let mut from = self.reached.unwrap_or(Timestamp::from_micros(0));
        let mut total = 0_u64;
        loop {
            let unused = store::find_unused(&ctx.database().reader, (from, before), AT_ONCE).await?;
            let Some(last) = unused.last() else { break };
            from = last.expires_at;
            let is_full = unused.len() == AT_ONCE;
            let unused = Arc::new(unused);
            let removed = write::<_, Problem, _>(&ctx.deps, move |transaction| {
                let unused = Arc::clone(&unused);
                Box::pin(async move { Ok(store::remove_unused(transaction, &unused).await?) })
            })
            .await?;
            total = total.saturating_add(removed);
            if !is_full {
                break;
            }
        }
        self.reached = Some(before);
        Ok(total)
    }
}
