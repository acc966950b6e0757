//! Importing exchange rates.
//!
//! What lives here: the command that reads a file of rates (base,quote,rate,as_of,source) into the table.
//! What is always true: one bad line leaves everything as it was; rates are against the base, through which all are crossed; an
//! older observation takes the place of a newer one only if that is asked for.
//! What is not here: asking a provider (`poll.rs`).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use csv::StringRecord;
use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::state::{Environment, RateTroubleKind};
use entity::timestamp::Timestamp;
use sea_orm::{DbErr, EntityTrait};
use serde::Serialize;

use super::model::BASE;
use super::poll_store::end_troubles;
use super::store::{Overwrite, RateRow, lock_rates, upsert_rates};
use crate::ctx::Ctx;
use crate::domain::audit;
use crate::problem::{Failure, Problem};
use crate::store::{Subject, Transaction, bump, read_environment, write};

/// How far ahead an observation of a production may lie: a day may have begun elsewhere. A rate dated further ahead is a slip
/// of the pen, and would pass for fresh until its date has come and gone.
const DAYS_AHEAD_IN_PRODUCTION: i64 = 1;
/// In a sandbox rates do not age; there, our own clock's fault must not keep it from starting.
const DAYS_AHEAD_IN_SANDBOX: i64 = 366;
const DAY_SECS: i64 = 86_400;
/// Digits that a rate may have; more would be no observation.
const MOST_DIGITS: u32 = 18;

/// A line that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadRate {
    /// The line, from 1, the heading included.
    pub line: u64,
    /// Why.
    pub reason: String,
}

impl fmt::Display for BadRate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.line, self.reason)
    }
}

/// Why no rate was imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RatesRefusal {
    /// These lines are bad.
    #[error("{} bad lines; nothing was imported", .0.len())]
    BadRates(Vec<BadRate>),
    /// The file has other columns than it needs.
    #[error("{0}")]
    BadHeading(BadRate),
}

/// What a rate is judged by.
struct Judge<'a> {
    known: &'a HashSet<Currency>,
    /// What the database is for.
    environment: Environment,
    now: Timestamp,
}

impl Judge<'_> {
    /// How many days ahead of now an observation may lie.
    fn days_ahead(&self) -> i64 {
        match self.environment {
            Environment::Production => DAYS_AHEAD_IN_PRODUCTION,
            Environment::Sandbox => DAYS_AHEAD_IN_SANDBOX,
        }
    }

    fn check_instant(&self, as_of: Timestamp) -> Result<(), String> {
        let days = self.days_ahead();
        let latest = self.now.plus_seconds(days.saturating_mul(DAY_SECS));
        if as_of <= latest {
            return Ok(());
        }
        Err(format!(
            "as_of {as_of} lies in the future, behind {latest}: in a {} a rate may be dated {days} {} ahead of now, {}, at most",
            self.environment.as_str(),
            if days == 1 { "day" } else { "days" },
            self.now,
        ))
    }
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RatesReport {
    /// Rates that were not there or have changed.
    pub imported: usize,
    /// Rates that were the same.
    pub unchanged: usize,
    /// Rates of which a newer observation is there, which stays.
    pub older: usize,
}

/// Imports a file of rates; one that is older than what is there is passed over.
///
/// # Errors
/// `RatesRefusal` with every bad line; what the database says. Nothing is changed then.
pub async fn import_rates(ctx: &Ctx, file: &[u8]) -> Result<RatesReport, Failure<RatesRefusal>> {
    import(ctx, file, Overwrite::NotNewer).await
}

/// Imports a file of rates, whatever is there.
///
/// # Errors
/// `RatesRefusal` with every bad line; what the database says. Nothing is changed then.
pub async fn replace_rates(ctx: &Ctx, file: &[u8]) -> Result<RatesReport, Failure<RatesRefusal>> {
    import(ctx, file, Overwrite::Any).await
}

async fn import(ctx: &Ctx, file: &[u8], overwrite: Overwrite) -> Result<RatesReport, Failure<RatesRefusal>> {
    let reader = &ctx.database().reader;
    let known: HashSet<Currency> =
        entity::currencies::Entity::find().all(reader).await?.into_iter().map(|row| row.code).collect();
    // Until somebody has said what the database is for, it is judged as a production.
    let environment = read_environment(reader).await?.unwrap_or(Environment::Production);
    let judge = Judge { known: &known, environment, now: ctx.now };
    let rows = Arc::new(parse(file, &judge).map_err(Failure::Refused)?);
    let in_transaction = ctx.clone();
    let report = write::<_, Problem, _>(&ctx.deps, move |transaction| {
        let (ctx, rows) = (in_transaction.clone(), Arc::clone(&rows));
        Box::pin(async move { Ok(record(&ctx, transaction, &rows, overwrite).await?) })
    })
    .await?;
    Ok(report)
}

async fn record(
    ctx: &Ctx,
    transaction: &Transaction,
    rows: &[RateRow],
    overwrite: Overwrite,
) -> Result<RatesReport, DbErr> {
    let present: HashMap<(Currency, Currency), entity::exchange_rates::Model> =
        lock_rates(transaction).await?.into_iter().map(|row| ((row.base, row.quote), row)).collect();
    let (mut changed, mut report) = (Vec::new(), RatesReport::default());
    for row in rows {
        match present.get(&(row.base, row.quote)) {
            Some(there) if is_same(there, row) => report.unchanged += 1,
            Some(there) if overwrite == Overwrite::NotNewer && there.as_of.micros() > row.as_of => {
                report.older += 1;
            }
            _ => changed.push(row.clone()),
        }
    }
    report.imported = changed.len();
    if changed.is_empty() {
        return Ok(report);
    }
    upsert_rates(transaction, &changed, overwrite).await?;
    // Whoever imports a rate has seen to it.
    end_troubles(transaction, RateTroubleKind::Jump, changed.iter().map(|row| row.quote)).await?;
    let entry = audit::Entry::new(ctx, "rates.imported", "rates", &serde_json::json!(report));
    audit::record(transaction, &[entry]).await?;
    bump(transaction, Subject::Rates).await?;
    Ok(report)
}

fn is_same(there: &entity::exchange_rates::Model, row: &RateRow) -> bool {
    there.rate == row.rate && there.source == row.source && there.as_of.micros() == row.as_of
}

fn parse(file: &[u8], judge: &Judge<'_>) -> Result<Vec<RateRow>, RatesRefusal> {
    let mut reader = csv::ReaderBuilder::new().from_reader(file);
    let heading = ["base", "quote", "rate", "as_of", "source"];
    match reader.headers() {
        Ok(found) if found.iter().map(str::trim).eq(heading) => {}
        _ => {
            let reason = format!("the heading must be {}", heading.join(","));
            return Err(RatesRefusal::BadHeading(BadRate { line: 1, reason }));
        }
    }
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for record in reader.records() {
        let (line, outcome) = match &record {
            Ok(record) => (record.position().map_or(0, csv::Position::line), read(record, judge)),
            Err(error) => (
                error.position().map_or(0, csv::Position::line),
                Err("it has another number of fields than the heading, or is not UTF-8".to_owned()),
            ),
        };
        match outcome {
            Ok(row) if seen.insert(row.quote) => rows.push(row),
            Ok(row) => bad.push(BadRate { line, reason: format!("{} has a rate already", row.quote) }),
            Err(reason) => bad.push(BadRate { line, reason }),
        }
    }
    if bad.is_empty() { Ok(rows) } else { Err(RatesRefusal::BadRates(bad)) }
}

fn read(record: &StringRecord, judge: &Judge<'_>) -> Result<RateRow, String> {
    let text = |at: usize| record.get(at).unwrap_or_default().trim();
    let currency = |at: usize| {
        let found =
            text(at).parse::<Currency>().map_err(|_| format!("{:?} is no ISO 4217 code", text(at)))?;
        if judge.known.contains(&found) {
            Ok(found)
        } else {
            Err(format!("{found} is unknown: import the catalog first"))
        }
    };
    let (base, quote) = (currency(0)?, currency(1)?);
    if base != BASE {
        return Err(format!("the base must be {BASE}, through which all rates are crossed"));
    }
    let rate: Decimal = text(2).parse().map_err(|_| format!("{:?} is no plain decimal number", text(2)))?;
    if rate.mantissa() <= 0 || rate.mantissa() >= 10_i128.pow(MOST_DIGITS) || rate.scale() > MOST_DIGITS {
        return Err(format!("the rate {rate} must be positive and of at most {MOST_DIGITS} digits"));
    }
    if quote == base && rate != Decimal::new(1, 0) {
        return Err(format!("the rate of {base} to itself is 1"));
    }
    let as_of = instant(text(3)).ok_or_else(|| format!("{:?} is neither a day nor an instant", text(3)))?;
    judge.check_instant(as_of)?;
    let source = text(4);
    if source.is_empty() || source.len() > 100 {
        return Err("the source must have 1 to 100 bytes".to_owned());
    }
    Ok(RateRow {
        base,
        quote,
        rate,
        source: source.to_owned(),
        as_of: as_of.micros(),
        imported_at: judge.now.micros(),
    })
}

/// A day, which begins at midnight in UTC, or an instant.
fn instant(text: &str) -> Option<Timestamp> {
    if text.len() == 10 { format!("{text}T00:00:00Z").parse().ok() } else { text.parse().ok() }
}
