//! Rates in JSON.
//!
//! What lives here: an object of numbers by name, and a number's text as a decimal.
//! What is always true: no digit is lost, and no name stands twice.
//! What is not here: what the names are.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use entity::currency::Currency;
use entity::decimal::Decimal;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Digits that a rate may have: more than any provider tells.
const MOST_DIGITS: u32 = 24;
/// Digits that may stand behind its point.
const MOST_SCALE: u32 = 30;

/// The members of an object, each value as the text that stands there.
#[derive(Debug)]
pub(super) struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object of numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut members, mut seen) = (Vec::new(), HashSet::new());
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                    members.push((name, value));
                }
                Ok(members)
            }
        }

        input.deserialize_map(Object).map(Members)
    }
}

/// The rates among the members, with the currencies whose value is none; `currency` tells which currency a name is, if any.
pub(super) fn rates_of(
    members: Members<'_>,
    currency: impl Fn(&str) -> Option<Currency>,
) -> (BTreeMap<Currency, Decimal>, Vec<Currency>) {
    let (mut rates, mut unreadable) = (BTreeMap::new(), Vec::new());
    for (name, value) in members.0 {
        let Some(currency) = currency(&name) else { continue };
        match rate(value.get()) {
            Some(rate) => drop(rates.insert(currency, rate)),
            None => unreadable.push(currency),
        }
    }
    (rates, unreadable)
}

/// A positive number as JSON writes it, such as `0.88` and `3.8E-5`; `None` for anything else, and for what has more digits than
/// an observation has.
pub(super) fn rate(text: &str) -> Option<Decimal> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let plain: Decimal = number.parse().ok()?;
    let scale = i32::try_from(plain.scale()).ok()?.checked_sub(exponent)?;
    let rate = if scale < 0 {
        let power = 10_i128.checked_pow(scale.unsigned_abs())?;
        Decimal::new(plain.mantissa().checked_mul(power)?, 0)
    } else {
        Decimal::new(plain.mantissa(), scale.unsigned_abs())
    };
    let has_sense = rate.mantissa() > 0 && rate.mantissa() < 10_i128.pow(MOST_DIGITS);
    (has_sense && rate.scale() <= MOST_SCALE).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_digit_by_digit_and_nothing_else_is_one() {
        for (text, read) in [
            ("0.88022588", "0.88022588"),
            ("3.8E-5", "0.000038"),
            ("3.8e-5", "0.000038"),
            ("1.5e+3", "1500"),
            ("1E0", "1"),
            ("42000", "42000"),
            ("0.30600000000000005", "0.30600000000000005"),
            ("1E-30", "0.000000000000000000000000000001"),
        ] {
            assert_eq!(rate(text).map(|rate| rate.to_string()).as_deref(), Some(read), "{text}");
        }
        for text in [
            "0",
            "-1",
            "0.0",
            "null",
            "\"1\"",
            "NaN",
            "1e",
            "1e1.5",
            "1E24",
            "1E-31",
            "1e999999999999",
            "[1]",
            "1e-2147483648",
        ] {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    #[test]
    fn a_member_that_stands_twice_makes_the_object_unusable() {
        let members = |text: &str| serde_json::from_str::<Members<'_>>(text).map(|members| members.0.len());
        assert_eq!(members("{\"eur\":0.88,\"jpy\":157}").unwrap(), 2);
        assert!(members("{\"eur\":0.88,\"\\u0065ur\":0.89}").is_err());
        assert!(members("[]").is_err());
    }
}
