//! Reading purchases and how vendors are.
//!
//! What lives here: purchases with their units' parts and everything that was done about them, for the people who run the system.
//! What is always true: no code, no recipient and no key is among it.
//! What is not here: partners' reads: a unit tells them what they need (orders).

use std::collections::HashMap;

use entity::ids::{OrderId, PurchaseId, VendorId};
use entity::state::{OfferStatus, PurchaseState};
use entity::{attempts, offers, purchase_calls, purchases, vendor_health};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::ctx::Ctx;
use crate::problem::Problem;

/// Which purchases are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PurchaseFilter {
    /// Of one of these orders; of any if empty.
    pub orders: Vec<OrderId>,
    /// At this vendor.
    pub vendor: Option<VendorId>,
    /// In one of these states; in any if empty.
    pub states: Vec<PurchaseState>,
}

/// A purchase, its units' parts, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseHistory {
    /// The purchase.
    pub purchase: purchases::Model,
    /// Its units' parts, by unit.
    pub attempts: Vec<attempts::Model>,
    /// Each call and each decision, in order.
    pub calls: Vec<purchase_calls::Model>,
}

/// The latest purchases, newest first, at most so many.
///
/// # Errors
/// What the database says.
pub async fn list_purchases(
    ctx: &Ctx,
    filter: &PurchaseFilter,
    most: u64,
) -> Result<Vec<PurchaseHistory>, Problem> {
    let mut select = purchases::Entity::find().order_by_desc(purchases::Column::Id).limit(most);
    if !filter.orders.is_empty() {
        select = select.filter(purchases::Column::OrderId.is_in(filter.orders.iter().copied()));
    }
    if let Some(vendor) = filter.vendor {
        select = select.filter(purchases::Column::VendorId.eq(vendor));
    }
    if !filter.states.is_empty() {
        select = select.filter(purchases::Column::State.is_in(filter.states.iter().copied()));
    }
    let found = select.all(&ctx.database().reader).await?;
    histories(ctx, found).await
}

/// A purchase with its history.
///
/// # Errors
/// NOT_FOUND; what the database says.
pub async fn get_purchase(ctx: &Ctx, id: PurchaseId) -> Result<PurchaseHistory, Problem> {
    let found = purchases::Entity::find_by_id(id).all(&ctx.database().reader).await?;
    histories(ctx, found).await?.pop().ok_or_else(Problem::not_found)
}

async fn histories(ctx: &Ctx, found: Vec<purchases::Model>) -> Result<Vec<PurchaseHistory>, Problem> {
    let reader = &ctx.database().reader;
    let ids: Vec<PurchaseId> = found.iter().map(|purchase| purchase.id).collect();
    let (mut parts, mut calls): (HashMap<_, Vec<_>>, HashMap<_, Vec<_>>) = (HashMap::new(), HashMap::new());
    let rows = attempts::Entity::find()
        .filter(attempts::Column::PurchaseId.is_in(ids.iter().copied()))
        .order_by_asc(attempts::Column::UnitIndex)
        .all(reader)
        .await?;
    rows.into_iter().for_each(|row| parts.entry(row.purchase_id).or_default().push(row));
    let rows = purchase_calls::Entity::find()
        .filter(purchase_calls::Column::PurchaseId.is_in(ids))
        .order_by_asc(purchase_calls::Column::N)
        .all(reader)
        .await?;
    rows.into_iter().for_each(|row| calls.entry(row.purchase_id).or_default().push(row));
    let history = |purchase: purchases::Model| PurchaseHistory {
        attempts: parts.remove(&purchase.id).unwrap_or_default(),
        calls: calls.remove(&purchase.id).unwrap_or_default(),
        purchase,
    };
    Ok(found.into_iter().map(history).collect())
}

/// How vendors, and products of theirs, have answered of late: those that have failed.
///
/// # Errors
/// What the database says.
pub async fn list_health(ctx: &Ctx) -> Result<Vec<vendor_health::Model>, Problem> {
    let rows = vendor_health::Entity::find()
        .filter(vendor_health::Column::Failures.gt(0))
        .order_by_asc(vendor_health::Column::VendorId)
        .order_by_asc(vendor_health::Column::ProductId);
    Ok(rows.all(&ctx.database().reader).await?)
}

/// How many products each vendor lists no more; those alone that have such.
///
/// # Errors
/// What the database says.
pub async fn count_vanished(ctx: &Ctx) -> Result<HashMap<VendorId, i64>, Problem> {
    let counts = offers::Entity::find()
        .select_only()
        .column(offers::Column::VendorId)
        .column_as(offers::Column::ProductId.count(), "count")
        .filter(offers::Column::Status.eq(OfferStatus::Vanished))
        .group_by(offers::Column::VendorId);
    let counts: Vec<(VendorId, i64)> = counts.into_tuple().all(&ctx.database().reader).await?;
    Ok(counts.into_iter().collect())
}
