//! Offers out of a file.
//!
//! What lives here: reading the CSV that `octopus offers import` takes.
//! What is always true: columns go by their names; a line is refused with its number and the column to mend; a product stands
//! in it once.
//! What is not here: writing offers (`offers.rs`).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use csv::StringRecord;
use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::money::Money;
use entity::state::OfferStatus;
use serde::Serialize;

use super::listing::CostRule;
use super::offers::NewOffer;
use crate::ctx::Ctx;
use crate::domain::catalog::{self, Product};

/// The columns that a file needs, and those that it may have.
const NEEDED: [&str; 3] = ["product", "vendor_sku", "cost_currency"];
const OPTIONAL: [&str; 8] = [
    "cost_factor",
    "cost_fee",
    "priority",
    "min_face_value",
    "max_face_value",
    "max_quantity",
    "available",
    "status",
];
/// Digits behind the point of costs.
const COST_SCALE: u32 = 6;
/// The most that is added to a unit, at scale 6: a billion.
const MOST_FEE_MICROS: i64 = 1_000_000_000_000_000;

/// A line that is no offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadOffer {
    /// The line, from 1, the heading included.
    pub line: u64,
    /// Why.
    pub reason: String,
}

impl fmt::Display for BadOffer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.line, self.reason)
    }
}

/// Reads offers. `cost_factor` is what one unit of the face value costs in `cost_currency` (0.95 is five per cent off), `cost_fee`
/// what is added to each unit.
///
/// # Errors
/// Every bad line.
pub fn read_offers(ctx: &Ctx, file: &[u8]) -> Result<Vec<NewOffer>, Vec<BadOffer>> {
    let mut reader = csv::ReaderBuilder::new().from_reader(file);
    let columns = match reader.headers() {
        Ok(heading) => columns(heading).map_err(|reason| vec![BadOffer { line: 1, reason }])?,
        Err(error) => return Err(vec![BadOffer { line: 1, reason: error.to_string() }]),
    };
    let snapshot = ctx.feature::<catalog::Live>().snapshot();
    let (mut offers, mut bad, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for record in reader.records() {
        let (line, outcome) = match &record {
            Ok(record) => {
                let row = Row { columns: &columns, record };
                let product = snapshot.product(row.text("product")).map(Arc::clone);
                (record.position().map_or(0, csv::Position::line), row.offer(product))
            }
            Err(error) => (
                error.position().map_or(0, csv::Position::line),
                Err("it has another number of fields than the heading, or is not UTF-8".to_owned()),
            ),
        };
        match outcome {
            Ok(offer) if seen.insert(offer.product.clone()) => offers.push(offer),
            Ok(offer) => {
                bad.push(BadOffer { line, reason: format!("{} stands here already", offer.product) })
            }
            Err(reason) => bad.push(BadOffer { line, reason }),
        }
    }
    if bad.is_empty() { Ok(offers) } else { Err(bad) }
}

fn columns(heading: &StringRecord) -> Result<HashMap<String, usize>, String> {
    let mut columns = HashMap::new();
    for (place, name) in heading.iter().map(str::trim).enumerate() {
        if !NEEDED.contains(&name) && !OPTIONAL.contains(&name) {
            let known = NEEDED.iter().chain(&OPTIONAL).copied().collect::<Vec<_>>().join(", ");
            return Err(format!("there is no column {name:?}; there are {known}"));
        }
        if columns.insert(name.to_owned(), place).is_some() {
            return Err(format!("the column {name} stands twice"));
        }
    }
    match NEEDED.iter().find(|name| !columns.contains_key(**name)) {
        Some(missing) => Err(format!("the column {missing} is missing")),
        None => Ok(columns),
    }
}

struct Row<'a> {
    columns: &'a HashMap<String, usize>,
    record: &'a StringRecord,
}

impl Row<'_> {
    fn text(&self, column: &str) -> &str {
        self.columns.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default().trim()
    }

    fn given(&self, column: &str) -> Option<&str> {
        Some(self.text(column)).filter(|text| !text.is_empty())
    }

    fn offer(&self, product: Option<Arc<Product>>) -> Result<NewOffer, String> {
        let product = product.ok_or_else(|| format!("there is no product {:?}", self.text("product")))?;
        let vendor_sku = self.text("vendor_sku");
        if !(1..=200).contains(&vendor_sku.len()) || vendor_sku.contains(char::is_control) {
            return Err("vendor_sku must have 1 to 200 bytes, and no control characters".to_owned());
        }
        Ok(NewOffer {
            product: product.id.clone(),
            vendor_sku: vendor_sku.to_owned(),
            status: self.status()?,
            cost: self.cost()?,
            priority: self.number("priority", i32::MIN, i32::MAX)?.unwrap_or(0),
            min_face_minor: self.face("min_face_value", product.face_currency)?,
            max_face_minor: self.face("max_face_value", product.face_currency)?,
            max_quantity: self.number("max_quantity", 1, 1_000)?.unwrap_or(1_000),
            available: self.number("available", 0, i64::MAX)?,
        })
    }

    fn status(&self) -> Result<OfferStatus, String> {
        let text = self.given("status").unwrap_or("ACTIVE");
        let known = [OfferStatus::Active, OfferStatus::Paused];
        let found = known.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| "status must be active or paused".to_owned())
    }

    fn cost(&self) -> Result<CostRule, String> {
        let currency: Currency = self
            .text("cost_currency")
            .parse()
            .map_err(|_| "cost_currency must be an active ISO 4217 code, such as USD".to_owned())?;
        let factor = self.decimal("cost_factor")?.unwrap_or_else(|| Decimal::new(0, 0));
        let fee = self.decimal("cost_fee")?.unwrap_or_else(|| Decimal::new(0, 0));
        let micros = COST_SCALE
            .checked_sub(fee.scale())
            .map(|missing| fee.mantissa().saturating_mul(10_i128.saturating_pow(missing)))
            .ok_or("cost_fee must have six digits behind the point at most")?;
        let fee_micros = i64::try_from(micros).ok().filter(|micros| *micros <= MOST_FEE_MICROS);
        let fee_micros = fee_micros.ok_or("cost_fee must be a billion at most")?;
        if factor.mantissa() == 0 && fee_micros == 0 {
            return Err("cost_factor or cost_fee must say what a unit costs".to_owned());
        }
        Ok(CostRule { currency, factor, fee_micros })
    }

    fn decimal(&self, column: &str) -> Result<Option<Decimal>, String> {
        let Some(text) = self.given(column) else { return Ok(None) };
        let number: Decimal =
            text.parse().map_err(|_| format!("{column} must be a plain decimal number, such as 0.95"))?;
        if number.is_negative() || number.scale() > 18 {
            return Err(format!(
                "{column} must not be negative, nor have more than 18 digits behind the point"
            ));
        }
        Ok(Some(number))
    }

    fn face(&self, column: &str, currency: Currency) -> Result<Option<i64>, String> {
        let Some(text) = self.given(column) else { return Ok(None) };
        let face = Money::parse(text, currency).map_err(|error| format!("{column}: {error}"))?;
        Ok(Some(face.minor))
    }

    fn number<N>(&self, column: &str, least: N, most: N) -> Result<Option<N>, String>
    where
        N: std::str::FromStr + PartialOrd + fmt::Display + Copy,
    {
        let Some(text) = self.given(column) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| least <= *number && *number <= most);
        number.map(Some).ok_or_else(|| format!("{column} must be a whole number from {least} to {most}"))
    }
}
