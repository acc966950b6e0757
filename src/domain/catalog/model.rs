//! What can be bought: the pure part.
//!
//! What lives here: a product and what it hangs on, which face values it comes in, and how names are made comparable.
//! What is always true: a face value that `Product::face_value` answers is one that the product comes in.
//! What is not here: prices (`domain/pricing`), and how many codes there are (`stock.rs`).

use std::sync::Arc;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::money::{Money, ParseMoneyError};
use entity::state::{DeliveryKind, ProductStatus, RecipientKind};
use entity::timestamp::Timestamp;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::problem::{ErrorCode, Refusal};

/// A kind of goods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// The short name.
    pub slug: String,
    /// The name.
    pub name: String,
    /// How many products it has.
    pub product_count: i32,
}

/// Whose goods products are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// The short name.
    pub slug: String,
    /// The name.
    pub name: String,
    /// The kind of goods.
    pub category: Arc<Category>,
    /// How many products it has.
    pub product_count: i32,
}

/// A country.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub code: String,
    /// ISO 3166-1 alpha-3.
    pub alpha3: String,
    /// The English name.
    pub name: String,
    /// Its main currency.
    pub currency: Option<Currency>,
    /// How many products are sold for it.
    pub product_count: i32,
}

/// A currency with what the system knows of it besides ISO 4217.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCurrency {
    /// The currency.
    pub currency: Currency,
    /// The English name.
    pub name: String,
    /// Whether wallets can be held in it.
    pub settlement: bool,
    /// How many products have their face value in it.
    pub product_count: i32,
}

/// The face values that a product comes in, in minor units of its face currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denomination {
    /// One value.
    Fixed(i64),
    /// From `min` to `max`, each `step` counted from `min`.
    Range {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
        /// The distance between values.
        step: i64,
    },
}

impl Denomination {
    /// The one value, or the least of a range.
    pub const fn least(self) -> i64 {
        match self {
            Self::Fixed(value) => value,
            Self::Range { min, .. } => min,
        }
    }

    /// The least and the greatest value from `min` to `max`, where those are told; `None` if it comes in none of them.
    pub fn between(self, min: Option<i64>, max: Option<i64>) -> Option<(i64, i64)> {
        let (least, greatest, step) = match self {
            Self::Fixed(value) => (value, value, 1),
            Self::Range { min, max, step } => (min, max, step),
        };
        let above = min.map_or(0, |min| min.saturating_sub(least)).max(0);
        let steps = above.saturating_add(step.saturating_sub(1)).checked_div_euclid(step)?;
        let from = least.checked_add(steps.checked_mul(step)?)?;
        let room = max.map_or(greatest, |max| max.min(greatest)).checked_sub(least)?;
        let to = least.checked_add(room.checked_div_euclid(step)?.checked_mul(step)?)?;
        (from <= to).then_some((from, to))
    }

    /// Whether it comes in this value.
    pub fn contains(self, minor: i64) -> bool {
        match self {
            Self::Fixed(value) => value == minor,
            Self::Range { min, max, step } => {
                (min..=max).contains(&minor)
                    && minor.checked_sub(min).and_then(|above| above.checked_rem(step)) == Some(0)
            }
        }
    }
}

/// Something that can be bought: one brand in one country at one denomination or range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// The sku.
    pub id: String,
    /// The name, with value and currency.
    pub name: String,
    /// Whose it is.
    pub brand: Arc<Brand>,
    /// The kind of goods.
    pub category: Arc<Category>,
    /// Where it is redeemed.
    pub country: Arc<Country>,
    /// The currency of its face value.
    pub face_currency: Currency,
    /// The face values that it comes in.
    pub denomination: Denomination,
    /// What a unit is, for goods sold by the unit.
    pub unit_label: Option<String>,
    /// How a unit reaches its user.
    pub delivery: DeliveryKind,
    /// What an order must name; `None` for codes.
    pub recipient: Option<RecipientKind>,
    /// The catalog's discount: a share.
    pub discount: Decimal,
    /// Whether it is sold.
    pub status: ProductStatus,
    /// The largest quantity of an order, 1 to 1,000.
    pub max_quantity: i32,
    /// How to redeem.
    pub redemption_instructions: Option<String>,
    /// When a code expires, in words.
    pub expiry_rule: Option<String>,
    /// When anything but its sources last changed.
    pub updated_at: Timestamp,
}

/// Why a product does not come in the face value asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaceValueRefusal {
    /// It is no plain decimal amount that can be counted.
    Malformed,
    /// It has more digits behind the point than the face currency.
    TooPrecise(Currency),
    /// A range needs one, and none was named.
    Missing {
        /// The least.
        min: Money,
        /// The greatest.
        max: Money,
    },
    /// A fixed product comes in one value alone.
    NotTheFixedValue(Money),
    /// It is outside the range.
    OutOfRange {
        /// The least.
        min: Money,
        /// The greatest.
        max: Money,
    },
    /// It is inside the range but between two steps.
    OffStep {
        /// The least.
        min: Money,
        /// The distance between values.
        step: Money,
    },
}

impl Refusal for FaceValueRefusal {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidFaceValue
    }

    fn message(&self) -> String {
        match self {
            Self::Malformed => "`faceValue` must be a plain decimal amount, such as \"50.00\"".to_owned(),
            Self::TooPrecise(currency) => {
                format!(
                    "`faceValue` must have {} digits behind the point at most, as {currency} has",
                    currency.minor_units()
                )
            }
            Self::Missing { min, max } => format!("`faceValue` is needed, from {min} to {max}"),
            Self::NotTheFixedValue(value) => {
                format!("`faceValue` must be {value}, in which alone the product comes, or be left out")
            }
            Self::OutOfRange { min, max } => format!("`faceValue` must be from {min} to {max}"),
            Self::OffStep { min, step } => format!("`faceValue` must be {min} and so many times {step}"),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        Some(vec!["faceValue".to_owned()])
    }
}

/// Why a product is not sold, or not in such a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaleRefusal {
    /// It is not sold at present.
    Unavailable,
    /// The quantity is below 1 or above what the product allows.
    QuantityOutOfRange {
        /// The largest quantity of an order of the product.
        most: i32,
    },
}

impl Refusal for SaleRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unavailable => ErrorCode::ProductUnavailable,
            Self::QuantityOutOfRange { .. } => ErrorCode::QuantityOutOfRange,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Unavailable => "the product is not sold at present".to_owned(),
            Self::QuantityOutOfRange { most } => format!("`quantity` must be 1 to {most}"),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        let field = match self {
            Self::Unavailable => "productId",
            Self::QuantityOutOfRange { .. } => "quantity",
        };
        Some(vec![field.to_owned()])
    }
}

/// The most units of an order, whatever its product allows.
pub const MOST_ORDER_UNITS: i32 = 1_000;

impl Product {
    /// Checks that the product is sold, in such a number.
    ///
    /// # Errors
    /// PRODUCT_UNAVAILABLE, QUANTITY_OUT_OF_RANGE.
    pub fn check_sale(&self, quantity: i32) -> Result<(), SaleRefusal> {
        if self.status != ProductStatus::Active {
            return Err(SaleRefusal::Unavailable);
        }
        let most = self.max_quantity.min(MOST_ORDER_UNITS);
        if (1..=most).contains(&quantity) { Ok(()) } else { Err(SaleRefusal::QuantityOutOfRange { most }) }
    }

    /// The face value of a unit: the fixed one, which may be named, or the one asked for of a range, on a step.
    ///
    /// # Errors
    /// INVALID_FACE_VALUE, saying what the product comes in.
    pub fn face_value(&self, asked: Option<&str>) -> Result<Money, FaceValueRefusal> {
        let money = |minor| Money::from_minor(minor, self.face_currency);
        let asked = asked.map(|text| self.read_face_value(text)).transpose()?;
        match (self.denomination, asked) {
            (Denomination::Fixed(value), None) => Ok(money(value)),
            (Denomination::Fixed(value), Some(asked)) if asked.minor == value => Ok(asked),
            (Denomination::Fixed(value), Some(_)) => Err(FaceValueRefusal::NotTheFixedValue(money(value))),
            (Denomination::Range { min, max, .. }, None) => {
                Err(FaceValueRefusal::Missing { min: money(min), max: money(max) })
            }
            (Denomination::Range { min, max, step }, Some(asked)) => {
                if self.denomination.contains(asked.minor) {
                    Ok(asked)
                } else if (min..=max).contains(&asked.minor) {
                    Err(FaceValueRefusal::OffStep { min: money(min), step: money(step) })
                } else {
                    Err(FaceValueRefusal::OutOfRange { min: money(min), max: money(max) })
                }
            }
        }
    }

    fn read_face_value(&self, text: &str) -> Result<Money, FaceValueRefusal> {
        Money::parse(text, self.face_currency).map_err(|error| match error {
            ParseMoneyError::TooPrecise => FaceValueRefusal::TooPrecise(self.face_currency),
            ParseMoneyError::Malformed | ParseMoneyError::TooLarge => FaceValueRefusal::Malformed,
        })
    }
}

/// A text without case and accents, to compare names by.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.nfkd().filter(|character| !is_combining_mark(*character)) {
        match character {
            // Letters that carry their accent inside have no decomposition in Unicode.
            'ø' | 'Ø' => folded.push('o'),
            'ł' | 'Ł' => folded.push('l'),
            'đ' | 'Đ' => folded.push('d'),
            'ı' => folded.push('i'),
            'æ' | 'Æ' => folded.push_str("ae"),
            'œ' | 'Œ' => folded.push_str("oe"),
            'ß' | 'ẞ' => folded.push_str("ss"),
            other => folded.extend(other.to_lowercase().filter(|letter| !is_combining_mark(*letter))),
        }
    }
    folded
}

/// The words of a text, without case and accents: what is searched for and found.
pub fn words(text: &str) -> Vec<String> {
    fold(text)
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
