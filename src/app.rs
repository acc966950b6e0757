//! The composition root: what a process has, and what it does beside answering.
//!
//! What lives here: opening the database and the state of each feature (`open`), the background work (`start`), and a server
//! with both (`serve`).
//! What is always true: every feature's state is registered before anything runs; this is the only place that knows all of
//! them; a test opens its server through here, with a clock and ids of its own.
//! What is not here: what a feature does; settings (`config`); commands (`cli`).

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::clock::{Clock, Ids};
use crate::config::Config;
use crate::ctx::{Ctx, Deps};
use crate::domain::feed::{self, Feed};
use crate::domain::identity::{self, Identity};
use crate::domain::orders::{self, Desks};
use crate::domain::vouchers::{self, Vault};
use crate::domain::{catalog, pricing};
use crate::drain::Drain;
use crate::problem::Problem;
use crate::store;
use crate::transport::http::{self, AppState};

/// How often what has expired is swept away.
const SWEEP_EVERY: Duration = Duration::from_secs(300);

/// Opens what a process needs on a database whose schema is up to date. Without keys there is no vault: commands that neither
/// seal nor open anything run all the same.
///
/// # Errors
/// SERVICE_UNAVAILABLE if the database cannot be reached or is not what this version needs, or a key is unusable.
pub async fn open(config: Config, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Arc<Deps>, Problem> {
    let database = store::open(&config).await?;
    let live = catalog::load(&database, &config, clock.now()).await?;
    let prices = pricing::load(&database, &config).await?;
    let token_key = vouchers::keys::token_key(&config.keys_dir).map_err(Problem::unavailable)?;
    let identity = Identity::new(token_key.as_deref());
    let vault = Vault::find(&database, &config, clock.as_ref(), ids.as_ref()).await?;
    let desks = Desks::new(database.backend(), config.order_queue);
    let mut deps = Deps::new(config, database, clock, ids)
        .with(live)
        .with(prices)
        .with(identity)
        .with(desks)
        .with(Feed::default())
        .with(Drain::default());
    if let Some(vault) = vault {
        deps = deps.with(vault);
    }
    Ok(Arc::new(deps))
}

/// Starts the background work of a server. Dropping the set ends it.
pub fn start(deps: &Arc<Deps>) -> JoinSet<()> {
    let mut work = JoinSet::new();
    work.spawn(catalog::watch(Arc::clone(deps)));
    work.spawn(pricing::watch(Arc::clone(deps)));
    work.spawn(vouchers::watch(Arc::clone(deps)));
    work.spawn(sweep(Arc::clone(deps)));
    work.spawn(feed::run(Arc::clone(deps)));
    work.spawn(orders::jobs::run(Arc::clone(deps)));
    orders::work_desks(deps).into_iter().for_each(|desk| drop(work.spawn(desk)));
    work
}

async fn sweep(deps: Arc<Deps>) {
    let mut timer = tokio::time::interval(SWEEP_EVERY);
    loop {
        timer.tick().await;
        if let Err(problem) = identity::sweep(&Ctx::system(Arc::clone(&deps))).await {
            tracing::warn!(%problem, "nothing was swept; it is tried again");
        }
    }
}

/// Answers on a listener and does the background work, until `stop` is done and the requests under way have ended.
///
/// # Errors
/// SERVICE_UNAVAILABLE without keys.
pub async fn serve(
    deps: Arc<Deps>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Problem> {
    if deps.find_feature::<Vault>().is_none() || !deps.feature::<Identity>().has_keys() {
        return Err(Problem::unavailable("there are no keys: run `octopus keys init`"));
    }
    let mut work = start(&deps);
    http::serve(listener, AppState::new(deps), stop).await;
    work.shutdown().await;
    Ok(())
}

/// Closes the database. Work that still runs fails.
pub async fn close(deps: &Deps) {
    store::close(deps.database.clone()).await;
}
