//! Wallets in the contract.
//!
//! What lives here: wallets, their entries and statements, and the fields that read them.
//! What is always true: balance, held and available of a wallet are of one moment, and a page of wallets costs one statement
//! for all three, and one for the pages of their entries.
//! What is not here: changes of wallets; orders debit them, operators credit them.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::state::TransactionKind;
use entity::wallets;

use super::enums::{StatementFormat, WalletEntryKind};
use super::loaders::load;
use super::orders::Order;
use super::request_loaders::Loaders;
use super::types::{BigInt, ConnectionParts, Count, CurrencyCode, DateTime, Money, connection, request};
use crate::ctx::Ctx;
use crate::domain::wallet::{self, EntriesWanted, Entry, EntryRange, Format, Funds, StatementRequest};
use crate::problem::Problem;
use crate::store::{Page, PageRequest, decode_cursor};

/// Prepaid money in one currency.
#[derive(Debug, Clone)]
pub struct Wallet(wallets::Model);

impl From<wallets::Model> for Wallet {
    fn from(model: wallets::Model) -> Self {
        Self(model)
    }
}

impl Wallet {
    async fn funds(&self, context: &Context<'_>) -> Result<Funds, Problem> {
        load(&Loaders::of(context).funds, self.0.id).await?.ok_or_else(Problem::not_found)
    }

    fn money(&self, minor: i64) -> Money {
        Money::from_minor(minor, self.0.currency)
    }
}

/// Prepaid money in one currency.
#[Object]
impl Wallet {
    /// The id, beginning with wal_.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The currency.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency)
    }

    /// All of it: available + held.
    async fn balance(&self, context: &Context<'_>) -> Result<Money, Problem> {
        let funds = self.funds(context).await?;
        Ok(self.money(funds.available.saturating_add(funds.held)))
    }

    /// What open units hold until they are delivered or refunded.
    async fn held(&self, context: &Context<'_>) -> Result<Money, Problem> {
        Ok(self.money(self.funds(context).await?.held))
    }

    /// What can be spent.
    async fn available(&self, context: &Context<'_>) -> Result<Money, Problem> {
        Ok(self.money(self.funds(context).await?.available))
    }

    /// The entries of the available money, newest first.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments, one each")]
    async fn entries(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Entries at or after this instant.")] from: Option<DateTime>,
        #[graphql(desc = "Entries before this instant.")] to: Option<DateTime>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither `first` nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End ahead of this cursor.")] before: Option<String>,
    ) -> Result<WalletEntryConnection, Problem> {
        let page = PageRequest::new(first, after.as_deref(), last, before.as_deref())?;
        let (loaders, wallet, range) = (Loaders::of(context), self.0.id, range(from, to));
        let found = load(&loaders.entries, EntriesWanted { wallet, range, page }).await?;
        let page = found.ok_or_else(|| Problem::internal("a page of entries was not read"))?;
        let count: Count = Box::new(move || {
            let loaders = Arc::clone(&loaders);
            Box::pin(async move { Ok(load(&loaders.entry_counts, (wallet, range)).await?.unwrap_or(0)) })
        });
        let page = Page::clone(&page);
        Ok(ConnectionParts::new(page, |entry| entry.sequence.to_string(), WalletEntry, count).into())
    }

    /// The same entries as text, oldest first, for accounting.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments, one each")]
    async fn statement(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The form of the text.", default_with = "StatementFormat::Csv")]
        format: StatementFormat,
        #[graphql(desc = "Entries at or after this instant.")] from: Option<DateTime>,
        #[graphql(desc = "Entries before this instant.")] to: Option<DateTime>,
        #[graphql(desc = "How many entries, 1 to 10,000.", default = 10000)] first: Option<i32>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
    ) -> Result<Statement, Problem> {
        let wanted = StatementRequest {
            format: match format {
                StatementFormat::Csv => Format::Csv,
                StatementFormat::JsonLines => Format::JsonLines,
            },
            range: range(from, to),
            first: first.unwrap_or(10_000),
            after: after.as_deref().map(|after| decode_cursor("after", after)).transpose()?,
        };
        let text = wallet::statement(request(context), self.0.id, &wanted).await?;
        Ok(Statement {
            format,
            content: text.content,
            entry_count: i32::try_from(text.entries).unwrap_or(i32::MAX),
            end_cursor: text.end_cursor,
            has_next_page: text.has_next,
        })
    }
}

fn range(from: Option<DateTime>, to: Option<DateTime>) -> EntryRange {
    EntryRange { from: from.map(|from| from.0), to: to.map(|to| to.0) }
}

connection! {
    /// A page of wallets.
    WalletConnection,
    /// One item of a page of wallets.
    WalletEdge,
    Wallet
}

/// One change of a wallet's available money. Entries are never changed or removed.
#[derive(Debug, Clone)]
pub struct WalletEntry(Entry);

impl From<Entry> for WalletEntry {
    fn from(entry: Entry) -> Self {
        Self(entry)
    }
}

/// One change of a wallet's available money. Entries are never changed or removed.
#[Object]
impl WalletEntry {
    /// The id, beginning with pst_.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its number in the wallet, from 1 without gaps.
    async fn sequence(&self) -> BigInt {
        BigInt(self.0.sequence)
    }

    /// What moved the money.
    async fn kind(&self) -> Result<WalletEntryKind, Problem> {
        Ok(match self.0.kind {
            TransactionKind::Credit => WalletEntryKind::Credit,
            TransactionKind::Sale => WalletEntryKind::Sale,
            TransactionKind::Hold => WalletEntryKind::Hold,
            TransactionKind::Release => WalletEntryKind::Release,
            TransactionKind::Refund => WalletEntryKind::Refund,
            TransactionKind::Adjustment => WalletEntryKind::Adjustment,
            kind @ (TransactionKind::Capture
            | TransactionKind::StockLoad
            | TransactionKind::Purchase
            | TransactionKind::Replacement) => {
                return Err(Problem::internal(format!("a {kind} changed a wallet's available money")));
            }
        })
    }

    /// The change: negative where money left.
    async fn amount(&self) -> Money {
        Money::from_minor(self.0.amount, self.0.currency)
    }

    /// What was available before.
    async fn balance_before(&self) -> Money {
        Money::from_minor(self.0.balance_before, self.0.currency)
    }

    /// What was available after.
    async fn balance_after(&self) -> Money {
        Money::from_minor(self.0.balance_after, self.0.currency)
    }

    /// The order that it belongs to; null if none.
    async fn order(&self, context: &Context<'_>) -> Option<Result<Order, Problem>> {
        let found = load(&Loaders::of(context).orders, self.0.order?).await;
        found.map(|order| order.map(Order::from)).transpose()
    }

    /// The reference of the order or of the credit.
    async fn reference(&self) -> Option<&str> {
        self.0.reference.as_deref()
    }

    /// When.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

connection! {
    /// A page of wallet entries.
    WalletEntryConnection,
    /// One item of a page of wallet entries.
    WalletEntryEdge,
    WalletEntry
}

/// A wallet's entries as text.
#[derive(SimpleObject)]
pub struct Statement {
    /// The form of the text.
    format: StatementFormat,
    /// The text.
    content: String,
    /// How many entries it has.
    entry_count: i32,
    /// The last entry's cursor; null if there is none.
    end_cursor: Option<String>,
    /// Whether entries follow.
    has_next_page: bool,
}

/// The wallet's reads.
#[derive(Debug, Default)]
pub struct WalletQuery;

#[Object]
impl WalletQuery {
    /// The wallets of the calling partner, by currency. Needs wallet:read.
    async fn wallets(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither `first` nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End ahead of this cursor.")] before: Option<String>,
    ) -> Option<Result<WalletConnection, Problem>> {
        let page = PageRequest::new(first, after.as_deref(), last, before.as_deref());
        Some(match page {
            Ok(page) => list(request(context), &page).await,
            Err(problem) => Err(problem),
        })
    }

    /// The calling partner's wallet in a currency; null if it holds none. Needs wallet:read.
    async fn wallet(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The wallet's currency.")] currency: CurrencyCode,
    ) -> Option<Result<Wallet, Problem>> {
        let found = wallet::find_wallet_by_currency(request(context), currency.0).await;
        found.map(|found| found.map(Wallet::from)).transpose()
    }
}

async fn list(ctx: &Ctx, page: &PageRequest) -> Result<WalletConnection, Problem> {
    let page = wallet::list_wallets(ctx, page).await?;
    let ctx = ctx.clone();
    let count: Count = Box::new(move || {
        let ctx = ctx.clone();
        Box::pin(async move { wallet::count_wallets(&ctx).await })
    });
    Ok(ConnectionParts::new(page, |wallet| wallet.currency.to_string(), Wallet, count).into())
}
