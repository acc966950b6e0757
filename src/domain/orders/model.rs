//! The rules of orders, pure.
//!
//! What lives here: whether an order may be sold and on which terms, and which state follows.
//! What is always true: no clock, no database, no randomness: everything comes in by parameter.
//! What is not here: how any of it is written.

use std::sync::Arc;

use entity::charges;
use entity::currency::Currency;
use entity::ids::ChargeId;
use entity::money::Money;
use entity::state::{DeliveryKind, FailurePolicy, OrderFailureCode, OrderStatus, RecipientKind};
use entity::timestamp::Timestamp;

use super::input::{PlaceOrder, Recipient};
use super::refusal::OrderRefusal;
use crate::domain::catalog::Product;
use crate::domain::pricing::Price;

/// Why units were refunded, for people.
pub const fn failure_message(code: OrderFailureCode) -> &'static str {
    match code {
        OrderFailureCode::DeadlinePassed => "no source delivered before the deadline",
        OrderFailureCode::Cancelled => "the partner cancelled",
        OrderFailureCode::NotAllAvailable => "not all units could be had, and the policy asked for all",
        OrderFailureCode::SourcesRefused => "every source refused",
    }
}

/// On which terms an order may be sold.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What is sold.
    pub product: Arc<Product>,
    /// How many units.
    pub quantity: i32,
    /// The face value of a unit.
    pub face: Money,
    /// The settlement currency.
    pub currency: Currency,
    /// What a unit costs and what that is made of, in minor units of `currency`.
    pub unit: UnitPrice,
    /// The charge that binds the price.
    pub charge: Option<ChargeId>,
}

/// What a unit costs and what that is made of, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitPrice {
    /// The whole.
    pub price: i64,
    /// The goods.
    pub sales: i64,
    /// The margin on the rate.
    pub fx: i64,
    /// Fees.
    pub fee: i64,
    /// What rounding leaves.
    pub rounding: i64,
}

impl From<&Price> for UnitPrice {
    fn from(price: &Price) -> Self {
        Self {
            price: price.unit_price_minor,
            sales: price.unit_sales_minor,
            fx: price.unit_fx_minor,
            fee: price.unit_fee_minor,
            rounding: price.unit_rounding_minor,
        }
    }
}

impl From<&charges::Model> for UnitPrice {
    fn from(charge: &charges::Model) -> Self {
        Self {
            price: charge.unit_price_minor,
            sales: charge.unit_sales_minor,
            fx: charge.unit_fx_minor,
            fee: charge.unit_fee_minor,
            rounding: charge.unit_rounding_minor,
        }
    }
}

impl Terms {
    /// What the whole order costs; `None` if that is beyond what can be counted.
    pub fn total(&self) -> Option<Money> {
        Money::from_minor(self.unit.price, self.currency).times(self.quantity)
    }
}

/// Checks everything about an order for a product but its price.
///
/// # Errors
/// The first rule that says no.
pub fn check_product(input: &PlaceOrder, product: &Product, quantity: i32) -> Result<(), OrderRefusal> {
    product.check_sale(quantity).map_err(OrderRefusal::Sale)?;
    if product.delivery != DeliveryKind::Code && input.policy() == FailurePolicy::AllOrNothing {
        return Err(OrderRefusal::PolicyNotAllowed { delivery: product.delivery });
    }
    check_recipient(input.recipient.as_ref(), product.recipient, quantity)
}

fn check_recipient(
    given: Option<&Recipient>,
    needed: Option<RecipientKind>,
    quantity: i32,
) -> Result<(), OrderRefusal> {
    match (needed, given) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(OrderRefusal::RecipientNotTaken),
        (Some(kind), Some(recipient)) if recipient.kind == kind => {
            if !is_well_formed(recipient) {
                Err(OrderRefusal::MalformedRecipient { kind })
            } else if quantity != 1 {
                Err(OrderRefusal::RecipientNeedsOneUnit)
            } else {
                Ok(())
            }
        }
        (Some(kind), _) => Err(OrderRefusal::RecipientRequired { kind }),
    }
}

/// Whether a recipient has the form of its kind. Source for phones: ITU-T E.164.
fn is_well_formed(recipient: &Recipient) -> bool {
    let value = recipient.value.as_str();
    match recipient.kind {
        RecipientKind::Phone => value.strip_prefix('+').is_some_and(|digits| {
            (7..=15).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && !digits.starts_with('0')
        }),
        RecipientKind::PlayerId | RecipientKind::Username => {
            let length = value.chars().count();
            (1..=128).contains(&length) && !value.chars().any(char::is_control) && value.trim() == value
        }
    }
}

/// The terms of an order on a charge: the charge's price, if nothing that was given contradicts it.
///
/// # Errors
/// The first rule that says no.
pub fn terms_of_charge(
    input: &PlaceOrder,
    charge: &charges::Model,
    product: Arc<Product>,
    now: Timestamp,
) -> Result<Terms, OrderRefusal> {
    let mismatch = |field| Err(OrderRefusal::ChargeMismatch { field });
    if input.product_id.as_ref().is_some_and(|id| *id != charge.product_id) {
        return mismatch("productId");
    }
    if input.quantity.is_some_and(|quantity| quantity != charge.quantity) {
        return mismatch("quantity");
    }
    if input.currency.is_some_and(|currency| currency != charge.currency) {
        return mismatch("currency");
    }
    let face = Money::from_minor(charge.face_minor, charge.face_currency);
    if input.face_value.as_ref().is_some_and(|text| Money::parse(text, charge.face_currency) != Ok(face)) {
        return mismatch("faceValue");
    }
    if now >= charge.expires_at {
        return Err(OrderRefusal::ChargeExpired);
    }
    check_product(input, &product, charge.quantity)?;
    let terms = Terms {
        product,
        quantity: charge.quantity,
        face,
        currency: charge.currency,
        unit: charge.into(),
        charge: Some(charge.id),
    };
    if is_above(&terms, max_total(input, charge.currency)?) { mismatch("maxTotal") } else { Ok(terms) }
}

/// The highest total to accept.
///
/// # Errors
/// It is no amount of the currency, or not above nought, which no total ever is.
pub fn max_total(input: &PlaceOrder, currency: Currency) -> Result<Option<Money>, OrderRefusal> {
    let Some(text) = &input.max_total else { return Ok(None) };
    match Money::parse(text, currency) {
        Ok(most) if most.minor > 0 => Ok(Some(most)),
        _ => Err(OrderRefusal::MalformedMaxTotal),
    }
}

/// Whether an order costs more than its caller accepts.
pub fn is_above(terms: &Terms, max_total: Option<Money>) -> bool {
    max_total.is_some_and(|most| terms.total().is_none_or(|total| total.minor > most.minor))
}

/// How many units must be had at once for an order to be accepted.
pub const fn needed_at_once(policy: FailurePolicy, quantity: i32) -> i32 {
    match policy {
        FailurePolicy::BestEffort => 1,
        FailurePolicy::AllOrNothing => quantity,
    }
}

/// How many units of an order stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Bought.
    pub quantity: i32,
    /// Delivered.
    pub delivered: i32,
    /// Refunded.
    pub refunded: i32,
}

impl Tally {
    /// Units neither delivered nor refunded.
    pub const fn open(self) -> i32 {
        self.quantity - self.delivered - self.refunded
    }
}

/// Whether work on an order has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A vendor was asked for units of it, now or before.
    HasBegun,
    /// Nothing was done for its open units.
    IsAhead,
}

/// The state of an order whose units stand so; `failure` is why units were refunded, if any were.
pub const fn status_of(tally: Tally, work: Work, failure: Option<OrderFailureCode>) -> OrderStatus {
    if tally.open() > 0 {
        let is_under_way = tally.delivered > 0 || tally.refunded > 0 || matches!(work, Work::HasBegun);
        return if is_under_way { OrderStatus::Processing } else { OrderStatus::Pending };
    }
    if tally.delivered == tally.quantity {
        OrderStatus::Delivered
    } else if tally.delivered > 0 {
        OrderStatus::PartiallyDelivered
    } else if matches!(failure, Some(OrderFailureCode::Cancelled)) {
        OrderStatus::Cancelled
    } else {
        OrderStatus::Failed
    }
}

/// Whether a state is an end.
pub const fn is_terminal(status: OrderStatus) -> bool {
    !matches!(status, OrderStatus::Pending | OrderStatus::Processing)
}

/// Whether an order may go from one state to another; `None` is before the first.
pub const fn may_follow(from: Option<OrderStatus>, to: OrderStatus) -> bool {
    match from {
        None => matches!(to, OrderStatus::Pending),
        Some(OrderStatus::Pending) => !matches!(to, OrderStatus::Pending),
        Some(OrderStatus::Processing) => is_terminal(to),
        Some(_) => false,
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
