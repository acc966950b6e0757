//! The composition root: what a process has, and what it does beside answering.
//!
//! What lives here: opening the database and the state of each feature (`open`), and the background work (`start`).
//! What is always true: every feature's state is registered before anything runs; this is the only place that knows all of
//! them; a test opens its server through here, with a clock and ids of its own.
//! What is not here: what a feature does; settings (`config`); commands (`cli`).

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::clock::{Clock, Ids};
use crate::config::Config;
use crate::ctx::Deps;
use crate::domain::catalog;
use crate::domain::identity::Identity;
use crate::domain::vouchers::{self, Vault};
use crate::drain::Drain;
use crate::problem::Problem;
use crate::store;

/// Opens what a process needs on a database whose schema is up to date.
///
/// # Errors
/// SERVICE_UNAVAILABLE if the database cannot be reached or is not what this version needs.
pub async fn open(config: Config, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Arc<Deps>, Problem> {
    let database = store::open(&config).await?;
    let live = catalog::load(&database, &config, clock.now()).await?;
    let token_key = vouchers::keys::token_key(&config.keys_dir).map_err(Problem::unavailable)?;
    let identity = Identity::new(token_key.as_deref());
    let vault = Vault::find(&database, &config, clock.as_ref(), ids.as_ref()).await?;
    let mut deps = Deps::new(config, database, clock, ids).with(live).with(identity).with(Drain::default());
    if let Some(vault) = vault {
        deps = deps.with(vault);
    }
    Ok(Arc::new(deps))
}

/// Starts the background work of a server. Dropping the set ends it.
pub fn start(deps: &Arc<Deps>) -> JoinSet<()> {
    let mut work = JoinSet::new();
    work.spawn(catalog::watch(Arc::clone(deps)));
    work.spawn(vouchers::watch(Arc::clone(deps)));
    work
}

/// Closes the database. Work that still runs fails.
pub async fn close(deps: &Deps) {
    store::close(deps.database.clone()).await;
}
