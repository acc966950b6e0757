//! `octopus offers`: what vendors sell, and for how much.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;

use super::{BadLine, CliError, answer, progress};
use crate::ctx::{Ctx, Deps};
use crate::domain::fulfillment::{self, BadOffer};

/// What to do with offers.
#[derive(Debug, Subcommand)]
pub enum OffersCommand {
    /// Put the offers of a CSV file on record: product, vendor_sku, cost_currency; cost_factor (what one unit of the face value
    /// costs: 0.95 is five per cent off) and cost_fee (added to each unit); priority, min_face_value, max_face_value,
    /// max_quantity, available, status
    Import {
        /// The vendor's name, or its id (vnd_…)
        vendor: String,
        /// The file, with a header line that names its columns
        file: PathBuf,
    },
}

/// Runs the command.
///
/// # Errors
/// `Usage` for a file that cannot be read; `BadLines`; an unknown vendor; what the database says.
pub async fn run(deps: Arc<Deps>, command: OffersCommand, json: bool) -> Result<(), CliError> {
    let OffersCommand::Import { vendor, file } = command;
    let ctx = Ctx::system(deps);
    let vendor = fulfillment::get_vendor(&ctx, &vendor).await?;
    let text =
        std::fs::read(&file).map_err(|error| CliError::Usage(format!("{}: {error}", file.display())))?;
    let offers = fulfillment::read_offers(&ctx, &text).map_err(|bad| CliError::BadLines {
        heading: format!("{} has {} bad lines; nothing was imported", file.display(), bad.len()),
        bad: bad.into_iter().map(bad_line).collect(),
    })?;
    let bar = progress::bar("importing offers", offers.len());
    let told = bar.clone();
    let outcome = fulfillment::put_offers(&ctx, vendor.id, offers, &move |done| {
        told.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    })
    .await;
    bar.finish_and_clear();
    let report = outcome?;
    answer(json, &json!(report), || {
        format!(
            "{} offers added, {} changed, {} as they were",
            report.added, report.changed, report.unchanged
        )
    });
    Ok(())
}

fn bad_line(bad: BadOffer) -> BadLine {
    BadLine { file: None, line: bad.line, reason: bad.reason }
}
