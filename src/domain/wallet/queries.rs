//! Reads of wallets.
//!
//! What lives here: pages of wallets, and what wallets hold, for many at once.
//! What is always true: a partner reads its own wallets with wallet:read, the operator any; available and held come from one
//! statement, so that their sum is a balance that the wallet had.
//! What is not here: entries (`entries.rs`).

use std::collections::HashMap;

use entity::currency::Currency;
use entity::ids::{PartnerId, WalletId};
use entity::state::Scope;
use entity::wallets::{Column, Model as Wallet};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Value,
};
use serde::Serialize;

use crate::ctx::{Actor, Ctx};
use crate::problem::Problem;
use crate::store::ColumnKind::Text;
use crate::store::{Page, PageRequest, Slice, json, rowset, statement};

/// Wallets of a page for the operator.
const WALLETS_A_PAGE: u64 = 1_000;

/// What a wallet has, in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Funds {
    /// What can be spent.
    pub available: i64,
    /// What open units hold.
    pub held: i64,
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

/// Those of these wallets that are the actor's.
///
/// # Errors
/// FORBIDDEN without wallet:read.
pub async fn find_wallets(ctx: &Ctx, wallets: Vec<WalletId>) -> Result<HashMap<WalletId, Wallet>, Problem> {
    let found = readable(ctx)?.filter(Column::Id.is_in(wallets)).all(&ctx.database().reader).await?;
    Ok(found.into_iter().map(|wallet| (wallet.id, wallet)).collect())
}

/// A page of every wallet, or of every one of a partner, for the operator: by partner and currency, those behind this one, none
/// behind the last.
///
/// # Errors
/// FORBIDDEN for anyone else; SERVICE_UNAVAILABLE when the database is away.
pub async fn list_all_wallets(
    ctx: &Ctx,
    partner: Option<PartnerId>,
    after: Option<&Wallet>,
) -> Result<Vec<Wallet>, Problem> {
    require_operator(ctx)?;
    let mut wallets = partner.map_or_else(entity::wallets::Entity::find, entity::wallets::owned_by);
    if let Some(after) = after {
        let later = Condition::all()
            .add(Column::PartnerId.eq(after.partner_id))
            .add(Column::Currency.gt(after.currency));
        wallets = wallets.filter(Condition::any().add(Column::PartnerId.gt(after.partner_id)).add(later));
    }
    let ordered = wallets.order_by_asc(Column::PartnerId).order_by_asc(Column::Currency);
    Ok(ordered.limit(WALLETS_A_PAGE).all(&ctx.database().reader).await?)
}

/// A partner's wallet in a currency, for the operator.
///
/// # Errors
/// FORBIDDEN for anyone else; SERVICE_UNAVAILABLE when the database is away.
pub async fn find_wallet_of(
    ctx: &Ctx,
    partner: PartnerId,
    currency: Currency,
) -> Result<Option<Wallet>, Problem> {
    require_operator(ctx)?;
    let wallets = entity::wallets::owned_by(partner).filter(Column::Currency.eq(currency));
    Ok(wallets.one(&ctx.database().reader).await?)
}

fn require_operator(ctx: &Ctx) -> Result<(), Problem> {
    if ctx.actor == Actor::System { Ok(()) } else { Err(Problem::forbidden("an operator")) }
}

/// What is held of the wallet `w`: the sum of its open units.
pub(super) const HELD: &str = "CAST(coalesce(
    (SELECT sum(u.price_minor) FROM orders o JOIN order_units u ON u.order_id = o.id
     WHERE o.wallet_id = w.id AND o.completed_at IS NULL
       AND u.status IN ('PENDING', 'AWAITING_VENDOR') AND u.funding = 'HOLD'), 0) AS BIGINT)";

/// What wallets have: those of the actor among them.
///
/// # Errors
/// FORBIDDEN without wallet:read.
pub async fn funds_of(ctx: &Ctx, wallets: Vec<WalletId>) -> Result<HashMap<WalletId, Funds>, Problem> {
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
        "SELECT w.id, w.available, {HELD} AS held
         FROM wallets w JOIN {} ON r.id = w.id WHERE $2 IS NULL OR w.partner_id = $2",
        rowset(backend, 1, "r", &[("id", Text)])
    );
    let values = [json(&rows), Value::String(owner)];
    let found = Found::find_by_statement(statement(backend, sql, values)).all(reader).await?;
    let funds = |row: Found| (row.id, Funds { available: row.available, held: row.held });
    Ok(found.into_iter().map(funds).collect())
}
