//! Reading orders.
//!
//! What lives here: orders by id, by reference, in pages; their units, history and codes in batches.
//! What is always true: a partner's read begins at `owned_by`; what is not the caller's reads as missing; codes are read
//! together with the audit row that says so.
//! What is not here: opening codes; that is the vault.

use std::collections::HashMap;
use std::sync::Arc;

use entity::ids::{ChargeId, OrderId, PartnerId, UnitId};
use entity::state::{OrderStatus, Scope, VoucherState};
use entity::timestamp::Timestamp;
use entity::{order_transitions, order_units, orders, vouchers};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde_json::json;

use super::cancel::OrderName;
use crate::ctx::Ctx;
use crate::domain::audit;
use crate::problem::Problem;
use crate::store::{self, Page, PageRequest, Slice};

/// Which orders are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// In one of these states.
    pub status: Option<Vec<OrderStatus>>,
    /// For this product.
    pub product_id: Option<String>,
    /// Placed at or after this instant.
    pub created_since: Option<Timestamp>,
    /// Placed before this instant.
    pub created_before: Option<Timestamp>,
}

/// An order, whoever's it is: for the code that has just written it.
///
/// # Errors
/// What the database says; NOT_FOUND.
pub async fn get(ctx: &Ctx, id: OrderId) -> Result<orders::Model, Problem> {
    orders::Entity::find_by_id(id).one(&ctx.database().reader).await?.ok_or_else(Problem::not_found)
}

/// A partner's order by its name; `None` for a malformed id.
///
/// # Errors
/// What the database says.
pub async fn find_by_name(
    ctx: &Ctx,
    partner: PartnerId,
    name: &OrderName,
) -> Result<Option<orders::Model>, Problem> {
    let owned = orders::owned_by(partner);
    let named = match name {
        OrderName::Id(id) => match id.parse::<OrderId>() {
            Ok(id) => owned.filter(orders::Column::Id.eq(id)),
            Err(_) => return Ok(None),
        },
        OrderName::Reference(reference) => owned.filter(orders::Column::Reference.eq(reference.as_str())),
    };
    Ok(named.one(&ctx.database().reader).await?)
}

/// The calling partner's orders by id.
///
/// # Errors
/// FORBIDDEN without orders:read; what the database says.
pub async fn find_many(
    ctx: &Ctx,
    ids: Vec<OrderId>,
) -> Result<HashMap<OrderId, Arc<orders::Model>>, Problem> {
    let actor = ctx.require(Scope::OrdersRead)?;
    let found = orders::owned_by(actor.partner)
        .filter(orders::Column::Id.is_in(ids))
        .all(&ctx.database().reader)
        .await?;
    Ok(found.into_iter().map(|order| (order.id, Arc::new(order))).collect())
}

/// The calling partner's orders by the charges that they were placed with.
///
/// # Errors
/// FORBIDDEN without orders:read; what the database says.
pub async fn find_by_charges(
    ctx: &Ctx,
    charges: Vec<ChargeId>,
) -> Result<HashMap<ChargeId, Arc<orders::Model>>, Problem> {
    let actor = ctx.require(Scope::OrdersRead)?;
    let found = orders::owned_by(actor.partner)
        .filter(orders::Column::ChargeId.is_in(charges))
        .all(&ctx.database().reader)
        .await?;
    Ok(found.into_iter().filter_map(|order| Some((order.charge_id?, Arc::new(order)))).collect())
}

fn filtered(partner: PartnerId, filter: &OrderFilter) -> Select<orders::Entity> {
    let mut select = orders::owned_by(partner);
    if let Some(status) = &filter.status {
        select = select.filter(orders::Column::Status.is_in(status.iter().copied()));
    }
    if let Some(product) = &filter.product_id {
        select = select.filter(orders::Column::ProductId.eq(product.as_str()));
    }
    if let Some(since) = filter.created_since {
        select = select.filter(orders::Column::CreatedAt.gte(since));
    }
    if let Some(before) = filter.created_before {
        select = select.filter(orders::Column::CreatedAt.lt(before));
    }
    select
}

/// A page of the calling partner's orders, newest first.
///
/// # Errors
/// FORBIDDEN without orders:read; a malformed cursor; what the database says.
pub async fn list(
    ctx: &Ctx,
    filter: &OrderFilter,
    page: &PageRequest,
) -> Result<Page<orders::Model>, Problem> {
    let actor = ctx.require(Scope::OrdersRead)?;
    let key = |argument: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => match text.parse::<OrderId>() {
            Ok(id) => Ok(Some(id)),
            Err(_) => {
                Err(Problem::bad_argument(argument, format!("`{argument}` is not a cursor of this list")))
            }
        },
    };
    let mut select = filtered(actor.partner, filter);
    if let Some(after) = key("after", &page.after)? {
        select = select.filter(orders::Column::Id.lt(after));
    }
    if let Some(before) = key("before", &page.before)? {
        select = select.filter(orders::Column::Id.gt(before));
    }
    select = match page.slice {
        Slice::First => select.order_by_desc(orders::Column::Id),
        Slice::Last => select.order_by_asc(orders::Column::Id),
    };
    let rows = select.limit(u64::from(page.size) + 1).all(&ctx.database().reader).await?;
    Ok(page.cut(rows))
}

/// How many orders a filter lets through.
///
/// # Errors
/// FORBIDDEN without orders:read; what the database says.
pub async fn count(ctx: &Ctx, filter: &OrderFilter) -> Result<i64, Problem> {
    let actor = ctx.require(Scope::OrdersRead)?;
    let count = filtered(actor.partner, filter).count(&ctx.database().reader).await?;
    i64::try_from(count).map_err(Problem::internal)
}

/// The units of orders, by index.
///
/// # Errors
/// What the database says.
pub async fn find_units(
    ctx: &Ctx,
    ids: Vec<OrderId>,
) -> Result<HashMap<OrderId, Arc<Vec<order_units::Model>>>, Problem> {
    let actor = ctx.partner()?;
    let rows = order_units::owned_by(actor.partner)
        .filter(order_units::Column::OrderId.is_in(ids))
        .order_by_asc(order_units::Column::OrderId)
        .order_by_asc(order_units::Column::UnitIndex)
        .all(&ctx.database().reader)
        .await?;
    Ok(grouped(rows, |unit| unit.order_id))
}

/// A unit of the calling partner's.
///
/// # Errors
/// FORBIDDEN without orders:read; what the database says.
pub async fn find_unit(ctx: &Ctx, id: UnitId) -> Result<Option<order_units::Model>, Problem> {
    let actor = ctx.require(Scope::OrdersRead)?;
    let unit = order_units::owned_by(actor.partner)
        .filter(order_units::Column::OrderId.eq(id.order))
        .filter(order_units::Column::UnitIndex.eq(id.index));
    Ok(unit.one(&ctx.database().reader).await?)
}

/// The histories of orders, oldest step first.
///
/// # Errors
/// What the database says.
pub async fn find_transitions(
    ctx: &Ctx,
    ids: Vec<OrderId>,
) -> Result<HashMap<OrderId, Arc<Vec<order_transitions::Model>>>, Problem> {
    let rows = order_transitions::Entity::find()
        .filter(order_transitions::Column::OrderId.is_in(ids))
        .order_by_asc(order_transitions::Column::OrderId)
        .order_by_asc(order_transitions::Column::Version)
        .all(&ctx.database().reader)
        .await?;
    Ok(grouped(rows, |step| step.order_id))
}

/// The codes of orders, sealed, by unit; that they are read is audited before they are told: one row an order and request.
///
/// # Errors
/// FORBIDDEN without vouchers:reveal; what the database says.
pub async fn reveal(
    ctx: &Ctx,
    ids: Vec<OrderId>,
) -> Result<HashMap<OrderId, Arc<Vec<vouchers::Model>>>, Problem> {
    let actor = ctx.require(Scope::VouchersReveal)?;
    let rows = vouchers::Entity::find()
        .filter(vouchers::Column::PartnerId.eq(actor.partner))
        .filter(vouchers::Column::OrderId.is_in(ids))
        .filter(vouchers::Column::State.eq(VoucherState::Delivered))
        .order_by_asc(vouchers::Column::OrderId)
        .order_by_asc(vouchers::Column::UnitIndex)
        .all(&ctx.database().reader)
        .await?;
    // Delivered codes have an order by constraint; the nil id never names one.
    let nil = OrderId::from_uuid(uuid::Uuid::nil());
    let codes = grouped(rows, |code| code.order_id.unwrap_or(nil));
    let entries: Vec<audit::Entry> = codes
        .iter()
        .map(|(order, codes)| {
            audit::Entry::new(ctx, "vouchers.revealed", order, &json!({ "codes": codes.len() }))
        })
        .collect();
    store::write::<_, Problem, _>(&ctx.deps, move |transaction| {
        let entries = entries.clone();
        Box::pin(async move { Ok(audit::record(transaction, &entries).await?) })
    })
    .await?;
    Ok(codes)
}

fn grouped<T>(rows: Vec<T>, key: impl Fn(&T) -> OrderId) -> HashMap<OrderId, Arc<Vec<T>>> {
    let mut groups: HashMap<OrderId, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups.into_iter().map(|(order, rows)| (order, Arc::new(rows))).collect()
}
