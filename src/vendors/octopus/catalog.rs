//! What another Octopus sells us, and for how much.
//!
//! What lives here: its products, in the currency of our account.
//! What is always true: a product of one face value costs what the facade says, to the minor unit; one of many costs what its
//! line says, before the vendor rounds. What has no price now, or is not understood whole, is told as left out, with the reason.
//! What is not here: which of them we sell.

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::state::{DeliveryKind, RecipientKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Octopus;
use super::listings::{PART_SIZE, Page, behind, read};
use super::money::Money;
use crate::domain::fulfillment::{CatalogItem, CostRule, Faces, LeftOut, Listed, Part, Trouble};

/// A product; what we do not need of it is passed over.
#[derive(Deserialize)]
struct Product {
    id: String,
    name: String,
    brand: Named,
    category: Named,
    country: Country,
    face_currency: Currency,
    denomination: Denomination,
    delivery: DeliveryKind,
    required_inputs: Vec<RequiredInput>,
    redemption_instructions: Option<String>,
    orderable: bool,
    stock: Stock,
    price: Option<Price>,
}

/// The id of a product that cannot be read whole.
#[derive(Deserialize)]
struct Known {
    id: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Country {
    code: String,
}

#[derive(Deserialize)]
struct RequiredInput {
    kind: RecipientKind,
}

#[derive(Deserialize)]
struct Stock {
    available: i64,
    /// Whether its own vendors deliver more; one of an earlier version does not tell.
    #[serde(default)]
    on_demand: bool,
    /// Of one order; 0 of what cannot be ordered at present.
    max_quantity: i32,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE")]
enum Denomination {
    Fixed { value: Money },
    Range { min: Money, max: Money, step: Money },
}

#[derive(Clone, Copy, Deserialize)]
struct Price {
    unit_price: Money,
    factor: Decimal,
    fee: Decimal,
}

impl Octopus {
    /// A part of what it sells.
    pub(super) async fn products(&self, from: Option<String>) -> Result<Part<Listed>, Trouble> {
        let path = format!("/api/v1/products?limit={PART_SIZE}&currency={}", self.currency);
        let answer = self.ask_listing(&behind(path, from.as_deref())).await?;
        let page: Page<&RawValue> = read(&answer)?;
        let items = page.data.into_iter().map(|row| listed(row, self.currency)).collect();
        Ok(Part { items, next: page.next_cursor, total: None, bytes: answer.body.len() })
    }
}

fn listed(row: &RawValue, currency: Currency) -> Listed {
    let name = serde_json::from_str(row.get()).ok().map(|known: Known| known.id);
    let left_out = |reason: &str| LeftOut { vendor_sku: name.clone(), reason: reason.to_owned() };
    let product: Product = serde_json::from_str(row.get()).map_err(|error| left_out(&error.to_string()))?;
    let price = match &product.price {
        Some(price) if price.unit_price.currency == currency => *price,
        Some(_) => return Err(left_out("its price is in another currency than our account")),
        None => return Err(left_out("it has no price at present")),
    };
    item(product, price, currency).ok_or_else(|| left_out("its face values or its price cannot be counted"))
}

fn item(product: Product, price: Price, currency: Currency) -> Option<CatalogItem> {
    let minor =
        |money: Money| Some(money.read().filter(|money| money.currency == product.face_currency)?.minor);
    let (faces, cost) = match product.denomination {
        Denomination::Fixed { value } => {
            let fee_micros = price.unit_price.cost()?.micros;
            (Faces::Fixed(vec![minor(value)?]), CostRule { currency, factor: Decimal::ZERO, fee_micros })
        }
        Denomination::Range { min, max, step } => {
            let faces = Faces::Range { min: minor(min)?, max: minor(max)?, step: minor(step)? };
            (faces, CostRule { currency, factor: price.factor, fee_micros: rounded_micros(price.fee)? })
        }
    };
    // What its own vendors deliver is not counted there: of what can be ordered, its stock is all only if they deliver nothing.
    let stock = product.stock;
    let is_all = !product.orderable || (stock.available > 0 && !stock.on_demand);
    let available = is_all.then_some(stock.available);
    Some(CatalogItem {
        vendor_sku: product.id,
        name: product.name,
        brand: product.brand.name,
        category: product.category.name,
        country: Some(product.country.code),
        face_currency: product.face_currency,
        faces,
        cost,
        delivery: product.delivery,
        recipient: product.required_inputs.first().map(|input| input.kind),
        redemption_instructions: product.redemption_instructions,
        available,
        max_quantity: Some(stock.max_quantity).filter(|most| *most > 0),
        is_active: product.orderable,
    })
}

/// A fee at scale 6, rounded half up; `None` if it is negative or cannot be counted.
fn rounded_micros(fee: Decimal) -> Option<i64> {
    if fee.is_negative() {
        return None;
    }
    let micros = match fee.scale().checked_sub(6) {
        None | Some(0) => {
            fee.mantissa().checked_mul(10_i128.checked_pow(6_u32.checked_sub(fee.scale())?)?)?
        }
        Some(finer) => {
            let power = 10_i128.checked_pow(finer)?;
            fee.mantissa().checked_add(power.div_euclid(2))?.div_euclid(power)
        }
    };
    i64::try_from(micros).ok()
}

#[cfg(test)]
mod tests {
    use super::rounded_micros;

    #[test]
    fn a_fee_is_rounded_half_up_at_six_digits() {
        for (fee, micros) in [
            ("0", Some(0)),
            ("0.25", Some(250_000)),
            ("1.000001", Some(1_000_001)),
            ("0.0000005", Some(1)),
            ("0.00000049999", Some(0)),
            ("12.3456784999999999999999", Some(12_345_678)),
            ("-1", None),
            ("99999999999999999", None),
        ] {
            assert_eq!(rounded_micros(fee.parse().unwrap()), micros, "{fee}");
        }
    }
}
