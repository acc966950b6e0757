//! Following vendors and offers, and reading statements and catalogs.
//!
//! What lives here: the background task that takes in what the operator changes, and those that have statements and
//! catalogs read.
//! What is always true: it ends with its process and never by itself; a failed look is logged and made again; a vendor that is slow
//! keeps no other waiting.
//! What is not here: work on purchases, which is orders' worker's.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use entity::ids::VendorId;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
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
/// How many looks may be under way.
const LOOKS_AT_ONCE: usize = 8;
/// How many vendors one of them reads at a time.
const READINGS_AT_ONCE: usize = 8;

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
    look_again("vendors' statements", || tend_once(&deps)).await;
}

/// One look of that task; tells what was read.
///
/// # Errors
/// What the database says.
pub async fn tend_once(deps: &Arc<Deps>) -> Result<Vec<ReconcileReport>, Problem> {
    let due = find_due(deps, Listing::Statement).await?;
    side_by_side(due, |vendor| async move {
        let ctx = Ctx::system(Arc::clone(deps));
        as_written(reconcile_due(&ctx, vendor).await)
    })
    .await
}

/// Has vendors' catalogs read again when they are due, until the task is dropped.
pub async fn tend_catalogs(deps: Arc<Deps>) {
    look_again("vendors' catalogs", || sync_once(&deps)).await;
}

/// One look of that task; tells what was read.
///
/// # Errors
/// What the database says.
pub async fn sync_once(deps: &Arc<Deps>) -> Result<Vec<SyncReport>, Problem> {
    if deps.config.vendor_sync_secs == 0 {
        return Ok(Vec::new());
    }
    let due = find_due(deps, Listing::Catalog).await?;
    side_by_side(due, |vendor| async move {
        let ctx = Ctx::system(Arc::clone(deps));
        as_written(sync_due(&ctx, vendor).await)
    })
    .await
}

/// Looks every five seconds. A look lasts as long as its slowest vendor takes; the next ones see to the others meanwhile, for what is
/// being read is not due.
async fn look_again<R, F>(what: &str, look: impl Fn() -> F)
where
    F: Future<Output = Result<Vec<R>, Problem>>,
{
    let mut timer = tokio::time::interval(LISTINGS_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = FuturesUnordered::new();
    loop {
        tokio::select! {
            _ = timer.tick(), if looks.len() < LOOKS_AT_ONCE => looks.push(look()),
            // Each end is taken: an end that did not fit a pattern here would leave the others without anybody to drive them.
            Some(ended) = looks.next(), if !looks.is_empty() => if let Err(problem) = ended {
                tracing::warn!(%problem, "{what} could not be looked after; it is tried again");
            },
        }
    }
}

/// Reads the listings of vendors, a few at a time.
async fn side_by_side<R, F>(due: Vec<VendorId>, read: impl Fn(VendorId) -> F) -> Result<Vec<R>, Problem>
where
    F: Future<Output = Result<Option<R>, Problem>>,
{
    let outcomes: Vec<_> = stream::iter(due).map(read).buffer_unordered(READINGS_AT_ONCE).collect().await;
    outcomes.into_iter().filter_map(Result::transpose).collect()
}

/// What was read. What cannot be read is logged and written down where it failed.
fn as_written<R, E>(read: Result<R, Failure<E>>) -> Result<Option<R>, Problem> {
    match read {
        Ok(report) => Ok(Some(report)),
        Err(Failure::Refused(_)) => Ok(None),
        Err(Failure::Problem(problem)) => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::*;

    /// The first look takes four times three seconds; each of those that begin meanwhile ends at once.
    #[tokio::test(start_paused = true)]
    async fn a_look_that_takes_long_goes_on_while_others_come_and_go() {
        let (begun, number) = (Instant::now(), AtomicU32::new(0));
        let (tell, mut told) = mpsc::unbounded_channel();
        let look = || {
            let (number, tell) = (number.fetch_add(1, Ordering::Relaxed), tell.clone());
            async move {
                if number == 0 {
                    for _ in 0..4 {
                        tokio::time::sleep(Duration::from_secs(3)).await;
                    }
                    tell.send(begun.elapsed()).expect("the test listens");
                }
                Ok(Vec::<()>::new())
            }
        };
        tokio::select! {
            () = look_again("nothing", look) => unreachable!("it has no end"),
            took = told.recv() => assert_eq!(took.map(|took| took.as_secs()), Some(12)),
        }
    }
}
