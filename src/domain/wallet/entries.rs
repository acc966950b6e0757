//! Reads of entries.
//!
//! What lives here: pages of entries and their numbers, of many wallets at once.
//! What is always true: entries number from 1 in a wallet without gaps, so that a page is a range of numbers, found by an index;
//! many wallets cost one statement.
//! What is not here: text for accounting (`statement.rs`); whose a wallet is: whoever asks has found it as its own.

use std::collections::HashMap;
use std::sync::Arc;

use entity::currency::Currency;
use entity::ids::{OrderId, PostingId, TransactionId, WalletId};
use entity::state::{Scope, TransactionKind};
use entity::timestamp::Timestamp;
use sea_orm::{DbErr, FromQueryResult, Value};
use serde::Serialize;

use crate::ctx::{Actor, Ctx};
use crate::problem::Problem;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{Page, PageRequest, Slice, json, rowset, statement};

/// An entry: a change of a wallet's available money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The id.
    pub id: PostingId,
    /// Its number in the wallet, from 1 without gaps.
    pub sequence: i64,
    /// What moved the money.
    pub kind: TransactionKind,
    /// The wallet's currency.
    pub currency: Currency,
    /// The change, in minor units, like the two below.
    pub amount: i64,
    /// What was available before.
    pub balance_before: i64,
    /// What was available after.
    pub balance_after: i64,
    /// The order that it belongs to.
    pub order: Option<OrderId>,
    /// The reference of the order or of the credit.
    pub reference: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// Entries of a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EntryRange {
    /// Entries at or after this instant.
    pub from: Option<Timestamp>,
    /// Entries before this instant.
    pub to: Option<Timestamp>,
}

impl EntryRange {
    fn bounds(self) -> [Value; 2] {
        let (from, to) = (self.from.map(Timestamp::micros), self.to.map(Timestamp::micros));
        [from.unwrap_or(i64::MIN).into(), to.unwrap_or(i64::MAX).into()]
    }
}

/// A page of a wallet's entries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntriesWanted {
    /// The wallet.
    pub wallet: WalletId,
    /// Entries of which time.
    pub range: EntryRange,
    /// Which page, newest first; the key is the sequence.
    pub page: PageRequest,
}

/// Which entries of a wallet, by sequence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Entries of which time.
    pub(super) range: EntryRange,
    /// Behind this sequence.
    pub(super) above: Option<i64>,
    /// Ahead of this sequence.
    pub(super) below: Option<i64>,
    /// From which end.
    pub(super) order: EntryOrder,
    /// How many of each wallet.
    pub(super) limit: u64,
}

/// From which end entries are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum EntryOrder {
    /// The latest first.
    NewestFirst,
    /// The earliest first.
    OldestFirst,
}

#[derive(FromQueryResult)]
struct EntryRow {
    wallet_id: WalletId,
    transaction_id: TransactionId,
    line: i32,
    wallet_sequence: i64,
    kind: TransactionKind,
    currency: Currency,
    amount: i64,
    balance_before: i64,
    balance_after: i64,
    order_id: Option<OrderId>,
    reference: Option<String>,
    created_at: Timestamp,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        Self {
            id: PostingId { transaction: row.transaction_id, line: row.line },
            sequence: row.wallet_sequence,
            kind: row.kind,
            currency: row.currency,
            amount: row.amount,
            balance_before: row.balance_before,
            balance_after: row.balance_after,
            order: row.order_id,
            reference: row.reference,
            created_at: row.created_at,
        }
    }
}

const COLUMNS: &str = "p.wallet_id, p.transaction_id, p.line, p.wallet_sequence, t.kind, p.currency, p.amount,
    p.balance_before, p.balance_after, t.order_id, coalesce(o.reference, t.reference) AS reference, p.created_at";
const SOURCES: &str =
    "JOIN ledger_transactions t ON t.id = p.transaction_id LEFT JOIN orders o ON o.id = t.order_id";

#[derive(Serialize)]
struct WalletRow {
    wallet_id: WalletId,
}

fn wallet_rows(wallets: &[WalletId]) -> Value {
    json(&wallets.iter().map(|wallet_id| WalletRow { wallet_id: *wallet_id }).collect::<Vec<_>>())
}

/// Entries of wallets, each wallet's in the span's order.
pub(super) async fn read_entries(
    ctx: &Ctx,
    wallets: &[WalletId],
    span: Span,
) -> Result<HashMap<WalletId, Vec<Entry>>, DbErr> {
    let reader = &ctx.database().reader;
    let backend = reader.get_database_backend();
    let (direction, opposite, behind) = match span.order {
        EntryOrder::NewestFirst => ("DESC", "ASC", "<"),
        EntryOrder::OldestFirst => ("ASC", "DESC", ">"),
    };
    let end = |direction: &str| {
        format!(
            "(SELECT p.wallet_sequence FROM postings p WHERE p.wallet_id = r.wallet_id AND p.wallet_sequence > $2
              AND p.wallet_sequence < $3 AND p.created_at >= $4 AND p.created_at < $5
              ORDER BY p.wallet_sequence {direction} LIMIT 1)"
        )
    };
    // From both ends of what is asked for, from entry to entry by their numbers (`+ 0`: and not by time, since the next one is
    // nearly always the very next). A join by wallet and a range of numbers looks to PostgreSQL like a large part of the ledger,
    // and it reads that: measured, 100 ms a page at 200,000 entries, where this takes one.
    let sql = format!(
        "WITH RECURSIVE page (wallet_id, wallet_sequence, last, n) AS (
            SELECT r.wallet_id, {}, {}, 1 FROM {} UNION ALL
            SELECT page.wallet_id, (SELECT p.wallet_sequence FROM postings p WHERE p.wallet_id = page.wallet_id
                AND p.wallet_sequence {behind} page.wallet_sequence
                AND p.created_at + 0 >= $4 AND p.created_at + 0 < $5 ORDER BY p.wallet_sequence {direction} LIMIT 1),
                page.last, page.n + 1 FROM page WHERE page.wallet_sequence <> page.last AND page.n < $6)
         SELECT {COLUMNS} FROM page JOIN postings p ON p.wallet_id = page.wallet_id
            AND p.wallet_sequence = page.wallet_sequence {SOURCES}
         ORDER BY p.wallet_id, p.wallet_sequence {direction}",
        end(direction),
        end(opposite),
        rowset(backend, 1, "r", &[("wallet_id", Text)]),
    );
    let [from, to] = span.range.bounds();
    let values = [
        wallet_rows(wallets),
        span.above.unwrap_or(0).into(),
        span.below.unwrap_or(i64::MAX).into(),
        from,
        to,
        i64::try_from(span.limit).unwrap_or(i64::MAX).into(),
    ];
    let mut found: HashMap<WalletId, Vec<Entry>> = HashMap::new();
    for row in EntryRow::find_by_statement(statement(backend, sql, values)).all(reader).await? {
        found.entry(row.wallet_id).or_default().push(row.into());
    }
    Ok(found)
}

/// Pages of wallets' entries, newest first. Those of one time and one page of each wallet cost one statement together.
///
/// # Errors
/// BAD_USER_INPUT for a cursor of another list.
pub async fn list_entries(
    ctx: &Ctx,
    wanted: Vec<EntriesWanted>,
) -> Result<HashMap<EntriesWanted, Arc<Page<Entry>>>, Problem> {
    let mut alike: HashMap<(EntryRange, PageRequest), Vec<WalletId>> = HashMap::new();
    for EntriesWanted { wallet, range, page } in wanted {
        alike.entry((range, page)).or_default().push(wallet);
    }
    let mut found = HashMap::new();
    for ((range, page), wallets) in alike {
        let mut entries = read_entries(ctx, &wallets, span_of(range, &page)?).await?;
        for wallet in wallets {
            let cut = page.cut(entries.remove(&wallet).unwrap_or_default());
            found.insert(EntriesWanted { wallet, range, page: page.clone() }, Arc::new(cut));
        }
    }
    Ok(found)
}

fn span_of(range: EntryRange, page: &PageRequest) -> Result<Span, Problem> {
    Ok(Span {
        range,
        // Newest first: what comes behind a cursor has a lower sequence.
        above: sequence_key("before", page.before.as_deref())?,
        below: sequence_key("after", page.after.as_deref())?,
        order: match page.slice {
            Slice::First => EntryOrder::NewestFirst,
            Slice::Last => EntryOrder::OldestFirst,
        },
        limit: u64::from(page.size).saturating_add(1),
    })
}

pub(super) fn sequence_key(argument: &str, key: Option<&str>) -> Result<Option<i64>, Problem> {
    let malformed = |_| Problem::bad_argument(argument, format!("`{argument}` is not a cursor of this list"));
    key.map(|key| key.parse().map_err(malformed)).transpose()
}

/// How many entries wallets have in a time. Those of one time cost one statement together.
///
/// # Errors
/// SERVICE_UNAVAILABLE when the database is away.
pub async fn count_entries(
    ctx: &Ctx,
    wanted: Vec<(WalletId, EntryRange)>,
) -> Result<HashMap<(WalletId, EntryRange), i64>, Problem> {
    #[derive(FromQueryResult)]
    struct Count {
        wallet_id: WalletId,
        n: i64,
    }
    let reader = &ctx.database().reader;
    let backend = reader.get_database_backend();
    let sql = format!(
        "SELECT p.wallet_id, count(*) AS n FROM {} JOIN postings p ON p.wallet_id = r.wallet_id
         WHERE p.wallet_sequence IS NOT NULL AND p.created_at >= $2 AND p.created_at < $3 GROUP BY p.wallet_id",
        rowset(backend, 1, "r", &[("wallet_id", Text)])
    );
    let mut alike: HashMap<EntryRange, Vec<WalletId>> = HashMap::new();
    for (wallet, range) in wanted {
        alike.entry(range).or_default().push(wallet);
    }
    let mut found = HashMap::new();
    for (range, wallets) in alike {
        let [from, to] = range.bounds();
        let count = statement(backend, sql.clone(), [wallet_rows(&wallets), from, to]);
        found.extend(wallets.iter().map(|wallet| ((*wallet, range), 0)));
        let counts = Count::find_by_statement(count).all(reader).await?;
        found.extend(counts.into_iter().map(|count| ((count.wallet_id, range), count.n)));
    }
    Ok(found)
}

/// Entries of the actor's wallets by id; another's, and lines of other accounts, read as none.
///
/// # Errors
/// FORBIDDEN without wallet:read.
pub async fn find_entries(ctx: &Ctx, ids: Vec<PostingId>) -> Result<HashMap<PostingId, Entry>, Problem> {
    #[derive(Serialize)]
    struct Row {
        transaction_id: TransactionId,
        line: i32,
    }
    let owner = match ctx.actor {
        Actor::System => None,
        _ => Some(ctx.require(Scope::WalletRead)?.partner.to_string()),
    };
    let reader = &ctx.database().reader;
    let backend = reader.get_database_backend();
    let rows: Vec<Row> =
        ids.into_iter().map(|id| Row { transaction_id: id.transaction, line: id.line }).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM {} JOIN postings p ON p.transaction_id = r.transaction_id AND p.line = r.line {SOURCES}
         WHERE p.wallet_sequence IS NOT NULL AND ($2 IS NULL OR p.partner_id = $2)",
        rowset(backend, 1, "r", &[("transaction_id", Text), ("line", Integer)])
    );
    let values = [json(&rows), Value::String(owner)];
    let found = EntryRow::find_by_statement(statement(backend, sql, values)).all(reader).await?;
    Ok(found.into_iter().map(Entry::from).map(|entry| (entry.id, entry)).collect())
}
