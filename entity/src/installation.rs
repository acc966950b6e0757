//! What this database is for: one row.

use sea_orm::entity::prelude::*;

use crate::state::Environment;
use crate::timestamp::Timestamp;

/// What this database is for: one row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Where it runs.
    pub environment: Environment,
    /// When the first server started on it.
    pub created_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
