//! A binding quote. Never changed; that it is used is told by the order which names it.

use sea_orm::entity::prelude::{
    ActiveModelBehavior, ColumnTrait, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait,
    EnumIter, PrimaryKeyTrait, QueryFilter, Select,
};

use crate::currency::Currency;
use crate::decimal::Decimal;
use crate::ids::{ChargeId, PartnerId};
use crate::timestamp::Timestamp;

/// A binding quote. Never changed; that it is used is told by the order which names it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "charges")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ChargeId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// What is priced.
    pub product_id: String,
    /// How many units.
    pub quantity: i32,
    /// The face value of a unit, in minor units of `face_currency`.
    pub face_minor: i64,
    /// The product's face currency.
    pub face_currency: Currency,
    /// The settlement currency.
    pub currency: Currency,
    /// The share taken off the face value.
    pub discount: Decimal,
    /// The rule that set it.
    pub discount_rule: String,
    /// Added to each unit, in minor units of `face_currency`.
    pub fee_minor: i64,
    /// The rule that set it.
    pub fee_rule: String,
    /// Units of `currency` for one of `face_currency`; 1 where they are the same.
    pub rate: Decimal,
    /// Where the rate comes from; null where the currencies are the same.
    pub rate_source: Option<String>,
    /// When the rate was observed.
    pub rate_as_of: Option<Timestamp>,
    /// The margin on the rate, in hundredths of a per cent.
    pub margin_bps: i32,
    /// The rule that set it; null where the currencies are the same.
    pub margin_rule: Option<String>,
    /// What a unit costs, in minor units of `currency`.
    pub unit_price_minor: i64,
    /// Of the unit price: the goods.
    pub unit_sales_minor: i64,
    /// Of the unit price: the margin on the rate.
    pub unit_fx_minor: i64,
    /// Of the unit price: fees.
    pub unit_fee_minor: i64,
    /// Of the unit price: what rounding leaves.
    pub unit_rounding_minor: i64,
    /// What all units cost, in minor units of `currency`.
    pub total_minor: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// From then on it binds nobody.
    pub expires_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The rows of a partner: where every read on its behalf begins.
pub fn owned_by(partner: PartnerId) -> Select<Entity> {
    Entity::find().filter(Column::PartnerId.eq(partner))
}
