//! How a vendor, or a product of one, has answered of late.

use sea_orm::entity::prelude::*;

use crate::ids::VendorId;
use crate::timestamp::Timestamp;

/// How a vendor, or a product of one, has answered of late.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "vendor_health")]
pub struct Model {
    /// The vendor.
    #[sea_orm(primary_key, auto_increment = false)]
    pub vendor_id: VendorId,
    /// The product; empty for the vendor as a whole.
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: String,
    /// Failures in a row.
    pub failures: i32,
    /// Until when nothing is bought.
    pub open_until: Timestamp,
    /// The last failure, for people.
    pub message: String,
    /// When this last changed.
    pub changed_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
