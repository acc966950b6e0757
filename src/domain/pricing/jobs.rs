//! Following the database.
//!
//! What lives here: the background task that keeps rates and rules in memory true.
//! What is always true: it ends with its process and never by itself; a failed look is logged and made again.
//! What is not here: what a look does (`live.rs`).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::live::refresh;
use crate::ctx::Deps;

/// How often the versions of rates and rules are looked at.
pub const PRICES_EVERY: Duration = Duration::from_millis(100);

/// Looks for changes of rates and rules every 100 ms, until the task is dropped.
pub async fn watch(deps: Arc<Deps>) {
    let mut timer = tokio::time::interval(PRICES_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if let Err(problem) = refresh(&deps).await {
            tracing::warn!(%problem, "rates and price rules could not be refreshed; they stay as they were");
        }
    }
}
