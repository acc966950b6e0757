//! Why something has no price, and why there is no charge.
//!
//! What lives here: the two small enums, with the facts that the caller needs.
//! What is always true: each says which input is at fault.
//! What is not here: orders' refusals, which contain these.

use entity::currency::Currency;
use entity::timestamp::Timestamp;

use crate::domain::catalog::{FaceValueRefusal, SaleRefusal};
use crate::problem::{ErrorCode, Refusal};

/// Why a product has no price in a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceRefusal {
    /// Nobody can settle in the currency.
    NotASettlementCurrency(Currency),
    /// The currency has no rate.
    NoRate(Currency),
    /// The rates are too old.
    RatesStale {
        /// When the older of the two was observed.
        as_of: Timestamp,
    },
    /// A unit costs less than half the smallest amount of the currency, or more than can be counted.
    UnitOutOfRange(Currency),
    /// All units together cost more than can be counted.
    TotalOutOfRange(Currency),
}

impl Refusal for PriceRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotASettlementCurrency(_) | Self::NoRate(_) | Self::UnitOutOfRange(_) => {
                ErrorCode::CurrencyNotSupported
            }
            Self::RatesStale { .. } => ErrorCode::RatesStale,
            Self::TotalOutOfRange(_) => ErrorCode::QuantityOutOfRange,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NotASettlementCurrency(currency) => {
                format!(
                    "wallets cannot be held in {currency}; `currencies(settlementOnly: true)` lists those that can"
                )
            }
            Self::NoRate(currency) => format!("there is no rate for {currency}"),
            Self::RatesStale { as_of } => {
                format!(
                    "the rates are from {as_of}, too old to convert by; try again once they are refreshed"
                )
            }
            Self::UnitOutOfRange(currency) => {
                format!(
                    "a unit costs less than the smallest amount of {currency}, or more than can be counted"
                )
            }
            Self::TotalOutOfRange(currency) => format!("the total in {currency} is more than can be counted"),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        match self {
            Self::NotASettlementCurrency(_) | Self::NoRate(_) | Self::UnitOutOfRange(_) => {
                Some(vec!["currency".to_owned()])
            }
            Self::RatesStale { .. } => None,
            Self::TotalOutOfRange(_) => Some(vec!["quantity".to_owned()]),
        }
    }
}

/// Why there is no charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeRefusal {
    /// There is no such product.
    ProductNotFound,
    /// The product is not sold, or not in such a number.
    Sale(SaleRefusal),
    /// The product does not come in the face value.
    FaceValue(FaceValueRefusal),
    /// There is no price.
    Price(PriceRefusal),
}

impl Refusal for ChargeRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::ProductNotFound => ErrorCode::ProductNotFound,
            Self::Sale(refusal) => refusal.code(),
            Self::FaceValue(refusal) => refusal.code(),
            Self::Price(refusal) => refusal.code(),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::ProductNotFound => "there is no product with this id".to_owned(),
            Self::Sale(refusal) => refusal.message(),
            Self::FaceValue(refusal) => refusal.message(),
            Self::Price(refusal) => refusal.message(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        match self {
            Self::ProductNotFound => Some(vec!["productId".to_owned()]),
            Self::Sale(refusal) => refusal.field(),
            Self::FaceValue(refusal) => refusal.field(),
            Self::Price(refusal) => refusal.field(),
        }
    }
}
