//! A balanced movement of money. Never changed.

use sea_orm::entity::prelude::*;

use crate::ids::{OrderId, PartnerId, TransactionId};
use crate::state::TransactionKind;
use crate::timestamp::Timestamp;

/// A balanced movement of money. Never changed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_transactions")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TransactionId,
    /// What it is.
    pub kind: TransactionKind,
    /// Whose money.
    pub partner_id: Option<PartnerId>,
    /// The order that it belongs to.
    pub order_id: Option<OrderId>,
    /// The reference that makes a credit or an adjustment happen once.
    pub reference: Option<String>,
    /// Why, in the operator's words.
    pub note: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
