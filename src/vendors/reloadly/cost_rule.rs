//! What a unit costs at Reloadly.
//!
//! What lives here: `face × rate × (1 − discount + fee share) + fee`, as a factor and a fee.
//! What is always true: the rate that is charged is finer than the one that is published, which is rounded to six digits; the
//! factor is made of the highest rate that the published one may stand for, so that a margin is never thought wider than it is.
//! The prices beside a product's face values are rate times face value rounded to cents: they narrow the rate, and are no prices.
//! What is not here: what a purchase did cost; its transaction tells that.

use std::collections::BTreeMap;

use entity::currency::Currency;
use entity::decimal::Decimal;
use serde_json::value::RawValue;

use super::number::{Number, Rounding, at_scale, decimal, micros};
use crate::domain::fulfillment::CostRule;

/// What a product's price is made of.
pub(super) struct Pricing<'a> {
    /// The currency of its face value.
    pub(super) face_currency: Currency,
    /// The currency of our account.
    pub(super) currency: Currency,
    /// Units of `currency` for one of the face currency, as published.
    pub(super) rate: Option<Number>,
    /// Percent of the price.
    pub(super) discount: Option<Number>,
    /// Percent of the price.
    pub(super) fee_share: Option<Number>,
    /// Of each unit, in `currency`.
    pub(super) fee: Option<Number>,
    /// Prices by face value, rounded to cents: an object, or a list of objects of one member each.
    pub(super) rounded_prices: Option<&'a RawValue>,
}

/// The digits of a published rate.
const RATE_SCALE: u32 = 6;
/// The digits of the rate that is reckoned with.
const FINE_SCALE: u32 = 15;

/// What a unit costs; `None` if that is not told whole.
pub(super) fn cost_rule(pricing: &Pricing<'_>) -> Option<CostRule> {
    let rate = highest_rate(pricing)?;
    let percent =
        |share: Option<Number>| at_scale(share.map_or(Decimal::ZERO, |share| share.0), 4, Rounding::Up);
    // In millionths of the price: percents have four digits behind the point here, and are hundredths.
    let share =
        1_000_000_i128.checked_sub(percent(pricing.discount)?)?.checked_add(percent(pricing.fee_share)?)?;
    let factor = Decimal::new(rate.mantissa().checked_mul(share)?, rate.scale().checked_add(6)?);
    let fee_micros = micros(pricing.fee.map_or(Decimal::ZERO, |fee| fee.0))?;
    let is_sound = !factor.is_negative() && fee_micros >= 0;
    is_sound.then_some(CostRule { currency: pricing.currency, factor, fee_micros })
}

/// The highest rate that may be charged.
fn highest_rate(pricing: &Pricing<'_>) -> Option<Decimal> {
    if pricing.face_currency == pricing.currency {
        return Some(pricing.rate.map_or(Decimal::new(1, 0), |rate| rate.0));
    }
    let published = pricing.rate?.0;
    let fine = at_scale(published, FINE_SCALE, Rounding::Up)?;
    let half_digit =
        10_i128.checked_pow(FINE_SCALE.checked_sub(RATE_SCALE.max(published.scale()))?)?.checked_div(2)?;
    let (lowest, highest) = (fine.checked_sub(half_digit)?, fine.checked_add(half_digit)?);
    let narrowed = pricing.rounded_prices.and_then(highest_of_prices);
    // Prices that contradict the rate are not what they are taken for.
    let highest = narrowed.filter(|narrowed| *narrowed >= lowest).map_or(highest, |other| other.min(highest));
    Some(Decimal::new(highest, FINE_SCALE))
}

/// The highest rate, at the fine scale, with which every price would round to what is told: a cent's half above it.
fn highest_of_prices(prices: &RawValue) -> Option<i128> {
    let highest = pairs(prices)?.into_iter().filter_map(|(face, price)| {
        let face = decimal(&face)?;
        let price = at_scale(price.0, FINE_SCALE, Rounding::Up)?;
        let top = price.checked_add(10_i128.checked_pow(FINE_SCALE)?.checked_div(200)?)?;
        let scaled = top.checked_mul(10_i128.checked_pow(face.scale())?)?;
        let face = (face.mantissa() > 0).then_some(face.mantissa())?;
        scaled.checked_add(face - 1)?.checked_div(face)
    });
    highest.min()
}

fn pairs(prices: &RawValue) -> Option<Vec<(String, Number)>> {
    type Prices = BTreeMap<String, Option<Number>>;
    let written = prices.get();
    let maps: Vec<Prices> = if written.starts_with('{') {
        vec![serde_json::from_str(written).ok()?]
    } else {
        serde_json::from_str(written).ok()?
    };
    Some(maps.into_iter().flatten().filter_map(|(face, price)| Some((face, price?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(face: &str, rate: &str, shares: [&str; 3], prices: &str) -> Option<(String, i64)> {
        let number = |text: &str| decimal(text).map(Number);
        let prices = RawValue::from_string(prices.to_owned()).unwrap();
        let rule = cost_rule(&Pricing {
            face_currency: face.parse().unwrap(),
            currency: Currency::USD,
            rate: number(rate),
            discount: number(shares[0]),
            fee_share: number(shares[1]),
            fee: number(shares[2]),
            rounded_prices: Some(&prices),
        })?;
        Some((rule.factor.to_string(), rule.fee_micros))
    }

    #[test]
    fn a_rule_is_exact_in_one_currency_and_takes_the_highest_rate_across_two() {
        let cases = [
            (("USD", "1", ["5", "0", "1"], "{}"), "0.95", 1_000_000),
            (("USD", "1", ["1.5", "1.00", "1.0"], "{}"), "0.995", 1_000_000),
            (("EUR", "1.176776", ["0", "0", "1"], r#"{"25.0":29.42}"#), "1.1767765", 1_000_000),
            (
                ("EUR", "1.176776", ["0", "0", "1"], r#"[{"5.0":5.88},{"25.0":29.42}]"#),
                "1.1767765",
                1_000_000,
            ),
            // What is published as 3.8E-5 is less than 0.0000385; what 500,000 cost may tell more: 19.05 is less than 19.055.
            (("VND", "3.8E-5", ["0", "0", "0"], r#"{"500000":19.25}"#), "0.0000385", 0),
            (("VND", "3.8E-5", ["0", "0", "0"], r#"{"500000":19.05}"#), "0.00003811", 0),
            // These prices have a discount in them, or another rate: they say nothing.
            (("EUR", "570", ["7.5", "1", "0.5"], r#"[{"25.00":10264.5}]"#), "532.9500004675", 500_000),
            (("EUR", "1.5", ["0", "0", "0"], "null"), "1.5000005", 0),
        ];
        for ((face, rate, shares, prices), factor, fee) in cases {
            assert_eq!(rule(face, rate, shares, prices), Some((factor.to_owned(), fee)), "{face} {rate}");
        }
        assert_eq!(rule("EUR", "", ["0", "0", "0"], "{}"), None);
        assert_eq!(rule("USD", "1", ["150", "0", "0"], "{}"), None);
    }
}
