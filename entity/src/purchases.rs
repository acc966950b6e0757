//! What is sent to a vendor, on record before it is.

use sea_orm::entity::prelude::*;

use crate::currency::Currency;
use crate::ids::{OrderId, PartnerId, PurchaseId, VendorId, WorkerId};
use crate::state::{PurchaseEnd, PurchaseState};
use crate::timestamp::Timestamp;

/// What is sent to a vendor, on record before it is.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "purchases")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PurchaseId,
    /// Our reference at the vendor, unique for ever.
    pub our_ref: String,
    /// The vendor.
    pub vendor_id: VendorId,
    /// The product.
    pub product_id: String,
    /// The vendor's name for it.
    pub vendor_sku: String,
    /// Whose order it is for.
    pub partner_id: PartnerId,
    /// The order.
    pub order_id: OrderId,
    /// How many units.
    pub quantity: i32,
    /// The face value of a unit.
    pub face_minor: i64,
    /// Its currency.
    pub face_currency: Currency,
    /// What it was expected to cost, at scale 6.
    pub expected_cost_micros: i64,
    /// What all units together may cost at most, at scale 6; `None` whatever it is, on a charge.
    pub highest_cost_micros: Option<i64>,
    /// The currency of its cost.
    pub cost_currency: Currency,
    /// Which vendors were considered, and why this one, as JSON.
    pub route: String,
    /// Where it stands.
    pub state: PurchaseState,
    /// Grows whenever another worker takes it: the one before cannot write any more.
    pub epoch: i64,
    /// The worker that has it.
    pub worker_id: Option<WorkerId>,
    /// How often it was sent.
    pub sends: i32,
    /// How often the vendor was asked since it was last sent.
    pub looks: i32,
    /// How often the vendor did not know it, in a row.
    pub not_found: i32,
    /// Since when it does not.
    pub not_found_since: Option<Timestamp>,
    /// The vendor's own name for it.
    pub vendor_ref: Option<String>,
    /// How many units were delivered.
    pub delivered_quantity: i32,
    /// What it did cost, at scale 6.
    pub cost_micros: Option<i64>,
    /// The kind of the refusal.
    pub refusal: Option<String>,
    /// The last answer, for people.
    pub message: Option<String>,
    /// By what it ended.
    pub ended_by: Option<PurchaseEnd>,
    /// When it went on record.
    pub created_at: Timestamp,
    /// When it was last sent.
    pub sent_at: Timestamp,
    /// When the vendor is asked next.
    pub next_at: Option<Timestamp>,
    /// When a person has to decide, if nothing is known by then.
    pub resolves_by: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
