//! The catalog in memory.
//!
//! What lives here: all products with what they hang on, sorted and indexed, as they were at one version of the catalog.
//! What is always true: a snapshot is never changed, only replaced; what is known of the products' sources stands beside them,
//! lives and outlives it.
//! What is not here: who loads and replaces it (`live.rs`), and pages of it (`queries.rs`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use entity::currency::Currency;
use entity::money::Money;
use entity::state::{DenominationKind, ProductStatus};

use super::availability::{Availability, Supply};
use super::model::{Brand, Category, Country, Denomination, KnownCurrency, Product, fold, words};

/// What a snapshot is built from: the tables, as one transaction saw them.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// The version of the catalog.
    pub version: i64,
    /// The currencies.
    pub currencies: Vec<entity::currencies::Model>,
    /// The countries.
    pub countries: Vec<entity::countries::Model>,
    /// The categories.
    pub categories: Vec<entity::categories::Model>,
    /// The brands.
    pub brands: Vec<entity::brands::Model>,
    /// The products.
    pub products: Vec<entity::products::Model>,
}

/// A row that names another which is not there; the database's foreign keys forbid it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the catalog's row {0} hangs on a row that is not there, or has no denomination")]
pub struct BrokenRow(String);

/// The catalog at one version.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The version of the catalog.
    pub version: i64,
    /// By id.
    pub(super) products: Vec<Arc<Product>>,
    /// The products' folded names, in the same order.
    pub(super) names: Vec<String>,
    supplies: Vec<Arc<Supply>>,
    positions: HashMap<String, usize>,
    pub(super) by_name: Vec<usize>,
    pub(super) by_face_value: Vec<usize>,
    pub(super) by_updated_at: Vec<usize>,
    pub(super) by_country: HashMap<String, Vec<usize>>,
    pub(super) by_category: HashMap<String, Vec<usize>>,
    pub(super) by_brand: HashMap<String, Vec<usize>>,
    pub(super) by_currency: HashMap<Currency, Vec<usize>>,
    terms: BTreeMap<String, Vec<usize>>,
    /// By name.
    pub(super) brands: Vec<Arc<Brand>>,
    /// By name.
    pub(super) categories: Vec<Arc<Category>>,
    /// By name.
    pub(super) countries: Vec<Arc<Country>>,
    /// By code.
    pub(super) currencies: Vec<Arc<KnownCurrency>>,
}

impl Snapshot {
    /// Builds a snapshot; `supply` gives what is known of a product's sources.
    ///
    /// # Errors
    /// The row that hangs on nothing.
    pub fn build(tables: Tables, mut supply: impl FnMut(&str) -> Arc<Supply>) -> Result<Self, BrokenRow> {
        let parents = Parents::of(&tables);
        let mut products = Vec::with_capacity(tables.products.len());
        for row in tables.products {
            products.push(Arc::new(parents.product(row)?));
        }
        products.sort_by(|left, right| left.id.cmp(&right.id));
        let mut snapshot = Self {
            version: tables.version,
            names: products.iter().map(|product| fold(&product.name)).collect(),
            supplies: products.iter().map(|product| supply(&product.id)).collect(),
            positions: products.iter().zip(0..).map(|(product, at)| (product.id.clone(), at)).collect(),
            products,
            ..parents.lists()
        };
        snapshot.sort();
        snapshot.index();
        Ok(snapshot)
    }

    fn sort(&mut self) {
        let positions: Vec<usize> = (0..self.products.len()).collect();
        let (products, names) = (&self.products, &self.names);
        let face = |at: usize| (products[at].face_currency, products[at].denomination.least());
        self.by_name = positions.clone();
        self.by_name.sort_by(|left, right| names[*left].cmp(&names[*right]));
        self.by_face_value = positions.clone();
        self.by_face_value.sort_by_key(|at| face(*at));
        self.by_updated_at = positions;
        self.by_updated_at.sort_by_key(|at| products[*at].updated_at);
    }

    fn index(&mut self) {
        let mut words_of_brands: HashMap<&str, Vec<String>> = HashMap::new();
        for brand in &self.brands {
            words_of_brands.insert(&brand.slug, words(&brand.name));
        }
        for (product, at) in self.products.iter().zip(0..) {
            self.by_country.entry(product.country.code.clone()).or_default().push(at);
            self.by_category.entry(product.category.slug.clone()).or_default().push(at);
            self.by_brand.entry(product.brand.slug.clone()).or_default().push(at);
            self.by_currency.entry(product.face_currency).or_default().push(at);
            let mut terms = words(&product.name);
            terms.extend(words_of_brands.get(product.brand.slug.as_str()).into_iter().flatten().cloned());
            terms.sort_unstable();
            terms.dedup();
            for term in terms {
                self.terms.entry(term).or_default().push(at);
            }
        }
    }

    /// A product by its id.
    pub fn product(&self, id: &str) -> Option<&Arc<Product>> {
        self.positions.get(id).map(|at| &self.products[*at])
    }

    /// Every product, by id.
    pub fn products(&self) -> &[Arc<Product>] {
        &self.products
    }

    /// A brand by its slug.
    pub fn brand(&self, slug: &str) -> Option<&Arc<Brand>> {
        self.brands.iter().find(|brand| brand.slug == slug)
    }

    /// A category by its slug.
    pub fn category(&self, slug: &str) -> Option<&Arc<Category>> {
        self.categories.iter().find(|category| category.slug == slug)
    }

    /// A country by its alpha-2 code.
    pub fn country(&self, code: &str) -> Option<&Arc<Country>> {
        self.countries.iter().find(|country| country.code == code)
    }

    /// What is known of a currency.
    pub fn currency(&self, currency: Currency) -> Option<&Arc<KnownCurrency>> {
        let at = self.currencies.binary_search_by(|known| known.currency.cmp(&currency)).ok()?;
        self.currencies.get(at)
    }

    /// Whether wallets can be held in a currency.
    pub fn settles_in(&self, currency: Currency) -> bool {
        self.currency(currency).is_some_and(|known| known.settlement)
    }

    /// How many codes of a product are in stock right now, over all face values.
    pub fn available(&self, id: &str) -> i64 {
        self.positions.get(id).map_or(0, |at| self.supplies[*at].codes())
    }

    /// From where a unit of a product would come now.
    pub fn availability(&self, product: &Product) -> Availability {
        self.positions.get(&product.id).map_or(Availability::Unavailable, |at| self.availability_at(*at))
    }

    /// Whether vendors deliver a product on demand, beside what is in stock.
    pub fn on_demand(&self, product: &Product) -> bool {
        let delivers = |at: &usize| self.supplies[*at].on_demand();
        product.status == ProductStatus::Active && self.positions.get(&product.id).is_some_and(delivers)
    }

    pub(super) fn availability_at(&self, at: usize) -> Availability {
        match self.products[at].status {
            ProductStatus::Active => self.supplies[at].availability(),
            ProductStatus::Paused | ProductStatus::Retired => Availability::Unavailable,
        }
    }

    /// Whether an order for one unit would find the product sold, and a source.
    pub fn orderable(&self, product: &Product) -> bool {
        self.availability(product) != Availability::Unavailable
    }

    /// The largest quantity that one order may ask for; 0 if the product cannot be ordered.
    pub fn max_quantity(&self, product: &Product) -> i32 {
        if self.orderable(product) { product.max_quantity } else { 0 }
    }

    /// The products whose names have a word that begins with each of these (folded) words, by id; none without words.
    pub(super) fn found(&self, searched: &[String]) -> Vec<usize> {
        if searched.is_empty() {
            return Vec::new();
        }
        let mut hits = vec![0_usize; self.products.len()];
        for (word, earlier) in searched.iter().zip(0..) {
            let begins = |(term, _): &(&String, &Vec<usize>)| term.starts_with(word.as_str());
            for (_, at) in self
                .terms
                .range(word.clone()..)
                .take_while(begins)
                .flat_map(|(term, found)| found.iter().map(move |at| (term, at)))
            {
                // A product counts once a word, and only if it had all the words before.
                if hits[*at] == earlier {
                    hits[*at] = earlier.saturating_add(1);
                }
            }
        }
        hits.iter().zip(0..).filter(|(count, _)| **count == searched.len()).map(|(_, at)| at).collect()
    }
}

/// What products hang on, while a snapshot is built.
struct Parents {
    version: i64,
    categories: HashMap<String, Arc<Category>>,
    brands: HashMap<String, Arc<Brand>>,
    countries: HashMap<String, Arc<Country>>,
    currencies: Vec<Arc<KnownCurrency>>,
}

/// How many items have each key.
fn counted<K: std::hash::Hash + Eq>(keys: impl Iterator<Item = K>) -> HashMap<K, i32> {
    let mut counts: HashMap<K, i32> = HashMap::new();
    for key in keys {
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

impl Parents {
    fn of(tables: &Tables) -> Self {
        let products = &tables.products;
        let of_category = counted(products.iter().map(|row| row.category_slug.as_str()));
        let of_brand = counted(products.iter().map(|row| row.brand_slug.as_str()));
        let of_country = counted(products.iter().map(|row| row.country_code.as_str()));
        let of_currency = counted(products.iter().map(|row| row.face_currency));
        let mut categories = HashMap::new();
        for row in &tables.categories {
            let product_count = of_category.get(row.slug.as_str()).copied().unwrap_or(0);
            let category = Category { slug: row.slug.clone(), name: row.name.clone(), product_count };
            categories.insert(row.slug.clone(), Arc::new(category));
        }
        let mut brands = HashMap::new();
        for row in &tables.brands {
            let product_count = of_brand.get(row.slug.as_str()).copied().unwrap_or(0);
            let Some(category) = categories.get(&row.category_slug) else { continue };
            let (slug, name, category) = (row.slug.clone(), row.name.clone(), Arc::clone(category));
            brands.insert(row.slug.clone(), Arc::new(Brand { slug, name, category, product_count }));
        }
        let mut countries = HashMap::new();
        for row in &tables.countries {
            let country = Country {
                code: row.code.clone(),
                alpha3: row.alpha3.clone(),
                name: row.name.clone(),
                currency: row.currency,
                product_count: of_country.get(row.code.as_str()).copied().unwrap_or(0),
            };
            countries.insert(row.code.clone(), Arc::new(country));
        }
        let known = |row: &entity::currencies::Model| KnownCurrency {
            currency: row.code,
            name: row.name.clone(),
            settlement: row.settlement,
            product_count: of_currency.get(&row.code).copied().unwrap_or(0),
        };
        let mut currencies: Vec<_> = tables.currencies.iter().map(|row| Arc::new(known(row))).collect();
        currencies.sort_by_key(|known| known.currency);
        Self { version: tables.version, categories, brands, countries, currencies }
    }

    fn product(&self, row: entity::products::Model) -> Result<Product, BrokenRow> {
        let broken = || BrokenRow(row.id.clone());
        let denomination =
            match (row.denomination, row.face_minor, row.min_minor, row.max_minor, row.step_minor) {
                (DenominationKind::Fixed, Some(value), None, None, None) => Denomination::Fixed(value),
                (DenominationKind::Range, None, Some(min), Some(max), Some(step)) => {
                    Denomination::Range { min, max, step }
                }
                _ => return Err(broken()),
            };
        Ok(Product {
            brand: self.brands.get(&row.brand_slug).map(Arc::clone).ok_or_else(broken)?,
            category: self.categories.get(&row.category_slug).map(Arc::clone).ok_or_else(broken)?,
            country: self.countries.get(&row.country_code).map(Arc::clone).ok_or_else(broken)?,
            id: row.id,
            name: row.name,
            face_currency: row.face_currency,
            denomination,
            unit_label: row.unit_label,
            delivery: row.delivery,
            recipient: row.recipient,
            discount: row.discount,
            status: row.status,
            max_quantity: row.max_quantity,
            redemption_instructions: row.redemption_instructions,
            expiry_rule: row.expiry_rule,
            updated_at: row.updated_at,
        })
    }

    /// A snapshot with the lists of what products hang on, and no products yet.
    fn lists(self) -> Snapshot {
        let mut brands: Vec<_> = self.brands.into_values().collect();
        brands.sort_by_cached_key(|brand| (fold(&brand.name), brand.slug.clone()));
        let mut categories: Vec<_> = self.categories.into_values().collect();
        categories.sort_by_cached_key(|category| (fold(&category.name), category.slug.clone()));
        let mut countries: Vec<_> = self.countries.into_values().collect();
        countries.sort_by_cached_key(|country| (fold(&country.name), country.code.clone()));
        Snapshot {
            version: self.version,
            brands,
            categories,
            countries,
            currencies: self.currencies,
            ..Snapshot::default()
        }
    }
}

impl Product {
    /// The face value that is priced when none is named: the fixed one, or the least of a range.
    pub fn least_face_value(&self) -> Money {
        Money::from_minor(self.denomination.least(), self.face_currency)
    }
}
