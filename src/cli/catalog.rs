//! `octopus catalog`: bringing products into the catalog.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;

use super::failure::listed;
use super::{CliError, answer, progress};
use crate::ctx::{Ctx, Deps};
use crate::domain::catalog::{self, BadRows, Files, Import, ImportReport};
use crate::problem::Failure;

/// What to do with the catalog.
#[derive(Debug, Subcommand)]
pub enum CatalogCommand {
    /// Import products, and what they hang on; importing again changes only what the files say otherwise
    Import {
        /// A folder with catalog.csv and, where they are, brands.csv, countries.csv and currencies.csv; or a catalog.csv alone
        path: PathBuf,
        /// Leave bad lines out and import the rest; without it one bad line leaves everything as it was
        #[arg(long)]
        skip_bad: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// `Usage` for a file that cannot be read or has not its columns; `BadLines`; what the database says.
pub async fn run(deps: Arc<Deps>, command: CatalogCommand, json: bool) -> Result<(), CliError> {
    let CatalogCommand::Import { path, skip_bad } = command;
    let files = Files::read(&path)?;
    let bad_rows = if skip_bad { BadRows::Skip } else { BadRows::Refuse };
    let bar = progress::bar("importing", 0);
    let ctx = Ctx::system(deps);
    let moved = |step: catalog::Progress| progress::move_to(&bar, step.done, step.total);
    let outcome = catalog::import(&ctx, Import { files, bad_rows }, moved).await;
    bar.finish_and_clear();
    let report = outcome.map_err(|failure| match failure {
        Failure::Refused(refusal) => refusal.into(),
        Failure::Problem(problem) => CliError::Problem(problem),
    })?;
    answer(json, &json!(report), || told(&report));
    Ok(())
}

fn told(report: &ImportReport) -> String {
    let counts =
        format!("{} added, {} changed, {} unchanged", report.added, report.changed, report.unchanged);
    if report.skipped.is_empty() { counts } else { listed(&format!("{counts}; left out"), &report.skipped) }
}
