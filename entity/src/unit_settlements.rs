//! What became of a held unit's money: its key makes capture and release exclude each other. Never changed.

use sea_orm::entity::prelude::*;

use crate::ids::{OrderId, TransactionId};
use crate::state::SettlementOutcome;

/// What became of a held unit's money: its key makes capture and release exclude each other. Never changed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "unit_settlements")]
pub struct Model {
    /// The order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: OrderId,
    /// The unit.
    #[sea_orm(primary_key, auto_increment = false)]
    pub unit_index: i32,
    /// Captured or released.
    pub outcome: SettlementOutcome,
    /// The ledger transaction that did it.
    pub transaction_id: TransactionId,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
