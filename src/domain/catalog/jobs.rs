//! Following the database.
//!
//! What lives here: the background task that keeps the catalog in memory true.
//! What is always true: it ends with its process and never by itself; a failed look is logged and made again.
//! What is not here: what a look does (`live.rs`).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::live::{refresh_catalog, refresh_stock};
use crate::ctx::Deps;

/// How often versions are looked at; the stock is looked at every second time.
const EVERY: Duration = Duration::from_millis(100);

/// Looks for changes of the catalog every 100 ms and of the stock every 200 ms, until the task is dropped.
pub async fn watch(deps: Arc<Deps>) {
    let mut timer = tokio::time::interval(EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stock_too = false;
    loop {
        timer.tick().await;
        if let Err(problem) = refresh_catalog(&deps).await {
            tracing::warn!(%problem, "the catalog could not be refreshed; it stays as it was");
        }
        if stock_too && let Err(problem) = refresh_stock(&deps).await {
            tracing::warn!(%problem, "the stock could not be refreshed; it stays as it was");
        }
        stock_too = !stock_too;
    }
}
