//! A purchase of 1 to 1,000 units of one product.

use sea_orm::entity::prelude::*;

use crate::currency::Currency;
use crate::ids::{ChargeId, DataKeyId, OrderId, PartnerId, WalletId};
use crate::secret::Sealed;
use crate::state::{FailurePolicy, OrderFailureCode, OrderStatus};
use crate::timestamp::Timestamp;

/// A purchase of 1 to 1,000 units of one product.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrderId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// The wallet that pays.
    pub wallet_id: WalletId,
    /// The partner's own name for it, unique within the partner.
    pub reference: String,
    /// The canonical input, as JSON; a repetition must equal it.
    pub fingerprint: String,
    /// Where it stands.
    pub status: OrderStatus,
    /// The number of its last transition.
    pub version: i32,
    /// What happens when not every unit can be had.
    pub failure_policy: FailurePolicy,
    /// What was bought.
    pub product_id: String,
    /// The product as sold, as JSON.
    pub product_snapshot: String,
    /// How many units.
    pub quantity: i32,
    /// How many are delivered.
    pub delivered_quantity: i32,
    /// How many are refunded.
    pub refunded_quantity: i32,
    /// The face value of a unit, in minor units of `face_currency`.
    pub face_minor: i64,
    /// The product's face currency.
    pub face_currency: Currency,
    /// The wallet's currency.
    pub currency: Currency,
    /// What a unit costs.
    pub unit_price_minor: i64,
    /// Of the unit price: the goods.
    pub unit_sales_minor: i64,
    /// Of the unit price: the margin on the rate.
    pub unit_fx_minor: i64,
    /// Of the unit price: fees.
    pub unit_fee_minor: i64,
    /// Of the unit price: what rounding leaves.
    pub unit_rounding_minor: i64,
    /// What all units cost.
    pub total_minor: i64,
    /// The charge that it was placed with, unique.
    pub charge_id: Option<ChargeId>,
    /// Who receives it, sealed.
    pub recipient: Option<Sealed>,
    /// The key that seals the recipient.
    pub recipient_key_id: Option<DataKeyId>,
    /// Why units were refunded.
    pub failure_code: Option<OrderFailureCode>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it reached its end.
    pub completed_at: Option<Timestamp>,
    /// When pending units are refunded.
    pub deadline_at: Option<Timestamp>,
    /// When its partner asked to cancel it.
    pub cancel_requested_at: Option<Timestamp>,
    /// Until when a worker has it, by the database's clock.
    pub lease_until: Option<Timestamp>,
    /// Grows with each lease: a worker that lost its lease cannot write.
    pub lease_epoch: i64,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The rows of a partner: where every read on its behalf begins.
pub fn owned_by(partner: PartnerId) -> Select<Entity> {
    Entity::find().filter(Column::PartnerId.eq(partner))
}
