//! What answers are made of, whichever operation gives them.
//!
//! Lives here: money, and pages.
//! Always true: amounts, instants and ids leave in the very text that GraphQL gives them.
//! Not here: the objects of a feature, which stand beside its operations.

use entity::currency::Currency;
use serde::Serialize;
use serde_json::{Value, json};

/// An amount in a currency.
#[derive(Debug, Clone, Serialize)]
pub struct Money {
    amount: String,
    currency: Currency,
}

impl From<entity::money::Money> for Money {
    fn from(money: entity::money::Money) -> Self {
        Self { amount: money.amount(), currency: money.currency }
    }
}

impl Money {
    /// An amount in minor units.
    pub fn from_minor(minor: i64, currency: Currency) -> Self {
        entity::money::Money::from_minor(minor, currency).into()
    }

    /// The same as a value.
    pub fn to_json(&self) -> Value {
        json!({ "amount": self.amount, "currency": self.currency })
    }
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct List<T> {
    /// The items.
    pub data: Vec<T>,
    /// What `cursor` takes to go on behind them; null at the end of the list.
    pub next_cursor: Option<String>,
}
