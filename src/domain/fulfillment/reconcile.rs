//! Holding vendors' statements against our purchases.
//!
//! What lives here: reading what a vendor says that it sold us, and posting what differs.
//! What is always true: one process reads a vendor's statement at a time, and none does inside a transaction; a statement delivers
//! nothing: where it tells of a purchase that is not delivered here, the vendor is asked about it at once; a line is posted once, whatever
//! is read again; a part that is written stays, and what was read counts only when the last one is in.
//! What is not here: when statements are read (`jobs.rs`); what follows from a line (`statement_booking.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use entity::ids::VendorId;
use entity::statement_lines;
use entity::timestamp::Timestamp;
use sea_orm::DbErr;
use serde::Serialize;

use super::listing::{StatementLine, Trouble};
use super::live::{KnownVendor, Live};
use super::model::most_cost_micros;
use super::pace;
use super::statement_booking::{Booking, SKEW_SECS, Taken};
use super::statement_store as store;
use super::turns::{self, Ended, Listing, Turn, When};
use super::wording::plain_words;
use crate::ctx::Ctx;
use crate::domain::audit::{self, Entry};
use crate::problem::{Failure, Problem};
use crate::store::{Transaction, write};

/// How far behind what was read a statement is read again, in seconds: what was under way turns up under its earlier time.
const OVERLAP_SECS: i64 = 86_400;
/// More parts than these have no end.
const MOST_PARTS: usize = 100_000;
/// How many differences are listed.
const MOST_LISTED: u64 = 1_000;

/// Why a statement was not read to its end. What was written of it stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReconcileRefusal {
    /// The vendor cannot be spoken to from this process.
    #[error("the vendor is not open in this process: `octopus vendor list` says why")]
    NotOpen,
    /// It has none.
    #[error("this vendor has no statement")]
    Unsupported,
    /// Another process is about it, or it is not due any more.
    #[error("another process reads the statement just now")]
    Busy,
    /// The vendor told nothing that can be used.
    #[error("the statement cannot be read: {0}")]
    Failed(String),
}

/// Since when a statement is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Where it was left, and a stretch before.
    LastTime,
    /// This instant, if it is earlier.
    Instant(Timestamp),
}

/// What reading a statement did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReconcileReport {
    /// The vendor.
    pub vendor: String,
    /// Since when it was read.
    pub since: Timestamp,
    /// Lines that were read.
    pub lines: usize,
    /// Of these, lines that are what we have.
    pub matched: usize,
    /// Purchases that the vendor is asked about because of it.
    pub asked: u64,
    /// Lines that differ otherwise than at the last time.
    pub news: usize,
    /// Corrections that were posted.
    pub corrected: usize,
}

/// Reads a vendor's statement now.
///
/// # Errors
/// `ReconcileRefusal`; what the database says.
pub async fn reconcile(
    ctx: &Ctx,
    vendor: VendorId,
    since: Since,
) -> Result<ReconcileReport, Failure<ReconcileRefusal>> {
    run(ctx, vendor, since, When::Free).await
}

/// Reads it if it is due, and still nobody else does.
pub(super) async fn reconcile_due(
    ctx: &Ctx,
    vendor: VendorId,
) -> Result<ReconcileReport, Failure<ReconcileRefusal>> {
    run(ctx, vendor, Since::LastTime, When::Due).await
}

/// The lines of a vendor that differ from our purchases, the latest first, at most a thousand.
///
/// # Errors
/// What the database says.
pub async fn list_differences(ctx: &Ctx, vendor: VendorId) -> Result<Vec<statement_lines::Model>, Problem> {
    Ok(store::list_differing(&ctx.database().reader, vendor, MOST_LISTED).await?)
}

async fn run(
    ctx: &Ctx,
    vendor: VendorId,
    since: Since,
    when: When,
) -> Result<ReconcileReport, Failure<ReconcileRefusal>> {
    let refused = |reason| Err(Failure::Refused(reason));
    let Some(known) = ctx.feature::<Live>().vendor(vendor) else { return refused(ReconcileRefusal::NotOpen) };
    if !known.capabilities.statement {
        return refused(ReconcileRefusal::Unsupported);
    }
    let deps = Arc::clone(&ctx.deps);
    let turn = write::<_, Problem, _>(&ctx.deps, move |transaction| {
        let deps = Arc::clone(&deps);
        let whose = (Listing::Statement, vendor);
        Box::pin(async move { Ok(turns::take_turn(&deps, transaction, whose, when).await?) })
    })
    .await?;
    let Some(turn) = turn else { return refused(ReconcileRefusal::Busy) };
    let reading = Reading { ctx: ctx.clone(), known, turn };
    let read = reading.read(since).await;
    let failed = match &read {
        Ok(_) | Err(Failure::Refused(ReconcileRefusal::Busy)) => return read,
        Err(Failure::Refused(refusal)) => refusal.to_string(),
        Err(Failure::Problem(problem)) => problem.to_string(),
    };
    reading.give_up(&failed).await?;
    read
}

#[derive(Clone)]
struct Reading {
    ctx: Ctx,
    known: Arc<KnownVendor>,
    turn: Turn,
}

impl Reading {
    async fn read(&self, since: Since) -> Result<ReconcileReport, Failure<ReconcileRefusal>> {
        let begun = self.ctx.now;
        let since = match since {
            // What lies behind the last reading is read in any case: afterwards it counts as read.
            Since::Instant(since) => since.min(self.last_time().await?),
            Since::LastTime => self.last_time().await?,
        };
        let mut report = ReconcileReport {
            vendor: self.known.row.name.clone(),
            since,
            lines: 0,
            matched: 0,
            asked: 0,
            news: 0,
            corrected: 0,
        };
        let mut from = None;
        for _ in 0..MOST_PARTS {
            turns::in_time(&self.ctx.deps, begun).map_err(|late| failed(Trouble::Failed(late)))?;
            pace::take_turn(&self.ctx.deps, &self.known, 1).await?;
            let part = self.known.vendor.statement(since, from.take()).await;
            if let Err(Trouble::TooMany(too_many)) = &part {
                pace::leave_alone(&self.ctx.deps, self.known.row.id, *too_many).await?;
            }
            let part = part.map_err(failed)?;
            let lines = checked(part.items)?;
            report.lines += lines.len();
            self.write(&mut report, Step::Part(lines.into())).await?;
            if part.next.is_none() {
                self.write(&mut report, Step::End { since, begun }).await?;
                tracing::info!(vendor = %self.known.row.name, lines = report.lines, news = report.news,
                    "a vendor's statement was read");
                metrics::counter!("octopus_statements_total", "outcome" => "read").increment(1);
                return Ok(report);
            }
            from = part.next;
        }
        Err(Failure::Refused(ReconcileRefusal::Failed("it has no end".to_owned())))
    }

    /// Where the last reading ended, and a stretch before; before the oldest purchase that is open; not before the vendor was ours.
    async fn last_time(&self) -> Result<Timestamp, Problem> {
        let added = self.known.row.created_at;
        let Some(until) = self.turn.read_until else { return Ok(added) };
        let oldest = store::oldest_open(&self.ctx.database().reader, self.known.row.id).await?;
        let overlapping = until.plus_seconds(-OVERLAP_SECS);
        let open = oldest.map_or(overlapping, |at| at.plus_seconds(-SKEW_SECS));
        Ok(overlapping.min(open).max(added))
    }

    async fn write(&self, report: &mut ReconcileReport, step: Step) -> Result<(), Failure<ReconcileRefusal>> {
        let (reading, step) = (self.clone(), Arc::new(step));
        let taken = write::<_, Problem, _>(&self.ctx.deps, move |transaction| {
            let (reading, step) = (reading.clone(), Arc::clone(&step));
            Box::pin(async move { Ok(reading.take(transaction, &step).await?) })
        })
        .await?;
        let taken = taken.ok_or(Failure::Refused(ReconcileRefusal::Busy))?;
        report.matched += taken.matched;
        report.asked += taken.asked;
        report.corrected += taken.corrected;
        report.news += taken.news.len();
        taken.news.iter().for_each(|line| self.tell(line));
        Ok(())
    }

    async fn take(&self, transaction: &Transaction, step: &Step) -> Result<Option<Taken>, DbErr> {
        let deps = &self.ctx.deps;
        if !turns::hold_turn(deps, transaction, Listing::Statement, &self.turn).await? {
            return Ok(None);
        }
        let booking = Booking { ctx: &self.ctx, vendor: &self.known.row };
        let taken = match step {
            Step::Part(lines) => booking.take(transaction, lines).await?,
            Step::End { since, begun } => {
                let mut taken = booking.take_open(transaction).await?;
                taken.news.extend(booking.miss(transaction, *since, *begun).await?);
                let ended = (&self.turn, &Ended::Read { until: *begun, doubt: None });
                turns::end_turn(deps, transaction, Listing::Statement, ended).await?;
                taken
            }
        };
        let entries: Vec<Entry> = taken
            .news
            .iter()
            .filter(|line| line.settled_at.is_some())
            .map(|line| booking.entry(line))
            .collect();
        audit::record(transaction, &entries).await?;
        Ok(Some(taken))
    }

    fn tell(&self, line: &statement_lines::Model) {
        let (vendor, verdict, vendor_ref) = (&self.known.row.name, line.verdict, &line.vendor_ref);
        if line.settled_at.is_none() {
            tracing::info!(%vendor, vendor_ref, "a vendor sold what is not delivered here: it is asked");
            return;
        }
        metrics::counter!("octopus_statement_differences_total", "verdict" => verdict.as_str()).increment(1);
        tracing::error!(%vendor, %verdict, vendor_ref, our_ref = ?line.our_ref, quantity = line.quantity,
            cost_micros = line.cost_micros, currency = %line.cost_currency,
            "a vendor's statement differs from our purchases: `octopus vendor reconcile` lists it");
    }

    async fn give_up(&self, reason: &str) -> Result<(), Problem> {
        metrics::counter!("octopus_statements_total", "outcome" => "failed").increment(1);
        tracing::warn!(vendor = %self.known.row.name, failures = self.turn.failures(), reason,
            "a vendor's statement could not be read");
        let (reading, ended) = (self.clone(), Ended::Failed(reason.to_owned()));
        write::<_, Problem, _>(&self.ctx.deps, move |transaction| {
            let (reading, ended) = (reading.clone(), ended.clone());
            Box::pin(async move {
                let ended = (&reading.turn, &ended);
                Ok(turns::end_turn(&reading.ctx.deps, transaction, Listing::Statement, ended).await?)
            })
        })
        .await
    }
}

/// What one transaction of a reading writes.
enum Step {
    /// A part of the statement.
    Part(Arc<[StatementLine]>),
    /// Behind the last part.
    End { since: Timestamp, begun: Timestamp },
}

fn failed(trouble: Trouble) -> Failure<ReconcileRefusal> {
    Failure::Refused(ReconcileRefusal::Failed(plain_words(&trouble.to_string())))
}

/// The lines of a part, each once. One that cannot be true makes its part fail: a statement that lacks a purchase is wrong.
fn checked(lines: Vec<StatementLine>) -> Result<Vec<StatementLine>, Failure<ReconcileRefusal>> {
    let is_possible = |line: &StatementLine| {
        let most = most_cost_micros(usize::try_from(line.quantity).unwrap_or(0));
        let names = [Some(&line.vendor_ref), line.our_ref.as_ref(), line.vendor_sku.as_ref()];
        line.quantity >= 0
            && (0..=most).contains(&line.cost.micros)
            && !line.vendor_ref.is_empty()
            && names.into_iter().flatten().all(|name| name.len() <= 200 && !name.contains('\0'))
    };
    if !lines.iter().all(is_possible) {
        return Err(failed(Trouble::Failed("a line is none that can be".to_owned())));
    }
    let by_name: BTreeMap<String, StatementLine> =
        lines.into_iter().map(|line| (line.vendor_ref.clone(), line)).collect();
    Ok(by_name.into_values().collect())
}
