//! Money paid in.
//!
//! What lives here: the command that credits a wallet, once for each reference.
//! What is always true: a repeated reference answers what the first call did, or is refused if it says something else; the
//! wallet is opened at its first credit; entry, audit and event commit together.
//! What is not here: money that orders move.

use std::collections::BTreeMap;

use entity::currency::Currency;
use entity::ids::{EventId, PartnerId, TransactionId, WalletId};
use entity::money::Money;
use entity::state::{Account, TransactionKind};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter};
use serde_json::json;

use super::queries::HELD;
use super::store::{Line, LockedWallet, NewTransaction, lock, post};
use crate::ctx::{Actor, Ctx};
use crate::domain::audit::{self, Entry};
use crate::domain::events::{self, NewEvent, Subject, WalletFacts};
use crate::problem::{ErrorCode, Failure, Problem, Refusal};
use crate::store::{Transaction, statement, write};

/// How many characters a reference may have.
const LONGEST_REFERENCE: usize = 64;
/// How many characters a note may have.
const LONGEST_NOTE: usize = 500;

/// Credit a wallet.
#[derive(Debug, Clone)]
pub struct CreditWallet {
    /// Whose wallet.
    pub partner: PartnerId,
    /// How much, in the wallet's currency; above nought.
    pub amount: Money,
    /// What makes it happen once: unique among the partner's credits.
    pub reference: String,
    /// Why, in the operator's words.
    pub note: Option<String>,
}

/// A credit that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credited {
    /// The wallet.
    pub wallet: WalletId,
    /// The ledger transaction.
    pub transaction: TransactionId,
    /// What was available after it.
    pub available: Money,
    /// Whether an earlier call had done it.
    pub replayed: bool,
}

/// Why a wallet is not credited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditRefusal {
    /// There is no such partner.
    PartnerNotFound,
    /// The amount is nought or less.
    AmountNotPositive,
    /// The reference is empty, longer than 64 characters, or not printable.
    InvalidReference,
    /// The note is longer than 500 characters.
    InvalidNote,
    /// Wallets cannot be held in the currency.
    CurrencyNotSupported(Currency),
    /// The reference belongs to another credit.
    ReferenceUsed {
        /// The ledger transaction that has it.
        transaction: TransactionId,
        /// What that one credited.
        amount: Money,
    },
    /// The wallet would hold more than can be counted.
    TooMuch,
}

impl Refusal for CreditRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::PartnerNotFound => ErrorCode::NotFound,
            Self::CurrencyNotSupported(_) => ErrorCode::CurrencyNotSupported,
            Self::ReferenceUsed { .. } => ErrorCode::IdempotencyMismatch,
            Self::AmountNotPositive | Self::InvalidReference | Self::InvalidNote | Self::TooMuch => {
                ErrorCode::InvalidInput
            }
        }
    }

    fn message(&self) -> String {
        match self {
            Self::PartnerNotFound => "there is no such partner".to_owned(),
            Self::AmountNotPositive => "the amount must be above nought".to_owned(),
            Self::InvalidReference => {
                format!("the reference must have 1 to {LONGEST_REFERENCE} printable characters")
            }
            Self::InvalidNote => format!("the note may have {LONGEST_NOTE} characters at most"),
            Self::CurrencyNotSupported(currency) => format!("wallets cannot be held in {currency}"),
            Self::ReferenceUsed { transaction, amount } => {
                format!("the reference belongs to {transaction}, which credited {amount}")
            }
            Self::TooMuch => "the wallet would hold more than can be counted".to_owned(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        let field = match self {
            Self::PartnerNotFound => "partner",
            Self::AmountNotPositive | Self::TooMuch => "amount",
            Self::InvalidReference | Self::ReferenceUsed { .. } => "reference",
            Self::InvalidNote => "note",
            Self::CurrencyNotSupported(_) => "currency",
        };
        Some(vec![field.to_owned()])
    }
}

/// Credits a wallet, once for each reference.
///
/// # Errors
/// See `CreditRefusal`; FORBIDDEN for anyone but the operator.
pub async fn credit(ctx: &Ctx, command: CreditWallet) -> Result<Credited, Failure<CreditRefusal>> {
    if !matches!(ctx.actor, Actor::System | Actor::Admin(_)) {
        return Err(Problem::forbidden("an operator").into());
    }
    check(&command)?;
    let task = ctx.clone();
    write(&ctx.deps, move |transaction| {
        let (ctx, command) = (task.clone(), command.clone());
        Box::pin(async move { credit_once(&ctx, transaction, &command).await })
    })
    .await
}

fn check(command: &CreditWallet) -> Result<(), Failure<CreditRefusal>> {
    let printable = |text: &str| !text.chars().any(char::is_control);
    let reference = &command.reference;
    let length = reference.chars().count();
    let refusal = if command.amount.minor <= 0 {
        CreditRefusal::AmountNotPositive
    } else if !(1..=LONGEST_REFERENCE).contains(&length) || !printable(reference) {
        CreditRefusal::InvalidReference
    } else if command.note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        CreditRefusal::InvalidNote
    } else {
        return Ok(());
    };
    Err(Failure::Refused(refusal))
}

async fn credit_once(
    ctx: &Ctx,
    transaction: &Transaction,
    command: &CreditWallet,
) -> Result<Credited, Failure<CreditRefusal>> {
    lock_partner(transaction, command.partner).await?;
    if let Some(done) = find_credit(transaction, command).await? {
        return done.map_err(Failure::Refused);
    }
    let currency = command.amount.currency;
    let known = entity::currencies::Entity::find_by_id(currency).one(transaction).await?;
    if !known.is_some_and(|known| known.settlement) {
        return Err(Failure::Refused(CreditRefusal::CurrencyNotSupported(currency)));
    }
    let wallet = open_wallet(ctx, transaction, command.partner, currency).await?;
    let mut locked = lock(transaction, &[wallet]).await?;
    let available = locked.get(&wallet).map_or(0, |wallet| wallet.available);
    // What is held may come back.
    let held = held_of(transaction, wallet).await?;
    if available.checked_add(held).and_then(|sum| sum.checked_add(command.amount.minor)).is_none() {
        return Err(Failure::Refused(CreditRefusal::TooMuch));
    }
    pay_in(ctx, transaction, (wallet, &mut locked), command).await
}

/// What is held of a locked wallet, in minor units.
///
/// # Errors
/// What the database says.
pub async fn held_of(transaction: &Transaction, wallet: WalletId) -> Result<i64, sea_orm::DbErr> {
    let sql = format!("SELECT {HELD} AS held FROM wallets w WHERE w.id = $1");
    let held = statement(transaction.get_database_backend(), sql, [wallet.to_string().into()]);
    let row = transaction.query_one_raw(held).await?;
    row.ok_or_else(|| sea_orm::DbErr::RecordNotFound(wallet.to_string()))?.try_get("", "held")
}

async fn lock_partner(transaction: &Transaction, partner: PartnerId) -> Result<(), Failure<CreditRefusal>> {
    let found = lock_owner(transaction, partner).await?;
    found.then_some(()).ok_or(Failure::Refused(CreditRefusal::PartnerNotFound))
}

/// One payment into a partner's wallets at a time: two calls with one reference must not both find it unused. Orders go on
/// beside it. Tells whether there is such a partner.
///
/// # Errors
/// What the database says.
pub async fn lock_owner(transaction: &Transaction, partner: PartnerId) -> Result<bool, sea_orm::DbErr> {
    let backend = transaction.get_database_backend();
    let lock = if backend == DbBackend::Postgres { " FOR NO KEY UPDATE" } else { "" };
    let sql = format!("SELECT id FROM partners WHERE id = $1{lock}");
    let found = transaction.query_one_raw(statement(backend, sql, [partner.to_string().into()])).await?;
    Ok(found.is_some())
}

/// The credit that has the reference already: done, if it is the same.
async fn find_credit(
    transaction: &Transaction,
    command: &CreditWallet,
) -> Result<Option<Result<Credited, CreditRefusal>>, sea_orm::DbErr> {
    use entity::ledger_transactions::{Column, Entity};
    use entity::postings;
    let found = Entity::find()
        .filter(Column::PartnerId.eq(command.partner))
        .filter(Column::Kind.eq(TransactionKind::Credit))
        .filter(Column::Reference.eq(&command.reference))
        .one(transaction)
        .await?;
    let Some(found) = found else { return Ok(None) };
    let entry = postings::Entity::find()
        .filter(postings::Column::TransactionId.eq(found.id))
        .filter(postings::Column::Account.eq(Account::WalletAvailable))
        .one(transaction)
        .await?;
    let broken = || sea_orm::DbErr::Custom(format!("the credit {} has no entry in a wallet", found.id));
    let entry = entry.ok_or_else(broken)?;
    let amount = Money::from_minor(entry.amount, entry.currency);
    if amount != command.amount {
        return Ok(Some(Err(CreditRefusal::ReferenceUsed { transaction: found.id, amount })));
    }
    let (Some(wallet), Some(after)) = (entry.wallet_id, entry.balance_after) else { return Err(broken()) };
    Ok(Some(Ok(Credited {
        wallet,
        transaction: found.id,
        available: Money::from_minor(after, entry.currency),
        replayed: true,
    })))
}

/// The partner's wallet in a currency, opened if there is none.
async fn open_wallet(
    ctx: &Ctx,
    transaction: &Transaction,
    partner: PartnerId,
    currency: Currency,
) -> Result<WalletId, sea_orm::DbErr> {
    use entity::wallets::{Column, Model};
    // The partner's row is locked, so that nobody opens the same wallet meanwhile.
    let found =
        entity::wallets::owned_by(partner).filter(Column::Currency.eq(currency)).one(transaction).await?;
    if let Some(wallet) = found {
        return Ok(wallet.id);
    }
    let id = WalletId::from_uuid(ctx.uuid());
    let wallet = Model { id, partner_id: partner, currency, available: 0, sequence: 0, created_at: ctx.now };
    let row: entity::wallets::ActiveModel = wallet.into();
    entity::wallets::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(id)
}

async fn pay_in(
    ctx: &Ctx,
    transaction: &Transaction,
    (wallet, locked): (WalletId, &mut BTreeMap<WalletId, LockedWallet>),
    command: &CreditWallet,
) -> Result<Credited, Failure<CreditRefusal>> {
    let Money { minor, currency } = command.amount;
    let id = TransactionId::from_uuid(ctx.uuid());
    let line =
        |account, wallet, amount| Line { account, wallet, currency, scale: currency.minor_units(), amount };
    let entry = NewTransaction {
        id,
        kind: TransactionKind::Credit,
        partner: Some(command.partner),
        order: None,
        reference: Some(command.reference.clone()),
        note: command.note.clone(),
        lines: vec![
            line(Account::WalletAvailable, Some(wallet), minor),
            line(Account::Funding, None, -minor),
        ],
    };
    let detail = json!({
        "transaction": id, "amount": command.amount.amount(), "currency": currency, "reference": command.reference,
    });
    let audited = Entry::new(ctx, "wallet.credited", wallet, &detail).about(command.partner);
    let changes = post(transaction, ctx.now, locked, &[entry], vec![audit::rows(&[audited])]).await?;
    let change = changes.first().ok_or_else(|| Problem::internal("a credit changed no wallet"))?;
    let facts = WalletFacts {
        currency,
        amount_minor: minor,
        available_minor: change.available,
        first_entry: change.sequence,
        last_entry: change.sequence,
    };
    let event = NewEvent {
        id: EventId::from_uuid(ctx.uuid()),
        partner: command.partner,
        kind: "wallet.credited",
        subject: Subject::Wallet { id: wallet, facts },
    };
    events::record(transaction, ctx.now, vec![event]).await?;
    let available = Money::from_minor(change.available, currency);
    Ok(Credited { wallet, transaction: id, available, replayed: false })
}
