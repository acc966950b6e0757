//! Amounts as the facade writes them.
//!
//! What lives here: reading them, as money and as costs, and the highest total that an order may come to.
//! What is always true: an amount has no finer digits than its currency, or it is none.
//! What is not here: what is paid for.

use entity::currency::Currency;
use entity::decimal::Decimal;
use serde::Deserialize;

use crate::domain::fulfillment::{Cost, PurchaseRequest};
use crate::vendors::reply::cost;

/// An amount in a currency.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Money {
    amount: Decimal,
    pub(super) currency: Currency,
}

impl Money {
    /// As money; `None` if it has finer digits than its currency.
    pub(super) fn read(self) -> Option<entity::money::Money> {
        entity::money::Money::from_decimal(self.amount, self.currency).ok()
    }

    /// As a cost; `None` if it is negative or too large.
    pub(super) fn cost(self) -> Option<Cost> {
        self.read()?;
        cost(self.amount, self.currency)
    }
}

/// A total that an order may come to at most, as the facade takes it: what the purchase may cost, or, where that is more, what is
/// expected and half a minor unit for each unit, since there a unit is rounded to one and our expectation is finer. `None` if it
/// cannot be told.
pub(super) fn most(request: &PurchaseRequest, highest: Cost) -> Option<String> {
    let currency = highest.currency;
    let minor_micros = 10_i64.checked_pow(6_u32.checked_sub(currency.minor_units())?)?;
    let rounding = minor_micros.div_euclid(2).checked_mul(i64::from(request.quantity))?;
    let rounded = request.expected_cost.micros.checked_add(rounding)?;
    let minor = rounded.max(highest.micros).div_euclid(minor_micros);
    Some(entity::money::Money::from_minor(minor, currency).amount())
}

#[cfg(test)]
mod tests {
    use entity::timestamp::Timestamp;

    use super::*;

    #[test]
    fn the_highest_total_leaves_room_for_rounding_and_for_what_it_may_cost() {
        for (code, micros, quantity, highest, told) in [
            ("USD", 144_000_000, 3, 144_000_000, "144.01"),
            ("USD", 144_000_000, 3, 144_020_000, "144.02"),
            ("USD", 144_000_000, 3, 150_009_999, "150.00"),
            ("USD", 48_333_333, 1, 48_333_333, "48.33"),
            ("USD", 48_335_000, 1, 48_335_000, "48.34"),
            ("USD", 96_666_666, 2, 96_666_666, "96.67"),
            ("JPY", 7_559_600_000, 1, 7_559_600_000, "7560"),
            ("KWD", 3_001_400, 1, 3_001_400, "3.001"),
        ] {
            let currency: Currency = code.parse().unwrap();
            let request = PurchaseRequest {
                our_ref: "r".to_owned(),
                vendor_sku: "s".to_owned(),
                quantity,
                face: entity::money::Money::from_minor(1, currency),
                expected_cost: Cost { micros, currency },
                highest_cost: None,
                recipient: None,
                vendor_ref: None,
                created_at: Timestamp::from_micros(0),
            };
            let highest = Cost { micros: highest, currency };
            assert_eq!(most(&request, highest).as_deref(), Some(told), "{code} {micros}");
        }
    }
}
