//! A code, in stock or delivered.

use sea_orm::entity::prelude::*;

use crate::currency::Currency;
use crate::ids::{DataKeyId, OrderId, PartnerId, PurchaseId, VoucherId};
use crate::secret::{Digest, Sealed};
use crate::state::VoucherState;
use crate::timestamp::Timestamp;

/// A code, in stock or delivered.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "vouchers")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: VoucherId,
    /// Of which product.
    pub product_id: String,
    /// Its face value, in minor units of the product's face currency.
    pub face_minor: i64,
    /// Where it stands.
    pub state: VoucherState,
    /// The order that has it.
    pub order_id: Option<OrderId>,
    /// The unit that has it.
    pub unit_index: Option<i32>,
    /// The partner who has it.
    pub partner_id: Option<PartnerId>,
    /// The code in whose place its unit has it; `None` for a unit's first.
    pub replaces: Option<VoucherId>,
    /// The key that seals it; `None` if its contents are at the vendor alone.
    pub data_key_id: Option<DataKeyId>,
    /// Code, pin, serial and link, sealed together; `None` if they are at the vendor alone.
    pub sealed: Option<Sealed>,
    /// For how many seconds from its delivery on it can be read; `None` if for ever.
    pub retention_secs: Option<i64>,
    /// A keyed digest of brand and code, unique: a code loaded twice is refused.
    pub blind_index: Digest,
    /// When it expires; null if never.
    pub expires_at: Option<Timestamp>,
    /// The same, with the end of time for never, so that one index sorts it.
    pub usable_until: Timestamp,
    /// What it cost, at scale 6 of `cost_currency`.
    pub cost_micros: Option<i64>,
    /// The currency of the cost.
    pub cost_currency: Option<Currency>,
    /// The lot that it came in.
    pub lot: String,
    /// The purchase that it came of; `None` if it was loaded.
    pub purchase_id: Option<PurchaseId>,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
