//! `octopus migrate`: the schema, up, down and where it stands.

use clap::Subcommand;
use migration::{Migrator, MigratorTrait};
use serde_json::json;

use super::{CliError, answer};
use crate::config::Config;
use crate::store;

/// What to do with the schema.
#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Apply what is missing
    Up,
    /// Take back the latest steps, with their data
    Down {
        /// How many steps
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// Show which steps are applied
    Status,
}

/// Runs the command.
///
/// # Errors
/// What the database says.
pub async fn run(config: &Config, command: &MigrateCommand, json: bool) -> Result<(), CliError> {
    let database = store::open(config).await?;
    match command {
        MigrateCommand::Up => Migrator::up(&database.writer, None).await?,
        MigrateCommand::Down { steps } => Migrator::down(&database.writer, Some(*steps)).await?,
        MigrateCommand::Status => {}
    }
    let pending: Vec<String> = Migrator::get_pending_migrations(&database.writer)
        .await?
        .iter()
        .map(|step| step.name().to_owned())
        .collect();
    let applied: Vec<String> = Migrator::get_applied_migrations(&database.writer)
        .await?
        .iter()
        .map(|step| step.name().to_owned())
        .collect();
    store::close(database).await;
    answer(json, &json!({ "applied": applied, "pending": pending }), || {
        let lines = |mark: &str, names: &[String]| {
            names.iter().map(|name| format!("{mark} {name}\n")).collect::<String>()
        };
        format!("{}{}", lines("applied", &applied), lines("pending", &pending)).trim_end().to_owned()
    });
    Ok(())
}
