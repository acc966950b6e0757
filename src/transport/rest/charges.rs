//! Charges.
//!
//! Lives here: making a charge, and reading one.
//! Always true: what is shown is what was stored when the charge was made; only the order is looked up.
//! Not here: the formula (domain/pricing).

use entity::charges;
use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::ids::{ChargeId, OrderId};
use entity::money::Money as Amount;
use entity::state::Scope;
use entity::timestamp::Timestamp;
use serde::Serialize;

use super::gate::{Answer, Call, Outcome};
use super::problem_details::{ProblemDetails, of_failure};
use super::shapes::Money;
use crate::ctx::Ctx;
use crate::domain::orders::{QUANTITY_NULL, queries};
use crate::domain::pricing::{self, CreateCharge};
use crate::problem::Problem;

/// What making a charge takes.
pub const CREATE: &[&str] = &["product_id", "quantity", "face_value", "currency"];

#[derive(Serialize)]
struct Discount<'a> {
    rate: Decimal,
    amount: Money,
    rule: &'a str,
}

#[derive(Serialize)]
struct Fee<'a> {
    per_unit: Money,
    rule: &'a str,
}

#[derive(Serialize)]
struct Conversion<'a> {
    from: Currency,
    to: Currency,
    rate: Decimal,
    margin_bps: i32,
    rule: &'a str,
    source: &'a str,
    as_of: Timestamp,
}

#[derive(Serialize)]
struct Charge<'a> {
    id: ChargeId,
    product_id: &'a str,
    quantity: i32,
    face_value: Money,
    face_total: Money,
    discount: Discount<'a>,
    fee: Fee<'a>,
    conversion: Option<Conversion<'a>>,
    unit_price: Money,
    total: Money,
    created_at: Timestamp,
    expires_at: Timestamp,
    order_id: Option<OrderId>,
}

impl<'a> Charge<'a> {
    fn of(charge: &'a charges::Model, order_id: Option<OrderId>) -> Result<Self, Problem> {
        let beyond = || Problem::internal("a charge beyond counting");
        let face = Amount::from_minor(charge.face_minor, charge.face_currency);
        let face_total = face.times(charge.quantity).ok_or_else(beyond)?;
        let discount = pricing::discount_amount(face_total, charge.discount).ok_or_else(beyond)?;
        Ok(Self {
            id: charge.id,
            product_id: &charge.product_id,
            quantity: charge.quantity,
            face_value: face.into(),
            face_total: face_total.into(),
            discount: Discount {
                rate: charge.discount,
                amount: discount.into(),
                rule: &charge.discount_rule,
            },
            fee: Fee {
                per_unit: Money::from_minor(charge.fee_minor, charge.face_currency),
                rule: &charge.fee_rule,
            },
            conversion: conversion(charge),
            unit_price: Money::from_minor(charge.unit_price_minor, charge.currency),
            total: Money::from_minor(charge.total_minor, charge.currency),
            created_at: charge.created_at,
            expires_at: charge.expires_at,
            order_id,
        })
    }
}

/// How face currency became settlement currency; `None` if they are the same.
fn conversion(charge: &charges::Model) -> Option<Conversion<'_>> {
    Some(Conversion {
        from: charge.face_currency,
        to: charge.currency,
        rate: charge.rate,
        margin_bps: charge.margin_bps,
        rule: charge.margin_rule.as_deref()?,
        source: charge.rate_source.as_deref()?,
        as_of: charge.rate_as_of?,
    })
}

/// The order that was placed with a charge, for whoever may see orders.
async fn order_of(ctx: &Ctx, charge: ChargeId) -> Result<Option<OrderId>, Problem> {
    if !ctx.partner()?.may(Scope::OrdersRead) {
        return Ok(None);
    }
    let found = queries::find_by_charges(ctx, vec![charge]).await?;
    Ok(found.get(&charge).map(|order| order.id))
}

/// `POST /api/v1/charges`
pub async fn create(call: Call) -> Outcome {
    let Call { ctx, members, .. } = &call;
    if members.is_null("quantity") {
        return Err(ProblemDetails::of_input("quantity", QUANTITY_NULL));
    }
    let command = CreateCharge {
        product_id: members.required_text("product_id")?,
        quantity: members.whole("quantity")?.unwrap_or(1),
        face_value: members.amount("face_value")?,
        currency: members.currency("currency")?,
    };
    let charge = pricing::create_charge(ctx, command).await.map_err(of_failure)?;
    Answer::created(format!("/api/v1/charges/{}", charge.id), &Charge::of(&charge, None)?)
}

/// `GET /api/v1/charges/{id}`
pub async fn get(call: Call) -> Outcome {
    let found = pricing::find_charge(&call.ctx, &call.id).await?;
    let charge = found.ok_or_else(Problem::not_found)?;
    let order = order_of(&call.ctx, charge.id).await?;
    Answer::ok(&Charge::of(&charge, order)?)
}
