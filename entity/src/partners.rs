//! A business that buys.

use sea_orm::entity::prelude::*;

use crate::currency::Currency;
use crate::ids::PartnerId;
use crate::state::PartnerStatus;
use crate::timestamp::Timestamp;

/// A business that buys.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "partners")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PartnerId,
    /// The name.
    pub name: String,
    /// Whether it may act.
    pub status: PartnerStatus,
    /// The settlement currency used where none is named.
    pub default_currency: Currency,
    /// When the account was opened.
    pub created_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
