//! `octopus stock`: codes on their way into stock.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use indicatif::ProgressBar;
use serde_json::json;

use super::failure::listed;
use super::{BadLine, CliError, answer, progress};
use crate::ctx::{Ctx, Deps};
use crate::domain::vouchers::{self, BadRow, BadRows, Import, ImportError, Imported, Step};

/// What to do with stock.
#[derive(Debug, Subcommand)]
pub enum StockCommand {
    /// Take the codes of a CSV file into stock: sku, face_value, code, pin, serial, url, expires_at, cost, cost_currency, lot
    Import {
        /// The file, with a header line that names its columns
        file: PathBuf,
        /// Leave bad rows and duplicates out and take the rest; without it, one bad row refuses the whole file
        #[arg(long)]
        skip_bad: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// `Usage` for a file that cannot be read or has not its columns; `BadLines`; missing keys; what the database says.
pub async fn run(deps: Arc<Deps>, command: StockCommand, json: bool) -> Result<(), CliError> {
    let StockCommand::Import { file, skip_bad } = command;
    vouchers::require_vault(&deps)?;
    let ctx = Ctx::system(deps);
    let bad_rows = if skip_bad { BadRows::Skip } else { BadRows::RefuseAll };
    let name = file.display().to_string();
    let bar = progress::bar("checking", 0);
    let outcome = vouchers::import(&ctx, Import { path: file, bad_rows }, told(&bar)).await;
    bar.finish_and_clear();
    match outcome {
        Ok(imported) => {
            tell(imported, json);
            Ok(())
        }
        Err(error) => Err(failure(&name, error)),
    }
}

fn told(bar: &ProgressBar) -> vouchers::Progress {
    let bar = bar.clone();
    Arc::new(move |step| {
        let (words, done, of) = match step {
            Step::Checked(done, of) => ("checking", done, of),
            Step::Loaded(done, of) => ("loading", done, of),
        };
        bar.set_message(words);
        bar.set_length(of);
        bar.set_position(done);
    })
}

fn bad_lines(rows: Vec<BadRow>) -> Vec<BadLine> {
    rows.into_iter().map(|row| BadLine { file: None, line: row.line, reason: row.reason }).collect()
}

fn tell(imported: Imported, json: bool) {
    let codes = imported.loaded.map_or(0, |loaded| loaded.codes);
    let writer = imported.loaded.map(|loaded| loaded.writer);
    let skipped = bad_lines(imported.skipped);
    let value = json!({ "loaded": codes, "load": writer, "skipped": skipped });
    answer(json, &value, || {
        let loaded = format!("loaded {codes} codes");
        if skipped.is_empty() { loaded } else { listed(&format!("{loaded}; left out"), &skipped) }
    });
}

fn failure(file: &str, error: ImportError) -> CliError {
    match error {
        ImportError::Unreadable(cause) => CliError::Usage(format!("{file}: {cause}")),
        ImportError::BadHeader(reason) => CliError::Usage(format!("{file}: {reason}")),
        ImportError::TooManyRows => CliError::Usage(format!("{file} has more than a million rows: split it")),
        ImportError::BadRows(bad) => CliError::BadLines {
            heading: format!(
                "{file} has {} bad rows; nothing was loaded (--skip-bad takes the rest)",
                bad.len()
            ),
            bad: bad_lines(bad),
        },
        ImportError::LoadedMeanwhile { codes } => CliError::Failed(format!(
            "another import took some of these codes at the same moment; {codes} codes are in; run it again with --skip-bad"
        )),
        ImportError::Problem(problem) => CliError::Problem(problem),
    }
}
