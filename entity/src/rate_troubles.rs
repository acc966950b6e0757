//! What is wrong with the rate of a currency, as long as it is.

use sea_orm::entity::prelude::*;

use crate::currency::Currency;
use crate::decimal::Decimal;
use crate::state::RateTroubleKind;
use crate::timestamp::Timestamp;

/// What is wrong with the rate of a currency, as long as it is.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rate_troubles")]
pub struct Model {
    /// The currency.
    #[sea_orm(primary_key, auto_increment = false)]
    pub quote: Currency,
    /// What is wrong.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: RateTroubleKind,
    /// Since when.
    pub since: Timestamp,
    /// The rate that is refused, as it was told last.
    pub rate: Option<Decimal>,
    /// Who told it.
    pub source: Option<String>,
    /// When it was observed.
    pub as_of: Option<Timestamp>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
