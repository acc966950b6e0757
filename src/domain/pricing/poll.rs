//! Asking the provider of rates.
//!
//! What lives here: one poll, from taking the turn to writing what is believed.
//! What is always true: one process polls at a time, and none is asked inside a transaction; a rate that jumps is refused, told
//! once, and stays refused until somebody imports a rate of that currency or the provider comes back to ours; the others of the
//! answer are taken; a poll that fails changes no rate.
//! What is not here: when polls are made (`jobs.rs`), what is believed (`poll_model.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::state::RateTroubleKind;
use entity::timestamp::Timestamp;
use sea_orm::{DbErr, EntityTrait};
use serde::Serialize;
use serde_json::json;

use super::live;
use super::model::BASE;
use super::poll_model::{
    Jump, Known, Observation, Verdict, against_base, check_age, jittered_micros, judge, wait_secs,
};
use super::poll_store::{Ended, TroubleRow, Turn, When, end_troubles, end_turn, raise, take_turn};
use super::provider::{NoQuotation, Provider, RateProvider};
use super::store::{Overwrite, RateRow, lock_rates, upsert_rates};
use crate::ctx::Ctx;
use crate::domain::audit;
use crate::problem::{Failure, Problem};
use crate::store::{Subject, Transaction, bump, write};

/// Why no rates were polled. No rate has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PollRefusal {
    /// There is nobody to ask.
    #[error("no provider of rates is set: set rate_provider")]
    NoProvider,
    /// Another process is about it, or it is not due any more.
    #[error("another process polls just now")]
    Busy,
    /// The provider told nothing that can be used.
    #[error("{source_name}: {reason}")]
    Failed {
        /// The provider.
        source_name: &'static str,
        /// Why.
        reason: NoQuotation,
    },
}

/// What a poll did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PollReport {
    /// Who was asked.
    pub source: &'static str,
    /// When its rates were observed.
    pub observed_at: Timestamp,
    /// Rates that were taken, also where only their instant is newer.
    pub taken: usize,
    /// Rates that we had.
    pub unchanged: usize,
    /// Rates of which we have a newer observation.
    pub older: usize,
    /// Rates that are too far from ours, which we keep.
    pub refused: Vec<Jump>,
    /// Currencies of which something else was told than a rate.
    pub unreadable: Vec<Currency>,
}

/// An answer against our base, that is neither too old nor ahead.
#[derive(Debug)]
struct Answer {
    source: &'static str,
    observed_at: Timestamp,
    rates: BTreeMap<Currency, Decimal>,
    unreadable: Vec<Currency>,
}

/// What was written: the report, and the currencies of which it is news that their rates jump.
type Recorded = (PollReport, Vec<Currency>);

/// Polls now.
///
/// # Errors
/// `PollRefusal`; what the database says.
pub async fn poll_rates(ctx: &Ctx) -> Result<PollReport, Failure<PollRefusal>> {
    poll(ctx, When::Free).await
}

/// Polls if it is due, and still nobody else does.
pub(super) async fn poll_due_rates(ctx: &Ctx) -> Result<PollReport, Failure<PollRefusal>> {
    poll(ctx, When::Due).await
}

async fn poll(ctx: &Ctx, when: When) -> Result<PollReport, Failure<PollRefusal>> {
    let provider = ctx.feature::<Provider>().0.clone().ok_or(Failure::Refused(PollRefusal::NoProvider))?;
    let deps = Arc::clone(&ctx.deps);
    let turn = write::<_, Problem, _>(&ctx.deps, move |transaction| {
        let deps = Arc::clone(&deps);
        Box::pin(async move { Ok(take_turn(&deps, transaction, when).await?) })
    })
    .await?
    .ok_or(Failure::Refused(PollRefusal::Busy))?;
    match ask(ctx, provider.as_ref()).await {
        Ok(answer) => take(ctx, turn, answer).await,
        Err(reason) => Err(give_up(ctx, turn, provider.name(), reason).await?),
    }
}

async fn ask(ctx: &Ctx, provider: &dyn RateProvider) -> Result<Answer, NoQuotation> {
    let quotation = provider.quote().await?;
    check_age(quotation.observed_at, ctx.now, provider.max_age_secs())?;
    let (rates, unreadable) = against_base(&quotation)?;
    Ok(Answer { source: provider.name(), observed_at: quotation.observed_at, rates, unreadable })
}

/// How long to wait for the next poll, in microseconds.
fn wait_micros(ctx: &Ctx, failures: u32, retry_after_secs: Option<u64>) -> i64 {
    let mut chance = [0; 2];
    ctx.deps.ids.fill(&mut chance);
    let secs = wait_secs(failures, ctx.config().rate_poll_secs, retry_after_secs);
    jittered_micros(secs, u16::from_ne_bytes(chance))
}

/// Writes down that a poll failed, and answers why.
async fn give_up(
    ctx: &Ctx,
    turn: Turn,
    source: &'static str,
    reason: NoQuotation,
) -> Result<Failure<PollRefusal>, Problem> {
    let failures = u32::try_from(turn.failures).unwrap_or(0).saturating_add(1);
    let retry_after_secs = match &reason {
        NoQuotation::Refused { retry_after_secs, .. } => *retry_after_secs,
        NoQuotation::Unanswered(_) | NoQuotation::Unusable(_) => None,
    };
    let (wait_micros, told) = (wait_micros(ctx, failures, retry_after_secs), reason.to_string());
    let deps = Arc::clone(&ctx.deps);
    write::<_, Problem, _>(&ctx.deps, move |transaction| {
        let (deps, told) = (Arc::clone(&deps), told.clone());
        Box::pin(async move {
            let ended = Ended { source, wait_micros, failure: Some(&told) };
            Ok(end_turn(&deps, transaction, turn, &ended).await?)
        })
    })
    .await?;
    metrics::counter!("octopus_rate_polls_total", "outcome" => "failed").increment(1);
    tracing::warn!(source, failures, %reason, "no rates were polled; the present ones stay, and age");
    Ok(Failure::Refused(PollRefusal::Failed { source_name: source, reason }))
}

/// Writes what is believed of an answer.
async fn take(ctx: &Ctx, turn: Turn, answer: Answer) -> Result<PollReport, Failure<PollRefusal>> {
    let (in_transaction, answer) = (ctx.clone(), Arc::new(answer));
    let wait_micros = wait_micros(ctx, 0, None);
    let recorded: Option<Recorded> = write::<_, Problem, _>(&ctx.deps, move |transaction| {
        let (ctx, answer) = (in_transaction.clone(), Arc::clone(&answer));
        Box::pin(async move {
            let ended = Ended { source: answer.source, wait_micros, failure: None };
            if !end_turn(&ctx.deps, transaction, turn, &ended).await? {
                return Ok(None);
            }
            Ok(Some(record(&ctx, transaction, &answer).await?))
        })
    })
    .await?;
    let (report, new) = recorded.ok_or(Failure::Refused(PollRefusal::Busy))?;
    live::refresh(&ctx.deps).await?;
    metrics::counter!("octopus_rate_polls_total", "outcome" => "done").increment(1);
    for jump in report.refused.iter().filter(|jump| new.contains(&jump.currency)) {
        metrics::counter!("octopus_rates_refused_total").increment(1);
        tracing::warn!(source = report.source, currency = %jump.currency, told = %jump.rate, kept = %jump.kept,
            "a rate jumps and is refused; `octopus rates import` one of this currency to go on");
    }
    if !report.unreadable.is_empty() {
        tracing::warn!(source = report.source, currencies = ?report.unreadable, "some of what was polled is no rate");
    }
    tracing::info!(
        source = report.source,
        taken = report.taken,
        unchanged = report.unchanged,
        "rates were polled"
    );
    Ok(report)
}

async fn record(ctx: &Ctx, transaction: &Transaction, answer: &Answer) -> Result<Recorded, DbErr> {
    let ours: BTreeSet<Currency> =
        entity::currencies::Entity::find().all(transaction).await?.into_iter().map(|row| row.code).collect();
    let known = lock_rates(transaction).await?.into_iter().filter(|row| row.base == BASE);
    let known: BTreeMap<Currency, Known> = known
        .map(|row| (row.quote, Known { rate: row.rate, source: row.source, as_of: row.as_of }))
        .collect();
    let observation = Observation { source: answer.source, as_of: answer.observed_at };
    let verdict = judge(&answer.rates, observation, &ours, &known, ctx.config().rate_max_jump_bps);
    let rows: Vec<RateRow> =
        verdict.taken.iter().map(|(quote, rate)| rate_row(ctx, answer, *quote, *rate)).collect();
    upsert_rates(transaction, &rows, Overwrite::NotNewer).await?;
    let back = verdict.taken.iter().map(|(quote, _)| *quote).chain(verdict.unchanged.iter().copied());
    end_troubles(transaction, RateTroubleKind::Jump, back).await?;
    let jumps: Vec<TroubleRow<'_>> = verdict.jumps.iter().map(|jump| jump_row(ctx, answer, jump)).collect();
    let new = raise(transaction, RateTroubleKind::Jump, &jumps).await?;
    let report = report(answer, &ours, verdict);
    audit::record(transaction, &entries(ctx, &report, &new)).await?;
    if report.taken > 0 {
        bump(transaction, Subject::Rates).await?;
    }
    Ok((report, new))
}

fn rate_row(ctx: &Ctx, answer: &Answer, quote: Currency, rate: Decimal) -> RateRow {
    RateRow {
        base: BASE,
        quote,
        rate,
        source: answer.source.to_owned(),
        as_of: answer.observed_at.micros(),
        imported_at: ctx.now.micros(),
    }
}

fn jump_row<'a>(ctx: &Ctx, answer: &'a Answer, jump: &Jump) -> TroubleRow<'a> {
    TroubleRow {
        quote: jump.currency,
        kind: RateTroubleKind::Jump,
        since: ctx.now.micros(),
        rate: Some(jump.rate),
        source: Some(answer.source),
        as_of: Some(answer.observed_at.micros()),
    }
}

fn report(answer: &Answer, ours: &BTreeSet<Currency>, verdict: Verdict) -> PollReport {
    PollReport {
        source: answer.source,
        observed_at: answer.observed_at,
        taken: verdict.taken.len(),
        unchanged: verdict.unchanged.len(),
        older: verdict.older.len(),
        refused: verdict.jumps,
        unreadable: answer.unreadable.iter().copied().filter(|currency| ours.contains(currency)).collect(),
    }
}

/// What the audit keeps: what has changed, and each rate that was refused, once.
fn entries(ctx: &Ctx, report: &PollReport, new: &[Currency]) -> Vec<audit::Entry> {
    let polled = (report.taken > 0).then(|| audit::Entry::new(ctx, "rates.polled", "rates", &json!(report)));
    let jumps = report.refused.iter().filter(|jump| new.contains(&jump.currency)).map(|jump| {
        let told = json!({ "source": report.source, "observed_at": report.observed_at,
            "rate": jump.rate, "kept": jump.kept });
        audit::Entry::new(ctx, "rates.jump_refused", jump.currency, &told)
    });
    polled.into_iter().chain(jumps).collect()
}
