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

/// How often the catalog's version is looked at.
pub const CATALOG_EVERY: Duration = Duration::from_millis(100);
/// How often the moves of the stock are looked at: at every second look.
pub const STOCK_EVERY: Duration = Duration::from_millis(200);

/// Looks for changes of the catalog every 100 ms and of the stock every 200 ms, until the task is dropped.
pub async fn watch(deps: Arc<Deps>) {
    let mut timer = tokio::time::interval(CATALOG_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut since_stock = Duration::ZERO;
    loop {
        timer.tick().await;
        if let Err(problem) = refresh_catalog(&deps).await {
            tracing::warn!(%problem, "the catalog could not be refreshed; it stays as it was");
        }
        since_stock += CATALOG_EVERY;
        if since_stock < STOCK_EVERY {
            continue;
        }
        since_stock = Duration::ZERO;
        if let Err(problem) = refresh_stock(&deps).await {
            tracing::warn!(%problem, "the stock could not be refreshed; it stays as it was");
        }
    }
}
