//! Products that a vendor's catalog brings.
//!
//! What lives here: how something that a vendor sells becomes a product of ours, and the writing of such products.
//! What is always true: it passes the checks that a line of catalog.csv passes; what is there already, be it a product, a brand
//! or a category, is never changed; a status is changed only from what it was thought to be.
//! What is not here: which of a vendor's items become products, and when they are withdrawn (fulfillment's `sync.rs`).

use std::collections::{BTreeMap, HashMap};

use entity::currency::Currency;
use entity::money::Money;
use entity::state::{DeliveryKind, ProductStatus, RecipientKind};
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbErr};
use sha2::{Digest, Sha256};

use super::import::{CategoryRow, WrittenProduct, category_name};
use super::model::{Denomination, words};
use super::rows::{self, BrandRow, Known, PRODUCT_COLUMNS};
use super::snapshot::Snapshot;
use super::store::{self, change_status, insert_new};

/// The category of what a vendor puts into one that is not ours, and whose brand is not ours either.
const OTHER: &str = "other";
/// How long the slug of a brand may be, in bytes.
const LONGEST_SLUG: usize = 100;
/// How long instructions may be, in bytes.
const LONGEST_INSTRUCTIONS: usize = 20_000;

/// Something that a vendor sells, as it would be a product.
#[derive(Debug, Clone)]
pub struct Supplied<'a> {
    /// The sku that it would have.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The brand, in the vendor's words.
    pub brand: &'a str,
    /// The category, in the vendor's words.
    pub category: &'a str,
    /// Where it is redeemed; `None` if it is not bound to a country.
    pub country: Option<&'a str>,
    /// The currency of its face value.
    pub face_currency: Currency,
    /// The face values that it comes in.
    pub denomination: Denomination,
    /// How it reaches its user.
    pub delivery: DeliveryKind,
    /// What an order must name.
    pub recipient: Option<RecipientKind>,
    /// How to redeem.
    pub redemption_instructions: Option<&'a str>,
    /// Who says so.
    pub source: &'a str,
}

/// A product that is ready to be written, with the brand and the category that it hangs on where those are new.
#[derive(Debug, Clone)]
pub struct NewProduct {
    product: WrittenProduct,
    brand: Option<BrandRow>,
    category: Option<CategoryRow>,
}

impl NewProduct {
    /// Its sku.
    pub fn id(&self) -> &str {
        &self.product.row.id
    }
}

/// The catalog as new products are put beside what is there.
#[derive(Debug)]
pub struct Shelf {
    known: Known,
    brands: HashMap<String, String>,
    categories: HashMap<String, String>,
    category_of_brand: HashMap<String, String>,
    new_brands: HashMap<String, BrandRow>,
    has_other: bool,
    now: Timestamp,
}

impl Shelf {
    /// The shelf that a catalog makes, for products that begin now.
    pub fn of(snapshot: &Snapshot, now: Timestamp) -> Self {
        let slugs = |slugs: Vec<&String>| slugs.into_iter().cloned().collect();
        let named = |pairs: Vec<(&String, &String)>| {
            let slugs = pairs.iter().map(|(slug, _)| (spoken(slug), (*slug).clone()));
            // A name says more than a slug does, where both are somebody's.
            let names = pairs.iter().map(|(slug, name)| (spoken(name), (*slug).clone()));
            slugs.chain(names).collect()
        };
        let mut known = Known {
            currencies: snapshot.currencies.iter().map(|known| known.currency).collect(),
            countries: slugs(snapshot.countries.iter().map(|country| &country.code).collect()),
            categories: slugs(snapshot.categories.iter().map(|category| &category.slug).collect()),
            brands: slugs(snapshot.brands.iter().map(|brand| &brand.slug).collect()),
            products: HashMap::new(),
        };
        let has_other = !known.categories.insert(OTHER.to_owned());
        Self {
            known,
            brands: named(snapshot.brands.iter().map(|brand| (&brand.slug, &brand.name)).collect()),
            categories: named(
                snapshot.categories.iter().map(|category| (&category.slug, &category.name)).collect(),
            ),
            category_of_brand: snapshot
                .brands
                .iter()
                .map(|brand| (brand.slug.clone(), brand.category.slug.clone()))
                .collect(),
            new_brands: HashMap::new(),
            has_other,
            now,
        }
    }

    /// Whether products can have their face value in a currency, or cost something in it.
    pub fn knows(&self, currency: Currency) -> bool {
        self.known.currencies.contains(&currency)
    }

    /// The slug of the brand of ours that a name is, or that has it for its slug.
    pub fn brand_of(&self, name: &str) -> Option<&str> {
        self.brands.get(&spoken(name)).map(String::as_str)
    }

    /// Puts something beside what is there.
    ///
    /// # Errors
    /// Why it can be no product of ours.
    pub fn place(&mut self, supplied: &Supplied<'_>) -> Result<NewProduct, String> {
        let country = supplied.country.ok_or("it is bound to no country, and every product here is")?;
        let instructions = supplied.redemption_instructions.map(str::trim).filter(|text| !text.is_empty());
        if instructions.is_some_and(|text| text.len() > LONGEST_INSTRUCTIONS) {
            return Err(format!("its instructions have more than {LONGEST_INSTRUCTIONS} bytes"));
        }
        let named = spoken(supplied.brand);
        let slug = match self.brands.get(&named) {
            Some(slug) => slug.clone(),
            None => brand_slug(&named).ok_or("it has no brand")?,
        };
        let own = self.categories.get(&spoken(supplied.category));
        let category = own.or_else(|| self.category_of_brand.get(&slug)).map_or(OTHER, String::as_str);
        let category = category.to_owned();
        let is_new = !self.known.brands.contains(&slug);
        let brand = is_new.then(|| match self.new_brands.get(&slug) {
            Some(known) => known.clone(),
            None => BrandRow {
                slug: slug.clone(),
                name: supplied.brand.trim().to_owned(),
                category_slug: category.clone(),
                delivery: supplied.delivery,
            },
        });
        let mut bad = Vec::new();
        let text = line(supplied, &slug, &category, country)?;
        self.known.brands.insert(slug.clone());
        let row = rows::products(&text, &self.known, &mut bad).pop();
        if is_new {
            self.known.brands.remove(&slug);
        }
        let row = row.ok_or_else(|| bad.pop().map_or_else(String::new, |bad| bad.reason))?;
        if let Some(brand) = &brand {
            if brand.name.len() > LONGEST_SLUG.saturating_mul(2) {
                return Err("its brand's name is too long".to_owned());
            }
            self.new_brands.insert(slug, brand.clone());
        }
        let hangs_on_other =
            category == OTHER || brand.as_ref().is_some_and(|brand| brand.category_slug == OTHER);
        let other = || CategoryRow { slug: OTHER.to_owned(), name: category_name(OTHER) };
        Ok(NewProduct {
            product: WrittenProduct::new(row, instructions.map(str::to_owned), self.now),
            brand,
            category: (hangs_on_other && !self.has_other).then(other),
        })
    }
}

/// The words of a name, as names are compared.
fn spoken(name: &str) -> String {
    words(name).join(" ")
}

/// The slug of a new brand, out of the words of its name; `None` if it has none.
fn brand_slug(spoken: &str) -> Option<String> {
    let slug = spoken.replace(' ', "_");
    match slug.len() {
        0 => None,
        1..=LONGEST_SLUG if slug.is_ascii() => Some(slug),
        _ => Some(format!("brand_{}", fingerprint(spoken))),
    }
}

/// Twelve digits that stand for a text which is no slug.
pub fn fingerprint(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// A product as a file of its own, so that it passes the checks of every line.
fn line(supplied: &Supplied<'_>, brand: &str, category: &str, country: &str) -> Result<Vec<u8>, String> {
    let amount = |minor| Money::from_minor(minor, supplied.face_currency).amount();
    let mut fields: HashMap<&str, String> = HashMap::from([
        ("sku", supplied.id.clone()),
        ("brand_slug", brand.to_owned()),
        ("product_name", supplied.name.clone()),
        ("category", category.to_owned()),
        ("country", country.to_owned()),
        ("face_currency", supplied.face_currency.to_string()),
        ("delivery", supplied.delivery.as_str().to_owned()),
        ("recipient_field", supplied.recipient.map(|kind| kind.as_str().to_owned()).unwrap_or_default()),
        ("denom_basis", supplied.source.to_owned()),
        // What a vendor takes is no promise of ours: partners pay the face value unless a price rule says otherwise.
        ("discount_pct", "0".to_owned()),
        ("discount_basis", supplied.source.to_owned()),
    ]);
    match supplied.denomination {
        Denomination::Fixed(value) => {
            fields.extend([("denomination_kind", "fixed".to_owned()), ("face_value", amount(value))]);
        }
        Denomination::Range { min, max, step } => fields.extend([
            ("denomination_kind", "range".to_owned()),
            ("min_value", amount(min)),
            ("max_value", amount(max)),
            ("step", amount(step)),
        ]),
    }
    let record = PRODUCT_COLUMNS.map(|column| fields.remove(column).unwrap_or_default());
    let mut file = csv::Writer::from_writer(Vec::new());
    let written = file.write_record(PRODUCT_COLUMNS).and_then(|()| file.write_record(&record));
    written.map_err(|error| error.to_string())?;
    file.into_inner().map_err(|error| error.to_string())
}

/// Writes products that are not there, with the brands and categories that they hang on. The caller bumps the catalog.
///
/// # Errors
/// What the database says.
pub async fn add_products(connection: &impl ConnectionTrait, products: &[NewProduct]) -> Result<(), DbErr> {
    let categories: BTreeMap<&str, &CategoryRow> =
        products.iter().filter_map(|new| new.category.as_ref()).map(|row| (row.slug.as_str(), row)).collect();
    let brands: BTreeMap<&str, &BrandRow> =
        products.iter().filter_map(|new| new.brand.as_ref()).map(|row| (row.slug.as_str(), row)).collect();
    let rows: Vec<&WrittenProduct> = products.iter().map(|new| &new.product).collect();
    if !categories.is_empty() {
        insert_new(connection, store::CATEGORIES, &categories.into_values().collect::<Vec<_>>()).await?;
    }
    if !brands.is_empty() {
        insert_new(connection, store::BRANDS, &brands.into_values().collect::<Vec<_>>()).await?;
    }
    insert_new(connection, store::PRODUCTS, &rows).await
}

/// Has products not sold at present that are. The caller bumps the catalog.
///
/// # Errors
/// What the database says.
pub async fn withdraw_products(
    connection: &impl ConnectionTrait,
    products: &[&str],
    now: Timestamp,
) -> Result<(), DbErr> {
    change_status(connection, products, (ProductStatus::Active, ProductStatus::Paused), now).await
}

/// Has products sold that are paused. The caller bumps the catalog.
///
/// # Errors
/// What the database says.
pub async fn restore_products(
    connection: &impl ConnectionTrait,
    products: &[&str],
    now: Timestamp,
) -> Result<(), DbErr> {
    change_status(connection, products, (ProductStatus::Paused, ProductStatus::Active), now).await
}
