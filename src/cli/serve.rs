//! `octopus serve`: the server.
//!
//! What lives here: what happens between the start of the process and its first answer, and how it is told to stop.
//! What is always true: an address that is taken refuses before anything is made; a database keeps the environment of its first
//! server; on SQLite one server at a time; a sandbox is filled by the same functions as a production.
//! What is not here: what a sandbox begins with (`sandbox.rs`), how requests are answered (`transport`).

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use entity::state::Environment;
use sea_orm::DbBackend;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, migrate, sandbox, sandbox_vendor};
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
/// `Failed` if an address is taken, another server has the SQLite file, the database is for another environment, or its schema
/// is behind; what the database or the keys say.
pub async fn run(config: Config) -> Result<(), CliError> {
    telemetry::start(&config.log, config.log_format)
        .map_err(|error| CliError::Usage(format!("log: {error}")))?;
    let listener = listen(config.listen, "--listen").await?;
    let operators = match config.ops_listen {
        Some(address) => Some(listen(address, "--ops-listen").await?),
        None => None,
    };
    let lock = lock(&config)?;
    let database = store::open(&config).await?;
    prepare_schema(&database).await?;
    let environment = environment(&database, &config).await?;
    store::close(database).await;
    if environment == Environment::Sandbox && !keys::are_there(&config.keys_dir) {
        keys::init(&config.keys_dir, &SystemIds::default()).map_err(Problem::unavailable)?;
    }

    if let Some(operators) = operators {
        tokio::spawn(ops::serve(operators, telemetry::start_metrics()?));
    }
    let deps = app::open(config, Arc::new(SystemClock), Arc::new(SystemIds::default())).await?;
    // It lives as long as the server: what is asked of it in the last moments is answered.
    let vendor = match environment {
        Environment::Sandbox => {
            let ctx = Ctx::system(Arc::clone(&deps));
            sandbox::fill(&ctx).await?;
            sandbox_vendor::start(&ctx).await?
        }
        Environment::Production => None,
    };
    announce(environment, &deps.config.public_url);
    app::serve(Arc::clone(&deps), listener, stop()?).await?;
    app::close(&deps).await;
    drop(vendor);
    drop(lock);
    Ok(())
}

/// Takes an address; who calls before the server is ready waits for it.
pub(super) async fn listen(address: SocketAddr, setting: &str) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|error| {
        CliError::Failed(format!(
            "cannot listen on {address}: {error}; stop what listens there, or choose another address with {setting}"
        ))
    })
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
async fn prepare_schema(database: &Database) -> Result<(), CliError> {
    let schema = app::read_schema(database).await?;
    let alone = database.backend() == DbBackend::Sqlite || schema.applied.is_empty();
    match schema.pending.as_slice() {
        [] => Ok(()),
        _ if alone => migrate::up(database).await,
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
pub(super) fn stop() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping: requests under way may end");
    })
}
