//! A unit's part in a purchase.

use sea_orm::entity::prelude::*;

use crate::ids::{OrderId, PurchaseId};
use crate::state::AttemptOutcome;
use crate::timestamp::Timestamp;

/// A unit's part in a purchase.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    /// The order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: OrderId,
    /// The unit.
    #[sea_orm(primary_key, auto_increment = false)]
    pub unit_index: i32,
    /// From 1, each one after the last has ended.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    /// The purchase.
    pub purchase_id: PurchaseId,
    /// What became of it; `None` while it is open.
    pub outcome: Option<AttemptOutcome>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
