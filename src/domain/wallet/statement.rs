//! Entries as text, for accounting.
//!
//! What lives here: CSV (RFC 4180) and JSON lines of a wallet's entries, oldest first.
//! What is always true: amounts are the ledger's to the last digit; a text that a spreadsheet would run as a formula is
//! disarmed with a leading apostrophe; a caller holds one page in memory, never the whole.
//! What is not here: which entries there are (`entries.rs`).

use csv::{QuoteStyle, Terminator, WriterBuilder};
use entity::ids::WalletId;
use entity::money::Money;
use serde_json::json;

use super::entries::{Entry, EntryOrder, EntryRange, Span, read_entries, sequence_key};
use super::queries::find_wallets;
use crate::ctx::Ctx;
use crate::problem::Problem;
use crate::store::encode_cursor;

/// How many entries one statement of the API has at most.
const LARGEST: i32 = 10_000;
/// The columns of the CSV, which are the keys of the JSON.
const COLUMNS: [&str; 10] = [
    "sequence",
    "created_at",
    "kind",
    "amount",
    "balance_before",
    "balance_after",
    "currency",
    "reference",
    "order_id",
    "id",
];

/// The form of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// Which entries, and how.
#[derive(Debug, Clone)]
pub struct StatementRequest {
    /// The form.
    pub format: Format,
    /// Entries of which time.
    pub range: EntryRange,
    /// How many, 1 to 10,000.
    pub first: i32,
    /// Only entries behind the one with this key.
    pub after: Option<String>,
}

/// Entries as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The text.
    pub content: String,
    /// How many entries it has.
    pub entries: usize,
    /// The last entry's cursor.
    pub end_cursor: Option<String>,
    /// Whether entries follow.
    pub has_next: bool,
}

/// A statement of a wallet that the caller has found as its own.
///
/// # Errors
/// BAD_USER_INPUT for a size outside 1 to 10,000 or a cursor of another list.
pub async fn statement(
    ctx: &Ctx,
    wallet: WalletId,
    request: &StatementRequest,
) -> Result<Statement, Problem> {
    let size = u64::try_from(request.first).ok().filter(|_| (1..=LARGEST).contains(&request.first));
    let size =
        size.ok_or_else(|| Problem::bad_argument("first", format!("`first` must be 1 to {LARGEST}")))?;
    let above = sequence_key("after", request.after.as_deref())?;
    let mut entries = read_oldest(ctx, wallet, request.range, above, size.saturating_add(1)).await?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let has_next = entries.len() > size;
    entries.truncate(size);
    let mut content = StatementText::header(request.format);
    content.push_str(&StatementText::lines(request.format, &entries)?);
    Ok(Statement {
        content,
        entries: entries.len(),
        end_cursor: entries.last().map(|last| encode_cursor(&last.sequence.to_string())),
        has_next,
    })
}

async fn read_oldest(
    ctx: &Ctx,
    wallet: WalletId,
    range: EntryRange,
    above: Option<i64>,
    limit: u64,
) -> Result<Vec<Entry>, Problem> {
    let span = Span { range, above, below: None, order: EntryOrder::OldestFirst, limit };
    Ok(read_entries(ctx, &[wallet], span).await?.remove(&wallet).unwrap_or_default())
}

/// The text of some entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// The text.
    pub content: String,
    /// How many entries it has.
    pub entries: usize,
}

/// Entries of a statement, page by page: how a command writes a statement of any length.
#[derive(Debug)]
pub struct StatementText {
    wallet: WalletId,
    format: Format,
    range: EntryRange,
    behind: Option<i64>,
}

/// A statement of a wallet of the actor, to be read page by page.
///
/// # Errors
/// NOT_FOUND for a wallet that is not there or not the actor's.
pub async fn statement_of(
    ctx: &Ctx,
    wallet: WalletId,
    format: Format,
    range: EntryRange,
) -> Result<StatementText, Problem> {
    if find_wallets(ctx, vec![wallet]).await?.is_empty() {
        return Err(Problem::not_found());
    }
    Ok(StatementText { wallet, format, range, behind: None })
}

impl StatementText {
    /// The text before the first entry.
    pub fn header(format: Format) -> String {
        match format {
            Format::Csv => format!("{}\r\n", COLUMNS.join(",")),
            Format::JsonLines => String::new(),
        }
    }

    /// The next entries, at most 1,000; `None` behind the last.
    ///
    /// # Errors
    /// SERVICE_UNAVAILABLE when the database is away.
    pub async fn next(&mut self, ctx: &Ctx) -> Result<Option<Lines>, Problem> {
        let entries = read_oldest(ctx, self.wallet, self.range, self.behind, 1_000).await?;
        let Some(last) = entries.last() else { return Ok(None) };
        self.behind = Some(last.sequence);
        Ok(Some(Lines { content: Self::lines(self.format, &entries)?, entries: entries.len() }))
    }

    fn lines(format: Format, entries: &[Entry]) -> Result<String, Problem> {
        match format {
            Format::Csv => csv_lines(entries).map_err(Problem::internal),
            Format::JsonLines => Ok(entries.iter().map(json_line).collect()),
        }
    }
}

fn csv_lines(entries: &[Entry]) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut writer = WriterBuilder::new()
        .has_headers(false)
        .terminator(Terminator::CRLF)
        .quote_style(QuoteStyle::Necessary)
        .from_writer(Vec::new());
    for entry in entries {
        let money = |minor| Money::from_minor(minor, entry.currency).amount();
        writer.write_record([
            entry.sequence.to_string(),
            entry.created_at.to_string(),
            entry.kind.to_string(),
            money(entry.amount),
            money(entry.balance_before),
            money(entry.balance_after),
            entry.currency.to_string(),
            disarmed(entry.reference.as_deref().unwrap_or_default()),
            entry.order.map(|order| order.to_string()).unwrap_or_default(),
            entry.id.to_string(),
        ])?;
    }
    Ok(String::from_utf8(writer.into_inner().map_err(|error| error.to_string())?)?)
}

/// A partner chooses its references; one that begins like a formula would run in its accountant's spreadsheet.
fn disarmed(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

fn json_line(entry: &Entry) -> String {
    let money = |minor| Money::from_minor(minor, entry.currency).amount();
    let line = json!({
        "sequence": entry.sequence,
        "created_at": entry.created_at,
        "kind": entry.kind,
        "amount": money(entry.amount),
        "balance_before": money(entry.balance_before),
        "balance_after": money(entry.balance_after),
        "currency": entry.currency,
        "reference": entry.reference,
        "order_id": entry.order,
        "id": entry.id.to_string(),
    });
    format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_looks_like_a_formula_is_disarmed_and_an_amount_is_not_touched() {
        assert_eq!(disarmed("=1+1"), "'=1+1");
        assert_eq!(disarmed("@x"), "'@x");
        assert_eq!(disarmed("ord-1"), "ord-1");
    }
}
