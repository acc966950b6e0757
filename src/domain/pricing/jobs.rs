//! Following the database, and asking for rates.
//!
//! What lives here: the background task that keeps rates and rules in memory true, and the one that has rates polled and watches
//! their age.
//! What is always true: each ends with its process and never by itself; a failed look is logged and made again.
//! What is not here: what a look does (`live.rs`, `poll.rs`, `aging.rs`).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::aging::watch_ages;
use super::live::refresh;
use super::poll::{PollReport, poll_due_rates};
use super::poll_store::look;
use super::provider::Provider;
use crate::ctx::{Ctx, Deps};
use crate::problem::{Failure, Problem};

/// How often the versions of rates and rules are looked at.
pub const PRICES_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked whether a poll is due, and how old rates are.
const RATES_EVERY: Duration = Duration::from_secs(1);

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

/// Has rates polled when it is due, and watches their age, until the task is dropped.
pub async fn tend(deps: Arc<Deps>) {
    let mut timer = tokio::time::interval(RATES_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if let Err(problem) = tend_once(&deps).await {
            tracing::warn!(%problem, "rates could not be looked after; it is tried again");
        }
    }
}

/// One look of that task; tells what was polled, if anything.
///
/// # Errors
/// What the database says.
pub async fn tend_once(deps: &Arc<Deps>) -> Result<Option<PollReport>, Problem> {
    let found = look(deps).await?;
    let polled = if found.is_due() && deps.feature::<Provider>().0.is_some() {
        match poll_due_rates(&Ctx::system(Arc::clone(deps))).await {
            Ok(report) => Some(report),
            // A poll that failed is logged and written down where it did.
            Err(Failure::Refused(_)) => None,
            Err(Failure::Problem(problem)) => return Err(problem),
        }
    } else {
        None
    };
    watch_ages(deps, found.present).await?;
    Ok(polled)
}
