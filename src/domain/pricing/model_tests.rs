//! Properties of the formula, against an independent computation with big decimals.
//! Always true: the computation here shares no line with the one that it judges.
//! Not here: what needs a database.

use std::str::FromStr;

use bigdecimal::num_bigint::Sign;
use bigdecimal::{BigDecimal, RoundingMode};
use proptest::prelude::*;

use super::*;

fn big(number: Decimal) -> BigDecimal {
    BigDecimal::from_str(&number.to_string()).unwrap()
}

/// An amount in minor units, rounded.
fn minor(amount: &BigDecimal, currency: Currency, mode: RoundingMode) -> i64 {
    let scale = i64::from(currency.minor_units());
    let rounded = amount.with_scale_round(scale, mode);
    assert_ne!(rounded.sign(), Sign::Minus);
    i64::try_from(rounded.into_bigint_and_scale().0).unwrap()
}

fn independent(factors: &Factors) -> (i64, i64, i64, i64) {
    let one = BigDecimal::from(1);
    let goods = big(factors.face.decimal()) * (&one - big(factors.discount));
    let fee = big(Money::from_minor(factors.fee_minor, factors.face.currency).decimal());
    let rate = big(factors.rate);
    let margin = big(Decimal::new(i128::from(factors.margin_bps), 4));
    let unit = (&goods + &fee) * &rate * (&one + &margin);
    (
        minor(&unit, factors.currency, RoundingMode::HalfUp),
        minor(&(&goods * &rate), factors.currency, RoundingMode::Floor),
        minor(&(&goods * &rate * &margin), factors.currency, RoundingMode::Floor),
        minor(&(&fee * &rate * (&one + &margin)), factors.currency, RoundingMode::Floor),
    )
}

/// The real rates, by currency.
fn real_rates() -> Vec<(Currency, Decimal)> {
    include_str!("../../../data/fx-rates.csv")
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            (fields[1].parse().unwrap(), fields[2].parse().unwrap())
        })
        .collect()
}

fn check(factors: &Factors) {
    let (unit, sales, fx, fee) = independent(factors);
    let Some(price) = unit_price(factors) else {
        assert_eq!(unit, 0, "{factors:?}");
        return;
    };
    let found = (price.unit_minor, price.sales_minor, price.fx_minor, price.fee_minor);
    assert_eq!(found, (unit, sales, fx, fee), "{factors:?}");
    let sum = price.sales_minor + price.fx_minor + price.fee_minor + price.rounding_minor;
    assert_eq!(sum, price.unit_minor);
    assert!((0..=3).contains(&price.rounding_minor), "{factors:?}");
    let line = price_line(factors).unwrap();
    let on_line = big(factors.face.decimal()) * big(line.factor) + big(line.fee);
    assert_eq!(minor(&on_line, factors.currency, RoundingMode::HalfUp), unit, "{factors:?} {line:?}");
}

#[test]
fn every_pair_of_real_currencies_converts_to_the_very_minor_unit() {
    let rates = real_rates();
    assert_eq!(rates.len(), 155);
    for (from, base_to_from) in &rates {
        for (to, base_to_to) in &rates {
            let rate = cross(*base_to_from, *base_to_to).unwrap();
            let exact = big(*base_to_to) / big(*base_to_from);
            assert_eq!(
                big(rate),
                exact.with_prec(60).with_precision_round(18.try_into().unwrap(), RoundingMode::HalfUp)
            );
            for face_minor in [1, 999, 5_000, 123_457] {
                check(&Factors {
                    face: Money::from_minor(face_minor, *from),
                    discount: "0.0475".parse().unwrap(),
                    fee_minor: 13,
                    currency: *to,
                    rate,
                    margin_bps: 150,
                });
            }
        }
    }
}

fn currencies() -> impl Strategy<Value = Currency> {
    proptest::sample::select(Currency::all().collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_price_is_what_big_decimals_say_and_its_parts_sum_to_it(
        face_minor in 1_i64..10_000_000,
        from in currencies(),
        to in currencies(),
        discount in 0_i128..100_000_000,
        fee_minor in 0_i64..100_000,
        rate in 1_i128..1_000_000_000_000_000_000,
        scale in 12_u32..24,
        margin_bps in 0_i32..10_000,
    ) {
        check(&Factors {
            face: Money::from_minor(face_minor, from),
            discount: Decimal::new(discount, 8),
            fee_minor,
            currency: to,
            rate: Decimal::new(rate, scale),
            margin_bps,
        });
    }

    #[test]
    fn a_total_is_the_unit_price_times_the_quantity_or_cannot_be_counted(
        face_minor in 1_i64..10_000_000_000_000,
        from in currencies(),
        to in currencies(),
        rate in 1_i128..1_000_000_000_000_000_000,
        scale in 8_u32..24,
        quantity in 1_i32..=1_000,
    ) {
        let factors = Factors {
            face: Money::from_minor(face_minor, from),
            discount: Decimal::ZERO,
            fee_minor: 0,
            currency: to,
            rate: Decimal::new(rate, scale),
            margin_bps: 150,
        };
        if let Some(price) = unit_price(&factors) {
            let exact = i128::from(price.unit_minor) * i128::from(quantity);
            let total = Money::from_minor(price.unit_minor, to).times(quantity);
            prop_assert_eq!(total.map(|total| i128::from(total.minor)), Some(exact).filter(|exact| *exact <= i128::from(i64::MAX)));
            prop_assert!(total.is_none_or(|total| total.currency == to));
        }
    }

    #[test]
    fn a_total_at_the_edge_of_what_can_be_counted_is_refused_beyond_it(quantity in 2_i32..=1_000, currency in currencies()) {
        let most = i64::MAX.div_euclid(i64::from(quantity));
        let total = |minor| Money::from_minor(minor, currency).times(quantity).map(|total| total.minor);
        prop_assert_eq!(total(most), Some(most * i64::from(quantity)));
        prop_assert_eq!(total(most + 1), None);
    }

    #[test]
    fn a_crossed_rate_has_eighteen_digits_and_is_the_nearest(
        from in 1_i128..1_000_000_000_000_000_000, from_scale in 0_u32..18,
        to in 1_i128..1_000_000_000_000_000_000, to_scale in 0_u32..18,
    ) {
        let (from, to) = (Decimal::new(from, from_scale), Decimal::new(to, to_scale));
        let rate = cross(from, to).unwrap();
        let exact = (big(to) / big(from)).with_prec(80);
        let error = (big(rate) - &exact).abs() * 2;
        // Half a unit of the eighteenth digit, at most.
        let digits = i64::try_from(exact.digits()).unwrap() - exact.fractional_digit_count();
        let unit = BigDecimal::new(1.into(), 18 - digits);
        prop_assert!(error <= unit, "{from} {to} {rate} {exact}");
    }
}

#[test]
fn halves_round_up_once_at_the_end() {
    let factors = |face_minor, discount: &str, rate: &str, margin_bps| Factors {
        face: Money::from_minor(face_minor, Currency::USD),
        discount: discount.parse().unwrap(),
        fee_minor: 0,
        currency: "JPY".parse().unwrap(),
        rate: rate.parse().unwrap(),
        margin_bps,
    };
    let unit = |factors: Factors| unit_price(&factors).map(|price| price.unit_minor);
    assert_eq!(unit(factors(100, "0", "150.5", 0)), Some(151));
    assert_eq!(unit(factors(100, "0", "150.4999999999999999", 0)), Some(150));
    // Rounding 47.5 × 150.5 first, or the margin by itself, would give another yen.
    assert_eq!(unit(factors(5_000, "0.05", "150.5", 150)), Some(7_256));
    assert_eq!(unit(factors(1, "0", "49.9", 0)), None);
    assert_eq!(unit(factors(i64::MAX, "0", "150", 0)), None);
}

#[test]
fn the_first_rule_that_sets_a_factor_wins() {
    use PriceRuleSubject::{All, Brand, Category, Product};
    let partner = PartnerId::from_uuid(uuid::Uuid::from_u128(1));
    let other = PartnerId::from_uuid(uuid::Uuid::from_u128(2));
    let subjects =
        Subjects { partner: Some(partner), product: "steam_50", brand: "steam", category: "gaming" };
    let levels = [
        (Some(partner), Product, "steam_50", "partner_product"),
        (Some(partner), Brand, "steam", "partner_brand"),
        (Some(partner), Category, "gaming", "partner_category"),
        (Some(partner), All, "", "partner"),
        (None, Product, "steam_50", "product"),
        (None, Brand, "steam", "brand"),
        (None, Category, "gaming", "category"),
    ];
    let usd = Currency::USD;
    let rule = |kind, partner, subject_kind, subject: &str, value: i128, currency| Rule {
        kind,
        partner,
        subject_kind,
        subject: subject.to_owned(),
        value: Decimal::new(value, 2),
        currency,
    };
    for first in 0..levels.len() {
        let mut rules = Vec::new();
        for (level, value) in levels.iter().zip(1..).skip(first) {
            let (partner, kind, subject, _) = level;
            rules.push(rule(PriceRuleKind::Discount, *partner, *kind, subject, value, None));
            rules.push(rule(PriceRuleKind::Fee, *partner, *kind, subject, value, Some(usd)));
            rules.push(rule(PriceRuleKind::Margin, *partner, *kind, subject, value, None));
        }
        // What belongs to another partner, subject or currency is never asked.
        rules.push(rule(PriceRuleKind::Discount, Some(other), All, "", 90, None));
        rules.push(rule(
            PriceRuleKind::Fee,
            Some(partner),
            Product,
            "steam_50",
            90,
            Some("EUR".parse().unwrap()),
        ));
        rules.push(rule(PriceRuleKind::Margin, None, Brand, "xbox", 90, None));
        let rules = Rules::new(rules);
        let value = Decimal::new(i128::try_from(first).unwrap() + 1, 2);
        let wanted = Found { value, rule: levels[first].3 };
        assert_eq!(rules.discount(&subjects, Decimal::new(4, 2)), wanted);
        assert_eq!(rules.fee(&subjects, usd), wanted);
        assert_eq!(rules.margin(&subjects, 150), wanted);
    }
}

#[test]
fn without_a_particular_rule_the_catalog_then_the_rule_for_all_then_the_setting_decide() {
    let partner = PartnerId::from_uuid(uuid::Uuid::from_u128(1));
    let subjects =
        Subjects { partner: Some(partner), product: "steam_50", brand: "steam", category: "gaming" };
    let none = Rules::default();
    let found = |value: &str, rule| Found { value: value.parse().unwrap(), rule };
    assert_eq!(none.discount(&subjects, Decimal::new(4, 2)), found("0.04", "catalog"));
    assert_eq!(none.discount(&subjects, Decimal::ZERO), found("0", "default"));
    assert_eq!(none.fee(&subjects, Currency::USD), found("0", "default"));
    assert_eq!(none.margin(&subjects, 150), found("0.015", "default"));
    let all = |kind, currency| Rule {
        kind,
        partner: None,
        subject_kind: PriceRuleSubject::All,
        subject: String::new(),
        value: Decimal::new(7, 2),
        currency,
    };
    let rules = Rules::new([
        all(PriceRuleKind::Discount, None),
        all(PriceRuleKind::Fee, Some(Currency::USD)),
        all(PriceRuleKind::Margin, None),
    ]);
    assert_eq!(rules.discount(&subjects, Decimal::new(4, 2)), found("0.04", "catalog"));
    assert_eq!(rules.discount(&subjects, Decimal::ZERO), found("0.07", "default"));
    assert_eq!(rules.fee(&subjects, Currency::USD), found("0.07", "default"));
    assert_eq!(rules.fee(&subjects, "EUR".parse().unwrap()), found("0", "default"));
    assert_eq!(rules.margin(&subjects, 150), found("0.07", "default"));
}
