//! The version of each subject that servers keep in memory.

use sea_orm::entity::prelude::*;

/// The version of each subject that servers keep in memory.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "versions")]
pub struct Model {
    /// catalog, rates, price_rules or keys.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// Grows with each change.
    pub version: i64,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
