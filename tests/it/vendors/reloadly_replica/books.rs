//! The books of Reloadly's replica: who bought what, and what the account has left.
//! Always true: the balance moves by six digits, while costs are shown with five; the books, not the adapter, say what happened.
//! Not here: HTTP (`server.rs`).

use bigdecimal::{BigDecimal, RoundingMode};
use entity::timestamp::Timestamp;

use super::products::{Product, number, shown};

/// A transaction.
#[derive(Debug, Clone)]
pub struct Booked {
    pub id: u64,
    pub identifier: Option<String>,
    pub product: Product,
    pub quantity: i64,
    /// How many cards there are, which a faulty vendor may have wrong.
    pub cards: i64,
    pub unit_price: BigDecimal,
    pub currency: String,
    /// What the balance moved by.
    pub cost: BigDecimal,
    pub old_balance: BigDecimal,
    pub created_at: Timestamp,
    /// From when on it is made.
    pub made_at: Timestamp,
    /// The status that a test gave it; else it follows from the time.
    pub status: Option<&'static str>,
    /// What `balanceInfo.cost` shows instead of the cost.
    pub shown_cost: Option<&'static str>,
}

/// All of them, and the balance.
#[derive(Debug)]
pub struct Books {
    pub booked: Vec<Booked>,
    pub balance: BigDecimal,
    /// With how many digits transactions show balances.
    pub balance_digits: i64,
    /// How they spell `balanceInfo`.
    pub balance_info: &'static str,
}

/// What is ordered.
#[derive(Debug, Clone)]
pub struct Ordered {
    pub identifier: Option<String>,
    pub product: Product,
    pub quantity: i64,
    pub unit_price: BigDecimal,
}

impl Books {
    pub fn new() -> Self {
        Self {
            booked: Vec::new(),
            balance: number("100000.000000"),
            balance_digits: 5,
            balance_info: "balanceInfo",
        }
    }

    /// Books an order.
    pub fn book(&mut self, ordered: Ordered, now: Timestamp, made_at: Timestamp) -> &mut Booked {
        let Ordered { identifier, product, quantity, unit_price } = ordered;
        let cost = product.price(&unit_price, quantity).with_scale_round(6, RoundingMode::HalfUp);
        let old_balance = self.balance.clone();
        self.balance = &self.balance - &cost;
        self.booked.push(Booked {
            id: 79_965 + u64::try_from(self.booked.len()).unwrap(),
            identifier,
            currency: product.currency.to_owned(),
            product,
            quantity,
            cards: quantity,
            unit_price,
            cost,
            old_balance,
            created_at: now,
            made_at,
            status: None,
            shown_cost: None,
        });
        self.booked.last_mut().unwrap()
    }

    /// A transaction as the API writes it.
    pub fn record(&self, booked: &Booked, now: Timestamp) -> String {
        let new_balance = &booked.old_balance - &booked.cost;
        let (old, new) =
            (shown(&booked.old_balance, self.balance_digits), shown(&new_balance, self.balance_digits));
        let amount = shown(&booked.cost, 5);
        let cost = booked.shown_cost.unwrap_or(&amount);
        let identifier = booked.identifier.as_ref().map_or("null".to_owned(), |told| format!("{told:?}"));
        let Booked { id, quantity, unit_price, currency, .. } = booked;
        let (product_id, product_name, spelled) = (booked.product.id, booked.product.name, self.balance_info);
        let (status, created_at) = (booked.status(now), written(booked.created_at));
        // Four hours ahead of the truth.
        let updated_at = written(booked.created_at.plus_seconds(4 * 3_600 - 60));
        let (fee, total) = (booked.product.fee, unit_price * number(&quantity.to_string()));
        format!(
            r#"{{"transactionId":{id},"amount":{amount},"discount":0.25,"currencyCode":"USD","fee":{fee},
            "smsFee":0.00,"totalFee":{fee},"recipientEmail":null,"recipientPhone":null,
            "customIdentifier":{identifier},"status":"{status}","preOrdered":false,
            "transactionCreatedTime":"{created_at}",
            "product":{{"productId":{product_id},"productName":"{product_name}","countryCode":"US",
            "quantity":{quantity},"unitPrice":{unit_price},"totalPrice":{total},"currencyCode":"{currency}",
            "brand":{{"brandId":{product_id},"brandName":"{product_name}"}}}},
            "{spelled}":{{"oldBalance":{old},"newBalance":{new},"cost":{cost},
            "currencyCode":"USD","currencyName":"US Dollar","updatedAt":"{updated_at}"}}}}"#
        )
    }
}

impl Booked {
    pub fn status(&self, now: Timestamp) -> &'static str {
        self.status.unwrap_or(if now < self.made_at { "PROCESSING" } else { "SUCCESSFUL" })
    }

    /// The code of a card.
    pub fn code(&self, card: i64) -> String {
        format!("CODE-{}-{card}", self.id)
    }
}

/// A time as bodies have it: in UTC.
pub fn written(at: Timestamp) -> String {
    at.to_string()[..19].replace('T', " ")
}
