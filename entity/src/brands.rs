//! Whose goods products are.

use sea_orm::entity::prelude::*;

use crate::state::DeliveryKind;

/// Whose goods products are.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "brands")]
pub struct Model {
    /// The short name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub slug: String,
    /// The name.
    pub name: String,
    /// The kind of goods.
    pub category_slug: String,
    /// How its units reach their users.
    pub delivery: DeliveryKind,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
