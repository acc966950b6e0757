//! Reads of wallets and their entries.
//!
//! What lives here: pages of wallets and entries, and what wallets hold, for many at once.
//! What is always true: a partner reads its own wallets with wallet:read, the operator any; available and held come from one
//! statement, so that their sum is a balance that the wallet had.
//! What is not here: text for accounting (`statement.rs`).

use std::collections::HashMap;

use entity::currency::Currency;
use entity::ids::{OrderId, PartnerId, PostingId, TransactionId, WalletId};
use entity::state::{Scope, TransactionKind};
use entity::timestamp::Timestamp;
use entity::wallets::{Column, Model as Wallet};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Value,
};
use serde::Serialize;

use crate::ctx::{Actor, Ctx};
use crate::problem::Problem;
use crate::store::ColumnKind::Text;
use crate::store::{Page, PageRequest, Slice, json, rowset, statement};

/// What a wallet has, in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Funds {
    /// What can be spent.
    pub available: i64,
    /// What open units hold.
    pub held: i64,
}

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EntryRange {
    /// Entries at or after this instant.
    pub from: Option<Timestamp>,
    /// Entries before this instant.
    pub to: Option<Timestamp>,
}

/// The wallets that the actor may read: its own, if it is a partner.
fn readable(ctx: &Ctx) -> Result<sea_orm::Select<entity::wallets::Entity>, Problem> {
    match ctx.actor {
        Actor::System => Ok(entity::wallets::Entity::find()),
        _ => Ok(entity::wallets::owned_by(ctx.require(Scope::WalletRead)?.partner)),
    }
}

/// A page of the calling partner's wallets, by currency; the key is the currency.
///
/// # Errors
/// FORBIDDEN without wallet:read; BAD_USER_INPUT for a cursor of another list.
pub async fn list_wallets(ctx: &Ctx, page: &PageRequest) -> Result<Page<Wallet>, Problem> {
    let mut wallets = readable(ctx)?;
    if let Some(after) = currency_key("after", page.after.as_deref())? {
        wallets = wallets.filter(Column::Currency.gt(after));
    }
    if let Some(before) = currency_key("before", page.before.as_deref())? {
        wallets = wallets.filter(Column::Currency.lt(before));
    }
    wallets = match page.slice {
        Slice::First => wallets.order_by_asc(Column::Currency),
        Slice::Last => wallets.order_by_desc(Column::Currency),
    };
    let limit = u64::from(page.size).saturating_add(1);
    Ok(page.cut(wallets.limit(limit).all(&ctx.database().reader).await?))
}

fn currency_key(argument: &str, key: Option<&str>) -> Result<Option<Currency>, Problem> {
    let malformed = |_| Problem::bad_argument(argument, format!("`{argument}` is not a cursor of this list"));
    key.map(|key| key.parse().map_err(malformed)).transpose()
}

/// How many wallets the calling partner has.
///
/// # Errors
/// FORBIDDEN without wallet:read.
pub async fn count_wallets(ctx: &Ctx) -> Result<i64, Problem> {
    let count = readable(ctx)?.count(&ctx.database().reader).await?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The calling partner's wallet in a currency.
///
/// # Errors
/// FORBIDDEN without wallet:read.
pub async fn find_wallet_by_currency(ctx: &Ctx, currency: Currency) -> Result<Option<Wallet>, Problem> {
    let found = readable(ctx)?.filter(Column::Currency.eq(currency)).one(&ctx.database().reader).await?;
    Ok(found)
}

/// A wallet of the actor; another's reads as none.
///
/// # Errors
/// FORBIDDEN without wallet:read.
pub async fn find_wallet(ctx: &Ctx, wallet: WalletId) -> Result<Option<Wallet>, Problem> {
    Ok(readable(ctx)?.filter(Column::Id.eq(wallet)).one(&ctx.database().reader).await?)
}

/// Those of these wallets that are the actor's, for a loader.
///
/// # Errors
/// FORBIDDEN without wallet:read.
pub async fn owned_wallets(ctx: Ctx, wallets: Vec<WalletId>) -> Result<HashMap<WalletId, Wallet>, Problem> {
    let found = readable(&ctx)?.filter(Column::Id.is_in(wallets)).all(&ctx.database().reader).await?;
    Ok(found.into_iter().map(|wallet| (wallet.id, wallet)).collect())
}

/// Every wallet, or every one of a partner, for the operator; by partner and currency.
///
/// # Errors
/// FORBIDDEN for anyone else; SERVICE_UNAVAILABLE when the database is away.
pub async fn list_all_wallets(ctx: &Ctx, partner: Option<PartnerId>) -> Result<Vec<Wallet>, Problem> {
    if ctx.actor != Actor::System {
        return Err(Problem::forbidden("an operator"));
    }
    let wallets = partner.map_or_else(entity::wallets::Entity::find, entity::wallets::owned_by);
    let ordered = wallets.order_by_asc(Column::PartnerId).order_by_asc(Column::Currency);
    Ok(ordered.all(&ctx.database().reader).await?)
}

/// What wallets have, for a loader: those of the actor among them.
///
/// # Errors
/// FORBIDDEN without wallet:read.
pub async fn funds_of(ctx: Ctx, wallets: Vec<WalletId>) -> Result<HashMap<WalletId, Funds>, Problem> {
    #[derive(Serialize)]
    struct Row {
        id: WalletId,
    }
    #[derive(FromQueryResult)]
    struct Found {
        id: WalletId,
        available: i64,
        held: i64,
    }
    let owner = match ctx.actor {
        Actor::System => None,
        _ => Some(ctx.require(Scope::WalletRead)?.partner.to_string()),
    };
    let reader = &ctx.database().reader;
    let backend = reader.get_database_backend();
    let rows: Vec<Row> = wallets.into_iter().map(|id| Row { id }).collect();
    let sql = format!(
        "SELECT w.id, w.available, CAST(coalesce(
            (SELECT sum(u.price_minor) FROM orders o JOIN order_units u ON u.order_id = o.id
             WHERE o.wallet_id = w.id AND o.completed_at IS NULL
               AND u.status IN ('PENDING', 'AWAITING_VENDOR') AND u.funding = 'HOLD'), 0) AS BIGINT) AS held
         FROM wallets w JOIN {} ON r.id = w.id WHERE $2 IS NULL OR w.partner_id = $2",
        rowset(backend, 1, "r", &[("id", Text)])
    );
    let values = [json(&rows), Value::String(owner)];
    let found = Found::find_by_statement(statement(backend, sql, values)).all(reader).await?;
    let funds = |row: Found| (row.id, Funds { available: row.available, held: row.held });
    Ok(found.into_iter().map(funds).collect())
}

#[derive(FromQueryResult)]
struct EntryRow {
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

const ENTRIES: &str = "SELECT p.transaction_id, p.line, p.wallet_sequence, t.kind, p.currency, p.amount,
        p.balance_before, p.balance_after, t.order_id, coalesce(o.reference, t.reference) AS reference,
        p.created_at
    FROM postings p JOIN ledger_transactions t ON t.id = p.transaction_id
    LEFT JOIN orders o ON o.id = t.order_id";

/// Which entries of a wallet, by sequence.
#[derive(Debug, Clone, Copy)]
pub(super) enum EntryOrder {
    /// The latest first.
    NewestFirst,
    /// The earliest first.
    OldestFirst,
}

/// Entries of a wallet whose sequences lie between two, both left out.
pub(super) async fn read_entries(
    ctx: &Ctx,
    wallet: WalletId,
    range: EntryRange,
    (above, below): (Option<i64>, Option<i64>),
    (order, limit): (EntryOrder, u64),
) -> Result<Vec<Entry>, DbErr> {
    let reader = &ctx.database().reader;
    let backend = reader.get_database_backend();
    let direction = match order {
        EntryOrder::NewestFirst => "DESC",
        EntryOrder::OldestFirst => "ASC",
    };
    let sql = format!(
        "{ENTRIES} WHERE p.wallet_id = $1 AND p.wallet_sequence > $2 AND p.wallet_sequence < $3
            AND p.created_at >= $4 AND p.created_at < $5
         ORDER BY p.wallet_sequence {direction} LIMIT $6"
    );
    let (from, to) = bounds(range);
    let values: [Value; 6] = [
        wallet.to_string().into(),
        above.unwrap_or(0).into(),
        below.unwrap_or(i64::MAX).into(),
        from.into(),
        to.into(),
        i64::try_from(limit).unwrap_or(i64::MAX).into(),
    ];
    let rows = EntryRow::find_by_statement(statement(backend, sql, values)).all(reader).await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

fn bounds(range: EntryRange) -> (i64, i64) {
    (range.from.map_or(i64::MIN, Timestamp::micros), range.to.map_or(i64::MAX, Timestamp::micros))
}

/// A page of a wallet's entries, newest first; the key is the sequence. Whoever asks has found the wallet as its own.
///
/// # Errors
/// BAD_USER_INPUT for a cursor of another list.
pub async fn list_entries(
    ctx: &Ctx,
    wallet: WalletId,
    range: EntryRange,
    page: &PageRequest,
) -> Result<Page<Entry>, Problem> {
    // Newest first: what comes behind a cursor has a lower sequence.
    let below = sequence_key("after", page.after.as_deref())?;
    let above = sequence_key("before", page.before.as_deref())?;
    let order = match page.slice {
        Slice::First => EntryOrder::NewestFirst,
        Slice::Last => EntryOrder::OldestFirst,
    };
    let limit = u64::from(page.size).saturating_add(1);
    Ok(page.cut(read_entries(ctx, wallet, range, (above, below), (order, limit)).await?))
}

pub(super) fn sequence_key(argument: &str, key: Option<&str>) -> Result<Option<i64>, Problem> {
    let malformed = |_| Problem::bad_argument(argument, format!("`{argument}` is not a cursor of this list"));
    key.map(|key| key.parse().map_err(malformed)).transpose()
}

/// How many entries a wallet has in a time.
///
/// # Errors
/// SERVICE_UNAVAILABLE when the database is away.
pub async fn count_entries(ctx: &Ctx, wallet: WalletId, range: EntryRange) -> Result<i64, Problem> {
    use entity::postings::{Column, Entity};
    let (from, to) = bounds(range);
    let count = Entity::find()
        .filter(Column::WalletId.eq(wallet))
        .filter(Column::WalletSequence.is_not_null())
        .filter(Column::CreatedAt.gte(from))
        .filter(Column::CreatedAt.lt(to))
        .count(&ctx.database().reader)
        .await?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

/// An entry of one of the actor's wallets; another's, and a line of another account, read as none.
///
/// # Errors
/// FORBIDDEN without wallet:read.
pub async fn find_entry(ctx: &Ctx, entry: PostingId) -> Result<Option<Entry>, Problem> {
    let owner = match ctx.actor {
        Actor::System => None,
        _ => Some(ctx.require(Scope::WalletRead)?.partner.to_string()),
    };
    let reader = &ctx.database().reader;
    let backend = reader.get_database_backend();
    let sql = format!(
        "{ENTRIES} WHERE p.transaction_id = $1 AND p.line = $2 AND p.wallet_sequence IS NOT NULL
            AND ($3 IS NULL OR p.partner_id = $3)"
    );
    let values = [entry.transaction.to_string().into(), entry.line.into(), Value::String(owner)];
    let found = EntryRow::find_by_statement(statement(backend, sql, values)).one(reader).await?;
    Ok(found.map(Entry::from))
}
