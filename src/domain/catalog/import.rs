//! Importing the catalog.
//!
//! What lives here: the command that brings files into the tables.
//! What is always true: every line is judged before anything is written, and without leave to skip bad lines nothing is; what
//! is written comes in transactions of at most 500 rows, so that a server on the same database keeps running; a line that says
//! what the table says already writes nothing; the version is bumped last.
//! What is not here: what a line may say (`rows.rs`); price rules, which an import never touches.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use entity::state::{DeliveryKind, ProductStatus};
use entity::timestamp::Timestamp;
use sea_orm::DbErr;
use serde::Serialize;

use super::lines::{BadRow, HEADING};
use super::rows::{self, BrandRow, CountryRow, CurrencyRow, Known, ProductRow};
use super::snapshot::Tables;
use super::store::{self, read_tables, upsert};
use crate::ctx::Ctx;
use crate::domain::audit;
use crate::problem::{Failure, Problem};
use crate::store::{Subject, Transaction, begin_snapshot, bump, write};

/// Rows a transaction: about 50 ms of the one writer that SQLite has.
const ROWS_A_TRANSACTION: usize = 500;
/// The largest quantity of a product that the operator has said nothing about; what needs a recipient is sold singly.
const MOST_CODES: i32 = 1_000;

/// The files of a catalog; those that are absent are not imported.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// currencies.csv
    pub currencies: Option<Vec<u8>>,
    /// countries.csv
    pub countries: Option<Vec<u8>>,
    /// brands.csv
    pub brands: Option<Vec<u8>>,
    /// catalog.csv
    pub catalog: Option<Vec<u8>>,
}

/// What becomes of bad lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRows {
    /// One is enough to leave everything as it was.
    Refuse,
    /// They are left out, the rest goes in.
    Skip,
}

/// The command.
#[derive(Debug, Clone)]
pub struct Import {
    /// What to import.
    pub files: Files,
    /// What becomes of bad lines.
    pub bad_rows: BadRows,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows written.
    pub done: usize,
    /// Rows to be written.
    pub total: usize,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ImportReport {
    /// Rows that were not there.
    pub added: usize,
    /// Rows that said something else.
    pub changed: usize,
    /// Rows that said the same.
    pub unchanged: usize,
    /// Lines that were left out.
    pub skipped: Vec<BadRow>,
}

/// Why nothing was imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportRefusal {
    /// These lines are bad, and leave to skip them was not given.
    #[error("{} bad lines; nothing was imported", .0.len())]
    BadRows(Vec<BadRow>),
    /// A file has not the columns that it needs; leave to skip bad lines does not help it.
    #[error("{0}")]
    BadHeading(BadRow),
    /// A file cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// The file or folder.
        path: String,
        /// Why.
        reason: String,
    },
}

impl Files {
    /// Reads a folder with catalog.csv and, where they are, the three other files; or a catalog.csv alone.
    ///
    /// # Errors
    /// The file that cannot be read.
    pub fn read(path: &Path) -> Result<Self, ImportRefusal> {
        let unreadable = |path: &Path, error: &std::io::Error| ImportRefusal::Unreadable {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        let read = |path: &Path| std::fs::read(path).map_err(|error| unreadable(path, &error));
        if !path.is_dir() {
            return Ok(Self { catalog: Some(read(path)?), ..Self::default() });
        }
        let beside = |name: &str| {
            let file = path.join(name);
            if file.exists() { read(&file).map(Some) } else { Ok(None) }
        };
        Ok(Self {
            currencies: beside("currencies.csv")?,
            countries: beside("countries.csv")?,
            brands: beside("brands.csv")?,
            catalog: Some(read(&path.join("catalog.csv"))?),
        })
    }
}

/// Imports files; `progress` is called after each transaction.
///
/// # Errors
/// The refusals of `ImportRefusal`, with nothing changed; what the database says, with earlier transactions kept: the same
/// import goes on where it stopped.
pub async fn import(
    ctx: &Ctx,
    command: Import,
    progress: impl Fn(Progress),
) -> Result<ImportReport, Failure<ImportRefusal>> {
    let transaction = begin_snapshot(ctx.database()).await?;
    let present = read_tables(&transaction).await?;
    transaction.rollback().await?;
    let mut bad = Vec::new();
    let wanted = Wanted::read(&command.files, &present, &mut bad);
    if let Some(heading) = bad.iter().find(|row| row.line == HEADING) {
        return Err(Failure::Refused(ImportRefusal::BadHeading(heading.clone())));
    }
    if !bad.is_empty() && command.bad_rows == BadRows::Refuse {
        return Err(Failure::Refused(ImportRefusal::BadRows(bad)));
    }
    let mut report = ImportReport { skipped: bad, ..ImportReport::default() };
    let batches = wanted.batches(&present, ctx, &mut report);
    let total = batches.iter().map(Batch::rows).sum();
    let mut done = 0;
    progress(Progress { done, total });
    let last = batches.len();
    for (batch, number) in batches.into_iter().zip(1..) {
        done += batch.rows();
        let closing = (number == last).then(|| {
            let facts = serde_json::json!({ "added": report.added, "changed": report.changed,
                "skipped": report.skipped.len() });
            audit::Entry::new(ctx, "catalog.imported", "catalog", &facts)
        });
        write_batch(ctx, batch, closing).await?;
        progress(Progress { done, total });
    }
    Ok(report)
}

/// Writes a batch; the last one closes the import: audited, and told to the servers.
async fn write_batch(ctx: &Ctx, batch: Batch, closing: Option<audit::Entry>) -> Result<(), Problem> {
    let batch = Arc::new(batch);
    write(&ctx.deps, move |transaction| {
        let (batch, closing) = (Arc::clone(&batch), closing.clone());
        Box::pin(async move {
            batch.write(transaction).await?;
            if let Some(entry) = closing {
                audit::record(transaction, &[entry]).await?;
                bump(transaction, Subject::Catalog).await?;
            }
            Ok(())
        })
    })
    .await
}

/// Rows of one table.
enum Batch {
    Currencies(Vec<CurrencyRow>),
    Countries(Vec<CountryRow>),
    Categories(Vec<CategoryRow>),
    Brands(Vec<BrandRow>),
    Products(Vec<WrittenProduct>),
}

impl Batch {
    fn rows(&self) -> usize {
        match self {
            Self::Currencies(rows) => rows.len(),
            Self::Countries(rows) => rows.len(),
            Self::Categories(rows) => rows.len(),
            Self::Brands(rows) => rows.len(),
            Self::Products(rows) => rows.len(),
        }
    }

    async fn write(&self, transaction: &Transaction) -> Result<(), DbErr> {
        match self {
            Self::Currencies(rows) => upsert(transaction, store::CURRENCIES, rows).await,
            Self::Countries(rows) => upsert(transaction, store::COUNTRIES, rows).await,
            Self::Categories(rows) => upsert(transaction, store::CATEGORIES, rows).await,
            Self::Brands(rows) => upsert(transaction, store::BRANDS, rows).await,
            Self::Products(rows) => upsert(transaction, store::PRODUCTS, rows).await,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct CategoryRow {
    pub(super) slug: String,
    pub(super) name: String,
}

/// A product's row with what a new one begins with.
#[derive(Debug, Clone, Serialize)]
pub(super) struct WrittenProduct {
    #[serde(flatten)]
    pub(super) row: ProductRow,
    status: ProductStatus,
    max_quantity: i32,
    redemption_instructions: Option<String>,
    created_at: i64,
    updated_at: i64,
}

impl WrittenProduct {
    /// A row, as it begins if it is new.
    pub(super) fn new(row: ProductRow, redemption_instructions: Option<String>, now: Timestamp) -> Self {
        Self {
            status: ProductStatus::Active,
            max_quantity: if row.delivery == DeliveryKind::Code { MOST_CODES } else { 1 },
            redemption_instructions,
            created_at: now.micros(),
            updated_at: now.micros(),
            row,
        }
    }
}

/// What the files ask the tables to be.
struct Wanted {
    currencies: Vec<CurrencyRow>,
    countries: Vec<CountryRow>,
    categories: Vec<CategoryRow>,
    brands: Vec<BrandRow>,
    products: Vec<ProductRow>,
}

impl Wanted {
    fn read(files: &Files, present: &Tables, bad: &mut Vec<BadRow>) -> Self {
        let mut known = Known {
            currencies: present.currencies.iter().map(|row| row.code).collect(),
            countries: present.countries.iter().map(|row| row.code.clone()).collect(),
            categories: present.categories.iter().map(|row| row.slug.clone()).collect(),
            brands: present.brands.iter().map(|row| row.slug.clone()).collect(),
            products: present.products.iter().map(|row| (row.id.clone(), row.face_currency)).collect(),
        };
        let currencies =
            files.currencies.as_deref().map(|text| rows::currencies(text, bad)).unwrap_or_default();
        known.currencies.extend(currencies.iter().map(|row| row.code));
        let countries =
            files.countries.as_deref().map(|text| rows::countries(text, &known, bad)).unwrap_or_default();
        known.countries.extend(countries.iter().map(|row| row.code.clone()));
        let brands = files.brands.as_deref().map(|text| rows::brands(text, bad)).unwrap_or_default();
        known.brands.extend(brands.iter().map(|row| row.slug.clone()));
        let slugs: BTreeSet<&str> = brands.iter().map(|row| row.category_slug.as_str()).collect();
        known.categories.extend(slugs.iter().map(|slug| (*slug).to_owned()));
        let category = |slug: &&str| CategoryRow { slug: (*slug).to_owned(), name: category_name(slug) };
        let categories = slugs.iter().map(category).collect();
        let products =
            files.catalog.as_deref().map(|text| rows::products(text, &known, bad)).unwrap_or_default();
        Self { currencies, countries, categories, brands, products }
    }

    /// What has to be written, in the order in which rows hang on each other.
    fn batches(self, present: &Tables, ctx: &Ctx, report: &mut ImportReport) -> Vec<Batch> {
        let mut batches = Vec::new();
        let there = present.currencies.iter().map(|row| (row.code.to_string(), currency_row(row)));
        let rows = differing(self.currencies, there, |row| row.code.to_string(), report);
        cut(rows, Batch::Currencies, &mut batches);
        let there = present.countries.iter().map(|row| (row.code.clone(), country_row(row)));
        let rows = differing(self.countries, there, |row| row.code.clone(), report);
        cut(rows, Batch::Countries, &mut batches);
        let there = present
            .categories
            .iter()
            .map(|row| (row.slug.clone(), CategoryRow { slug: row.slug.clone(), name: row.name.clone() }));
        let rows = differing(self.categories, there, |row| row.slug.clone(), report);
        cut(rows, Batch::Categories, &mut batches);
        let there = present.brands.iter().map(|row| (row.slug.clone(), brand_row(row)));
        let rows = differing(self.brands, there, |row| row.slug.clone(), report);
        cut(rows, Batch::Brands, &mut batches);
        let there = present.products.iter().map(|row| (row.id.clone(), product_row(row)));
        let rows = differing(self.products, there, |row| row.id.clone(), report);
        let written = |row| WrittenProduct::new(row, None, ctx.now);
        cut(rows.into_iter().map(written).collect(), Batch::Products, &mut batches);
        batches
    }
}

/// The rows that are not there or say something else, counted.
fn differing<R: PartialEq>(
    wanted: Vec<R>,
    there: impl Iterator<Item = (String, R)>,
    key: impl Fn(&R) -> String,
    report: &mut ImportReport,
) -> Vec<R> {
    let there: HashMap<String, R> = there.collect();
    let mut rows = Vec::new();
    for row in wanted {
        match there.get(&key(&row)) {
            Some(same) if *same == row => report.unchanged += 1,
            Some(_) => {
                report.changed += 1;
                rows.push(row);
            }
            None => {
                report.added += 1;
                rows.push(row);
            }
        }
    }
    rows
}

fn cut<R: Clone>(rows: Vec<R>, batch: impl Fn(Vec<R>) -> Batch, batches: &mut Vec<Batch>) {
    batches.extend(rows.chunks(ROWS_A_TRANSACTION).map(|rows| batch(rows.to_vec())));
}

/// The name of a category from its slug: "mobile_topup" is "Mobile top-up".
pub(super) fn category_name(slug: &str) -> String {
    let spaced = slug.replace('_', " ").replace("topup", "top-up");
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn currency_row(row: &entity::currencies::Model) -> CurrencyRow {
    CurrencyRow {
        code: row.code,
        numeric: row.numeric.clone(),
        name: row.name.clone(),
        minor_units: row.minor_units,
        settlement: i32::from(row.settlement),
    }
}

fn country_row(row: &entity::countries::Model) -> CountryRow {
    CountryRow {
        code: row.code.clone(),
        alpha3: row.alpha3.clone(),
        numeric: row.numeric.clone(),
        name: row.name.clone(),
        currency: row.currency,
    }
}

fn brand_row(row: &entity::brands::Model) -> BrandRow {
    BrandRow {
        slug: row.slug.clone(),
        name: row.name.clone(),
        category_slug: row.category_slug.clone(),
        delivery: row.delivery,
    }
}

fn product_row(row: &entity::products::Model) -> ProductRow {
    ProductRow {
        id: row.id.clone(),
        brand_slug: row.brand_slug.clone(),
        category_slug: row.category_slug.clone(),
        country_code: row.country_code.clone(),
        name: row.name.clone(),
        face_currency: row.face_currency,
        denomination: row.denomination,
        face_minor: row.face_minor,
        min_minor: row.min_minor,
        max_minor: row.max_minor,
        step_minor: row.step_minor,
        unit_label: row.unit_label.clone(),
        delivery: row.delivery,
        recipient: row.recipient,
        discount: row.discount,
        denomination_basis: row.denomination_basis.clone(),
        discount_basis: row.discount_basis.clone(),
    }
}
