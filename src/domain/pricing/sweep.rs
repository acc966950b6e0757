//! Removing charges that nobody used.
//!
//! What lives here: the command that removes charges without an order a month after they expired.
//! What is always true: a charge with an order stays for ever, which the database sees to; a statement looks at no more than 500
//! charges, and a transaction removes what they left over; what was looked at once is not looked at again, until the process
//! begins anew.
//! What is not here: when it runs (`app.rs`).

use std::sync::Arc;

use entity::ids::ChargeId;

use super::store::{self, Place};
use crate::ctx::Ctx;
use crate::problem::Problem;
use crate::store::write;

/// How many charges are looked at, and removed, at once.
const AT_ONCE: usize = 500;
/// How long an expired charge stays: whoever held it learns CHARGE_EXPIRED, and not that it never was.
const KEPT_SECS: i64 = 30 * 86_400;

/// The removal of unused charges, which goes on where it came to: what was used then is used for ever.
#[derive(Debug, Default)]
pub struct ChargeSweep {
    /// Up to here only charges with an order are left.
    reached: Place,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweptCharges {
    /// How many charges it looked at.
    pub seen: usize,
    /// How many of them it removed.
    pub removed: u64,
}

impl ChargeSweep {
    /// Removes what has become too old since the last time.
    ///
    /// # Errors
    /// What the database says; what was removed until then stays removed, and the next sweep goes on from there.
    pub async fn run(&mut self, ctx: &Ctx) -> Result<SweptCharges, Problem> {
        let before = ctx.now.plus_seconds(-KEPT_SECS);
        let mut swept = SweptCharges::default();
        loop {
            let page = store::list_expired(&ctx.database().reader, &self.reached, before, AT_ONCE).await?;
            let Some(last) = page.last() else { return Ok(swept) };
            let unused = page.iter().filter(|charge| charge.order_id.is_none()).map(|charge| charge.id);
            let removed = remove(ctx, unused.collect()).await?;
            self.reached = Place::behind(last);
            swept.seen = swept.seen.saturating_add(page.len());
            swept.removed = swept.removed.saturating_add(removed);
            if page.len() < AT_ONCE {
                return Ok(swept);
            }
        }
    }
}

async fn remove(ctx: &Ctx, unused: Vec<ChargeId>) -> Result<u64, Problem> {
    if unused.is_empty() {
        return Ok(0);
    }
    let unused = Arc::new(unused);
    write(&ctx.deps, move |transaction| {
        let unused = Arc::clone(&unused);
        Box::pin(async move { Ok(store::remove_charges(transaction, &unused).await?) })
    })
    .await
}
