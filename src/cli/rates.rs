//! `octopus rates`: exchange rates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;

use super::{BadLine, CliError, answer, progress};
use crate::ctx::{Ctx, Deps};
use crate::domain::pricing::{self, PollRefusal, PollReport, RateStatus, RatesRefusal, RatesStatus};
use crate::problem::{Failure, Problem};

/// What to do with rates.
#[derive(Debug, Subcommand)]
pub enum RatesCommand {
    /// Import rates against the dollar; one bad line leaves everything as it was
    Import {
        /// A file with the columns base,quote,rate,as_of,source
        file: PathBuf,
        /// Take rates also where a newer one is there, which otherwise stays
        #[arg(long)]
        replace: bool,
    },
    /// Ask the provider of rates once, now
    Poll,
    /// Show every rate and its age, and how the polls go
    Status,
}

/// Runs the command.
///
/// # Errors
/// `Usage` for a file that cannot be read or has not its columns, and without a provider; `BadLines`; `Failed` where the provider
/// tells nothing that can be used; what the database says.
pub async fn run(deps: Arc<Deps>, command: RatesCommand, json: bool) -> Result<(), CliError> {
    let ctx = Ctx::system(deps);
    match command {
        RatesCommand::Import { file, replace } => {
            let text = read(&file)?;
            let sign = progress::spinner("importing");
            let outcome = if replace {
                pricing::replace_rates(&ctx, &text).await
            } else {
                pricing::import_rates(&ctx, &text).await
            };
            sign.finish_and_clear();
            let report = outcome.map_err(|failure| match failure {
                Failure::Refused(refusal) => refused(refusal),
                Failure::Problem(problem) => CliError::Problem(problem),
            })?;
            answer(json, &json!(report), || {
                let older = "older than what is there, which stays without --replace";
                format!(
                    "{} imported, {} unchanged, {} {older}",
                    report.imported, report.unchanged, report.older
                )
            });
        }
        RatesCommand::Poll => {
            let report = pricing::poll_rates(&ctx).await.map_err(no_poll)?;
            answer(json, &json!(report), || poll_lines(&report));
        }
        RatesCommand::Status => {
            let status = pricing::rates_status(&ctx).await?;
            answer(json, &json!(status), || status_lines(&status));
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(file).map_err(|error| CliError::Usage(format!("cannot read {}: {error}", file.display())))
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

fn no_poll(failure: Failure<PollRefusal>) -> CliError {
    match failure {
        Failure::Refused(refusal @ PollRefusal::NoProvider) => CliError::Usage(refusal.to_string()),
        Failure::Refused(refusal @ PollRefusal::Busy) => CliError::Problem(Problem::unavailable(refusal)),
        Failure::Refused(refusal @ PollRefusal::Failed { .. }) => CliError::Failed(refusal.to_string()),
        Failure::Problem(problem) => CliError::Problem(problem),
    }
}

fn poll_lines(report: &PollReport) -> String {
    let PollReport { source, observed_at, taken, unchanged, older, refused, unreadable } = report;
    let mut lines = vec![format!(
        "{source}, observed at {observed_at}: {taken} taken, {unchanged} unchanged, {older} older"
    )];
    lines.extend(refused.iter().map(|jump| {
        format!("{} jumps from {} to {}: refused, import one to go on", jump.currency, jump.kept, jump.rate)
    }));
    lines.extend(unreadable.iter().map(|currency| format!("{currency}: what was told is no rate")));
    lines.join("\n")
}

fn status_lines(status: &RatesStatus) -> String {
    let mut lines = vec![format!("provider: {}", status.provider.unwrap_or("none"))];
    if let Some(polls) = &status.polls {
        let when =
            |at: Option<entity::timestamp::Timestamp>| at.map_or("never".to_owned(), |at| at.to_string());
        lines.push(format!(
            "last poll: {}, last success: {}",
            when(polls.tried_at),
            when(polls.succeeded_at)
        ));
        lines.push(format!("next poll: {}", polls.due_at));
        let failed =
            polls.failure.as_ref().map(|why| format!("failed {} times, last: {why}", polls.failures));
        lines.extend(failed);
    }
    lines.extend(status.rates.iter().map(rate_line));
    lines.join("\n")
}

fn rate_line(rate: &RateStatus) -> String {
    let age = rate.age.as_str();
    let mut line = format!("{}  {}  {}  {}  {age}", rate.currency, rate.rate, rate.as_of, rate.source);
    if let Some(told) = rate.refused.as_ref().and_then(|refused| refused.rate) {
        line.push_str(&format!("  refused: {told}"));
    }
    line
}
