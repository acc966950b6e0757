//! Pages of the catalog.
//!
//! What lives here: which products, brands, categories, countries and currencies a caller asks for, and the page of them.
//! What is always true: everything is answered from memory; a cursor names a place in an order and not an item, so that it
//! stays good when the catalog changes; an unknown slug or code is an empty page.
//! What is not here: who may ask; transports check the scope `catalog:read`.

use std::borrow::Cow;
use std::sync::Arc;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::money::Money;
use entity::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::availability::Availability;
use super::model::{Brand, Category, Country, KnownCurrency, Product, fold, words};
use super::snapshot::Snapshot;
use crate::problem::{ErrorCode, Problem};
use crate::store::{Page, PageRequest, Slice};

/// How long a text that is searched for may be, in characters.
const LONGEST_SEARCH: usize = 100;

/// Conditions on products, joined by and.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductFilter {
    /// Sold for use in this country (alpha-2).
    pub country: Option<String>,
    /// Of the category with this slug.
    pub category: Option<String>,
    /// Of the brand with this slug.
    pub brand: Option<String>,
    /// Every word occurs, from its beginning, in the product's or the brand's name; a text without words finds nothing.
    pub search: Option<String>,
    /// With this face currency.
    pub currency: Option<Currency>,
    /// Available at this face value.
    pub face_value: Option<Decimal>,
    /// Only what can be ordered right now, be it from own stock or from a vendor.
    pub available_only: bool,
    /// Changed at or after this instant.
    pub updated_since: Option<Timestamp>,
}

/// An order of products; ties are broken by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProductOrder {
    /// By name, A to Z.
    #[default]
    NameAsc,
    /// By name, Z to A.
    NameDesc,
    /// By face currency, then by lowest face value, upwards.
    FaceValueAsc,
    /// The same, downwards.
    FaceValueDesc,
    /// Longest unchanged first.
    UpdatedAtAsc,
    /// Latest changed first.
    UpdatedAtDesc,
}

/// An item of a page, and the key of its place in the list, which becomes its cursor.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// The key.
    pub key: String,
    /// The item.
    pub item: Arc<T>,
}

/// A place in a list: which list, and what its items are sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key(String, String, i64, String);

/// A sorted list with the meaning of its keys.
struct Sorted<'a, X, K> {
    name: &'static str,
    items: &'a [X],
    descending: bool,
    key: K,
}

impl<X: Clone, K: Fn(&X) -> (String, i64, String)> Sorted<'_, X, K> {
    fn key_of(&self, item: &X) -> Key {
        let (text, number, id) = (self.key)(item);
        Key(self.name.to_owned(), text, number, id)
    }

    fn read_key(&self, argument: &str, key: Option<&str>) -> Result<Option<Key>, Problem> {
        let Some(text) = key else { return Ok(None) };
        match serde_json::from_str::<Key>(text) {
            Ok(key) if key.0 == self.name => Ok(Some(key)),
            _ => Err(Problem::bad_argument(argument, format!("`{argument}` is not a cursor of this list"))),
        }
    }

    /// The page of the items that are kept, with their keys.
    fn page(&self, request: &PageRequest, keep: impl Fn(&X) -> bool) -> Result<Page<(String, X)>, Problem> {
        let after = self.read_key("after", request.after.as_deref())?;
        let before = self.read_key("before", request.before.as_deref())?;
        // In a descending list, what lies behind a cursor has the lesser keys.
        let (lower, upper) = if self.descending { (before, after) } else { (after, before) };
        let low = lower.map_or(0, |key| self.items.partition_point(|item| self.key_of(item) <= key));
        let high =
            upper.map_or(self.items.len(), |key| self.items.partition_point(|item| self.key_of(item) < key));
        let between = &self.items[low..high.max(low)];
        let wanted = usize::try_from(request.size).unwrap_or(usize::MAX).saturating_add(1);
        let upwards = (request.slice == Slice::First) != self.descending;
        let row = |item: &X| (serde_json::to_string(&self.key_of(item)).unwrap_or_default(), item.clone());
        let rows: Vec<(String, X)> = if upwards {
            between.iter().filter(|item| keep(item)).take(wanted).map(row).collect()
        } else {
            between.iter().rev().filter(|item| keep(item)).take(wanted).map(row).collect()
        };
        Ok(request.cut(rows))
    }
}

/// Wraps the items of a page.
fn listed<X, T>(page: Page<(String, X)>, item: impl Fn(X) -> Arc<T>) -> Page<Listed<T>> {
    Page {
        items: page.items.into_iter().map(|(key, found)| Listed { key, item: item(found) }).collect(),
        has_next: page.has_next,
        has_previous: page.has_previous,
    }
}

impl ProductFilter {
    /// Checks what the type cannot.
    ///
    /// # Errors
    /// BAD_USER_INPUT naming the field: a search that is too long, a face value that is not positive.
    pub fn check(&self) -> Result<(), Problem> {
        check_search(&["filter", "search"], self.search.as_deref())?;
        if self.face_value.is_some_and(|value| value.is_negative() || value == Decimal::ZERO) {
            return Err(bad_field(
                &["filter", "faceValue"],
                "a face value is greater than nought".to_owned(),
            ));
        }
        Ok(())
    }
}

fn check_search(field: &[&str], search: Option<&str>) -> Result<(), Problem> {
    if search.is_some_and(|text| text.chars().count() > LONGEST_SEARCH) {
        return Err(bad_field(field, format!("at most {LONGEST_SEARCH} characters are searched for")));
    }
    Ok(())
}

/// The words that are searched for; `None` if nothing is. A text without words (`"!!!"`) has none, and finds nothing.
fn searched(search: Option<&str>) -> Option<Vec<String>> {
    search.filter(|text| !text.is_empty()).map(words)
}

/// BAD_USER_INPUT, naming the field of an argument.
fn bad_field(path: &[&str], message: String) -> Problem {
    let field = path.iter().map(|step| (*step).to_owned()).collect();
    Problem { field: Some(field), ..Problem::new(ErrorCode::BadUserInput, message) }
}

impl Snapshot {
    /// A page of the products that match a filter.
    ///
    /// # Errors
    /// BAD_USER_INPUT naming the argument or the filter's field.
    pub fn list_products(
        &self,
        filter: &ProductFilter,
        order: ProductOrder,
        request: &PageRequest,
    ) -> Result<Page<Listed<Product>>, Problem> {
        filter.check()?;
        let items = self.candidates(filter, order);
        let (name, descending) = match order {
            ProductOrder::NameAsc => ("name", false),
            ProductOrder::NameDesc => ("name", true),
            ProductOrder::FaceValueAsc => ("face", false),
            ProductOrder::FaceValueDesc => ("face", true),
            ProductOrder::UpdatedAtAsc => ("updated", false),
            ProductOrder::UpdatedAtDesc => ("updated", true),
        };
        let key = |at: &usize| {
            let product = &self.products[*at];
            let id = product.id.clone();
            match name {
                "name" => (self.names[*at].clone(), 0, id),
                "face" => (product.face_currency.code().to_owned(), product.denomination.least(), id),
                _ => (String::new(), product.updated_at.micros(), id),
            }
        };
        let sorted = Sorted { name, items: &items, descending, key };
        let page = sorted.page(request, |at| self.matches(filter, *at))?;
        Ok(listed(page, |at| Arc::clone(&self.products[at])))
    }

    /// How many products match a filter.
    ///
    /// # Errors
    /// BAD_USER_INPUT naming the filter's field.
    pub fn count_products(&self, filter: &ProductFilter) -> Result<i64, Problem> {
        filter.check()?;
        let items = self.candidates(filter, ProductOrder::NameAsc);
        let count = items.iter().filter(|at| self.matches(filter, **at)).count();
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// What the narrowest index of a filter leaves, ascending in the order asked for.
    fn candidates(&self, filter: &ProductFilter, order: ProductOrder) -> Cow<'_, [usize]> {
        let whole = match order {
            ProductOrder::NameAsc | ProductOrder::NameDesc => &self.by_name,
            ProductOrder::FaceValueAsc | ProductOrder::FaceValueDesc => &self.by_face_value,
            ProductOrder::UpdatedAtAsc | ProductOrder::UpdatedAtDesc => &self.by_updated_at,
        };
        let none = Vec::new();
        let found = searched(filter.search.as_deref()).map(|words| self.found(&words));
        let indexes = [
            filter.country.as_ref().map(|code| self.by_country.get(code).unwrap_or(&none)),
            filter.category.as_ref().map(|slug| self.by_category.get(slug).unwrap_or(&none)),
            filter.brand.as_ref().map(|slug| self.by_brand.get(slug).unwrap_or(&none)),
            filter.currency.as_ref().map(|currency| self.by_currency.get(currency).unwrap_or(&none)),
            found.as_ref(),
        ];
        let Some(narrowest) = indexes.iter().flatten().min_by_key(|index| index.len()) else {
            return Cow::Borrowed(whole);
        };
        let mut kept = narrowest.to_vec();
        if let Some(found) = &found {
            kept.retain(|at| found.binary_search(at).is_ok());
        }
        // Indexes hold products by id, so that a stable sort breaks ties by id, as the whole list does.
        match order {
            ProductOrder::NameAsc | ProductOrder::NameDesc => {
                kept.sort_by(|left, right| self.names[*left].cmp(&self.names[*right]));
            }
            ProductOrder::FaceValueAsc | ProductOrder::FaceValueDesc => kept.sort_by_key(|at| {
                (self.products[*at].face_currency, self.products[*at].denomination.least())
            }),
            ProductOrder::UpdatedAtAsc | ProductOrder::UpdatedAtDesc => {
                kept.sort_by_key(|at| self.products[*at].updated_at);
            }
        }
        Cow::Owned(kept)
    }

    /// Whether a product meets every condition but the search, which the candidates have met.
    fn matches(&self, filter: &ProductFilter, at: usize) -> bool {
        let product = &self.products[at];
        filter.country.as_ref().is_none_or(|code| product.country.code == *code)
            && filter.category.as_ref().is_none_or(|slug| product.category.slug == *slug)
            && filter.brand.as_ref().is_none_or(|slug| product.brand.slug == *slug)
            && filter.currency.is_none_or(|currency| product.face_currency == currency)
            && filter.updated_since.is_none_or(|since| product.updated_at >= since)
            && filter.face_value.is_none_or(|value| {
                Money::from_decimal(value, product.face_currency)
                    .is_ok_and(|money| product.denomination.contains(money.minor))
            })
            && (!filter.available_only || self.availability_at(at) != Availability::Unavailable)
    }

    /// A page of the brands by name: of one category, or whose name or slug contains every word searched for.
    ///
    /// # Errors
    /// BAD_USER_INPUT naming the argument.
    pub fn list_brands(
        &self,
        category: Option<&str>,
        search: Option<&str>,
        request: &PageRequest,
    ) -> Result<Page<Listed<Brand>>, Problem> {
        check_search(&["search"], search)?;
        let searched = searched(search);
        let sorted = Sorted {
            name: "brands",
            items: &self.brands,
            descending: false,
            key: |brand: &Arc<Brand>| (fold(&brand.name), 0, brand.slug.clone()),
        };
        let page = sorted.page(request, |brand| is_brand(brand, category, searched.as_deref()))?;
        Ok(listed(page, |brand| brand))
    }

    /// How many brands there are of a category, with these words.
    ///
    /// # Errors
    /// BAD_USER_INPUT naming the argument.
    pub fn count_brands(&self, category: Option<&str>, search: Option<&str>) -> Result<i64, Problem> {
        check_search(&["search"], search)?;
        let searched = searched(search);
        let count = self.brands.iter().filter(|brand| is_brand(brand, category, searched.as_deref())).count();
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// A page of the categories by name.
    ///
    /// # Errors
    /// BAD_USER_INPUT naming the argument.
    pub fn list_categories(&self, request: &PageRequest) -> Result<Page<Listed<Category>>, Problem> {
        let sorted = Sorted {
            name: "categories",
            items: &self.categories,
            descending: false,
            key: |category: &Arc<Category>| (fold(&category.name), 0, category.slug.clone()),
        };
        Ok(listed(sorted.page(request, |_| true)?, |category| category))
    }

    /// How many categories there are.
    pub fn count_categories(&self) -> i64 {
        i64::try_from(self.categories.len()).unwrap_or(i64::MAX)
    }

    /// A page of the countries in which products are sold, by name.
    ///
    /// # Errors
    /// BAD_USER_INPUT naming the argument.
    pub fn list_countries(&self, request: &PageRequest) -> Result<Page<Listed<Country>>, Problem> {
        let sorted = Sorted {
            name: "countries",
            items: &self.countries,
            descending: false,
            key: |country: &Arc<Country>| (fold(&country.name), 0, country.code.clone()),
        };
        Ok(listed(sorted.page(request, |country| country.product_count > 0)?, |country| country))
    }

    /// In how many countries products are sold.
    pub fn count_countries(&self) -> i64 {
        let count = self.countries.iter().filter(|country| country.product_count > 0).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// A page of the currencies by code: all, or those in which wallets can be held.
    ///
    /// # Errors
    /// BAD_USER_INPUT naming the argument.
    pub fn list_currencies(
        &self,
        which: Currencies,
        request: &PageRequest,
    ) -> Result<Page<Listed<KnownCurrency>>, Problem> {
        let sorted = Sorted {
            name: "currencies",
            items: &self.currencies,
            descending: false,
            key: |known: &Arc<KnownCurrency>| (String::new(), 0, known.currency.code().to_owned()),
        };
        Ok(listed(sorted.page(request, |known| which.has(known))?, |known| known))
    }

    /// How many currencies there are.
    pub fn count_currencies(&self, which: Currencies) -> i64 {
        let count = self.currencies.iter().filter(|known| which.has(known)).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    }
}

/// Which currencies are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Currencies {
    /// All that are known.
    All,
    /// Those in which wallets can be held.
    Settlement,
}

impl Currencies {
    fn has(self, known: &KnownCurrency) -> bool {
        self == Self::All || known.settlement
    }
}

fn is_brand(brand: &Brand, category: Option<&str>, searched: Option<&[String]>) -> bool {
    let has_all = |words: &[String]| {
        let name = fold(&brand.name);
        let has = |word: &String| name.contains(word.as_str()) || brand.slug.contains(word.as_str());
        !words.is_empty() && words.iter().all(has)
    };
    category.is_none_or(|slug| brand.category.slug == slug) && searched.is_none_or(has_all)
}
