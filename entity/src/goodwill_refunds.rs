//! Delivered units whose money was given back later.

use sea_orm::entity::prelude::*;

use crate::ids::{OrderId, PartnerId, TransactionId};
use crate::timestamp::Timestamp;

/// A delivered unit whose money was given back later: its key lets that happen once. Never changed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "goodwill_refunds")]
pub struct Model {
    /// The order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: OrderId,
    /// The unit.
    #[sea_orm(primary_key, auto_increment = false)]
    pub unit_index: i32,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// The ledger transaction that did it.
    pub transaction_id: TransactionId,
    /// When.
    pub at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
