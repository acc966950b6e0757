//! Reading orders.
//!
//! What lives here: orders by id, by reference, in pages; their units and history in batches.
//! What is always true: each read asks for the caller's partner; what is not the caller's reads as missing.
//! What is not here: codes (`reveal.rs`).

use std::collections::HashMap;
use std::sync::Arc;

use entity::ids::{ChargeId, OrderId, PartnerId};
use entity::state::{OrderStatus, Scope};
use entity::timestamp::Timestamp;
use entity::{order_transitions, order_units, orders, receipts};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde::Serialize;

use super::cancel::OrderName;
use super::input::is_reference;
use crate::ctx::Ctx;
use crate::problem::Problem;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{self, Page, PageRequest, Slice, rowset, statement};

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

/// A partner's order.
///
/// # Errors
/// What the database says; NOT_FOUND.
pub async fn get(ctx: &Ctx, partner: PartnerId, id: OrderId) -> Result<orders::Model, Problem> {
    let owned = orders::owned_by(partner).filter(orders::Column::Id.eq(id));
    owned.one(&ctx.database().reader).await?.ok_or_else(Problem::not_found)
}

/// A partner's order by its name; `None` for what cannot be the name of any.
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
        OrderName::Reference(reference) if is_reference(reference) => {
            owned.filter(orders::Column::Reference.eq(reference.as_str()))
        }
        OrderName::Reference(_) => return Ok(None),
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
        // None of what no table can hold: that is no order, and no statement that fails.
        let product = Some(product.as_str()).filter(|product| store::can_hold(product));
        select = select.filter(orders::Column::ProductId.is_in(product));
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

/// Units of one order, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct UnitRange {
    /// The order.
    pub order_id: OrderId,
    /// The first index.
    pub low: i32,
    /// The last index.
    pub high: i32,
}

/// Units of the calling partner's orders, by index.
///
/// # Errors
/// FORBIDDEN without orders:read; what the database says.
pub async fn find_units(
    ctx: &Ctx,
    ranges: Vec<UnitRange>,
) -> Result<HashMap<UnitRange, Arc<Vec<order_units::Model>>>, Problem> {
    let actor = ctx.require(Scope::OrdersRead)?;
    let reader = &ctx.database().reader;
    let backend = reader.get_database_backend();
    let sql = format!(
        "SELECT DISTINCT u.* FROM {} JOIN order_units u ON u.order_id = r.order_id
            AND u.unit_index >= r.low AND u.unit_index <= r.high
         WHERE u.partner_id = $2 ORDER BY u.order_id, u.unit_index",
        rowset(backend, 1, "r", &[("order_id", Text), ("low", Integer), ("high", Integer)])
    );
    let select = statement(backend, sql, [store::json(&ranges), actor.partner.into()]);
    let rows = order_units::Entity::find().from_raw_sql(select).all(reader).await?;
    let units = grouped(rows, |unit| unit.order_id);
    let of_range = |range: UnitRange| {
        let inside = |unit: &&order_units::Model| (range.low..=range.high).contains(&unit.unit_index);
        let of_order = units.get(&range.order_id).into_iter().flat_map(|units| units.iter());
        (range, Arc::new(of_order.filter(inside).cloned().collect()))
    };
    Ok(ranges.into_iter().map(of_range).collect())
}

/// The histories of the calling partner's orders, oldest step first.
///
/// # Errors
/// FORBIDDEN without orders:read; what the database says.
pub async fn find_transitions(
    ctx: &Ctx,
    ids: Vec<OrderId>,
) -> Result<HashMap<OrderId, Arc<Vec<order_transitions::Model>>>, Problem> {
    #[derive(Serialize)]
    struct Row {
        order_id: OrderId,
    }
    let actor = ctx.require(Scope::OrdersRead)?;
    let reader = &ctx.database().reader;
    let backend = reader.get_database_backend();
    let rows: Vec<Row> = ids.into_iter().map(|order_id| Row { order_id }).collect();
    let sql = format!(
        "SELECT t.* FROM {} JOIN orders o ON o.id = r.order_id AND o.partner_id = $2
         JOIN order_transitions t ON t.order_id = o.id ORDER BY t.order_id, t.version",
        rowset(backend, 1, "r", &[("order_id", Text)])
    );
    let select = statement(backend, sql, [store::json(&rows), actor.partner.into()]);
    let steps = order_transitions::Entity::find().from_raw_sql(select).all(reader).await?;
    Ok(grouped(steps, |step| step.order_id))
}

/// The receipts of the calling partner's orders, by unit.
///
/// # Errors
/// FORBIDDEN without orders:read; what the database says.
pub async fn find_receipts(
    ctx: &Ctx,
    ids: Vec<OrderId>,
) -> Result<HashMap<OrderId, Arc<Vec<receipts::Model>>>, Problem> {
    let actor = ctx.require(Scope::OrdersRead)?;
    let found = receipts::Entity::find()
        .filter(receipts::Column::PartnerId.eq(actor.partner))
        .filter(receipts::Column::OrderId.is_in(ids))
        .order_by_asc(receipts::Column::UnitIndex)
        .all(&ctx.database().reader)
        .await?;
    Ok(grouped(found, |receipt| receipt.order_id))
}

fn grouped<T>(rows: Vec<T>, key: impl Fn(&T) -> OrderId) -> HashMap<OrderId, Arc<Vec<T>>> {
    let mut groups: HashMap<OrderId, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups.into_iter().map(|(order, rows)| (order, Arc::new(rows))).collect()
}
