//! Following vendors and offers, and reading statements and catalogs.
//!
//! What lives here: the background task that takes in what the operator changes, and those that have statements and
//! catalogs read.
//! What is always true: it ends with its process and never by itself; a failed look is logged and made again.
//! What is not here: work on purchases, which is orders' worker's.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::live::refresh;
use super::reconcile::{ReconcileReport, reconcile_due};
use super::sync::sync_due;
use super::sync_report::SyncReport;
use super::turns::{Listing, find_due};
use crate::ctx::{Ctx, Deps};
use crate::problem::{Failure, Problem};

/// How often the vendors' version is looked at.
pub const VENDORS_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked whose statement or catalog is due.
const LISTINGS_EVERY: Duration = Duration::from_secs(5);

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

/// Has vendors' statements read when they are due, until the task is dropped.
pub async fn tend(deps: Arc<Deps>) {
    let mut timer = tokio::time::interval(LISTINGS_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if let Err(problem) = tend_once(&deps).await {
            tracing::warn!(%problem, "vendors' statements could not be looked after; it is tried again");
        }
    }
}

/// One look of that task; tells what was read.
///
/// # Errors
/// What the database says.
pub async fn tend_once(deps: &Arc<Deps>) -> Result<Vec<ReconcileReport>, Problem> {
    let mut read = Vec::new();
    for vendor in find_due(deps, Listing::Statement).await? {
        match reconcile_due(&Ctx::system(Arc::clone(deps)), vendor).await {
            Ok(report) => read.push(report),
            // What cannot be read is logged and written down where it failed.
            Err(Failure::Refused(_)) => {}
            // The other vendors' statements do not wait with it.
            Err(Failure::Problem(problem)) => {
                tracing::warn!(%problem, %vendor, "a vendor's statement could not be looked after; it is tried again");
            }
        }
    }
    Ok(read)
}

/// Has vendors' catalogs read again when they are due, until the task is dropped.
pub async fn tend_catalogs(deps: Arc<Deps>) {
    let mut timer = tokio::time::interval(LISTINGS_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if let Err(problem) = sync_once(&deps).await {
            tracing::warn!(%problem, "vendors' catalogs could not be looked after; it is tried again");
        }
    }
}

/// One look of that task; tells what was read.
///
/// # Errors
/// What the database says.
pub async fn sync_once(deps: &Arc<Deps>) -> Result<Vec<SyncReport>, Problem> {
    let mut read = Vec::new();
    if deps.config.vendor_sync_secs == 0 {
        return Ok(read);
    }
    for vendor in find_due(deps, Listing::Catalog).await? {
        match sync_due(&Ctx::system(Arc::clone(deps)), vendor).await {
            Ok(report) => read.push(report),
            // What cannot be read is logged and written down where it failed.
            Err(Failure::Refused(_)) => {}
            Err(Failure::Problem(problem)) => return Err(problem),
        }
    }
    Ok(read)
}
