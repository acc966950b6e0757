//! An order that waits for its desk.
//!
//! What lives here: what a desk is handed for it, and what follows from that alone: its answer where an order exists, its terms on
//! a charge, its row.
//! What is always true: no database: everything comes in by parameter.
//! What is not here: the line that it waits in (`line.rs`), and its batch (`batch.rs`).

use std::sync::Arc;

use entity::ids::{ChargeId, DataKeyId, OrderId, WalletId};
use entity::orders;
use entity::secret::Sealed;
use entity::state::OrderStatus;
use entity::timestamp::Timestamp;

use super::desk::Answer;
use super::input::{PlaceOrder, differing_fields};
use super::model::{Terms, terms_of_charge};
use super::place::Placed;
use super::refusal::OrderRefusal;
use super::snapshot::OrderedProduct;
use super::store::Reference;
use super::verdict::{Verdict, find_product};
use crate::ctx::{Ctx, PartnerActor};
use crate::domain::audit;
use crate::problem::Failure;

/// An order that waits for its desk.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// The caller's request.
    pub ctx: Ctx,
    /// The caller.
    pub actor: PartnerActor,
    /// What is asked for.
    pub input: PlaceOrder,
    /// The canonical input.
    pub fingerprint: String,
    /// What memory says of it.
    pub verdict: Verdict,
    /// The id that the order will have: by it a commit whose answer was lost is recognised.
    pub order_id: OrderId,
    /// Who receives it, sealed, and the key that sealed that.
    pub recipient: Option<(DataKeyId, Sealed)>,
    /// The audit row of the codes' reading, if the answer is to carry them.
    pub reveal: Option<audit::Entry>,
}

impl Ticket {
    /// The partner's name for the order.
    pub fn reference(&self) -> Reference {
        Reference { partner_id: self.actor.partner, reference: self.input.reference.clone() }
    }

    /// The charge that it would use.
    pub fn charge(&self) -> Option<ChargeId> {
        match &self.verdict {
            Verdict::OnCharge(charge, _) => Some(*charge),
            Verdict::Sell(_) | Verdict::Refuse(_) => None,
        }
    }

    /// How many units it asks for; a refusal needs none.
    pub fn units(&self) -> i32 {
        match &self.verdict {
            Verdict::Sell(terms) => terms.quantity,
            Verdict::OnCharge(_, units) => *units,
            Verdict::Refuse(_) => 0,
        }
    }

    /// What it is answered where its reference has an order.
    ///
    /// # Errors
    /// IDEMPOTENCY_MISMATCH naming the order and the fields.
    pub fn answer_of(&self, order: &orders::Model) -> Answer {
        let fields = differing_fields(&order.fingerprint, &self.fingerprint);
        if fields.is_empty() {
            // Its own id means that an earlier try of this very call was committed and its answer lost.
            let replayed = order.id != self.order_id;
            Ok(Placed { order: Arc::new(order.clone()), codes: None, replayed })
        } else {
            Err(Failure::Refused(OrderRefusal::IdempotencyMismatch {
                order: Box::new(order.clone()),
                fields,
            }))
        }
    }

    /// The terms of the charge that it names.
    ///
    /// # Errors
    /// What speaks against the charge, or against the order on it.
    pub fn terms_on(
        &self,
        charge: Option<&entity::charges::Model>,
        now: Timestamp,
    ) -> Result<Terms, OrderRefusal> {
        let charge = charge.ok_or(OrderRefusal::ChargeNotFound)?;
        let product = find_product(&self.ctx, &charge.product_id)?;
        terms_of_charge(&self.input, charge, product, now)
    }

    /// The row of its order, before anything is delivered.
    pub fn order(
        &self,
        terms: &Terms,
        wallet_id: WalletId,
        total_minor: i64,
        now: Timestamp,
    ) -> orders::Model {
        orders::Model {
            id: self.order_id,
            partner_id: self.actor.partner,
            wallet_id,
            reference: self.input.reference.clone(),
            fingerprint: self.fingerprint.clone(),
            status: OrderStatus::Pending,
            version: 1,
            failure_policy: self.input.policy(),
            product_id: terms.product.id.clone(),
            product_snapshot: OrderedProduct::of(&terms.product).to_json(),
            quantity: terms.quantity,
            delivered_quantity: 0,
            refunded_quantity: 0,
            face_minor: terms.face.minor,
            face_currency: terms.face.currency,
            currency: terms.currency,
            unit_price_minor: terms.unit.price,
            unit_sales_minor: terms.unit.sales,
            unit_fx_minor: terms.unit.fx,
            unit_fee_minor: terms.unit.fee,
            unit_rounding_minor: terms.unit.rounding,
            total_minor,
            charge_id: terms.charge,
            recipient: self.recipient.as_ref().map(|(_, sealed)| sealed.clone()),
            recipient_key_id: self.recipient.as_ref().map(|(key, _)| *key),
            failure_code: None,
            created_at: now,
            completed_at: None,
            deadline_at: None,
            cancel_requested_at: None,
            lease_until: None,
            lease_epoch: 0,
        }
    }
}
