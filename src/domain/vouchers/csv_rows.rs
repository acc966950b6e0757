//! Rows of a stock file.
//!
//! What lives here: the columns of the CSV and what each may hold.
//! What is always true: a reason names a column and a rule, never what stands in the file: a shifted column may be a code.
//! What is not here: duplicates and the database; that is `import.rs`.

use std::collections::HashMap;

use csv::ByteRecord;
use entity::currency::Currency;
use entity::money::Money;
use entity::state::{DeliveryKind, DenominationKind};
use entity::timestamp::Timestamp;

use super::load::Cost;
use super::model::{MOST_COST_MICROS, normalise};
use super::secret::{Contents, Secret};
use crate::domain::wallet::COST_SCALE;

/// The columns that a file may have, in any order.
const COLUMNS: [&str; 10] =
    ["sku", "face_value", "code", "pin", "serial", "url", "expires_at", "cost", "cost_currency", "lot"];
/// How many characters a code, pin or serial may have.
const LONGEST_SECRET: usize = 512;
/// How many characters a link may have.
const LONGEST_URL: usize = 2_048;
/// How many characters a lot's name may have.
const LONGEST_LOT: usize = 64;

/// What a row is checked against.
pub(super) struct Shelf {
    /// The products by sku.
    pub(super) products: HashMap<String, entity::products::Model>,
    /// The currencies that the installation knows.
    pub(super) currencies: Vec<Currency>,
    /// The lot of rows that name none.
    pub(super) lot: String,
    /// The present.
    pub(super) now: Timestamp,
}

/// A row that holds a code that can be sold.
#[derive(Debug)]
pub(super) struct StockRow {
    pub(super) product: String,
    pub(super) brand: String,
    pub(super) face_minor: i64,
    pub(super) contents: Contents,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) cost: Option<Cost>,
    pub(super) lot: String,
}

/// Where each column stands.
pub(super) struct Header {
    places: HashMap<&'static str, usize>,
    width: usize,
}

impl Header {
    /// Reads the header line.
    pub(super) fn read(record: &ByteRecord) -> Result<Self, String> {
        let mut places = HashMap::new();
        for (place, name) in record.iter().enumerate() {
            let name = String::from_utf8_lossy(name);
            let name = name.trim().trim_start_matches('\u{feff}').to_ascii_lowercase();
            let column = COLUMNS.iter().find(|column| **column == name).ok_or_else(|| {
                format!("column {} of the header is none of {}", place + 1, COLUMNS.join(", "))
            })?;
            if places.insert(*column, place).is_some() {
                return Err(format!("the header has the column {column} twice"));
            }
        }
        if !places.contains_key("sku") {
            return Err("the header lacks the column sku".to_owned());
        }
        if !places.contains_key("code") && !places.contains_key("url") {
            return Err("the header has neither the column code nor the column url".to_owned());
        }
        Ok(Self { places, width: record.len() })
    }

    /// A cell without the blanks around it; `None` if it is empty or the file lacks the column.
    fn cell<'r>(&self, record: &'r ByteRecord, column: &str) -> Result<Option<&'r str>, String> {
        let bytes = self.places.get(column).and_then(|place| record.get(*place)).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| format!("{column} is not UTF-8"))?.trim();
        Ok((!text.is_empty()).then_some(text))
    }
}

/// Reads and checks a row.
pub(super) fn read(header: &Header, record: &ByteRecord, shelf: &Shelf) -> Result<StockRow, String> {
    if record.len() != header.width {
        return Err(format!("it has {} columns where the header has {}", record.len(), header.width));
    }
    let sku = header.cell(record, "sku")?.ok_or("sku is missing")?;
    let product = shelf.products.get(sku).ok_or("no product has this sku")?;
    if product.delivery != DeliveryKind::Code {
        return Err("the product is not delivered as a code".to_owned());
    }
    Ok(StockRow {
        product: product.id.clone(),
        brand: product.brand_slug.clone(),
        face_minor: face_value(header.cell(record, "face_value")?, product)?,
        contents: read_contents(&|column| header.cell(record, column))?,
        expires_at: expiry(header.cell(record, "expires_at")?, shelf.now)?,
        cost: cost(header.cell(record, "cost")?, header.cell(record, "cost_currency")?, shelf)?,
        lot: lot(header.cell(record, "lot")?, &shelf.lot)?,
    })
}

fn face_value(cell: Option<&str>, product: &entity::products::Model) -> Result<i64, String> {
    let currency = product.face_currency;
    let given = cell
        .map(|text| Money::parse(text, currency).map(|money| money.minor))
        .transpose()
        .map_err(|error| format!("face_value is no amount of {currency}: {error}"))?;
    match (product.denomination, given, product.face_minor) {
        (DenominationKind::Fixed, None, Some(face)) => Ok(face),
        (DenominationKind::Fixed, Some(given), Some(face)) if given == face => Ok(face),
        (DenominationKind::Fixed, ..) => Err("face_value is not the product's".to_owned()),
        (DenominationKind::Range, None, _) => {
            Err("face_value is missing; the product has no fixed one".to_owned())
        }
        (DenominationKind::Range, Some(given), _) => {
            let (Some(least), Some(most), Some(step)) =
                (product.min_minor, product.max_minor, product.step_minor)
            else {
                return Err("the product's range is incomplete".to_owned());
            };
            let on_step = given.checked_sub(least).and_then(|above| above.checked_rem(step)) == Some(0);
            if (least..=most).contains(&given) && on_step {
                Ok(given)
            } else {
                Err("face_value is not one that the product comes in".to_owned())
            }
        }
    }
}

/// What a row's columns code, pin, serial and url hold: a code, or a link, or both.
///
/// # Errors
/// What is wrong with which column.
pub fn read_contents<'r>(cell: &dyn Fn(&str) -> Result<Option<&'r str>, String>) -> Result<Contents, String> {
    let secret = |column: &str, longest: usize| -> Result<Option<Secret>, String> {
        let Some(text) = cell(column)? else { return Ok(None) };
        if text.chars().count() > longest || text.chars().any(char::is_control) {
            return Err(format!("{column} has control characters, or more than {longest} in all"));
        }
        Ok(Some(Secret::new(text.to_owned())))
    };
    let contents = Contents {
        code: secret("code", LONGEST_SECRET)?,
        pin: secret("pin", LONGEST_SECRET)?,
        serial: secret("serial", LONGEST_SECRET)?,
        redemption_url: secret("url", LONGEST_URL)?,
    };
    if let Some(code) = &contents.code
        && normalise(code.expose()).is_empty()
    {
        return Err("code has nothing but blanks and dashes".to_owned());
    }
    if let Some(url) = &contents.redemption_url
        && !url.expose().starts_with("https://")
        && !url.expose().starts_with("http://")
    {
        return Err("url does not begin with https:// or http://".to_owned());
    }
    if contents.code.is_none() && contents.redemption_url.is_none() {
        return Err("code and url are both missing".to_owned());
    }
    Ok(contents)
}

/// An instant, or a day, on which a code is good to the end.
///
/// # Errors
/// What is wrong with it.
pub fn read_expiry(cell: Option<&str>) -> Result<Option<Timestamp>, String> {
    let Some(text) = cell else { return Ok(None) };
    let instant = text.parse().or_else(|_| format!("{text}T23:59:59.999999Z").parse::<Timestamp>());
    let wrong = |_| "expires_at is neither a day (2027-01-31) nor an RFC 3339 instant".to_owned();
    instant.map(Some).map_err(wrong)
}

fn expiry(cell: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, String> {
    let expiry = read_expiry(cell)?;
    if expiry.is_some_and(|instant| instant <= now) {
        return Err("expires_at has passed".to_owned());
    }
    Ok(expiry)
}

fn cost(cost: Option<&str>, currency: Option<&str>, shelf: &Shelf) -> Result<Option<Cost>, String> {
    let (cost, currency) = match (cost, currency) {
        (None, None) => return Ok(None),
        (Some(cost), Some(currency)) => (cost, currency),
        _ => return Err("cost and cost_currency go together".to_owned()),
    };
    let currency = currency.parse().ok().filter(|currency| shelf.currencies.contains(currency));
    let currency = currency.ok_or("cost_currency is no currency that is known here")?;
    let number: entity::decimal::Decimal =
        cost.parse().map_err(|_| "cost is no plain decimal number".to_owned())?;
    let missing = COST_SCALE.checked_sub(number.scale()).ok_or("cost has more than 6 decimal digits")?;
    let micros = 10_i128
        .checked_pow(missing)
        .and_then(|factor| number.mantissa().checked_mul(factor))
        .and_then(|micros| i64::try_from(micros).ok())
        .filter(|micros| (0..=MOST_COST_MICROS).contains(micros))
        .ok_or("cost is negative or above a billion")?;
    Ok(Some(Cost { micros, currency }))
}

fn lot(cell: Option<&str>, default: &str) -> Result<String, String> {
    let lot = cell.unwrap_or(default);
    if lot.chars().count() > LONGEST_LOT || lot.chars().any(char::is_control) {
        return Err(format!("lot has control characters, or more than {LONGEST_LOT} in all"));
    }
    Ok(lot.to_owned())
}
