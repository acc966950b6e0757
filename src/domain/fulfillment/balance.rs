//! What our account at a vendor holds.
//!
//! What lives here: asking a vendor for it, at the vendor's pace.
//! What is always true: it is the vendor's word of this moment; nothing here goes by it.
//! What is not here: a vendor that refuses for want of funds (`model.rs`).

use std::time::Duration;

use entity::vendors;

use super::listing::Trouble;
use super::live::Live;
use super::pace;
use crate::ctx::Ctx;
use crate::domain::vouchers::Cost;
use crate::problem::Failure;

/// How long it waits for its turn: purchases go on meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a balance is not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BalanceRefusal {
    /// The vendor cannot be spoken to from this process.
    #[error("the vendor is not open in this process: `octopus vendor list` says why")]
    NotOpen,
    /// Its rate is used up.
    #[error("the vendor is asked for more than its rate takes: try again later")]
    Busy,
    /// It does not tell it.
    #[error("{0}")]
    Untold(Trouble),
}

/// What our account at a vendor holds; `None` if it has no such thing.
///
/// # Errors
/// See `BalanceRefusal`; what the database says.
pub async fn balance(ctx: &Ctx, vendor: &vendors::Model) -> Result<Option<Cost>, Failure<BalanceRefusal>> {
    let known = ctx.feature::<Live>().vendor(vendor.id).ok_or(Failure::Refused(BalanceRefusal::NotOpen))?;
    if !pace::take_turn_within(&ctx.deps, &known, 1, PATIENCE).await? {
        return Err(Failure::Refused(BalanceRefusal::Busy));
    }
    match known.vendor.balance().await {
        Err(Trouble::Unsupported) => Ok(None),
        Ok(balance) => Ok(balance),
        Err(trouble) => {
            if let Trouble::TooMany(too_many) = trouble {
                pace::leave_alone(&ctx.deps, vendor.id, too_many).await?;
            }
            Err(Failure::Refused(BalanceRefusal::Untold(trouble)))
        }
    }
}
