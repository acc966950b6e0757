//! What is known of each master key: never the key.

use sea_orm::entity::prelude::*;

use crate::secret::Sealed;
use crate::timestamp::Timestamp;

/// What is known of each master key: never the key.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "master_keys")]
pub struct Model {
    /// From 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i32,
    /// A known text sealed by the key: a wrong key is noticed at start.
    pub canary: Sealed,
    /// When it came into use.
    pub created_at: Timestamp,
    /// When it stopped wrapping.
    pub retired_at: Option<Timestamp>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
