//! Reloadly's record of a purchase.
//!
//! What lives here: the transaction as orders and reports answer it, where it stands, what it cost, and whether it is what was
//! asked for.
//! What is always true: a status that is not known is a doubt. A purchase that failed has cost nothing only once the money is
//! back: Reloadly says so by REFUNDED; FAILED says it only with a cost of nought beside it.
//! What is not here: its codes (`cards.rs`).

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::money::Money;
use entity::timestamp::Timestamp;
use serde::Deserialize;

use super::number::{Id, Number, micros};
use crate::domain::fulfillment::{Cost, PurchaseRequest};

/// A transaction. `balanceInfo.updatedAt` is left out: it is hours off and older than the purchase.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transaction {
    pub(super) transaction_id: Id,
    amount: Option<Number>,
    currency_code: Option<String>,
    pub(super) custom_identifier: Option<String>,
    status: Option<String>,
    transaction_created_time: Option<String>,
    pub(super) product: Option<Sold>,
    balance_info: Option<BalanceInfo>,
    /// As the published schema spells it.
    #[serde(rename = "balaneInfo")]
    misspelled_balance_info: Option<BalanceInfo>,
}

/// What was bought.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sold {
    pub(super) product_id: Option<Id>,
    quantity: Option<Number>,
    unit_price: Option<Number>,
    currency_code: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BalanceInfo {
    old_balance: Option<Number>,
    new_balance: Option<Number>,
    cost: Option<Number>,
    currency_code: Option<String>,
}

/// Where a purchase stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Made: its codes can be read.
    Made,
    /// Not decided yet.
    UnderWay,
    /// Failed, and it cost nothing.
    CameToNothing,
    /// Failed, and its money is not known to be back.
    MoneyOut,
    /// In a way that is not known.
    Unheard(String),
}

/// The last digit of the costs that are shown, as a scale.
const SHOWN_SCALE: u32 = 5;
/// Half of that digit, at scale 6.
const HALF_OF_SHOWN_MICROS: i64 = 5;

impl Transaction {
    /// Where it stands.
    pub(super) fn standing(&self) -> Standing {
        let status = self.status.as_deref().unwrap_or_default().to_ascii_uppercase();
        match status.as_str() {
            "SUCCESSFUL" => Standing::Made,
            "PENDING" | "PROCESSING" => Standing::UnderWay,
            "REFUNDED" => Standing::CameToNothing,
            "FAILED" if self.shown_cost().is_some_and(|cost| cost == Decimal::ZERO) => {
                Standing::CameToNothing
            }
            "FAILED" => Standing::MoneyOut,
            other => Standing::Unheard(other.chars().take(20).collect()),
        }
    }

    /// What was taken for it; `None` if that is not told. The cost is shown to five digits while the account moves by six: where
    /// the balances are told to the sixth and agree with what is shown, they are the better witness.
    pub(super) fn cost(&self, account: Currency) -> Option<Cost> {
        let told = self.balance().and_then(|balance| balance.currency_code.as_ref());
        let currency = match told.or(self.currency_code.as_ref()) {
            Some(code) => code.parse().ok()?,
            None => account,
        };
        let shown = micros(self.shown_cost().or_else(|| Some(self.amount?.0))?)?;
        let micros =
            self.moved().filter(|moved| moved.abs_diff(shown) <= HALF_OF_SHOWN_MICROS.unsigned_abs());
        Some(Cost { micros: micros.unwrap_or(shown), currency }).filter(|cost| cost.micros >= 0)
    }

    /// By how much the balance went down, if it is told to the sixth digit.
    fn moved(&self) -> Option<i64> {
        let balance = self.balance()?;
        let (old, new) = (balance.old_balance?.0, balance.new_balance?.0);
        let is_fine = old.scale().max(new.scale()) > SHOWN_SCALE;
        is_fine.then(|| micros(old)?.checked_sub(micros(new)?)).flatten()
    }

    fn shown_cost(&self) -> Option<Decimal> {
        Some(self.balance()?.cost?.0)
    }

    fn balance(&self) -> Option<&BalanceInfo> {
        self.balance_info.as_ref().or(self.misspelled_balance_info.as_ref())
    }

    /// How many units it is for.
    pub(super) fn quantity(&self) -> Option<i32> {
        let quantity = self.product.as_ref()?.quantity?.0;
        if quantity.scale() == 0 { i32::try_from(quantity.mantissa()).ok() } else { None }
    }

    /// The face value of a unit, if all of it is told.
    pub(super) fn face(&self) -> Option<Money> {
        let product = self.product.as_ref()?;
        let currency = product.currency_code.as_deref()?.parse().ok()?;
        Money::from_decimal(product.unit_price?.0, currency).ok()
    }

    /// When it was made: UTC, whatever the filters of the reports take dates for.
    pub(super) fn created_at(&self) -> Option<Timestamp> {
        format!("{}Z", self.transaction_created_time.as_deref()?.trim().replace(' ', "T")).parse().ok()
    }

    /// What differs from what was asked for, of all that is told.
    pub(super) fn difference(&self, request: &PurchaseRequest) -> Option<&'static str> {
        let product = self.product.as_ref();
        let told = |differs: Option<bool>, what| differs.unwrap_or(false).then_some(what);
        let identifier = self.custom_identifier.as_ref().map(|told| *told != request.our_ref);
        let sku = product.and_then(|product| Some(product.product_id.as_ref()?.0 != request.vendor_sku));
        let quantity = product
            .and_then(|product| Some(product.quantity?.0 != Decimal::new(i128::from(request.quantity), 0)));
        let price = product.and_then(|product| Some(product.unit_price?.0 != request.face.decimal()));
        let currency = product
            .and_then(|product| Some(product.currency_code.as_deref()? != request.face.currency.code()));
        told(identifier, "another reference")
            .or(told(sku, "another product"))
            .or(told(quantity, "another quantity"))
            .or(told(price, "another face value"))
            .or(told(currency, "another currency"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(json: &str) -> Option<i64> {
        let transaction: Transaction = serde_json::from_str(json).unwrap();
        transaction.cost(Currency::USD).map(|cost| cost.micros)
    }

    #[test]
    fn what_it_cost_is_read_to_the_finest_digit_that_is_told() {
        for (json, expected) in [
            (r#"{"transactionId":1,"amount":5.75}"#, Some(5_750_000)),
            (r#"{"transactionId":1,"amount":9,"balanceInfo":{"cost":6.52838}}"#, Some(6_528_380)),
            (
                r#"{"transactionId":1,"balanceInfo":{"cost":6.52838,"oldBalance":100,"newBalance":93.471618}}"#,
                Some(6_528_382),
            ),
            // Another purchase moved the balance too.
            (
                r#"{"transactionId":1,"balanceInfo":{"cost":6.52838,"oldBalance":100,"newBalance":83.471618}}"#,
                Some(6_528_380),
            ),
            (r#"{"transactionId":1,"balaneInfo":{"cost":6.00000}}"#, Some(6_000_000)),
            (r#"{"transactionId":1,"balanceInfo":{"cost":1},"balaneInfo":{"cost":2}}"#, Some(1_000_000)),
            (r#"{"transactionId":1,"balanceInfo":{"cost":1,"currencyCode":"???"}}"#, None),
            (r#"{"transactionId":1}"#, None),
        ] {
            assert_eq!(cost(json), expected, "{json}");
        }
    }
}
