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
    /// The least face value that is bought there, by the operator's word; so are the next three.
    pub min_face_minor: Option<i64>,
    /// The greatest.
    pub max_face_minor: Option<i64>,
    /// How many units a purchase of it may have.
    pub max_quantity: i32,
    /// How many the vendor has; `None` if that is not known.
    pub available: Option<i64>,
    /// The least face value by the vendor's listing, which narrows what the operator says, and never widens it; so do the next
    /// three.
    pub listed_min_face_minor: Option<i64>,
    /// The greatest.
    pub listed_max_face_minor: Option<i64>,
    /// How many units a purchase of it may have.
    pub listed_max_quantity: Option<i32>,
    /// How many the vendor has.
    pub listed_available: Option<i64>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
