//! Every state that an order has been in. Never changed.

use sea_orm::entity::prelude::*;

use crate::ids::OrderId;
use crate::state::OrderStatus;
use crate::timestamp::Timestamp;

/// Every state that an order has been in. Never changed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "order_transitions")]
pub struct Model {
    /// The order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: OrderId,
    /// From 1 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i32,
    /// The state before; null for the first.
    pub from_status: Option<OrderStatus>,
    /// The state entered.
    pub to_status: OrderStatus,
    /// Why, such as accepted, stock, deadline or cancelled.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
