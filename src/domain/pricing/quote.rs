//! What something costs right now.
//!
//! What lives here: the price of a unit for a partner with every factor, and the charge that would bind it.
//! What is always true: everything is answered from memory; what a charge shows is what it was computed from.
//! What is not here: writing a charge (`create_charge.rs`, `store.rs`).

use entity::charges;
use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::ids::{ChargeId, PartnerId};
use entity::money::Money;
use entity::timestamp::Timestamp;

use super::live::Live;
use super::model::{BASE, Factors, PriceLine, Subjects, price_line, share_as_bps, unit_price};
use super::refusals::PriceRefusal;
use crate::ctx::Ctx;
use crate::domain::catalog::{self, Product};

/// The price of a unit with every factor; minor units of `currency` where nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// The face value.
    pub face: Money,
    /// The settlement currency.
    pub currency: Currency,
    /// The share taken off the face value.
    pub discount: Decimal,
    /// The rule that set it.
    pub discount_rule: String,
    /// Added to the unit, in minor units of the face currency.
    pub fee_minor: i64,
    /// The rule that set it.
    pub fee_rule: String,
    /// Units of `currency` for one of the face currency; 1 where they are the same.
    pub rate: Decimal,
    /// Where the rate comes from; `None` where the currencies are the same.
    pub rate_source: Option<String>,
    /// When the rate was observed.
    pub rate_as_of: Option<Timestamp>,
    /// The margin on the rate, in hundredths of a per cent.
    pub margin_bps: i32,
    /// The rule that set it; `None` where the currencies are the same.
    pub margin_rule: Option<String>,
    /// What a unit costs.
    pub unit_price_minor: i64,
    /// Of it: the goods.
    pub unit_sales_minor: i64,
    /// Of it: the margin on the rate.
    pub unit_fx_minor: i64,
    /// Of it: fees.
    pub unit_fee_minor: i64,
    /// Of it: what rounding leaves.
    pub unit_rounding_minor: i64,
}

impl Price {
    /// How it grows with the face value; `None` if that cannot be counted.
    pub fn line(&self) -> Option<PriceLine> {
        price_line(&Factors {
            face: self.face,
            discount: self.discount,
            fee_minor: self.fee_minor,
            currency: self.currency,
            rate: self.rate,
            margin_bps: self.margin_bps,
        })
    }
}

/// How face currency becomes settlement currency.
struct Conversion {
    rate: Decimal,
    source: Option<String>,
    as_of: Option<Timestamp>,
    margin_bps: i32,
    margin_rule: Option<String>,
}

/// The price of one unit of a product at a face value, for a partner, in a settlement currency, from memory.
///
/// # Errors
/// CURRENCY_NOT_SUPPORTED, RATES_STALE.
pub fn price(
    ctx: &Ctx,
    partner: PartnerId,
    product: &Product,
    face: Money,
    currency: Currency,
) -> Result<Price, PriceRefusal> {
    let subjects = Subjects { partner: Some(partner), ..subjects_of(product) };
    compute(ctx, &subjects, product, face, currency)
}

/// What a unit costs where no partner's rule says otherwise: in its face currency where wallets are held in that, else in the
/// base.
///
/// # Errors
/// CURRENCY_NOT_SUPPORTED, RATES_STALE.
pub fn list_price(ctx: &Ctx, product: &Product, face: Money) -> Result<Money, PriceRefusal> {
    let is_held = ctx.feature::<catalog::Live>().snapshot().settles_in(face.currency);
    let currency = if is_held { face.currency } else { BASE };
    let price = compute(ctx, &subjects_of(product), product, face, currency)?;
    Ok(Money::from_minor(price.unit_price_minor, currency))
}

fn subjects_of(product: &Product) -> Subjects<'_> {
    Subjects {
        partner: None,
        product: &product.id,
        brand: &product.brand.slug,
        category: &product.category.slug,
    }
}

fn compute(
    ctx: &Ctx,
    subjects: &Subjects<'_>,
    product: &Product,
    face: Money,
    currency: Currency,
) -> Result<Price, PriceRefusal> {
    if !ctx.feature::<catalog::Live>().snapshot().settles_in(currency) {
        return Err(PriceRefusal::NotASettlementCurrency(currency));
    }
    let live = ctx.feature::<Live>();
    let (discount, fee) = live
        .with_rules(|rules| (rules.discount(subjects, product.discount), rules.fee(subjects, face.currency)));
    // `price set` lets no fee in that is no amount of its currency.
    let fee_minor = Money::from_decimal(fee.value, face.currency).map_or(0, |money| money.minor);
    let conversion = conversion(ctx, live, subjects, face.currency, currency)?;
    let factors = Factors {
        face,
        discount: discount.value,
        fee_minor,
        currency,
        rate: conversion.rate,
        margin_bps: conversion.margin_bps,
    };
    let unit = unit_price(&factors).ok_or(PriceRefusal::UnitOutOfRange(currency))?;
    Ok(Price {
        face,
        currency,
        discount: discount.value,
        discount_rule: discount.rule.to_owned(),
        fee_minor,
        fee_rule: fee.rule.to_owned(),
        rate: conversion.rate,
        rate_source: conversion.source,
        rate_as_of: conversion.as_of,
        margin_bps: conversion.margin_bps,
        margin_rule: conversion.margin_rule,
        unit_price_minor: unit.unit_minor,
        unit_sales_minor: unit.sales_minor,
        unit_fx_minor: unit.fx_minor,
        unit_fee_minor: unit.fee_minor,
        unit_rounding_minor: unit.rounding_minor,
    })
}

fn conversion(
    ctx: &Ctx,
    live: &Live,
    subjects: &Subjects<'_>,
    from: Currency,
    to: Currency,
) -> Result<Conversion, PriceRefusal> {
    if from == to {
        let rate = Decimal::new(1, 0);
        return Ok(Conversion { rate, source: None, as_of: None, margin_bps: 0, margin_rule: None });
    }
    let found = live.exchange_rate(from, to, ctx.now);
    let found = found.ok_or_else(|| match live.exchange_rate(BASE, from, ctx.now) {
        None => PriceRefusal::NoRate(from),
        Some(_) => PriceRefusal::NoRate(to),
    })?;
    if found.stale {
        return Err(PriceRefusal::RatesStale { as_of: found.as_of });
    }
    let margin = live.with_rules(|rules| rules.margin(subjects, ctx.config().default_margin_bps));
    Ok(Conversion {
        rate: found.rate,
        source: Some(found.source),
        as_of: Some(found.as_of),
        // `price set` lets no margin in that is no number of hundredths of a per cent.
        margin_bps: share_as_bps(margin.value).unwrap_or(0),
        margin_rule: Some(margin.rule.to_owned()),
    })
}

/// The charge that binds a price for so many units from now on; it is not written yet.
///
/// # Errors
/// QUANTITY_OUT_OF_RANGE if the total cannot be counted.
pub fn draft_charge(
    ctx: &Ctx,
    partner: PartnerId,
    product: &Product,
    quantity: i32,
    price: &Price,
) -> Result<charges::Model, PriceRefusal> {
    let total = Money::from_minor(price.unit_price_minor, price.currency)
        .times(quantity)
        .filter(|_| price.face.times(quantity).is_some())
        .ok_or(PriceRefusal::TotalOutOfRange(price.currency))?;
    Ok(charges::Model {
        id: ChargeId::from_uuid(ctx.uuid()),
        partner_id: partner,
        product_id: product.id.clone(),
        quantity,
        face_minor: price.face.minor,
        face_currency: price.face.currency,
        currency: price.currency,
        discount: price.discount,
        discount_rule: price.discount_rule.clone(),
        fee_minor: price.fee_minor,
        fee_rule: price.fee_rule.clone(),
        rate: price.rate,
        rate_source: price.rate_source.clone(),
        rate_as_of: price.rate_as_of,
        margin_bps: price.margin_bps,
        margin_rule: price.margin_rule.clone(),
        unit_price_minor: price.unit_price_minor,
        unit_sales_minor: price.unit_sales_minor,
        unit_fx_minor: price.unit_fx_minor,
        unit_fee_minor: price.unit_fee_minor,
        unit_rounding_minor: price.unit_rounding_minor,
        total_minor: total.minor,
        created_at: ctx.now,
        expires_at: ctx.now.plus_seconds(i64::from(ctx.config().charge_ttl_secs)),
    })
}
