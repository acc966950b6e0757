//! Something that can be bought.

use sea_orm::entity::prelude::{
    ActiveModelBehavior, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};

use crate::currency::Currency;
use crate::decimal::Decimal;
use crate::state::{DeliveryKind, DenominationKind, ProductStatus, RecipientKind};
use crate::timestamp::Timestamp;

/// Something that can be bought.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "products")]
pub struct Model {
    /// The sku.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Whose it is.
    pub brand_slug: String,
    /// The kind of goods.
    pub category_slug: String,
    /// Where it is redeemed.
    pub country_code: String,
    /// The name, with value and currency.
    pub name: String,
    /// The currency of its face value.
    pub face_currency: Currency,
    /// Fixed or range.
    pub denomination: DenominationKind,
    /// The one value, if fixed; minor units of `face_currency`, like the three below.
    pub face_minor: Option<i64>,
    /// The least value of a range.
    pub min_minor: Option<i64>,
    /// The greatest value of a range.
    pub max_minor: Option<i64>,
    /// The distance between values of a range, counted from the least.
    pub step_minor: Option<i64>,
    /// What a unit is, for goods sold by the unit.
    pub unit_label: Option<String>,
    /// How a unit reaches its user.
    pub delivery: DeliveryKind,
    /// What an order must name; null for codes.
    pub recipient: Option<RecipientKind>,
    /// The catalog's discount: a share.
    pub discount: Decimal,
    /// What the face value rests on.
    pub denomination_basis: String,
    /// What the discount rests on.
    pub discount_basis: String,
    /// Whether it is sold; the operator's, never an import's.
    pub status: ProductStatus,
    /// The largest quantity of an order; the operator's, never an import's.
    pub max_quantity: i32,
    /// How to redeem; the operator's, never an import's.
    pub redemption_instructions: Option<String>,
    /// When a code expires, in words; the operator's, never an import's.
    pub expiry_rule: Option<String>,
    /// When it was first imported.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
