//! Rows of the catalog's files: the pure part of an import.
//!
//! What lives here: what each line of currencies.csv, countries.csv, brands.csv and catalog.csv says, or why it is refused.
//! What is always true: a bad line is told by its number and reason; the lines around it are read all the same.
//! What is not here: how a file falls into lines and fields (`lines.rs`); the database: what is known there comes in as `Known`.

use std::collections::{HashMap, HashSet};

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::ids::RESERVED_PREFIXES;
use entity::state::{DeliveryKind, DenominationKind, RecipientKind};
use serde::Serialize;

use super::lines::{BadRow, Line, read};

/// What rows may name: the database's and those of the files read before.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) currencies: HashSet<Currency>,
    pub(super) countries: HashSet<String>,
    pub(super) categories: HashSet<String>,
    pub(super) brands: HashSet<String>,
    /// The face currency of each product that is there already: it never changes, for codes in stock are counted in it.
    pub(super) products: HashMap<String, Currency>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct CurrencyRow {
    pub(super) code: Currency,
    pub(super) numeric: String,
    pub(super) name: String,
    pub(super) minor_units: i32,
    pub(super) settlement: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct CountryRow {
    pub(super) code: String,
    pub(super) alpha3: String,
    pub(super) numeric: String,
    pub(super) name: String,
    pub(super) currency: Option<Currency>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct BrandRow {
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) category_slug: String,
    pub(super) delivery: DeliveryKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ProductRow {
    pub(super) id: String,
    pub(super) brand_slug: String,
    pub(super) category_slug: String,
    pub(super) country_code: String,
    pub(super) name: String,
    pub(super) face_currency: Currency,
    pub(super) denomination: DenominationKind,
    pub(super) face_minor: Option<i64>,
    pub(super) min_minor: Option<i64>,
    pub(super) max_minor: Option<i64>,
    pub(super) step_minor: Option<i64>,
    pub(super) unit_label: Option<String>,
    pub(super) delivery: DeliveryKind,
    pub(super) recipient: Option<RecipientKind>,
    pub(super) discount: Decimal,
    pub(super) denomination_basis: String,
    pub(super) discount_basis: String,
}

/// Currencies whose rate cannot be relied on for held money: sanctioned markets, fast depreciation, a scale that is being
/// changed, or a second code for one unit. Source: data/SOURCES.md and the notes of data/currencies.csv.
const FRAGILE: [&str; 9] = ["ARS", "IRR", "KPW", "LBP", "SDG", "SYP", "VED", "VES", "ZWG"];

/// The columns of catalog.csv.
pub(super) const PRODUCT_COLUMNS: [&str; 17] = [
    "sku",
    "brand_slug",
    "product_name",
    "category",
    "country",
    "face_currency",
    "denomination_kind",
    "face_value",
    "min_value",
    "max_value",
    "step",
    "unit_label",
    "delivery",
    "recipient_field",
    "denom_basis",
    "discount_pct",
    "discount_basis",
];

pub(super) fn currencies(text: &[u8], bad: &mut Vec<BadRow>) -> Vec<CurrencyRow> {
    let needed = ["code", "numeric", "minor_units", "name", "has_rate"];
    let row = |line: &Line<'_>| {
        let code: Currency = line.parsed("code", "an active ISO 4217 code")?;
        let minor_units: i32 = line.parsed("minor_units", "a whole number")?;
        if i32::try_from(code.minor_units()) != Ok(minor_units) {
            return Err(format!("minor_units of {code} are {} in ISO 4217", code.minor_units()));
        }
        let has_rate: bool = line.parsed("has_rate", "true or false")?;
        let settlement = has_rate && !FRAGILE.contains(&code.code());
        Ok(CurrencyRow {
            code,
            numeric: line.digits("numeric")?,
            name: line.name("name")?,
            minor_units,
            settlement: i32::from(settlement),
        })
    };
    read("currencies.csv", text, &needed, bad, row, |row| row.code.to_string())
}

pub(super) fn countries(text: &[u8], known: &Known, bad: &mut Vec<BadRow>) -> Vec<CountryRow> {
    let needed = ["alpha2", "alpha3", "numeric", "name", "currency"];
    let row = |line: &Line<'_>| {
        let currency = match line.text("currency") {
            "" => None,
            _ => Some(currency(line, "currency", known)?),
        };
        Ok(CountryRow {
            code: line.letters("alpha2", 2)?,
            alpha3: line.letters("alpha3", 3)?,
            numeric: line.digits("numeric")?,
            name: line.name("name")?,
            currency,
        })
    };
    read("countries.csv", text, &needed, bad, row, |row| row.code.clone())
}

fn currency(line: &Line<'_>, column: &str, known: &Known) -> Result<Currency, String> {
    let currency: Currency = line.parsed(column, "an active ISO 4217 code")?;
    if known.currencies.contains(&currency) {
        Ok(currency)
    } else {
        Err(format!("{column} {currency} is unknown"))
    }
}

pub(super) fn brands(text: &[u8], bad: &mut Vec<BadRow>) -> Vec<BrandRow> {
    let row = |line: &Line<'_>| {
        Ok(BrandRow {
            slug: line.slug("slug")?,
            name: line.name("name")?,
            category_slug: line.slug("category")?,
            delivery: line.state("delivery", "code, direct or topup")?,
        })
    };
    read("brands.csv", text, &["slug", "name", "category", "delivery"], bad, row, |row| row.slug.clone())
}

pub(super) fn products(text: &[u8], known: &Known, bad: &mut Vec<BadRow>) -> Vec<ProductRow> {
    read("catalog.csv", text, &PRODUCT_COLUMNS, bad, |line| product(line, known), |row| row.id.clone())
}

fn product(line: &Line<'_>, known: &Known) -> Result<ProductRow, String> {
    let id = line.slug("sku")?;
    if let Some(prefix) = RESERVED_PREFIXES.iter().find(|prefix| id.starts_with(**prefix)) {
        return Err(format!("sku {id:?} begins with {prefix}, which is kept for other ids"));
    }
    let face_currency = currency(line, "face_currency", known)?;
    if let Some(present) = known.products.get(&id).filter(|present| **present != face_currency) {
        return Err(format!("face_currency of {id} is {present} and never changes; use another sku"));
    }
    let denomination: DenominationKind = line.state("denomination_kind", "fixed or range")?;
    let absent = |columns: &[&str]| match columns.iter().find(|column| !line.text(column).is_empty()) {
        Some(column) => Err(format!("{column} has no place in a {} product", line.text("denomination_kind"))),
        None => Ok(()),
    };
    let (face_minor, range) = match denomination {
        DenominationKind::Fixed => {
            absent(&["min_value", "max_value", "step"])?;
            (Some(line.amount("face_value", face_currency)?), None)
        }
        DenominationKind::Range => {
            absent(&["face_value"])?;
            (None, Some(range(line, face_currency)?))
        }
    };
    let delivery: DeliveryKind = line.state("delivery", "code, direct or topup")?;
    Ok(ProductRow {
        brand_slug: line.known("brand_slug", &known.brands)?,
        category_slug: line.known("category", &known.categories)?,
        country_code: line.known("country", &known.countries)?,
        name: line.name("product_name")?,
        face_currency,
        denomination,
        face_minor,
        min_minor: range.map(|(min, _, _)| min),
        max_minor: range.map(|(_, max, _)| max),
        step_minor: range.map(|(_, _, step)| step),
        unit_label: line.optional("unit_label"),
        delivery,
        recipient: recipient(line, delivery)?,
        discount: discount(line)?,
        denomination_basis: line.name("denom_basis")?,
        discount_basis: line.name("discount_basis")?,
        id,
    })
}

/// Least, greatest and step of a range, the greatest on a step.
fn range(line: &Line<'_>, currency: Currency) -> Result<(i64, i64, i64), String> {
    let min = line.amount("min_value", currency)?;
    let max = line.amount("max_value", currency)?;
    let step = line.amount("step", currency)?;
    if max < min {
        return Err("max_value is less than min_value".to_owned());
    }
    if max.saturating_sub(min).checked_rem(step) != Some(0) {
        return Err("max_value is not min_value and so many steps".to_owned());
    }
    Ok((min, max, step))
}

fn recipient(line: &Line<'_>, delivery: DeliveryKind) -> Result<Option<RecipientKind>, String> {
    let named: Option<RecipientKind> = match line.text("recipient_field") {
        "" => None,
        _ => Some(line.state("recipient_field", "phone, player_id or username")?),
    };
    let fits = match delivery {
        DeliveryKind::Code => named.is_none(),
        DeliveryKind::Topup => named == Some(RecipientKind::Phone),
        DeliveryKind::Direct => {
            matches!(named, Some(RecipientKind::PlayerId | RecipientKind::Username))
        }
    };
    if fits {
        Ok(named)
    } else {
        let (delivery, field) = (line.text("delivery"), line.text("recipient_field"));
        Err(format!("delivery {delivery:?} does not go with recipient_field {field:?}"))
    }
}

/// A percentage of at least 0 and less than 100, as a share.
fn discount(line: &Line<'_>) -> Result<Decimal, String> {
    let percent: Decimal = line.parsed("discount_pct", "a plain decimal number")?;
    let share = Decimal::new(percent.mantissa(), percent.scale().saturating_add(2));
    let whole = 10_i128.checked_pow(share.scale());
    if share.is_negative() || whole.is_none_or(|whole| share.mantissa() >= whole) {
        return Err(format!("discount_pct {percent} must be at least 0 and less than 100"));
    }
    Ok(share)
}
