//! What memory says of an order before a desk takes it.
//!
//! What lives here: pricing an order from the catalog, the rates and the rules in memory, or finding its charge.
//! What is always true: a verdict is the answer only where no order exists under the reference; the desk looks first.
//! What is not here: whether a charge is still good, stock and funds; the desk asks the database.

use std::sync::Arc;

use entity::ids::ChargeId;

use super::input::PlaceOrder;
use super::model::{Terms, check_product, is_above, max_total};
use super::refusal::OrderRefusal;
use crate::ctx::{Ctx, PartnerActor};
use crate::domain::catalog::{self, Product};
use crate::domain::pricing;
use crate::problem::Problem;

/// What is to be answered if no order exists under the reference.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Sell it on these terms, if stock and funds allow.
    Sell(Box<Terms>),
    /// Sell it on this charge, if that is good; so many units are on it.
    OnCharge(ChargeId, i32),
    /// Refuse it.
    Refuse(OrderRefusal),
}

/// What memory says of an order; of one on a charge, how many units that has, so that its desk knows what it takes.
///
/// # Errors
/// What the database says.
pub async fn verdict(ctx: &Ctx, actor: &PartnerActor, input: &PlaceOrder) -> Result<Verdict, Problem> {
    let Some(charge) = &input.charge_id else {
        let terms = terms(ctx, actor, input);
        return Ok(terms.map_or_else(Verdict::Refuse, |terms| Verdict::Sell(Box::new(terms))));
    };
    let Ok(id) = charge.parse() else { return Ok(Verdict::Refuse(OrderRefusal::ChargeNotFound)) };
    let found = pricing::find_charges(&ctx.database().reader, actor.partner, &[id]).await?;
    Ok(match found.first() {
        Some(charge) => Verdict::OnCharge(id, charge.quantity),
        None => Verdict::Refuse(OrderRefusal::ChargeNotFound),
    })
}

/// A product by its id.
///
/// # Errors
/// PRODUCT_NOT_FOUND.
pub fn find_product(ctx: &Ctx, id: &str) -> Result<Arc<Product>, OrderRefusal> {
    let snapshot = ctx.feature::<catalog::Live>().snapshot();
    snapshot.product(id).map(Arc::clone).ok_or(OrderRefusal::ProductNotFound)
}

fn terms(ctx: &Ctx, actor: &PartnerActor, input: &PlaceOrder) -> Result<Terms, OrderRefusal> {
    let product = find_product(ctx, input.product_id.as_deref().ok_or(OrderRefusal::ProductMissing)?)?;
    let quantity = input.quantity.unwrap_or(1);
    check_product(input, &product, quantity)?;
    let face = product.face_value(input.face_value.as_deref()).map_err(OrderRefusal::FaceValue)?;
    let currency = input.currency.unwrap_or(actor.default_currency);
    let most = max_total(input, currency)?;
    let price = pricing::price(ctx, actor.partner, &product, face, currency).map_err(OrderRefusal::Price)?;
    let terms = Terms { product, quantity, face, currency, unit: (&price).into(), charge: None };
    if terms.total().is_none() || is_above(&terms, most) {
        let charge = pricing::draft_charge(ctx, actor.partner, &terms.product, quantity, &price)
            .map_err(OrderRefusal::Price)?;
        return Err(OrderRefusal::PriceChanged { charge: Box::new(charge) });
    }
    Ok(terms)
}
