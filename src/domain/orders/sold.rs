//! What an order sells, as vendors are asked for it.
//!
//! What lives here: the price of a unit and what vendors ask for one, in the one currency in which they are compared.
//! What is always true: an order on a charge is held against the costs that were known when the charge was made: what has grown
//! dearer since is our loss, not the partner's.
//! What is not here: which vendor is taken (fulfillment).

use entity::currency::Currency;
use entity::ids::ChargeId;
use entity::money::Money;
use entity::orders;
use entity::state::DeliveryKind;
use entity::timestamp::Timestamp;

use crate::ctx::Ctx;
use crate::domain::fulfillment::{Cost, Sold, converted};
use crate::domain::pricing::{BASE, exchange_rate};

/// What a unit of an order is sold for, as vendors are asked for it.
pub fn sold<'a>(ctx: &Ctx, order: &'a orders::Model, delivery: DeliveryKind) -> Sold<'a> {
    Sold {
        product: &order.product_id,
        face: Money::from_minor(order.face_minor, order.face_currency),
        delivery,
        price_base: in_base(ctx, Money::from_minor(order.unit_price_minor, order.currency)),
        costs_at: order.charge_id.map(made_at),
    }
}

/// A price in the base currency, at scale 6; `None` without a rate.
pub fn in_base(ctx: &Ctx, price: Money) -> Option<i64> {
    let rate = exchange_rate(ctx, price.currency, BASE)?.rate;
    converted(price.minor, price.currency.minor_units(), rate)
}

/// A cost in the base currency, at scale 6, to be held against a price in another currency; `None` without a rate, or where a
/// price would have none, since it is stale. What is paid and sold in one currency is compared by whatever rate there is.
pub fn cost_in_base(ctx: &Ctx, cost: Cost, sold_in: Currency) -> Option<i64> {
    if exchange_rate(ctx, cost.currency, sold_in)?.stale {
        return None;
    }
    converted(cost.micros, 6, exchange_rate(ctx, cost.currency, BASE)?.rate)
}

/// When a charge was made: its id tells, to the millisecond, whose end is meant.
fn made_at(charge: ChargeId) -> Timestamp {
    let (secs, nanos) = charge.uuid().get_timestamp().map_or((0, 0), |made| made.to_unix());
    let micros = i64::try_from(secs).unwrap_or(0).saturating_mul(1_000_000);
    Timestamp::from_micros(micros.saturating_add(i64::from(nanos.div_euclid(1_000))).saturating_add(999))
}
