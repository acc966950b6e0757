//! `octopus keys`: the keys of an installation.

use clap::Subcommand;
use serde_json::json;

use super::{CliError, answer};
use crate::clock::SystemIds;
use crate::config::Config;
use crate::domain::vouchers::keys;
use crate::problem::Problem;
use crate::store;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make the keys of a new installation; keys that exist are never overwritten
    Init,
}

/// Runs the command. It needs no database.
///
/// # Errors
/// A key that exists, or a folder that cannot be written.
pub fn run(config: &Config, command: &KeysCommand, json: bool) -> Result<(), CliError> {
    let KeysCommand::Init = command;
    let made = keys::init(&config.keys_dir, &SystemIds::default()).map_err(|error| match error {
        keys::KeyError::Exists { .. } => CliError::Failed(error.to_string()),
        keys::KeyError::Unusable { path, cause } => CliError::Problem(store::unusable(&path, &cause)),
        other => CliError::Problem(Problem::unavailable(other)),
    })?;
    let paths: Vec<String> = made.iter().map(|path| path.display().to_string()).collect();
    answer(json, &json!({ "made": paths }), || {
        format!(
            "made {}\nKeep copies where only you can reach them: without them every code is lost.",
            paths.join(", ")
        )
    });
    Ok(())
}
