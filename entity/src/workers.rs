//! A process that works on orders and purchases.

use sea_orm::entity::prelude::*;

use crate::ids::WorkerId;
use crate::timestamp::Timestamp;

/// A process that works on orders and purchases.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workers")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkerId,
    /// Until when it is taken to live, by the database's clock.
    pub lease_until: Timestamp,
    /// When it began, by the same clock.
    pub started_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
