//! What a price is made of, besides face value and rate.

use sea_orm::entity::prelude::{
    ActiveModelBehavior, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};

use crate::currency::Currency;
use crate::decimal::Decimal;
use crate::ids::{PartnerId, PriceRuleId};
use crate::state::{PriceRuleKind, PriceRuleSubject};
use crate::timestamp::Timestamp;

/// What a price is made of, besides face value and rate.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "price_rules")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PriceRuleId,
    /// What it sets.
    pub kind: PriceRuleKind,
    /// For whom; null for all partners.
    pub partner_id: Option<PartnerId>,
    /// About what.
    pub subject_kind: PriceRuleSubject,
    /// The product's id, or the slug of brand or category; empty for all.
    pub subject: String,
    /// A share (discount, margin), or an amount of `currency` (fee).
    pub value: Decimal,
    /// For fees: the face currency that it applies to.
    pub currency: Option<Currency>,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
