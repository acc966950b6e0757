//! Creating a charge.
//!
//! What lives here: the command that binds the present price for a partner.
//! What is always true: a charge binds the price and not the stock; a refusal writes nothing.
//! What is not here: using a charge (`domain/orders`).

use std::sync::Arc;

use entity::charges;
use entity::currency::Currency;
use entity::state::Scope;

use super::quote::{draft_charge, price};
use super::refusals::ChargeRefusal;
use super::store::insert_charges;
use crate::ctx::Ctx;
use crate::domain::catalog;
use crate::problem::{Failure, Problem};
use crate::store::write;

/// What is to be priced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateCharge {
    /// The product's id.
    pub product_id: String,
    /// How many units.
    pub quantity: i32,
    /// The face value of one unit, as a decimal of the product's face currency.
    pub face_value: Option<String>,
    /// The settlement currency; the partner's default if absent.
    pub currency: Option<Currency>,
}

/// Binds the present price of so many units for the calling partner.
///
/// # Errors
/// UNAUTHENTICATED, or FORBIDDEN without charges:write; the refusals of `ChargeRefusal`.
pub async fn create_charge(ctx: &Ctx, input: CreateCharge) -> Result<charges::Model, Failure<ChargeRefusal>> {
    let actor = ctx.require(Scope::ChargesWrite)?;
    let snapshot = ctx.feature::<catalog::Live>().snapshot();
    let product =
        snapshot.product(&input.product_id).ok_or(Failure::Refused(ChargeRefusal::ProductNotFound))?;
    let refused = |refusal| Failure::Refused(ChargeRefusal::Sale(refusal));
    product.check_sale(input.quantity).map_err(refused)?;
    let face = product
        .face_value(input.face_value.as_deref())
        .map_err(|refusal| Failure::Refused(ChargeRefusal::FaceValue(refusal)))?;
    let currency = input.currency.unwrap_or(actor.default_currency);
    let charge = price(ctx, actor.partner, product, face, currency)
        .and_then(|price| draft_charge(ctx, actor.partner, product, input.quantity, &price))
        .map_err(|refusal| Failure::Refused(ChargeRefusal::Price(refusal)))?;
    let written = Arc::new(charge.clone());
    write(&ctx.deps, move |transaction| {
        let charge = Arc::clone(&written);
        Box::pin(async move {
            insert_charges(transaction, std::slice::from_ref(&charge)).await?;
            Ok::<(), Problem>(())
        })
    })
    .await?;
    Ok(charge)
}
