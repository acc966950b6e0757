//! What was delivered without a code: the vendor's receipt.

use sea_orm::entity::prelude::*;

use crate::currency::Currency;
use crate::ids::{OrderId, PartnerId, PurchaseId};
use crate::timestamp::Timestamp;

/// What was delivered without a code: the vendor's receipt.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "receipts")]
pub struct Model {
    /// The order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: OrderId,
    /// The unit.
    #[sea_orm(primary_key, auto_increment = false)]
    pub unit_index: i32,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// The purchase.
    pub purchase_id: PurchaseId,
    /// The receipt's number.
    pub number: String,
    /// What it cost, at scale 6.
    pub cost_micros: i64,
    /// The currency of the cost.
    pub cost_currency: Currency,
    /// When it was delivered.
    pub at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
