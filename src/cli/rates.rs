//! `octopus rates`: exchange rates.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;

use super::catalog::listed;
use super::{CliError, answer};
use crate::ctx::{Ctx, Deps};
use crate::domain::pricing::{self, RatesRefusal};
use crate::problem::{ErrorCode, Failure};

/// What to do with rates.
#[derive(Debug, Subcommand)]
pub enum RatesCommand {
    /// Import rates against the dollar; one bad line leaves everything as it was
    Import {
        /// A file with the columns base,quote,rate,as_of,source
        file: PathBuf,
    },
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be read, bad lines, what the database says.
pub async fn run(deps: Arc<Deps>, command: RatesCommand, json: bool) -> Result<(), CliError> {
    let RatesCommand::Import { file } = command;
    let text = std::fs::read(&file)
        .map_err(|error| CliError::Usage(format!("cannot read {}: {error}", file.display())))?;
    let outcome = pricing::import_rates(&Ctx::system(deps), &text).await;
    let report = outcome.map_err(|failure| match failure {
        Failure::Refused(RatesRefusal::BadRates(rates)) => CliError::Refused {
            code: ErrorCode::InvalidInput,
            message: listed("nothing was imported:", &rates),
        },
        Failure::Problem(problem) => CliError::Problem(problem),
    })?;
    answer(json, &json!(report), || format!("{} imported, {} unchanged", report.imported, report.unchanged));
    Ok(())
}
