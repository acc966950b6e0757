//! An order of another Octopus, and what it says of our purchase.
//!
//! What lives here: reading it, holding it against what was asked for, and its codes.
//! What is always true: an order is a fact only if it is about our reference, product, face value, quantity and currency, and
//! its numbers agree with each other and with the codes beside them; codes go from the answer's bytes into `Secret`.
//! What is not here: how it is asked for (`purchase.rs`).

use std::collections::BTreeSet;

use entity::currency::Currency;
use entity::timestamp::Timestamp;
use serde::Deserialize;

use super::money::Money;
use super::refusals::of_failure;
use crate::domain::fulfillment::{Contents, Cost, Delivery, Goods, PurchaseRequest, Secret, VendorRefusal};
use crate::vendors::reply::Hidden;

/// What an order's id has at most.
const LONGEST_ID: usize = 64;

/// An order.
#[derive(Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) reference: String,
    status: String,
    quantity: i32,
    pub(super) delivered_quantity: i32,
    pub(super) product: Product,
    currency: Currency,
    face_value: Money,
    unit_price: Money,
    pub(super) created_at: Timestamp,
    vouchers: Option<Vec<Voucher>>,
    failure: Option<Failure>,
}

/// The product of an order.
#[derive(Deserialize)]
pub(super) struct Product {
    pub(super) id: String,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
}

/// A code.
#[derive(Deserialize)]
struct Voucher {
    unit_index: i32,
    face_value: Money,
    code: Option<Hidden>,
    pin: Option<Hidden>,
    serial: Option<Hidden>,
    redemption_url: Option<Hidden>,
    expires_at: Option<Timestamp>,
}

/// What an order says of a purchase.
pub(super) enum Standing {
    /// It has ended with goods.
    Delivered(Delivery),
    /// It has ended without any.
    Failed(VendorRefusal),
    /// It is under way.
    Open,
}

impl Order {
    /// The order's id, if it can be one.
    pub(super) fn vendor_ref(&self) -> Option<String> {
        let is_id =
            (1..=LONGEST_ID).contains(&self.id.len()) && self.id.bytes().all(|byte| byte.is_ascii_graphic());
        is_id.then(|| self.id.clone())
    }

    /// What was taken for what was delivered; `None` if that cannot be counted, or is told in two currencies.
    pub(super) fn cost(&self) -> Option<Cost> {
        let unit = self.unit_price.cost().filter(|unit| unit.currency == self.currency)?;
        let micros = unit.micros.checked_mul(i64::from(self.delivered_quantity))?;
        Some(Cost { micros, currency: self.currency })
    }

    /// What it says of a purchase.
    ///
    /// # Errors
    /// What does not agree, in words that tell no code.
    pub(super) fn standing(self, request: &PurchaseRequest) -> Result<Standing, &'static str> {
        self.check_subject(request)?;
        let vendor_ref = self.vendor_ref().ok_or("its id is none")?;
        let delivered = self.delivered_quantity;
        let fits = match self.status.as_str() {
            "PENDING" | "PROCESSING" => return Ok(Standing::Open),
            "DELIVERED" => delivered == self.quantity,
            "PARTIALLY_DELIVERED" => delivered > 0 && delivered < self.quantity,
            "FAILED" | "CANCELLED" => delivered == 0,
            _ => return Err("its status is unknown"),
        };
        if !fits {
            return Err("its status and its number of delivered units do not agree");
        }
        if delivered == 0 {
            return Ok(Standing::Failed(of_failure(
                self.failure.as_ref().map(|failure| failure.code.as_str()),
            )));
        }
        let cost = Some(self.cost().ok_or("its price cannot be counted")?);
        let goods = match &request.recipient {
            Some(_) => self.receipts(request),
            None => self.codes(request)?,
        };
        Ok(Standing::Delivered(Delivery { vendor_ref, goods, cost }))
    }

    fn check_subject(&self, request: &PurchaseRequest) -> Result<(), &'static str> {
        let agrees = [
            (self.reference == request.our_ref, "it is about another reference"),
            (self.product.id == request.vendor_sku, "it is about another product"),
            (self.quantity == request.quantity, "it is about another quantity"),
            (self.face_value.read() == Some(request.face), "it is about another face value"),
            (self.currency == request.expected_cost.currency, "it is paid in another currency"),
        ];
        agrees.into_iter().find(|(agrees, _)| !agrees).map_or(Ok(()), |(_, why)| Err(why))
    }

    /// Credited units: the order itself is their receipt.
    fn receipts(&self, request: &PurchaseRequest) -> Vec<Goods> {
        let receipt =
            |number| Goods::Receipt { number: format!("{}/{number}", self.id), face: Some(request.face) };
        (1..=self.delivered_quantity).map(receipt).collect()
    }

    fn codes(self, request: &PurchaseRequest) -> Result<Vec<Goods>, &'static str> {
        let mut vouchers = self.vouchers.ok_or("it shows no codes: our credential needs vouchers:reveal")?;
        let indexes: BTreeSet<i32> = vouchers.iter().map(|voucher| voucher.unit_index).collect();
        if usize::try_from(self.delivered_quantity) != Ok(vouchers.len()) || indexes.len() != vouchers.len() {
            return Err("it has another number of codes than of delivered units");
        }
        vouchers.sort_by_key(|voucher| voucher.unit_index);
        vouchers.into_iter().map(|voucher| voucher.goods(request)).collect()
    }
}

impl Voucher {
    fn goods(self, request: &PurchaseRequest) -> Result<Goods, &'static str> {
        if self.face_value.read() != Some(request.face) {
            return Err("one of its codes has another face value");
        }
        let secret = |hidden: Option<Hidden>| hidden.map(|hidden| hidden.0).filter(has_text);
        let contents = Contents {
            code: secret(self.code),
            pin: secret(self.pin),
            serial: secret(self.serial),
            redemption_url: secret(self.redemption_url),
        };
        if contents.code.is_none() && contents.redemption_url.is_none() {
            return Err("one of its units has nothing to redeem");
        }
        Ok(Goods::Code { contents, expires_at: self.expires_at, face: Some(request.face) })
    }
}

fn has_text(secret: &Secret) -> bool {
    !secret.expose().is_empty()
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
