//! `octopus catalog`: bringing products into the catalog.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{CliError, answer};
use crate::ctx::{Ctx, Deps};
use crate::domain::catalog::{self, BadRows, Files, Import, ImportRefusal, ImportReport};
use crate::problem::{ErrorCode, Failure};

/// Bad lines that are shown at most; the rest is counted.
const SHOWN: usize = 50;

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
/// A file that cannot be read, bad lines, what the database says.
pub async fn run(deps: Arc<Deps>, command: CatalogCommand, json: bool) -> Result<(), CliError> {
    let CatalogCommand::Import { path, skip_bad } = command;
    let files = Files::read(&path).map_err(refused)?;
    let bad_rows = if skip_bad { BadRows::Skip } else { BadRows::Refuse };
    // The bar hides itself where nobody watches.
    let bar = if json { ProgressBar::hidden() } else { ProgressBar::new(0) };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} rows {eta}");
    bar.set_style(style.map_err(|error| CliError::Failed(error.to_string()))?);
    let ctx = Ctx::system(deps);
    let progress = |progress: catalog::Progress| {
        bar.set_length(u64::try_from(progress.total).unwrap_or(u64::MAX));
        bar.set_position(u64::try_from(progress.done).unwrap_or(u64::MAX));
    };
    let outcome = catalog::import(&ctx, Import { files, bad_rows }, progress).await;
    bar.finish_and_clear();
    let report = outcome.map_err(|failure| match failure {
        Failure::Refused(refusal) => refused(refusal),
        Failure::Problem(problem) => CliError::Problem(problem),
    })?;
    answer(json, &json!(report), || told(&report));
    Ok(())
}

fn refused(refusal: ImportRefusal) -> CliError {
    match refusal {
        ImportRefusal::BadRows(rows) => CliError::Refused {
            code: ErrorCode::InvalidInput,
            message: listed("nothing was imported:", &rows),
        },
        ImportRefusal::Unreadable { .. } => CliError::Usage(refusal.to_string()),
    }
}

fn told(report: &ImportReport) -> String {
    let counts =
        format!("{} added, {} changed, {} unchanged", report.added, report.changed, report.unchanged);
    if report.skipped.is_empty() { counts } else { listed(&format!("{counts}; left out:"), &report.skipped) }
}

/// A heading and a line for each bad line.
pub(super) fn listed<T: ToString>(heading: &str, bad: &[T]) -> String {
    let mut lines = vec![heading.to_owned()];
    lines.extend(bad.iter().take(SHOWN).map(ToString::to_string));
    if bad.len() > SHOWN {
        lines.push(format!("… and {} more", bad.len() - SHOWN));
    }
    lines.join("\n")
}
