//! A currency.

use sea_orm::entity::prelude::*;

use crate::currency::Currency;

/// A currency.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "currencies")]
pub struct Model {
    /// ISO 4217.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: Currency,
    /// ISO 4217 numeric.
    pub numeric: String,
    /// The English name.
    pub name: String,
    /// Digits behind the point.
    pub minor_units: i32,
    /// Whether wallets can be held in it.
    pub settlement: bool,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
