//! All purchases since an instant.
//!
//! What lives here: how they are listed, oldest first.
//! What is always true: a part is a stretch of time, read whole, put in order and cut to the second, since neither the order of
//! the report nor the time zone of its filters is promised: they are sent 36 hours wider on both sides. What cost nothing is left
//! out; what is not delivered counts no units, only what it cost.
//! What is not here: one purchase (`lookup.rs`).

use entity::timestamp::Timestamp;

use super::Reloadly;
use super::calls::Question;
use super::page::Page;
use super::transaction::{Standing, Transaction};
use crate::domain::fulfillment::{Part, StatementLine, Trouble};
use crate::vendors::reply::{decode, told};

/// How much wider than meant dates are sent: more than any time zone is off, on either side.
const WIDENED_SECS: i64 = 36 * 3_600;
/// More purchases than these are told in more than one part, unless they were made in less time than two of the shortest.
const MANY: usize = 2_000;
/// The shortest part.
const SHORTEST_SECS: i64 = 86_400;
/// The most that a page of the report has.
const PAGE_SIZE: u32 = 50;
/// The most pages of a part, so that a report without an end is noticed.
const MOST_PAGES: u32 = 2_000;

/// A stretch of time; the last one has no end.
#[derive(Clone, Copy)]
struct Stretch {
    start: Timestamp,
    end: Option<Timestamp>,
    now: Timestamp,
}

impl Reloadly {
    /// The purchases of the stretch that begins at `from`, or else at `since`. It is as long as few enough were made in it.
    pub(super) async fn list(
        &self,
        since: Timestamp,
        from: Option<String>,
    ) -> Result<Part<StatementLine>, Trouble> {
        let start = match from {
            None => since,
            Some(from) => from.parse().map_err(|_| failed("the statement has no such part"))?,
        };
        // Times are told in whole seconds: a stretch begins with one.
        let start = Timestamp::from_micros(start.seconds().saturating_mul(1_000_000));
        let mut stretch = Stretch { start, end: None, now: self.now() };
        let (mut lines, mut bytes) = (Vec::new(), 0_usize);
        let mut number = 1;
        while number <= MOST_PAGES {
            let answer = told(self.ask(&Question::for_listing(&stretch.path(number))).await)?;
            let page: Page<'_> = decode(&answer).map_err(|doubt| Trouble::Failed(doubt.message))?;
            bytes = bytes.saturating_add(answer.body.len());
            let is_many = number == 1 && page.total_elements.is_some_and(|total| total > MANY);
            if let Some(half) = is_many.then(|| stretch.half()).flatten() {
                stretch = half;
                continue;
            }
            for row in &page.content {
                let row: Transaction = serde_json::from_str(row.get())
                    .map_err(|_| failed("a transaction is not of the form that was agreed"))?;
                lines.extend(self.line(&row, &stretch)?);
            }
            if page.is_last(number, PAGE_SIZE).map_err(failed)? {
                let next = stretch.end.map(|end| end.to_string());
                return Ok(Part { items: in_order(lines), next, total: None, bytes });
            }
            number += 1;
        }
        Err(failed("the report has no end"))
    }

    /// The line of a transaction; `None` if it is outside the stretch, or cost nothing.
    fn line(&self, row: &Transaction, stretch: &Stretch) -> Result<Option<StatementLine>, Trouble> {
        let id = &row.transaction_id.0;
        let at = row.created_at().ok_or_else(|| failed(&format!("transaction {id} tells no time")))?;
        if at < stretch.start || stretch.end.is_some_and(|end| at >= end) {
            return Ok(None);
        }
        let is_made = match row.standing() {
            Standing::CameToNothing => return Ok(None),
            Standing::Made => true,
            Standing::UnderWay | Standing::MoneyOut | Standing::Unheard(_) => false,
        };
        let (cost, quantity) = match (row.cost(self.currency), row.quantity()) {
            (Some(cost), Some(quantity)) if is_made => (cost, quantity),
            (Some(cost), _) if !is_made => (cost, 0),
            _ if is_made => return Err(failed(&format!("transaction {id} tells no cost or quantity"))),
            _ => return Ok(None),
        };
        Ok(Some(StatementLine {
            our_ref: row.custom_identifier.clone().filter(|told| !told.is_empty()),
            vendor_ref: id.clone(),
            vendor_sku: row.product.as_ref().and_then(|sold| Some(sold.product_id.as_ref()?.0.clone())),
            quantity,
            cost,
            at,
        }))
    }
}

impl Stretch {
    /// Its first half; `None` if that were shorter than a part may be.
    fn half(self) -> Option<Self> {
        let secs =
            self.end.unwrap_or(self.now).seconds().saturating_sub(self.start.seconds()).checked_div(2)?;
        (secs >= SHORTEST_SECS).then(|| Self { end: Some(self.start.plus_seconds(secs)), ..self })
    }

    fn path(&self, number: u32) -> String {
        let start = written(self.start.plus_seconds(-WIDENED_SECS));
        let end = written(self.end.unwrap_or(self.now).plus_seconds(WIDENED_SECS));
        format!("/reports/transactions?page={number}&size={PAGE_SIZE}&startDate={start}&endDate={end}")
    }
}

/// Oldest first, each once: while pages are read, new purchases may push others onto the next one.
fn in_order(mut lines: Vec<StatementLine>) -> Vec<StatementLine> {
    let number = |line: &StatementLine| line.vendor_ref.parse::<u64>().unwrap_or(u64::MAX);
    lines.sort_by_key(|line| (line.at, number(line)));
    lines.dedup_by(|later, earlier| later.vendor_ref == earlier.vendor_ref);
    lines
}

/// An instant as the filters take it, `yyyy-MM-dd HH:mm:ss`, fit for an address.
fn written(instant: Timestamp) -> String {
    let text = instant.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day}%20{}", time.split('.').next().unwrap_or_default().replace(':', "%3A"))
}

fn failed(message: &str) -> Trouble {
    Trouble::Failed(message.to_owned())
}
