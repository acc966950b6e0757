//! The formula of prices and the cascade of price rules: pure.
//!
//! What lives here: `unit = round_half_up((face × (1 − discount) + fee) × rate × (1 + margin))`, how the unit price splits into
//! what it is made of, crossed rates, and which rule sets a factor.
//! What is always true: the arithmetic is exact (a fraction of two integers of any size) and rounds once; the parts of a split
//! sum to the unit price.
//! What is not here: where rates and rules come from (`live.rs`).

use std::collections::HashMap;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::ids::PartnerId;
use entity::money::Money;
use entity::state::{PriceRuleKind, PriceRuleSubject};
use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};

/// What all rates are crossed through.
pub const BASE: Currency = Currency::USD;
/// Digits that a crossed rate keeps.
const SIGNIFICANT_DIGITS: u32 = 18;
/// Digits that a rate keeps which is crossed again later: so many more that crossing it gives what the very rates would.
const GUARDED_DIGITS: u32 = 24;
/// Hundredths of a per cent in the whole.
const WHOLE_BPS: i32 = 10_000;

/// What a unit price is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factors {
    /// The face value of a unit.
    pub face: Money,
    /// The share taken off the face value, 0 to less than 1.
    pub discount: Decimal,
    /// Added to each unit, in minor units of the face currency.
    pub fee_minor: i64,
    /// The settlement currency.
    pub currency: Currency,
    /// Units of the settlement currency for one of the face currency.
    pub rate: Decimal,
    /// The margin on the rate, in hundredths of a per cent.
    pub margin_bps: i32,
}

/// A unit price and what it is made of, in minor units of the settlement currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitPrice {
    /// The price.
    pub unit_minor: i64,
    /// Of it: the goods, ⌊face(1−d)·rate⌋.
    pub sales_minor: i64,
    /// Of it: the margin on the rate, ⌊face(1−d)·rate·m⌋.
    pub fx_minor: i64,
    /// Of it: fees, ⌊fee·rate·(1+m)⌋.
    pub fee_minor: i64,
    /// Of it: what rounding leaves.
    pub rounding_minor: i64,
}

fn ten_to(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

/// The price of a unit, rounded half up once; `None` if it is less than half a minor unit, or beyond what can be counted.
pub fn unit_price(factors: &Factors) -> Option<UnitPrice> {
    let whole = ten_to(factors.discount.scale());
    // All four are numerators over one denominator, in minor units of the settlement currency.
    let goods = BigInt::from(factors.face.minor) * (&whole - BigInt::from(factors.discount.mantissa()));
    let fee = BigInt::from(factors.fee_minor) * &whole;
    let scaled = BigInt::from(factors.rate.mantissa()) * ten_to(factors.currency.minor_units());
    let margin = BigInt::from(factors.margin_bps);
    let marked_up = BigInt::from(WHOLE_BPS) + &margin;
    let denominator = whole
        * ten_to(factors.face.currency.minor_units())
        * ten_to(factors.rate.scale())
        * BigInt::from(WHOLE_BPS);
    let unit = round_half_up(&((&goods + &fee) * &scaled * &marked_up), &denominator);
    let sales = (&goods * &scaled * BigInt::from(WHOLE_BPS)).div_floor(&denominator);
    let fx = (&goods * &scaled * &margin).div_floor(&denominator);
    let fees = (&fee * &scaled * &marked_up).div_floor(&denominator);
    let rounding = &unit - &sales - &fx - &fees;
    let unit_minor = unit.to_i64().filter(|minor| *minor > 0)?;
    Some(UnitPrice {
        unit_minor,
        sales_minor: sales.to_i64()?,
        fx_minor: fx.to_i64()?,
        fee_minor: fees.to_i64()?,
        rounding_minor: rounding.to_i64()?,
    })
}

/// How a unit price grows with the face value: `face × factor + fee` in the settlement currency, rounded half up to its minor
/// unit, is the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceLine {
    /// Units of the settlement currency for one of the face currency: discount, rate and margin.
    pub factor: Decimal,
    /// Added to each unit, in the settlement currency.
    pub fee: Decimal,
}

/// The line on which a unit price lies, with 24 significant digits; `None` if it cannot be counted.
pub fn price_line(factors: &Factors) -> Option<PriceLine> {
    let whole = ten_to(factors.discount.scale());
    let marked_up = BigInt::from(factors.rate.mantissa()) * (BigInt::from(WHOLE_BPS) + factors.margin_bps);
    let denominator = ten_to(factors.rate.scale()) * BigInt::from(WHOLE_BPS);
    let share = &whole - BigInt::from(factors.discount.mantissa());
    let fee = BigInt::from(factors.fee_minor) * &marked_up;
    let fee = match fee.is_zero() {
        true => Decimal::ZERO,
        false => {
            let minor = ten_to(factors.face.currency.minor_units());
            quantise(&fee, &(&denominator * minor), GUARDED_DIGITS)?
        }
    };
    Some(PriceLine { factor: quantise(&(share * marked_up), &(whole * denominator), GUARDED_DIGITS)?, fee })
}

/// The share of an amount, rounded half up to its minor unit, for show; `None` if it cannot be counted.
pub fn discount_amount(total: Money, discount: Decimal) -> Option<Money> {
    let share = BigInt::from(total.minor) * BigInt::from(discount.mantissa());
    let minor = round_half_up(&share, &ten_to(discount.scale())).to_i64()?;
    Some(Money::from_minor(minor, total.currency))
}

/// ⌊n/d + 1/2⌋, for a positive denominator.
fn round_half_up(numerator: &BigInt, denominator: &BigInt) -> BigInt {
    let twice: BigInt = numerator * 2;
    let halves: BigInt = denominator * 2;
    (twice + denominator).div_floor(&halves)
}

/// The rate from one currency to another, crossed through the base and quantised half up to 18 significant digits;
/// `base_to_from` and `base_to_to` are the units of each for one of the base. `None` if one of them is not positive.
pub fn cross(base_to_from: Decimal, base_to_to: Decimal) -> Option<Decimal> {
    crossed(base_to_from, base_to_to, SIGNIFICANT_DIGITS)
}

/// The same, to be crossed again: quantised to 24 significant digits.
pub(super) fn cross_guarded(base_to_from: Decimal, base_to_to: Decimal) -> Option<Decimal> {
    crossed(base_to_from, base_to_to, GUARDED_DIGITS)
}

fn crossed(base_to_from: Decimal, base_to_to: Decimal, digits: u32) -> Option<Decimal> {
    if base_to_from.mantissa() <= 0 || base_to_to.mantissa() <= 0 {
        return None;
    }
    let numerator = BigInt::from(base_to_to.mantissa()) * ten_to(base_to_from.scale());
    let denominator = BigInt::from(base_to_from.mantissa()) * ten_to(base_to_to.scale());
    quantise(&numerator, &denominator, digits)
}

/// A positive fraction as a decimal of this many significant digits, rounded half up.
fn quantise(numerator: &BigInt, denominator: &BigInt, significant: u32) -> Option<Decimal> {
    let least = ten_to(significant.saturating_sub(1));
    let beyond = ten_to(significant);
    let digits = |number: &BigInt| i32::try_from(number.abs().to_string().len()).ok();
    // One digit more or less is put right below.
    let mut scale = i32::try_from(significant)
        .ok()?
        .checked_sub(digits(numerator)?)?
        .checked_add(digits(denominator)?)?;
    let shifted = |scale: i32| {
        let power = ten_to(scale.unsigned_abs());
        let (over, under) = if scale < 0 { (BigInt::one(), power) } else { (power, BigInt::one()) };
        (numerator * over, denominator * under)
    };
    let (mut over, mut under) = shifted(scale);
    while over.div_floor(&under) >= beyond {
        scale = scale.checked_sub(1)?;
        (over, under) = shifted(scale);
    }
    while over.div_floor(&under) < least {
        scale = scale.checked_add(1)?;
        (over, under) = shifted(scale);
    }
    let rounded = round_half_up(&over, &under);
    if rounded.is_zero() {
        return None;
    }
    if scale < 0 {
        return Some(Decimal::new((rounded * ten_to(scale.unsigned_abs())).to_i128()?, 0));
    }
    Some(Decimal::new(rounded.to_i128()?, scale.unsigned_abs()))
}

/// A price rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it sets.
    pub kind: PriceRuleKind,
    /// For whom; `None` for all partners.
    pub partner: Option<PartnerId>,
    /// About what.
    pub subject_kind: PriceRuleSubject,
    /// The product's id, or the slug of brand or category; empty for all.
    pub subject: String,
    /// A share (discount, margin), or an amount of `currency` (fee).
    pub value: Decimal,
    /// For fees: the face currency that it applies to.
    pub currency: Option<Currency>,
}

/// What rules are about, for one product.
#[derive(Debug, Clone, Copy)]
pub struct Subjects<'a> {
    /// The partner who buys; `None` for what holds where no partner's rule does.
    pub partner: Option<PartnerId>,
    /// The product's id.
    pub product: &'a str,
    /// The brand's slug.
    pub brand: &'a str,
    /// The category's slug.
    pub category: &'a str,
}

/// The value that a rule sets, and the rule's place in the cascade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// A share, or an amount.
    pub value: Decimal,
    /// Such as partner_product.
    pub rule: &'static str,
}

/// What is set for a kind, a partner, a kind of subject and (fees) a currency.
type RuleKey = (PriceRuleKind, Option<PartnerId>, PriceRuleSubject, Option<Currency>);

/// All price rules.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    values: HashMap<RuleKey, HashMap<String, Decimal>>,
}

impl Rules {
    /// The rules by what they are about.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut values: HashMap<RuleKey, HashMap<String, Decimal>> = HashMap::new();
        for rule in rules {
            let key = (rule.kind, rule.partner, rule.subject_kind, rule.currency);
            values.entry(key).or_default().insert(rule.subject, rule.value);
        }
        Self { values }
    }

    /// The discount of a product: the first rule that sets one; the catalog's, where it gives any, stands before the rule for
    /// all products.
    pub fn discount(&self, subjects: &Subjects<'_>, catalog: Decimal) -> Found {
        let from_catalog = || (catalog != Decimal::ZERO).then_some(Found { value: catalog, rule: "catalog" });
        self.particular(PriceRuleKind::Discount, subjects, None)
            .or_else(from_catalog)
            .or_else(|| self.general(PriceRuleKind::Discount, None))
            .unwrap_or(Found { value: Decimal::ZERO, rule: "default" })
    }

    /// The fee of a unit, as an amount of the product's face currency: the first rule that names this currency.
    pub fn fee(&self, subjects: &Subjects<'_>, face_currency: Currency) -> Found {
        self.particular(PriceRuleKind::Fee, subjects, Some(face_currency))
            .or_else(|| self.general(PriceRuleKind::Fee, Some(face_currency)))
            .unwrap_or(Found { value: Decimal::ZERO, rule: "default" })
    }

    /// The margin on the rate, as a share: the first rule that sets one, or the setting's.
    pub fn margin(&self, subjects: &Subjects<'_>, default_bps: u32) -> Found {
        let setting = Decimal::new(i128::from(default_bps), 4);
        self.particular(PriceRuleKind::Margin, subjects, None)
            .or_else(|| self.general(PriceRuleKind::Margin, None))
            .unwrap_or(Found { value: setting, rule: "default" })
    }

    fn particular(
        &self,
        kind: PriceRuleKind,
        subjects: &Subjects<'_>,
        currency: Option<Currency>,
    ) -> Option<Found> {
        use PriceRuleSubject::{All, Brand, Category, Product};
        let of_partner = |partner| {
            [
                (Some(partner), Product, subjects.product, "partner_product"),
                (Some(partner), Brand, subjects.brand, "partner_brand"),
                (Some(partner), Category, subjects.category, "partner_category"),
                (Some(partner), All, "", "partner"),
            ]
        };
        let of_all = [
            (None, Product, subjects.product, "product"),
            (None, Brand, subjects.brand, "brand"),
            (None, Category, subjects.category, "category"),
        ];
        let mut steps = subjects.partner.map(of_partner).into_iter().flatten().chain(of_all);
        steps.find_map(|(partner, subject_kind, subject, rule)| {
            let value = self.values.get(&(kind, partner, subject_kind, currency))?.get(subject)?;
            Some(Found { value: *value, rule })
        })
    }

    fn general(&self, kind: PriceRuleKind, currency: Option<Currency>) -> Option<Found> {
        let value = self.values.get(&(kind, None, PriceRuleSubject::All, currency))?.get("")?;
        Some(Found { value: *value, rule: "default" })
    }
}

/// A share as hundredths of a per cent; `None` if it has finer digits or is outside 0 to less than 1.
pub(super) fn share_as_bps(share: Decimal) -> Option<i32> {
    let missing = 4_u32.checked_sub(share.scale())?;
    let bps = i32::try_from(share.mantissa().checked_mul(10_i128.checked_pow(missing)?)?).ok()?;
    (0..WHOLE_BPS).contains(&bps).then_some(bps)
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
