//! Decimal numbers for rates, shares and costs.
//!
//! What lives here: a decimal of at most 38 digits, exact, kept as text in the database on both engines.
//! What is always true: it prints without an exponent and without trailing zeros, and equal numbers are equal values.
//! What is not here: arithmetic. Prices are computed with big integers in `domain/pricing/model.rs`.

use std::fmt;
use std::str::FromStr;

use sea_orm::DeriveValueType;

/// `mantissa × 10^-scale`, with the least scale that holds it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, DeriveValueType)]
#[sea_orm(value_type = "String")]
pub struct Decimal {
    mantissa: i128,
    scale: u32,
}

/// Text that is no plain decimal number of at most 36 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a plain decimal number")]
pub struct ParseDecimalError;

const MOST_DIGITS: usize = 36;

impl Decimal {
    /// Nought.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// The number `mantissa × 10^-scale`.
    pub fn new(mut mantissa: i128, mut scale: u32) -> Self {
        while scale > 0 && mantissa.checked_rem(10) == Some(0) {
            mantissa = mantissa.checked_div(10).unwrap_or(0);
            scale = scale.saturating_sub(1);
        }
        Self { mantissa, scale }
    }

    /// The digits without the point.
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// How many of the digits stand behind the point.
    pub const fn scale(self) -> u32 {
        self.scale
    }

    /// Whether it is below nought.
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }
}

impl FromStr for Decimal {
    type Err = ParseDecimalError;

    fn from_str(text: &str) -> Result<Self, ParseDecimalError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let bare_point = digits.contains('.') && fraction.is_empty();
        let short = whole.len().saturating_add(fraction.len()) <= MOST_DIGITS;
        if whole.is_empty() || bare_point || !short || !all_digits(whole) || !all_digits(fraction) {
            return Err(ParseDecimalError);
        }
        let unsigned: i128 = format!("{whole}{fraction}").parse().map_err(|_| ParseDecimalError)?;
        let mantissa = if text.starts_with('-') { unsigned.saturating_neg() } else { unsigned };
        Ok(Self::new(mantissa, u32::try_from(fraction.len()).map_err(|_| ParseDecimalError)?))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(self.mantissa, self.scale, out)
    }
}

/// Writes `mantissa × 10^-scale` with exactly `scale` digits behind the point.
pub(crate) fn write_scaled(mantissa: i128, scale: u32, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    if mantissa < 0 {
        out.write_str("-")?;
    }
    let scale = usize::try_from(scale).map_err(|_| fmt::Error)?;
    let width = scale.saturating_add(1);
    let digits = format!("{:0>width$}", mantissa.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    out.write_str(whole)?;
    if !fraction.is_empty() {
        write!(out, ".{fraction}")?;
    }
    Ok(())
}

impl fmt::Debug for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl serde::Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(input)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_prints_plainly_and_forgets_trailing_zeros() {
        for (text, shown) in
            [("0.050", "0.05"), ("-1.20", "-1.2"), ("100", "100"), ("0.0", "0"), ("007", "7")]
        {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), shown);
        }
        for text in ["", ".", "1.", ".5", "1e3", "+1", "--1", "1,0", "1 ", "٣"] {
            assert_eq!(text.parse::<Decimal>(), Err(ParseDecimalError), "{text}");
        }
    }
}
