//! The latest rate of each currency against the base.

use sea_orm::entity::prelude::{
    ActiveModelBehavior, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};

use crate::currency::Currency;
use crate::decimal::Decimal;
use crate::timestamp::Timestamp;

/// The latest rate of each currency against the base.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "exchange_rates")]
pub struct Model {
    /// The currency converted from.
    #[sea_orm(primary_key, auto_increment = false)]
    pub base: Currency,
    /// The currency converted to.
    #[sea_orm(primary_key, auto_increment = false)]
    pub quote: Currency,
    /// Units of `quote` for one of `base`.
    pub rate: Decimal,
    /// Where it comes from.
    pub source: String,
    /// When it was observed.
    pub as_of: Timestamp,
    /// When it was stored.
    pub imported_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
