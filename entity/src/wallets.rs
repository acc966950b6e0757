//! Prepaid money of a partner in one currency.

use sea_orm::entity::prelude::*;

use crate::currency::Currency;
use crate::ids::{PartnerId, WalletId};
use crate::timestamp::Timestamp;

/// Prepaid money of a partner in one currency.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "wallets")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WalletId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// The currency.
    pub currency: Currency,
    /// What can be spent, in minor units; never below nought.
    pub available: i64,
    /// The number of its last entry; 0 before the first.
    pub sequence: i64,
    /// When it was opened.
    pub created_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The rows of a partner: where every read on its behalf begins.
pub fn owned_by(partner: PartnerId) -> Select<Entity> {
    Entity::find().filter(Column::PartnerId.eq(partner))
}
