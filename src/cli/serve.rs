//! `octopus serve`: the server.
//!
//! What lives here: what happens between the start of the process and its first answer, and how it is told to stop.
//! What is always true: a database keeps the environment of its first server; on SQLite one server at a time; a sandbox is
//! filled by the same functions as a production.
//! What is not here: what a sandbox begins with (`sandbox.rs`), how requests are answered (`transport`).

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use entity::state::Environment;
use migration::{Migrator, MigratorTrait};
use sea_orm::DbBackend;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, sandbox};
use crate::app::{self, OpenError};
use crate::clock::{Clock, SystemClock, SystemIds};
use crate::config::Config;
use crate::ctx::{Ctx, Database};
use crate::domain::vouchers::keys;
use crate::problem::Problem;
use crate::store;
use crate::telemetry;
use crate::transport::ops;

/// Serves until SIGINT or SIGTERM, then lets what is under way end.
///
/// # Errors
/// `Failed` if another server has the SQLite file, the database is for another environment, or its schema is behind; what the
/// database, the keys or the address say.
pub async fn run(config: Config) -> Result<(), CliError> {
    telemetry::start(&config.log, config.log_format)
        .map_err(|error| CliError::Usage(format!("log: {error}")))?;
    let lock = lock(&config)?;
    let database = store::open(&config).await?;
    migrate(&database).await?;
    let environment = environment(&database, &config).await?;
    store::close(database).await;
    if environment == Environment::Sandbox && !keys::are_there(&config.keys_dir) {
        keys::init(&config.keys_dir, &SystemIds::default()).map_err(Problem::unavailable)?;
    }

    // Before the sandbox is filled: an address that is taken should not cost the wait.
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| CliError::Failed(format!("{}: {error}", config.listen)))?;
    serve_operators(&config).await?;
    let deps = app::open(config, Arc::new(SystemClock), Arc::new(SystemIds::default())).await?;
    if environment == Environment::Sandbox {
        sandbox::fill(&Ctx::system(Arc::clone(&deps))).await?;
    }
    announce(environment, &deps.config.public_url);
    app::serve(Arc::clone(&deps), listener, stop()?).await?;
    app::close(&deps).await;
    drop(lock);
    Ok(())
}

/// Shows metrics on the operator's address, if there is one.
async fn serve_operators(config: &Config) -> Result<(), CliError> {
    let Some(address) = config.ops_listen else { return Ok(()) };
    let taken = |error| CliError::Failed(format!("{address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(taken)?;
    tokio::spawn(ops::serve(listener, telemetry::start_metrics()?));
    Ok(())
}

/// Holds `<database>.serve.lock` on SQLite, as long as the file lives. Two servers on one file would each believe that its
/// desks and its workers are the only ones.
pub(super) fn lock(config: &Config) -> Result<Option<File>, CliError> {
    let Some(path) = config.database_file() else { return Ok(None) };
    let path = PathBuf::from(format!("{}.serve.lock", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| store::unusable(folder, &error))?;
    }
    let file = File::create(&path).map_err(|error| store::unusable(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(CliError::Failed(format!("another server has {}", config.database_url)))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Brings the schema up to date where one process alone decides: on SQLite, and on an empty database. A schema that several
/// nodes share is changed by a person, with `octopus migrate up`.
async fn migrate(database: &Database) -> Result<(), CliError> {
    let schema = app::read_schema(database).await?;
    let alone = database.backend() == DbBackend::Sqlite || schema.applied.is_empty();
    match schema.pending.as_slice() {
        [] => Ok(()),
        _ if alone => Ok(Migrator::up(&database.writer, None).await?),
        _ => Err(OpenError::Behind(schema.pending).into()),
    }
}

async fn environment(database: &Database, config: &Config) -> Result<Environment, CliError> {
    let wished = config.environment;
    let found = store::settle_environment(database, wished, SystemClock.now()).await?;
    match wished {
        Some(wished) if wished != found => Err(CliError::Failed(format!(
            "this database is a {}; a {} needs one of its own",
            found.as_str(),
            wished.as_str()
        ))),
        _ => Ok(found),
    }
}

#[expect(clippy::print_stdout, reason = "the command line speaks to its user")]
fn announce(environment: Environment, url: &str) {
    println!("Octopus Cards ({}) serves {url}", environment.as_str());
    println!("  playground  {url}/");
    println!("  GraphQL     {url}/graphql");
    println!("  REST        {url}/openapi.json");
}

/// Done when the process is told to stop.
fn stop() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping: requests under way may end");
    })
}
