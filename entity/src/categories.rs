//! A kind of goods.

use sea_orm::entity::prelude::*;

/// A kind of goods.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "categories")]
pub struct Model {
    /// The short name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub slug: String,
    /// The name.
    pub name: String,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
