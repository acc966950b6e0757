//! `octopus rates`: exchange rates.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;

use super::{BadLine, CliError, answer, progress};
use crate::ctx::{Ctx, Deps};
use crate::domain::pricing::{self, RatesRefusal};
use crate::problem::Failure;

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
/// `Usage` for a file that cannot be read or has not its columns; `BadLines`; what the database says.
pub async fn run(deps: Arc<Deps>, command: RatesCommand, json: bool) -> Result<(), CliError> {
    let RatesCommand::Import { file } = command;
    let text = std::fs::read(&file)
        .map_err(|error| CliError::Usage(format!("cannot read {}: {error}", file.display())))?;
    let sign = progress::spinner("importing");
    let outcome = pricing::import_rates(&Ctx::system(deps), &text).await;
    sign.finish_and_clear();
    let report = outcome.map_err(|failure| match failure {
        Failure::Refused(refusal) => refused(refusal),
        Failure::Problem(problem) => CliError::Problem(problem),
    })?;
    answer(json, &json!(report), || format!("{} imported, {} unchanged", report.imported, report.unchanged));
    Ok(())
}

fn refused(refusal: RatesRefusal) -> CliError {
    match refusal {
        RatesRefusal::BadRates(rates) => {
            let bad =
                rates.into_iter().map(|rate| BadLine { file: None, line: rate.line, reason: rate.reason });
            CliError::BadLines { heading: "nothing was imported".to_owned(), bad: bad.collect() }
        }
        RatesRefusal::BadHeading(_) => CliError::Usage(refusal.to_string()),
    }
}
