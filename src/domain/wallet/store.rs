//! Locks on wallets and postings in sets.
//!
//! What lives here: the statements by which money moves.
//! What is always true: wallet rows are locked in the order of their ids, before anything is decided about their money, and
//! updated once a batch; entries number from 1 without gaps and carry the balance before and after.
//! What is not here: which lines a movement has; commands and `model.rs` say that.

use std::collections::{BTreeMap, BTreeSet};

use entity::currency::Currency;
use entity::ids::{OrderId, PartnerId, TransactionId, WalletId};
use entity::state::{Account, TransactionKind};
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use serde::Serialize;

use crate::store::ColumnKind::{Integer, Text};
use crate::store::{ColumnKind, Rows, Transaction, expect_all, insert, json, rowset, statement};

/// A wallet whose row this transaction has locked.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct LockedWallet {
    /// The id.
    pub id: WalletId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// The currency.
    pub currency: Currency,
    /// What can be spent, in minor units.
    pub available: i64,
    /// The number of its last entry.
    pub sequence: i64,
}

/// A ledger transaction to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTransaction {
    /// The id.
    pub id: TransactionId,
    /// What it is.
    pub kind: TransactionKind,
    /// Whose money.
    pub partner: Option<PartnerId>,
    /// The order that it belongs to.
    pub order: Option<OrderId>,
    /// The reference that makes it happen once.
    pub reference: Option<String>,
    /// Why, in the operator's words.
    pub note: Option<String>,
    /// Its lines; those of one currency and scale sum to nought.
    pub lines: Vec<Line>,
}

/// A line of a ledger transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The account.
    pub account: Account,
    /// The wallet, for wallet accounts.
    pub wallet: Option<WalletId>,
    /// The currency.
    pub currency: Currency,
    /// Digits behind the point of `amount`.
    pub scale: u32,
    /// What the account gains; negative where it loses.
    pub amount: i64,
}

/// What a batch did to one wallet's available money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletChange {
    /// The transaction.
    pub transaction: TransactionId,
    /// What it is.
    pub kind: TransactionKind,
    /// Whose wallet.
    pub partner: PartnerId,
    /// The wallet.
    pub wallet: WalletId,
    /// Its currency.
    pub currency: Currency,
    /// The change, in minor units.
    pub amount: i64,
    /// What was available after, in minor units.
    pub available: i64,
    /// The entry's number in the wallet.
    pub sequence: i64,
}

/// Locks wallets, in the order of their ids.
///
/// # Errors
/// What the database says.
pub async fn lock(
    transaction: &Transaction,
    wallets: &[WalletId],
) -> Result<BTreeMap<WalletId, LockedWallet>, DbErr> {
    #[derive(Serialize)]
    struct Row {
        id: WalletId,
    }
    let rows: Vec<Row> = wallets.iter().map(|id| Row { id: *id }).collect();
    let which = format!(
        "WHERE w.id IN (SELECT r.id FROM {})",
        rowset(transaction.get_database_backend(), 1, "r", &[("id", Text)])
    );
    locked(transaction, &which, json(&rows)).await
}

/// Locks the wallets of owners and currencies, in the order of their ids.
///
/// # Errors
/// What the database says.
pub async fn lock_of(
    transaction: &Transaction,
    owners: &BTreeSet<(PartnerId, Currency)>,
) -> Result<BTreeMap<WalletId, LockedWallet>, DbErr> {
    #[derive(Serialize)]
    struct Row {
        partner_id: PartnerId,
        currency: Currency,
    }
    let rows: Vec<Row> = owners
        .iter()
        .map(|(partner_id, currency)| Row { partner_id: *partner_id, currency: *currency })
        .collect();
    let backend = transaction.get_database_backend();
    let which = format!(
        "JOIN {} ON w.partner_id = r.partner_id AND w.currency = r.currency",
        rowset(backend, 1, "r", &[("partner_id", Text), ("currency", Text)])
    );
    locked(transaction, &which, json(&rows)).await
}

async fn locked(
    transaction: &Transaction,
    which: &str,
    rows: Value,
) -> Result<BTreeMap<WalletId, LockedWallet>, DbErr> {
    let backend = transaction.get_database_backend();
    let lock = if backend == DbBackend::Postgres { " FOR NO KEY UPDATE OF w" } else { "" };
    let sql = format!(
        "SELECT w.id, w.partner_id, w.currency, w.available, w.sequence FROM wallets w {which} ORDER BY w.id{lock}"
    );
    let found = LockedWallet::find_by_statement(statement(backend, sql, [rows])).all(transaction).await?;
    Ok(found.into_iter().map(|wallet| (wallet.id, wallet)).collect())
}

/// Writes transactions with their postings, and the rows of others that belong to them, by one call of the database; brings the
/// locked wallets' rows up to date.
///
/// Tells each change of a wallet's available money, in the order of the transactions.
///
/// # Errors
/// What the database says, among it the constraint `wallets_available_not_negative`: whoever debits has to ask
/// `LockedWallet::available` first.
pub async fn post(
    transaction: &Transaction,
    now: Timestamp,
    wallets: &mut BTreeMap<WalletId, LockedWallet>,
    transactions: &[NewTransaction],
    mut beside: Vec<Rows>,
) -> Result<Vec<WalletChange>, DbErr> {
    let mut changes = Vec::new();
    let mut postings = Vec::new();
    for entry in transactions {
        check(entry, wallets)?;
        for (line, number) in entry.lines.iter().zip(1_i32..) {
            postings.push(posting(entry, *line, number, now, wallets, &mut changes)?);
        }
    }
    beside.extend([transaction_rows(now, transactions), posting_rows(&postings)]);
    insert(transaction, beside).await?;
    update_wallets(transaction, wallets, &changes).await?;
    Ok(changes)
}

/// Refuses lines that do not balance, or that touch a wallet which is not their owner's or not in their currency: whatever
/// command made them, wrong money is not written.
fn check(entry: &NewTransaction, wallets: &BTreeMap<WalletId, LockedWallet>) -> Result<(), DbErr> {
    let mut sums: BTreeMap<(Currency, u32), i128> = BTreeMap::new();
    for line in &entry.lines {
        *sums.entry((line.currency, line.scale)).or_default() += i128::from(line.amount);
        let is_own = |wallet: &LockedWallet| {
            wallet.currency == line.currency
                && wallet.currency.minor_units() == line.scale
                && Some(wallet.partner_id) == entry.partner
        };
        if line.wallet.is_some_and(|id| !wallets.get(&id).is_some_and(is_own)) {
            return Err(wrong(
                entry,
                "moves the money of a wallet that is not locked, not its partner's or of another currency",
            ));
        }
    }
    if sums.values().all(|sum| *sum == 0) { Ok(()) } else { Err(wrong(entry, "does not balance")) }
}

fn wrong(entry: &NewTransaction, what: &str) -> DbErr {
    DbErr::Custom(format!("{} {what}", entry.id))
}

#[derive(Serialize)]
struct PostingRow {
    transaction_id: TransactionId,
    line: i32,
    account: Account,
    wallet_id: Option<WalletId>,
    partner_id: Option<PartnerId>,
    currency: Currency,
    scale: u32,
    amount: i64,
    wallet_sequence: Option<i64>,
    balance_before: Option<i64>,
    balance_after: Option<i64>,
    created_at: i64,
}

fn posting(
    entry: &NewTransaction,
    line: Line,
    number: i32,
    now: Timestamp,
    wallets: &mut BTreeMap<WalletId, LockedWallet>,
    changes: &mut Vec<WalletChange>,
) -> Result<PostingRow, DbErr> {
    let mut row = PostingRow {
        transaction_id: entry.id,
        line: number,
        account: line.account,
        wallet_id: line.wallet,
        partner_id: line.wallet.and(entry.partner),
        currency: line.currency,
        scale: line.scale,
        amount: line.amount,
        wallet_sequence: None,
        balance_before: None,
        balance_after: None,
        created_at: now.micros(),
    };
    if line.account == Account::WalletAvailable {
        let wallet = line
            .wallet
            .and_then(|id| wallets.get_mut(&id))
            .ok_or_else(|| wrong(entry, "has a line without its wallet"))?;
        let before = wallet.available;
        wallet.available = before
            .checked_add(line.amount)
            .ok_or_else(|| wrong(entry, "would make a balance too large to be counted"))?;
        wallet.sequence += 1;
        row.wallet_sequence = Some(wallet.sequence);
        row.balance_before = Some(before);
        row.balance_after = Some(wallet.available);
        changes.push(WalletChange {
            transaction: entry.id,
            kind: entry.kind,
            partner: wallet.partner_id,
            wallet: wallet.id,
            currency: wallet.currency,
            amount: line.amount,
            available: wallet.available,
            sequence: wallet.sequence,
        });
    }
    Ok(row)
}

fn transaction_rows(now: Timestamp, transactions: &[NewTransaction]) -> Rows {
    #[derive(Serialize)]
    struct Row<'a> {
        id: TransactionId,
        kind: TransactionKind,
        partner_id: Option<PartnerId>,
        order_id: Option<OrderId>,
        reference: Option<&'a str>,
        note: Option<&'a str>,
        created_at: i64,
    }
    let rows: Vec<Row<'_>> = transactions
        .iter()
        .map(|entry| Row {
            id: entry.id,
            kind: entry.kind,
            partner_id: entry.partner,
            order_id: entry.order,
            reference: entry.reference.as_deref(),
            note: entry.note.as_deref(),
            created_at: now.micros(),
        })
        .collect();
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("id", Text),
        ("kind", Text),
        ("partner_id", Text),
        ("order_id", Text),
        ("reference", Text),
        ("note", Text),
        ("created_at", Integer),
    ];
    Rows::of("ledger_transactions", COLUMNS, &rows)
}

fn posting_rows(postings: &[PostingRow]) -> Rows {
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("transaction_id", Text),
        ("line", Integer),
        ("account", Text),
        ("wallet_id", Text),
        ("partner_id", Text),
        ("currency", Text),
        ("scale", Integer),
        ("amount", Integer),
        ("wallet_sequence", Integer),
        ("balance_before", Integer),
        ("balance_after", Integer),
        ("created_at", Integer),
    ];
    Rows::of("postings", COLUMNS, postings)
}

async fn update_wallets(
    transaction: &Transaction,
    wallets: &BTreeMap<WalletId, LockedWallet>,
    changes: &[WalletChange],
) -> Result<(), DbErr> {
    #[derive(Serialize)]
    struct Row {
        id: WalletId,
        available: i64,
        sequence: i64,
    }
    if changes.is_empty() {
        return Ok(());
    }
    let mut changed: Vec<WalletId> = changes.iter().map(|change| change.wallet).collect();
    changed.sort_unstable();
    changed.dedup();
    let rows: Vec<Row> = changed
        .into_iter()
        .filter_map(|id| wallets.get(&id))
        .map(|wallet| Row { id: wallet.id, available: wallet.available, sequence: wallet.sequence })
        .collect();
    let backend = transaction.get_database_backend();
    let columns = [("id", Text), ("available", Integer), ("sequence", Integer)];
    let sql = format!(
        "UPDATE wallets SET available = r.available, sequence = r.sequence FROM {} WHERE wallets.id = r.id",
        rowset(backend, 1, "r", &columns)
    );
    let changed = transaction.execute_raw(statement(backend, sql, [json(&rows)])).await?.rows_affected();
    expect_all(changed, rows.len(), "wallets")
}
