//! What the sandbox vendor sells.
//!
//! What lives here: a product, the list of them, and the price of a unit.
//! What is always true: the list begins with a product for each behaviour; with a catalog, only what is listed is sold, and
//! without one whatever is asked for; prices are in the currency of the face value, exact, rounded half up at scale 6.
//! What is not here: what a behaviour does to a price (`shop.rs`).

use std::collections::HashMap;
use std::path::Path;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::money::Money;
use entity::state::{DeliveryKind, RecipientKind};
use serde::Deserialize;
use serde_json::{Value, json};

use super::behaviour::{self, BEHAVIOURS};
use super::refusal::Reason;

/// What this vendor leaves us on top of the discount that its catalog tells, in hundredths of the face value.
const OUR_SHARE: i128 = 3;
/// How many there are of whatever is not out of stock.
const PLENTY: u32 = 1_000_000;

/// A product.
#[derive(Debug, Clone)]
pub(super) struct Product {
    pub(super) sku: String,
    name: String,
    brand: String,
    category: String,
    country: Option<String>,
    pub(super) currency: Currency,
    faces: Faces,
    /// What a unit costs of its face value.
    factor: Decimal,
    pub(super) delivery: DeliveryKind,
    pub(super) recipient: Option<RecipientKind>,
    /// Whether it is listed and sold; of those that are not listed, what is asked for is.
    is_withdrawn: bool,
}

/// What changes about a product; what is absent stays.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Amendment {
    /// Whether it is withdrawn: neither listed nor sold.
    pub withdrawn: Option<bool>,
    /// What a unit costs of its face value.
    pub factor: Option<Decimal>,
}

#[derive(Debug, Clone, Copy)]
enum Faces {
    Fixed(Decimal),
    Range { min: Decimal, max: Decimal, step: Decimal },
}

/// A line of a catalog; other columns are left alone. It is the file that `octopus catalog import` reads.
#[derive(Debug, Deserialize)]
struct Row {
    sku: String,
    brand_slug: String,
    product_name: String,
    category: String,
    country: Option<String>,
    face_currency: Currency,
    face_value: Option<Decimal>,
    min_value: Option<Decimal>,
    max_value: Option<Decimal>,
    step: Option<Decimal>,
    delivery: String,
    recipient_field: Option<String>,
    discount_pct: Decimal,
}

/// Why a catalog cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadCatalog {
    /// It cannot be read, or is no CSV of the columns that are needed.
    #[error(transparent)]
    Unreadable(#[from] csv::Error),
    /// A product is not what it should be.
    #[error("{sku}: {reason}")]
    BadProduct {
        /// Which.
        sku: String,
        /// Why.
        reason: &'static str,
    },
}

/// The list.
#[derive(Debug)]
pub(super) struct Products {
    all: Vec<Product>,
    by_sku: HashMap<String, usize>,
    /// Whether something that is not in the list is sold.
    sells_unlisted: bool,
}

impl Products {
    /// A product for each behaviour, and those of a catalog.
    pub(super) fn open(catalog: Option<&Path>) -> Result<Self, BadCatalog> {
        let mut all: Vec<Product> = BEHAVIOURS.iter().map(|row| Product::of_behaviour(row.name)).collect();
        all.extend([
            Product {
                delivery: DeliveryKind::Direct,
                recipient: Some(RecipientKind::PlayerId),
                ..Product::of_behaviour("player")
            },
            Product {
                delivery: DeliveryKind::Topup,
                recipient: Some(RecipientKind::Phone),
                ..Product::of_behaviour("topup")
            },
        ]);
        if let Some(path) = catalog {
            for row in csv::Reader::from_path(path)?.deserialize() {
                let row: Row = row?;
                let sku = row.sku.clone();
                all.push(Product::of_row(row).map_err(|reason| BadCatalog::BadProduct { sku, reason })?);
            }
        }
        let by_sku = all.iter().enumerate().map(|(index, product)| (product.sku.clone(), index)).collect();
        Ok(Self { all, by_sku, sells_unlisted: catalog.is_none() })
    }

    /// What is listed.
    pub(super) fn listed(&self) -> impl Iterator<Item = &Product> {
        self.all.iter().filter(|product| !product.is_withdrawn)
    }

    /// Changes a product; tells whether there is one of this name.
    pub(super) fn amend(&mut self, sku: &str, amendment: Amendment) -> bool {
        let Some(product) = self.by_sku.get(sku).and_then(|at| self.all.get_mut(*at)) else { return false };
        product.is_withdrawn = amendment.withdrawn.unwrap_or(product.is_withdrawn);
        product.factor = amendment.factor.unwrap_or(product.factor);
        true
    }

    pub(super) fn find(&self, sku: &str) -> Option<&Product> {
        self.all.get(*self.by_sku.get(sku)?)
    }

    /// The product of a name, if this face value of it is sold.
    pub(super) fn sold(&self, sku: &str, face: Decimal, currency: Currency) -> Result<Product, Reason> {
        let product = match self.find(sku) {
            Some(product) => product.clone(),
            None if self.sells_unlisted || behaviour::of_sku(sku).is_some() => {
                Product::unlisted(sku, face, currency)
            }
            None => return Err(Reason::NotSold),
        };
        let is_sold =
            !product.is_withdrawn && product.currency == currency && product.faces.include(face, currency);
        if is_sold { Ok(product) } else { Err(Reason::NotSold) }
    }
}

impl Product {
    fn of_behaviour(name: &str) -> Self {
        let decimal = |count: i128| Decimal::new(count, 0);
        let faces = Faces::Range { min: decimal(1), max: decimal(500), step: decimal(1) };
        Self { faces, ..Self::unlisted(&format!("sandbox_{name}"), decimal(1), Currency::USD) }
    }

    fn unlisted(sku: &str, face: Decimal, currency: Currency) -> Self {
        Self {
            sku: sku.to_owned(),
            name: sku.replace('_', " "),
            brand: "sandbox".to_owned(),
            category: "sandbox".to_owned(),
            country: None,
            currency,
            faces: Faces::Fixed(face),
            factor: Decimal::new(95, 2),
            delivery: DeliveryKind::Code,
            recipient: None,
            is_withdrawn: false,
        }
    }

    fn of_row(row: Row) -> Result<Self, &'static str> {
        let faces = match (row.face_value, row.min_value, row.max_value, row.step) {
            (Some(face), None, None, _) => Faces::Fixed(face),
            (None, Some(min), Some(max), Some(step)) => Faces::Range { min, max, step },
            _ => return Err("it has neither a face value nor a range"),
        };
        let parsed = |text: &str| text.to_ascii_uppercase();
        Ok(Self {
            factor: factor(row.discount_pct).ok_or("the discount is no share of the price")?,
            delivery: parsed(&row.delivery).parse().map_err(|_| "the delivery is none that is known")?,
            recipient: match row.recipient_field.filter(|field| !field.is_empty()) {
                Some(field) => {
                    Some(parsed(&field).parse().map_err(|_| "the recipient is none that is known")?)
                }
                None => None,
            },
            sku: row.sku,
            name: row.product_name,
            brand: row.brand_slug,
            category: row.category,
            country: row.country.filter(|country| country.len() == 2),
            currency: row.face_currency,
            faces,
            is_withdrawn: false,
        })
    }

    /// What a unit of a face value costs, at scale 6 of its currency; `None` if that is beyond what can be counted.
    pub(super) fn unit_cost_micros(&self, face: Money) -> Option<i64> {
        let micros = i128::from(face.minor)
            .checked_mul(10_i128.checked_pow(6_u32.checked_sub(face.currency.minor_units())?)?)?;
        let scale = 10_i128.checked_pow(self.factor.scale())?;
        let doubled = micros.checked_mul(self.factor.mantissa())?.checked_mul(2)?;
        i64::try_from(doubled.checked_add(scale)?.checked_div(scale.checked_mul(2)?)?).ok()
    }

    /// As `GET /products` tells it.
    pub(super) fn as_json(&self) -> Value {
        let is_out =
            self.sku.contains("sandbox_out_of_stock") && !self.sku.contains("sandbox_out_of_stock_late");
        let faces = match self.faces {
            Faces::Fixed(face) => json!({ "fixed": [face] }),
            Faces::Range { min, max, step } => json!({ "range": { "min": min, "max": max, "step": step } }),
        };
        json!({
            "sku": self.sku,
            "name": self.name,
            "brand": self.brand,
            "category": self.category,
            "country": self.country,
            "currency": self.currency,
            "faces": faces,
            "cost": { "currency": self.currency, "factor": self.factor, "fee": Decimal::ZERO },
            "delivery": self.delivery,
            "recipient": self.recipient,
            "available": if is_out { 0 } else { PLENTY },
        })
    }
}

impl Faces {
    fn include(self, face: Decimal, currency: Currency) -> bool {
        let minor = |value: Decimal| Money::from_decimal(value, currency).ok().map(|money| money.minor);
        match self {
            Self::Fixed(only) => only == face,
            Self::Range { min, max, step } => {
                let (Some(face), Some(min), Some(max), Some(step)) =
                    (minor(face), minor(min), minor(max), minor(step))
                else {
                    return false;
                };
                (min..=max).contains(&face) && face.saturating_sub(min).checked_rem(step) == Some(0)
            }
        }
    }
}

/// What remains of 1 behind a discount of so many hundredths, and our share.
fn factor(discount_pct: Decimal) -> Option<Decimal> {
    let hundredth = 10_i128.checked_pow(discount_pct.scale())?;
    let taken = discount_pct.mantissa().checked_add(hundredth.checked_mul(OUR_SHARE)?)?;
    let left = hundredth.checked_mul(100)?.checked_sub(taken).filter(|left| *left > 0)?;
    (!discount_pct.is_negative()).then(|| Decimal::new(left, discount_pct.scale().saturating_add(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalog_is_read_and_nothing_else_is_sold() {
        let catalog = concat!(env!("CARGO_MANIFEST_DIR"), "/data/catalog.csv");
        let products = Products::open(Some(Path::new(catalog))).unwrap();
        assert!(products.listed().count() > 12_000);
        let sold = |sku: &str, face: &str, currency: &str| {
            products.sold(sku, face.parse().unwrap(), currency.parse().unwrap()).map(|product| product.sku)
        };
        assert_eq!(sold("steam_wallet_50_usd", "50", "USD"), Ok("steam_wallet_50_usd".to_owned()));
        assert_eq!(sold("steam_wallet_50_usd", "51", "USD"), Err(Reason::NotSold));
        assert_eq!(sold("steam_wallet_50_usd", "50", "EUR"), Err(Reason::NotSold));
        assert_eq!(sold("no_such_thing", "50", "USD"), Err(Reason::NotSold));
        assert!(sold("1and1_topup_de_range_eur", "5.01", "EUR").is_ok());
        assert_eq!(sold("1and1_topup_de_range_eur", "4.99", "EUR"), Err(Reason::NotSold));
        assert!(sold("any_sandbox_slow", "7", "KWD").is_ok());
        let open = Products::open(None).unwrap();
        assert!(open.sold("no_such_thing", "50".parse().unwrap(), Currency::USD).is_ok());
    }

    #[test]
    fn a_unit_costs_its_share_of_the_face_value_to_the_millionth() {
        let cost = |percent: &str, face: Money| {
            let factor = factor(percent.parse().unwrap())?;
            let product = Product { factor, ..Product::unlisted("x", Decimal::ZERO, face.currency) };
            product.unit_cost_micros(face)
        };
        assert_eq!(cost("4", Money::from_minor(5_000, Currency::USD)), Some(46_500_000));
        assert_eq!(cost("1.234567", Money::from_minor(1, Currency::USD)), Some(9_577));
        assert_eq!(cost("0", Money::from_minor(500, "JPY".parse().unwrap())), Some(485_000_000));
        assert_eq!(cost("97", Money::from_minor(1, Currency::USD)), None);
        assert_eq!(cost("-1", Money::from_minor(1, Currency::USD)), None);
    }
}
