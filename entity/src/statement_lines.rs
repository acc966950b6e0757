//! A purchase as its vendor's statement has it, and how that stands to ours.

use sea_orm::entity::prelude::*;

use crate::currency::Currency;
use crate::ids::{PurchaseId, VendorId};
use crate::state::StatementVerdict;
use crate::timestamp::Timestamp;

/// A purchase as its vendor's statement has it, and how that stands to ours.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "statement_lines")]
pub struct Model {
    /// The vendor.
    #[sea_orm(primary_key, auto_increment = false)]
    pub vendor_id: VendorId,
    /// The vendor's own name for it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub vendor_ref: String,
    /// The reference of ours that the vendor tells, if it tells one.
    pub our_ref: Option<String>,
    /// The vendor's name for the product, if it tells it.
    pub vendor_sku: Option<String>,
    /// The purchase that it is.
    pub purchase_id: Option<PurchaseId>,
    /// How many units the vendor says that it delivered.
    pub quantity: i32,
    /// What the vendor took, at scale 6.
    pub cost_micros: i64,
    /// The currency of that.
    pub cost_currency: Currency,
    /// When it was made, by the vendor.
    pub at: Timestamp,
    /// How it stands to ours.
    pub verdict: StatementVerdict,
    /// When it was first read.
    pub first_seen_at: Timestamp,
    /// When it was posted for good; none while the purchase is open here.
    pub settled_at: Option<Timestamp>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
