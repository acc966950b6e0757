//! One of an order's items.

use sea_orm::entity::prelude::*;

use crate::ids::{OrderId, PartnerId};
use crate::state::{UnitFunding, UnitStatus};
use crate::timestamp::Timestamp;

/// One of an order's items.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "order_units")]
pub struct Model {
    /// The order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: OrderId,
    /// Its place, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub unit_index: i32,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Where it stands.
    pub status: UnitStatus,
    /// How it was paid for at acceptance.
    pub funding: UnitFunding,
    /// What it costs, in minor units of the order's currency.
    pub price_minor: i64,
    /// How many purchases it was part of.
    pub tries: i32,
    /// From when on a source is looked for; `None`: it waits for stock alone, or for nothing.
    pub next_at: Option<Timestamp>,
    /// Since when a code is set aside for it.
    pub sourced_at: Option<Timestamp>,
    /// By when it is known what the vendor did.
    pub resolves_by: Option<Timestamp>,
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
    /// When it was refunded.
    pub refunded_at: Option<Timestamp>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The rows of a partner: where every read on its behalf begins.
pub fn owned_by(partner: PartnerId) -> Select<Entity> {
    Entity::find().filter(Column::PartnerId.eq(partner))
}
