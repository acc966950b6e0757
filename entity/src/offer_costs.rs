//! What a unit of an offer costs, since when: face × factor + fee.

use sea_orm::entity::prelude::{
    ActiveModelBehavior, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};

use crate::currency::Currency;
use crate::decimal::Decimal;
use crate::ids::VendorId;
use crate::timestamp::Timestamp;

/// What a unit of an offer costs, since when: face × factor + fee.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "offer_costs")]
pub struct Model {
    /// The vendor.
    #[sea_orm(primary_key, auto_increment = false)]
    pub vendor_id: VendorId,
    /// The product.
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: String,
    /// Since when.
    #[sea_orm(primary_key, auto_increment = false)]
    pub since: Timestamp,
    /// The currency that the vendor takes.
    pub currency: Currency,
    /// Units of it for one of the face currency.
    pub factor: Decimal,
    /// Added to each unit, at scale 6.
    pub fee_micros: i64,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
