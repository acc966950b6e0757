//! The numbers of the first kept and the last event of each partner.

use sea_orm::entity::prelude::*;

use crate::ids::PartnerId;
use crate::timestamp::Timestamp;

/// The numbers of the first kept and the last event of each partner.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_heads")]
pub struct Model {
    /// Whose feed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub partner_id: PartnerId,
    /// The last event's number; 0 before the first.
    pub sequence: i64,
    /// The number of the first event that is kept; one more than the last if none is.
    pub kept_from: i64,
    /// The instant from which on all events are kept; the beginning of time while all are.
    pub kept_since: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
