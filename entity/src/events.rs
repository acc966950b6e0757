//! Something that happened, told once, in the order of commits.

use sea_orm::entity::prelude::*;

use crate::ids::{EventId, OrderId, PartnerId, WalletId};
use crate::timestamp::Timestamp;

/// Something that happened, told once, in the order of commits.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    /// Whose feed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub partner_id: PartnerId,
    /// Its number in the feed, from 1 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    /// The id, unique.
    pub id: EventId,
    /// What happened, such as order.delivered.
    pub kind: String,
    /// The order that it is about.
    pub order_id: Option<OrderId>,
    /// The order's transition that it tells; null for events that are no change of its state.
    pub order_version: Option<i32>,
    /// The wallet that it is about.
    pub wallet_id: Option<WalletId>,
    /// Ids, states and counts as a JSON object; never a code.
    pub payload: String,
    /// When.
    pub occurred_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The rows of a partner: where every read on its behalf begins.
pub fn owned_by(partner: PartnerId) -> Select<Entity> {
    Entity::find().filter(Column::PartnerId.eq(partner))
}
