//! Money.
//!
//! What lives here: an amount in minor units beside its currency, exact text in and out, and checked sums.
//! What is always true: amounts of two currencies never meet, and nothing rounds: a text with more digits than the currency
//! has is refused.
//! What is not here: conversion; that is pricing.

use std::fmt;

use crate::currency::Currency;
use crate::decimal::{Decimal, write_scaled};

/// An amount of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// The amount in the currency's minor unit (ISO 4217).
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

/// Why text is no amount of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseMoneyError {
    /// It is no plain decimal number.
    #[error("not a plain decimal number")]
    Malformed,
    /// It has more digits behind the point than the currency.
    #[error("more digits than the currency has")]
    TooPrecise,
    /// It is beyond what can be counted.
    #[error("too large")]
    TooLarge,
}

impl Money {
    /// An amount in minor units.
    pub const fn from_minor(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads a decimal amount; fewer digits than the currency has are filled up, more are refused unless they are noughts.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, ParseMoneyError> {
        let number: Decimal = text.parse().map_err(|_| ParseMoneyError::Malformed)?;
        Self::from_decimal(number, currency)
    }

    /// The amount that equals a decimal number.
    ///
    /// # Errors
    /// `TooPrecise` or `TooLarge`.
    pub fn from_decimal(number: Decimal, currency: Currency) -> Result<Self, ParseMoneyError> {
        let missing =
            currency.minor_units().checked_sub(number.scale()).ok_or(ParseMoneyError::TooPrecise)?;
        let factor = 10_i128.checked_pow(missing).ok_or(ParseMoneyError::TooLarge)?;
        let minor = number.mantissa().checked_mul(factor).ok_or(ParseMoneyError::TooLarge)?;
        Ok(Self { minor: i64::try_from(minor).map_err(|_| ParseMoneyError::TooLarge)?, currency })
    }

    /// The amount as a decimal number.
    pub fn decimal(self) -> Decimal {
        Decimal::new(i128::from(self.minor), self.currency.minor_units())
    }

    /// The amount alone, with exactly the currency's digits.
    pub fn amount(self) -> String {
        struct Amount(Money);
        impl fmt::Display for Amount {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_scaled(i128::from(self.0.minor), self.0.currency.minor_units(), out)
            }
        }
        Amount(self).to_string()
    }

    /// `quantity` times the amount; `None` if that is beyond what can be counted.
    pub fn times(self, quantity: i32) -> Option<Self> {
        Some(Self { minor: self.minor.checked_mul(i64::from(quantity))?, currency: self.currency })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.amount(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_exactly_the_digits_of_its_currency() {
        for (text, code, shown) in [
            ("500", "JPY", "500"),
            ("12.5", "USD", "12.50"),
            ("1.25", "KWD", "1.250"),
            ("-0.01", "USD", "-0.01"),
        ] {
            let currency = code.parse().unwrap();
            assert_eq!(Money::parse(text, currency).unwrap().amount(), shown);
        }
        let usd = Currency::USD;
        assert_eq!(Money::parse("1.005", usd), Err(ParseMoneyError::TooPrecise));
        assert_eq!(Money::parse("1.500", usd).map(|money| money.minor), Ok(150));
        assert_eq!(Money::parse("92233720368547758.08", usd), Err(ParseMoneyError::TooLarge));
        assert_eq!(Money::parse("1e2", usd), Err(ParseMoneyError::Malformed));
    }
}
