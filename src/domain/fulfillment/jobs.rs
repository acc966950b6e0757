//! Following vendors and offers.
//!
//! What lives here: the background task that takes in what the operator changes.
//! What is always true: it ends with its process and never by itself; a failed look is logged and made again.
//! What is not here: work on purchases, which is orders' worker's.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::live::refresh;
use crate::ctx::Deps;

/// How often the vendors' version is looked at.
pub const VENDORS_EVERY: Duration = Duration::from_millis(100);

/// Looks for changed vendors and offers every 100 ms, until the task is dropped.
pub async fn watch(deps: Arc<Deps>) {
    let mut timer = tokio::time::interval(VENDORS_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if let Err(problem) = refresh(&deps).await {
            tracing::warn!(%problem, "the vendors could not be read; they stay as they were");
        }
    }
}
