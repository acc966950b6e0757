//! `octopus migrate`: the schema, up, down and where it stands.

use clap::Subcommand;
use migration::{Migrator, MigratorTrait};
use sea_orm::DbErr;
use serde_json::json;

use super::{CliError, answer, serve};
use crate::app::{self, Schema};
use crate::config::Config;
use crate::ctx::Database;
use crate::problem::{ErrorCode, Problem};
use crate::store;

/// What to do with the schema.
#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Apply what is missing; an SQLite file that is absent is made
    Up,
    /// Take back the latest steps; their tables are dropped, with every row in them
    Down {
        /// How many steps; more than there are means all
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        /// Drop the tables although what is in them is lost; without it nothing is taken back. Make a backup first
        #[arg(long)]
        force: bool,
    },
    /// Show which steps are applied and which are pending; nothing is changed
    Status,
}

/// Runs the command.
///
/// # Errors
/// `Refused` for a step back without leave to lose data; `Failed` for a step back below a running server, or a schema of another
/// version; what the database says.
pub async fn run(config: &Config, command: &MigrateCommand, json: bool) -> Result<(), CliError> {
    let absent = config.database_file().is_some_and(|file| !file.exists());
    let is_up = matches!(command, MigrateCommand::Up);
    let schema = if absent && !is_up {
        // To ask, or to take back nothing, makes no file.
        Schema::empty()
    } else {
        let database = store::open(config).await?;
        let outcome = migrate(&database, config, command).await;
        store::close(database).await;
        outcome?
    };
    answer(json, &json!({ "applied": schema.applied, "pending": schema.pending }), || {
        let lines = |mark: &str, names: &[String]| {
            names.iter().map(|name| format!("{mark} {name}\n")).collect::<String>()
        };
        let all = format!("{}{}", lines("applied", &schema.applied), lines("pending", &schema.pending));
        all.trim_end().to_owned()
    });
    Ok(())
}

async fn migrate(database: &Database, config: &Config, command: &MigrateCommand) -> Result<Schema, CliError> {
    let before = app::read_schema(database).await?;
    match command {
        MigrateCommand::Status => return Ok(before),
        MigrateCommand::Up => up(database).await?,
        MigrateCommand::Down { .. } if before.applied.is_empty() => return Ok(before),
        MigrateCommand::Down { steps, force } => {
            // A server on the file would go on without its tables.
            let _lock = serve::lock(config)?;
            let steps = usize::try_from(*steps).unwrap_or(usize::MAX).min(before.applied.len());
            if !force {
                let named = before.applied.iter().rev().take(steps).map(String::as_str);
                return Err(CliError::Refused {
                    code: ErrorCode::InvalidInput,
                    message: format!(
                        "this drops the tables of {} with every row in them: make a backup, then add --force",
                        named.collect::<Vec<_>>().join(", ")
                    ),
                });
            }
            down(database, steps).await?;
        }
    }
    Ok(app::read_schema(database).await?)
}

/// Applies the steps that are missing. Each is done whole or not at all, so that the first that is missing afterwards is the
/// one that failed.
///
/// # Errors
/// What the database says, naming the step.
pub(super) async fn up(database: &Database) -> Result<(), CliError> {
    let Err(error) = Migrator::up(&database.writer, None).await else { return Ok(()) };
    let pending = app::read_schema(database).await?.pending;
    Err(stopped(error, pending.first(), "applied"))
}

/// Takes back the latest steps. As above, the last that is there afterwards is the one that failed.
async fn down(database: &Database, steps: usize) -> Result<(), CliError> {
    let Err(error) = Migrator::down(&database.writer, u32::try_from(steps).ok()).await else { return Ok(()) };
    let applied = app::read_schema(database).await?.applied;
    Err(stopped(error, applied.last(), "taken back"))
}

fn stopped(error: DbErr, step: Option<&String>, done: &str) -> CliError {
    let step = step.map_or("a step", String::as_str);
    let message = format!(
        "{step} could not be {done}, and nothing of it was; mend what stands in its way and run the same again"
    );
    Problem { message: message.into(), ..error.into() }.into()
}
