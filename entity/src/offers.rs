//! A product as a vendor sells it.

use sea_orm::entity::prelude::*;

use crate::ids::VendorId;
use crate::state::OfferStatus;
use crate::timestamp::Timestamp;

/// A product as a vendor sells it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "offers")]
pub struct Model {
    /// The vendor.
    #[sea_orm(primary_key, auto_increment = false)]
    pub vendor_id: VendorId,
    /// The product.
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: String,
    /// The vendor's name for it.
    pub vendor_sku: String,
    /// Whether it is bought there.
    pub status: OfferStatus,
    /// Among equals, the lowest goes first; added to the vendor's.
    pub priority: i32,
    /// The least face value that the vendor sells.
    pub min_face_minor: Option<i64>,
    /// The greatest.
    pub max_face_minor: Option<i64>,
    /// How many units a purchase of it may have.
    pub max_quantity: i32,
    /// How many the vendor has, if it tells.
    pub available: Option<i64>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
