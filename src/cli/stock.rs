//! `octopus stock`: codes on their way into stock.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{CliError, answer};
use crate::ctx::{Ctx, Deps};
use crate::domain::vouchers::{self, BadRow, BadRows, Import, ImportError, Imported, Step};

/// How many bad rows are named to a person; a program gets all.
const SHOWN: usize = 50;

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
/// A file that cannot be read, rows that are bad, keys that are missing.
pub async fn run(deps: Arc<Deps>, command: StockCommand, json: bool) -> Result<(), CliError> {
    let StockCommand::Import { file, skip_bad } = command;
    vouchers::require_vault(&deps)?;
    let ctx = Ctx::system(deps);
    let bad_rows = if skip_bad { BadRows::Skip } else { BadRows::RefuseAll };
    let name = file.display().to_string();
    let bar = ProgressBar::new(0);
    let outcome = vouchers::import(&ctx, Import { path: file, bad_rows }, progress(&bar)).await;
    bar.finish_and_clear();
    match outcome {
        Ok(imported) => {
            tell(&imported, json);
            Ok(())
        }
        Err(error) => Err(failure(&name, error, json)),
    }
}

fn progress(bar: &ProgressBar) -> vouchers::Progress {
    let style = |words: &str| {
        let template = format!("{words} {{bar:40}} {{pos}}/{{len}} {{eta}}");
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
    };
    let (bar, phase) = (bar.clone(), Mutex::new(""));
    Arc::new(move |step| {
        let (words, done, of) = match step {
            Step::Checked(done, of) => ("checking", done, of),
            Step::Loaded(done, of) => ("loading ", done, of),
        };
        let mut phase = phase.lock().unwrap_or_else(PoisonError::into_inner);
        if *phase != words {
            *phase = words;
            bar.set_style(style(words));
        }
        bar.set_length(of);
        bar.set_position(done);
    })
}

fn rows(bad: &[BadRow]) -> Vec<Value> {
    bad.iter().map(|row| json!({ "line": row.line, "reason": row.reason })).collect()
}

fn lines(bad: &[BadRow]) -> String {
    let shown: String =
        bad.iter().take(SHOWN).map(|row| format!("\n  line {}: {}", row.line, row.reason)).collect();
    if bad.len() > SHOWN { format!("{shown}\n  and {} more", bad.len() - SHOWN) } else { shown }
}

fn tell(imported: &Imported, json: bool) {
    let codes = imported.loaded.map_or(0, |loaded| loaded.codes);
    let writer = imported.loaded.map(|loaded| loaded.writer);
    let value = json!({ "loaded": codes, "load": writer, "skipped": rows(&imported.skipped) });
    answer(json, &value, || {
        let skipped = &imported.skipped;
        if skipped.is_empty() {
            format!("loaded {codes} codes")
        } else {
            format!("loaded {codes} codes, left out {} rows:{}", skipped.len(), lines(skipped))
        }
    });
}

fn failure(file: &str, error: ImportError, json: bool) -> CliError {
    match error {
        ImportError::Unreadable(cause) => CliError::Usage(format!("{file}: {cause}")),
        ImportError::BadHeader(reason) => CliError::Usage(format!("{file}: {reason}")),
        ImportError::TooManyRows => CliError::Usage(format!("{file} has more than a million rows: split it")),
        ImportError::BadRows(bad) => {
            if json {
                answer(true, &json!({ "loaded": 0, "bad": rows(&bad) }), String::new);
            }
            CliError::Failed(format!(
                "{file} has {} bad rows; nothing was loaded (--skip-bad takes the rest):{}",
                bad.len(),
                lines(&bad)
            ))
        }
        ImportError::LoadedMeanwhile { codes } => CliError::Failed(format!(
            "another import took some of these codes at the same moment; {codes} codes are in; run it again with --skip-bad"
        )),
        ImportError::Problem(problem) => CliError::Problem(problem),
    }
}
