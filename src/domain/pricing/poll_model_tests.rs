//! What is believed of a provider: tables of jumps, ages, waits and turned bases.

use std::collections::BTreeMap;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::timestamp::Timestamp;

use super::*;
use crate::domain::pricing::cross;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn quotation(base: &str, rates: &[(&str, &str)]) -> Quotation {
    let rates = rates.iter().map(|(code, rate)| (currency(code), decimal(rate))).collect();
    Quotation { base: currency(base), observed_at: Timestamp::from_micros(0), rates, unreadable: Vec::new() }
}

#[test]
fn a_jump_is_measured_the_same_way_up_and_down_and_to_the_very_digit() {
    for (kept, told, bps, jumps) in [
        ("1", "1.1", 1_000, false),
        ("1", "1.100000000000000001", 1_000, true),
        ("1.1", "1", 1_000, false),
        ("1.100000000000000001", "1", 1_000, true),
        ("0.000038", "0.000038", 1, false),
        ("1000000", "0.000001", 4_000_000, true),
        ("157.5", "1575", 1_000, true),
        ("100", "300", 20_000, false),
    ] {
        assert_eq!(is_jump(decimal(kept), decimal(told), bps), jumps, "{kept} {told}");
    }
}

/// What the bank says of the euro is what we say, though we keep it against the dollar.
#[test]
fn rates_against_the_euro_cross_back_to_what_was_told() {
    let told = [("USD", "1.1623"), ("JPY", "180.29"), ("ISK", "146.4"), ("IDR", "19385.05")];
    let (rates, unreadable) = against_base(&quotation("EUR", &told)).unwrap();
    assert!(unreadable.is_empty() && rates.len() == 4, "the euro is there, and the dollar is not: {rates:?}");
    let euro = rates[&currency("EUR")];
    assert_eq!(euro.to_string(), "0.86036307321689753075798");
    for (code, rate) in &told[1..] {
        assert_eq!(cross(euro, rates[&currency(code)]), Some(decimal(rate)), "{code}");
    }
    assert_eq!(cross(euro, Decimal::new(1, 0)), Some(decimal("1.1623")));
}

#[test]
fn a_base_that_cannot_be_turned_is_refused_and_ours_stays_as_it_was_told() {
    assert!(against_base(&quotation("EUR", &[("JPY", "180.29")])).is_err());
    assert!(against_base(&quotation("USD", &[("USD", "1")])).is_err());
    let (rates, _) = against_base(&quotation("USD", &[("USD", "1"), ("EUR", "0.88022588")])).unwrap();
    assert_eq!(rates, BTreeMap::from([(currency("EUR"), decimal("0.88022588"))]));
}

#[test]
fn a_wait_doubles_with_each_failure_and_keeps_what_was_asked_for() {
    for (failures, interval, asked, wait) in [
        (0, 3_600, None, 3_600),
        (1, 3_600, None, 30),
        (2, 3_600, None, 60),
        (7, 3_600, None, 1_920),
        (8, 3_600, None, 3_600),
        (u32::MAX, 3_600, None, 3_600),
        (1, 3_600, Some(90), 90),
        (1, 3_600, Some(u64::MAX), 86_400),
        (8, 3_600, Some(10), 3_600),
    ] {
        assert_eq!(wait_secs(failures, interval, asked), wait, "{failures} {asked:?}");
    }
    assert_eq!(jittered_micros(100, 0), 100_000_000);
    assert_eq!(jittered_micros(100, u16::MAX), 110_000_000);
}

#[test]
fn an_answer_may_be_as_old_as_its_source_allows_and_a_day_ahead() {
    let now = Timestamp::from_micros(1_795_348_800_000_000);
    for (secs, fits) in [(0, true), (-100, true), (-101, false), (86_400, true), (86_401, false)] {
        assert_eq!(check_age(now.plus_seconds(secs), now, 100).is_ok(), fits, "{secs}");
    }
}
