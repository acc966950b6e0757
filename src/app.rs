//! The composition root: what a process has, and what it does beside answering.
//!
//! What lives here: opening the database and the state of each feature (`open`), the background work (`start`), and a server
//! with both (`serve`).
//! What is always true: every feature's state is registered before anything runs; this is the only place that knows all of
//! them; a database that is not there is not made, and a schema that is behind is not worked on; a test opens its server through here, with a clock and ids of its own.
//! What is not here: what a feature does; settings (`config`); commands (`cli`).

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use migration::{Migrator, MigratorTrait};
use sea_orm::{DbBackend, DbErr};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::{Clock, Ids};
use crate::config::Config;
use crate::ctx::{Ctx, Database, Deps};
use crate::domain::events;
use crate::domain::feed::{self, Feed};
use crate::domain::fulfillment::{self, Adapters};
use crate::domain::identity::{self, Identity};
use crate::domain::orders::{self, Bell, Desks};
use crate::domain::vouchers::{self, Vault};
use crate::domain::{catalog, pricing};
use crate::drain::Drain;
use crate::problem::Problem;
use crate::rates;
use crate::store;
use crate::transport::http::{self, AppState};
use crate::vendors;

/// How often what has expired is swept away.
const SWEEP_EVERY: Duration = Duration::from_secs(300);
/// How often the sealed copies of refresh tokens that are too old to be given again are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(2);
/// How often PostgreSQL is had to look into tables that have begun to fill.
const LEARN_EVERY: Duration = Duration::from_secs(1);
/// How long a server that stops waits for its worker. With what requests take before it, that stays below 20 s.
const WORKER_ENDS_WITHIN: Duration = Duration::from_secs(17);
/// How long background work rests after a panic, which may well come again.
const AFTER_PANIC: Duration = Duration::from_millis(200);

/// Why a process cannot begin to work.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no SQLite file, and none is made: a mistyped folder should not look like an empty shop.
    #[error("there is no database {}: mend --data-dir or --database-url, or run `octopus migrate up` to make it", .0.display())]
    NoDatabase(PathBuf),
    /// The schema lacks these steps.
    #[error("the schema is behind by {}: run `octopus migrate up`", .0.join(", "))]
    Behind(Vec<String>),
    /// The schema has steps that this version does not know.
    #[error("the schema is of another version of octopus: {0}")]
    Unknown(String),
    /// The database or a key is unusable.
    #[error(transparent)]
    Problem(#[from] Problem),
}

impl From<DbErr> for OpenError {
    fn from(error: DbErr) -> Self {
        Self::Problem(error.into())
    }
}

/// Where a database's schema stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The steps that were taken, oldest first.
    pub applied: Vec<String>,
    /// The steps that are missing, in their order.
    pub pending: Vec<String>,
}

impl Schema {
    /// The schema of a database that is not there.
    pub fn empty() -> Self {
        let names = Migrator::get_migration_files().iter().map(|step| step.name().to_owned()).collect();
        Self { applied: Vec::new(), pending: names }
    }
}

/// Reads where a database's schema stands; nothing is written, not even the table that keeps the steps.
///
/// # Errors
/// `Unknown` for steps of another version; what the database says.
pub async fn read_schema(database: &Database) -> Result<Schema, OpenError> {
    // The library's words for a step that has no source here.
    let unknown = |error| match error {
        DbErr::Custom(reason) => OpenError::Unknown(reason),
        other => other.into(),
    };
    let applied = Migrator::get_applied_migrations_read_only(&database.reader).await.map_err(unknown)?;
    let pending = Migrator::get_pending_migrations_read_only(&database.reader).await.map_err(unknown)?;
    Ok(Schema {
        applied: applied.iter().map(|step| step.name().to_owned()).collect(),
        pending: pending.iter().map(|step| step.name().to_owned()).collect(),
    })
}

/// Opens what a process needs on a database that is there, with a schema that is up to date. Without keys there is no vault:
/// commands that neither seal nor open anything run all the same.
///
/// # Errors
/// `NoDatabase`, `Behind` and `Unknown`; SERVICE_UNAVAILABLE if the database cannot be reached, or a key is unusable.
pub async fn open(config: Config, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Arc<Deps>, OpenError> {
    if let Some(file) = config.database_file().filter(|file| !file.exists()) {
        return Err(OpenError::NoDatabase(file));
    }
    let database = store::open(&config).await?;
    let schema = read_schema(&database).await?;
    if !schema.pending.is_empty() {
        return Err(OpenError::Behind(schema.pending));
    }
    let live = catalog::load(&database, &config, clock.now()).await?;
    let prices = pricing::load(&database, &config).await?;
    let token_key = vouchers::keys::token_key(&config.keys_dir).map_err(Problem::unavailable)?;
    let identity = Identity::new(token_key.as_deref());
    let vault = Vault::find(&database, &config, clock.as_ref(), ids.as_ref()).await?;
    let provider = rates::provider(&config);
    let desks = Desks::new(database.backend(), config.order_queue);
    let mut deps = Deps::new(config, database, clock, ids)
        .with(live)
        .with(prices)
        .with(provider)
        .with(identity)
        .with(desks)
        .with(Bell::default())
        .with(fulfillment::Live::new(Adapters(vendors::ADAPTERS)))
        .with(Feed::default())
        .with(Drain::default());
    if let Some(vault) = vault {
        deps = deps.with(vault);
    }
    let deps = Arc::new(deps);
    fulfillment::refresh(&deps).await?;
    Ok(deps)
}

/// The background work of a server. Dropping it ends it.
#[derive(Debug)]
pub struct Work {
    /// What has no end of its own.
    tasks: JoinSet<()>,
    /// The worker, which ends by itself when the process drains.
    worker: AbortOnDropHandle<()>,
}

impl Work {
    /// Lets the worker finish what it has under way with vendors, then ends everything.
    pub async fn end(mut self) {
        if tokio::time::timeout(WORKER_ENDS_WITHIN, self.worker).await.is_err() {
            tracing::warn!("the worker did not end in time: others take over what it had");
        }
        self.tasks.shutdown().await;
    }
}

/// Starts the background work of a server.
pub fn start(deps: &Arc<Deps>) -> Work {
    let mut work = start_worker(deps);
    let with = || Arc::clone(deps);
    work.tasks.spawn(keep("rates", with(), pricing::tend));
    work.tasks.spawn(keep("sweeper", with(), sweep));
    work.tasks.spawn(keep("forgetter", with(), forget));
    work.tasks.spawn(keep("statistics", with(), learn));
    work.tasks.spawn(keep("feed", with(), feed::run));
    work.tasks.spawn(keep("reconciler", with(), fulfillment::tend));
    work.tasks.spawn(keep("catalogs", with(), fulfillment::tend_catalogs));
    work.tasks.spawn(keep("supply", with(), orders::watch_supply));
    orders::work_desks(deps).into_iter().for_each(|desk| drop(work.tasks.spawn(desk)));
    work
}

/// Starts the worker, and what keeps the things in memory up to date that it goes by.
fn start_worker(deps: &Arc<Deps>) -> Work {
    let mut tasks = JoinSet::new();
    let with = || Arc::clone(deps);
    tasks.spawn(keep("catalog", with(), catalog::watch));
    tasks.spawn(keep("prices", with(), pricing::watch));
    tasks.spawn(keep("keys", with(), vouchers::watch));
    tasks.spawn(keep("vendors", with(), fulfillment::watch));
    let worker = AbortOnDropHandle::new(tokio::spawn(keep("worker", with(), orders::work_orders)));
    Work { tasks, worker }
}

/// Works on orders and purchases, and answers nobody, until `stop` is done.
pub async fn work(deps: &Arc<Deps>, stop: impl Future<Output = ()>) {
    let work = start_worker(deps);
    stop.await;
    deps.feature::<Drain>().begin();
    work.end().await;
}

/// Does a piece of background work until it ends by itself. A panic ends only the round that it met: without this, sockets
/// would fall silent, or units stay open, for as long as the process lives.
async fn keep<D, F>(name: &'static str, deps: Arc<D>, work: fn(Arc<D>) -> F)
where
    F: Future<Output = ()>,
{
    while AssertUnwindSafe(work(Arc::clone(&deps))).catch_unwind().await.is_err() {
        tracing::error!(work = name, "background work panicked; it begins again");
        metrics::counter!("octopus_background_panics_total", "work" => name).increment(1);
        tokio::time::sleep(AFTER_PANIC).await;
    }
}

async fn sweep(deps: Arc<Deps>) {
    let mut timer = tokio::time::interval(SWEEP_EVERY);
    let mut charges = pricing::ChargeSweep::default();
    loop {
        timer.tick().await;
        let ctx = Ctx::system(Arc::clone(&deps));
        let swept = [
            identity::sweep(&ctx).await.map(drop),
            events::sweep(&ctx).await.map(drop),
            charges.run(&ctx).await.map(drop),
            vouchers::destroy_expired_keys(&ctx).await.map(drop),
        ];
        for problem in swept.into_iter().filter_map(Result::err) {
            tracing::warn!(%problem, "not everything that has expired was swept; it is tried again");
        }
    }
}

async fn forget(deps: Arc<Deps>) {
    let mut timer = tokio::time::interval(FORGET_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if let Err(problem) = identity::forget_successors(&deps).await {
            tracing::warn!(%problem, "sealed refresh tokens were not forgotten; it is tried again");
        }
    }
}

async fn learn(deps: Arc<Deps>) {
    if deps.database.backend() != DbBackend::Postgres {
        return;
    }
    let mut timer = tokio::time::interval(LEARN_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if let Err(error) = store::learn(&deps.database).await {
            tracing::warn!(%error, "PostgreSQL did not look into its tables; it is tried again");
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
    // The first answer knows already what vendors deliver.
    orders::tell_supply(&deps);
    let work = start(&deps);
    http::serve(listener, AppState::new(deps), stop).await;
    work.end().await;
    Ok(())
}

/// Closes the database. Work that still runs fails.
pub async fn close(deps: &Deps) {
    store::close(deps.database.clone()).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn background_work_goes_on_after_a_panic() {
        let rounds = Arc::new(AtomicU32::new(0));
        keep("test", Arc::clone(&rounds), |rounds| async move {
            assert!(rounds.fetch_add(1, Ordering::SeqCst) > 0, "the first round panics");
        })
        .await;
        assert_eq!(rounds.load(Ordering::SeqCst), 2);
    }
}
