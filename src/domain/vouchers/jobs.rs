//! Following the keys.
//!
//! What lives here: the background task that takes in data keys which other processes have made.
//! What is always true: it ends with its process and never by itself; a failed look is logged and made again.
//! What is not here: what is taken in (`vault.rs`).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::vault::Vault;
use crate::ctx::Deps;
use crate::problem::Problem;
use crate::store::{Subject, versions};

/// How often the keys' version is looked at.
pub const KEYS_EVERY: Duration = Duration::from_millis(100);

/// Looks for new data keys every 100 ms, until the task is dropped.
pub async fn watch(deps: Arc<Deps>) {
    let mut timer = tokio::time::interval(KEYS_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    loop {
        timer.tick().await;
        match look(&deps, seen).await {
            Ok(version) => seen = version,
            Err(problem) => tracing::warn!(%problem, "the keys could not be read; they stay as they were"),
        }
    }
}

async fn look(deps: &Deps, seen: Option<i64>) -> Result<Option<i64>, Problem> {
    let Some(vault) = deps.find_feature::<Vault>() else { return Ok(seen) };
    let version = versions(&deps.database.reader).await?.get(Subject::Keys.as_str()).copied();
    if version != seen {
        vault.reload(&deps.database).await?;
    }
    Ok(version)
}
