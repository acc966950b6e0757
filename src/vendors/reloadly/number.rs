//! What Reloadly writes as numbers.
//!
//! What lives here: decimal numbers in every notation that it uses, amounts at scale 6, and ids.
//! What is always true: a number is read from its digits and is exact; no float stands between.
//! What is not here: what a number means.

use entity::decimal::Decimal;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The scale of what things cost.
const COST_SCALE: u32 = 6;
/// More digits than these, in front of the point or behind it, are no number that anybody meant.
const MOST_DIGITS: u32 = 30;

/// A number: bare, between quotes, or with an exponent, such as `5`, `"5.00"` and `3.8E-5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(pub(super) Decimal);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let literal = <&RawValue>::deserialize(input)?;
        decimal(unquoted(literal)).map(Self).ok_or_else(|| serde::de::Error::custom("not a number"))
    }
}

/// An id: digits, as a number or as a text. Nothing else may stand in an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id(pub(super) String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let digits = unquoted(<&RawValue>::deserialize(input)?);
        let is_id = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_id.then(|| Self(digits.to_owned())).ok_or_else(|| serde::de::Error::custom("not an id"))
    }
}

/// A literal without the quotes around it.
fn unquoted(literal: &RawValue) -> &str {
    let written = literal.get();
    written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(written)
}

/// A decimal number with or without an exponent.
pub(super) fn decimal(written: &str) -> Option<Decimal> {
    let (digits, exponent) = written.split_once(['e', 'E']).unwrap_or((written, "0"));
    let exponent: i32 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let plain: Decimal = digits.parse().ok()?;
    let scale = i64::from(plain.scale()) - i64::from(exponent);
    let (mantissa, scale) = match u32::try_from(scale) {
        Ok(scale) => (plain.mantissa(), scale),
        Err(_) => {
            let factor = 10_i128.checked_pow(u32::try_from(-scale).ok()?)?;
            (plain.mantissa().checked_mul(factor)?, 0)
        }
    };
    let fits = scale <= MOST_DIGITS && mantissa.unsigned_abs() < 10_u128.pow(MOST_DIGITS);
    fits.then(|| Decimal::new(mantissa, scale))
}

/// The amount at scale 6, rounded half up; `None` if that is beyond what can be counted.
pub(super) fn micros(amount: Decimal) -> Option<i64> {
    i64::try_from(at_scale(amount, COST_SCALE, Rounding::HalfUp)?).ok()
}

/// Where a number goes that lies between two of those that a scale has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// To the nearer one; from the middle up.
    HalfUp,
    /// To the greater one.
    Up,
    /// To the lesser one.
    Down,
}

/// The number in units of `10^-scale`.
pub(super) fn at_scale(number: Decimal, scale: u32, rounding: Rounding) -> Option<i128> {
    if let Some(missing) = scale.checked_sub(number.scale()) {
        return number.mantissa().checked_mul(10_i128.checked_pow(missing)?);
    }
    let unit = 10_i128.checked_pow(number.scale() - scale)?;
    let raised = match rounding {
        Rounding::HalfUp => number.mantissa().checked_add(unit.checked_div(2)?)?,
        Rounding::Up => number.mantissa().checked_add(unit - 1)?,
        Rounding::Down => number.mantissa(),
    };
    raised.checked_div_euclid(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_their_digits_in_every_notation() {
        for (written, shown) in [
            ("5", "5"),
            ("\"5.00\"", "5"),
            ("3.8E-5", "0.000038"),
            ("1e+3", "1000"),
            ("12.5E1", "125"),
            ("505.00000000000", "505"),
            ("-0.5", "-0.5"),
        ] {
            let read: Number = serde_json::from_str(written).unwrap();
            assert_eq!(read.0.to_string(), shown, "{written}");
        }
        for written in ["\"\"", "\"five\"", "true", "[]", "1e99", "1e-99", "\"1e\""] {
            assert!(serde_json::from_str::<Number>(written).is_err(), "{written}");
        }
    }

    #[test]
    fn an_id_is_digits_and_nothing_that_an_address_would_obey() {
        for written in ["79965", "\"79965\""] {
            assert_eq!(serde_json::from_str::<Id>(written).unwrap().0, "79965");
        }
        for written in ["\"\"", "\"7/../8\"", "\"-7\"", "7.5", "-7", "null", "{}"] {
            assert!(serde_json::from_str::<Id>(written).is_err(), "{written}");
        }
    }

    #[test]
    fn amounts_round_half_up_at_the_sixth_digit() {
        for (written, expected) in
            [("6.52838", 6_528_380), ("6.5283822", 6_528_382), ("0.0000005", 1), ("0.00000049", 0)]
        {
            assert_eq!(micros(decimal(written).unwrap()), Some(expected), "{written}");
        }
        assert_eq!(micros(decimal("99999999999999999").unwrap()), None);
    }
}
