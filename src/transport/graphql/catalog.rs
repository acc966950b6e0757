//! The catalog in the contract: the fields that find products and what they hang on.
//!
//! What lives here: filters, pages and the root fields of the catalog and of rates.
//! What is always true: each field needs catalog:read and is answered from memory, without a statement.
//! What is not here: the objects themselves (`products.rs`).

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::state::Scope;
use futures_util::future::BoxFuture;

use super::enums::ProductOrder;
use super::products::snapshot;
pub use super::products::{Brand, Category, Country, Currency, Product};
use super::types::{
    ConnectionParts, Count, CountryCode, CurrencyCode, DateTime, Decimal, connection, request,
};
use crate::domain::catalog::{self, Currencies, Listed, Snapshot};
use crate::domain::pricing;
use crate::problem::Problem;
use crate::store::{Page, PageRequest};

connection! {
    /// A page of products.
    ProductConnection,
    /// One item of a page of products.
    ProductEdge,
    Product
}

connection! {
    /// A page of brands.
    BrandConnection,
    /// One item of a page of brands.
    BrandEdge,
    Brand
}

connection! {
    /// A page of categories.
    CategoryConnection,
    /// One item of a page of categories.
    CategoryEdge,
    Category
}

connection! {
    /// A page of countries.
    CountryConnection,
    /// One item of a page of countries.
    CountryEdge,
    Country
}

connection! {
    /// A page of currencies.
    CurrencyConnection,
    /// One item of a page of currencies.
    CurrencyEdge,
    Currency
}

/// Conditions on products, joined by and.
#[derive(InputObject, Default)]
pub struct ProductFilter {
    /// Sold for use in this country.
    country: Option<CountryCode>,
    /// Of the category with this slug, such as gaming.
    category: Option<String>,
    /// Of the brand with this slug, such as steam_wallet.
    brand: Option<String>,
    /// Every word occurs, from its beginning, in the product's or the brand's name; case and accents do not matter.
    search: Option<String>,
    /// With this face currency.
    currency: Option<CurrencyCode>,
    /// Available at this face value: a fixed product of it, or a range that contains it. A plain decimal.
    face_value: Option<Decimal>,
    /// Only what can be ordered right now, be it IN_STOCK or ON_DEMAND.
    available_only: Option<bool>,
    /// Changed at or after this instant.
    updated_since: Option<DateTime>,
}

impl From<ProductFilter> for catalog::ProductFilter {
    fn from(filter: ProductFilter) -> Self {
        Self {
            country: filter.country.map(|country| country.0),
            category: filter.category,
            brand: filter.brand,
            search: filter.search,
            currency: filter.currency.map(|currency| currency.0),
            face_value: filter.face_value.map(|value| value.0),
            available_only: filter.available_only.unwrap_or(false),
            updated_since: filter.updated_since.map(|instant| instant.0),
        }
    }
}

impl From<ProductOrder> for catalog::ProductOrder {
    fn from(order: ProductOrder) -> Self {
        match order {
            ProductOrder::NameAsc => Self::NameAsc,
            ProductOrder::NameDesc => Self::NameDesc,
            ProductOrder::FaceValueAsc => Self::FaceValueAsc,
            ProductOrder::FaceValueDesc => Self::FaceValueDesc,
            ProductOrder::UpdatedAtAsc => Self::UpdatedAtAsc,
            ProductOrder::UpdatedAtDesc => Self::UpdatedAtDesc,
        }
    }
}

/// A rate between two currencies.
#[derive(SimpleObject)]
pub struct ExchangeRate {
    /// The currency to convert from.
    base: CurrencyCode,
    /// The currency to convert to.
    quote: CurrencyCode,
    /// Units of `quote` for one unit of `base`, crossed through the base currency and quantised half up to 18 significant digits.
    rate: Decimal,
    /// Where the rate comes from.
    source: String,
    /// When it was observed: the older of those that it is crossed from; now for a currency to itself, and the base currency has no age.
    as_of: DateTime,
    /// Whether it is too old for new orders and charges.
    stale: bool,
}

/// The snapshot for a caller who may see the catalog.
fn visible(context: &Context<'_>) -> Result<Arc<Snapshot>, Problem> {
    request(context).require(Scope::CatalogRead)?;
    Ok(snapshot(context))
}

/// Counts in the snapshot that the page is from, when asked to.
fn count(count: impl Fn() -> Result<i64, Problem> + Send + Sync + 'static) -> Count {
    Box::new(move || {
        let counted = count();
        let answer: BoxFuture<'static, _> = Box::pin(std::future::ready(counted));
        answer
    })
}

fn parts<T, N>(
    page: Page<Listed<T>>,
    wrap: impl Fn(Arc<T>) -> N,
    counted: impl Fn() -> Result<i64, Problem> + Send + Sync + 'static,
) -> ConnectionParts<N> {
    ConnectionParts::new(page, |listed| listed.key.clone(), |listed| wrap(listed.item), count(counted))
}

/// Relay's arguments.
struct PageArguments {
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

impl PageArguments {
    fn check(&self) -> Result<PageRequest, Problem> {
        PageRequest::new(self.first, self.after.as_deref(), self.last, self.before.as_deref())
    }
}

fn list_products(
    context: &Context<'_>,
    filter: Option<ProductFilter>,
    order: Option<ProductOrder>,
    page: &PageArguments,
) -> Result<ProductConnection, Problem> {
    let snapshot = visible(context)?;
    let filter = catalog::ProductFilter::from(filter.unwrap_or_default());
    let order = order.map(Into::into).unwrap_or_default();
    let page = snapshot.list_products(&filter, order, &page.check()?)?;
    Ok(parts(page, Product, move || snapshot.count_products(&filter)).into())
}

fn list_brands(
    context: &Context<'_>,
    category: Option<String>,
    search: Option<String>,
    page: &PageArguments,
) -> Result<BrandConnection, Problem> {
    let snapshot = visible(context)?;
    let page = snapshot.list_brands(category.as_deref(), search.as_deref(), &page.check()?)?;
    let counted = move || snapshot.count_brands(category.as_deref(), search.as_deref());
    Ok(parts(page, Brand, counted).into())
}

fn list_categories(context: &Context<'_>, page: &PageArguments) -> Result<CategoryConnection, Problem> {
    let snapshot = visible(context)?;
    let page = snapshot.list_categories(&page.check()?)?;
    Ok(parts(page, Category, move || Ok(snapshot.count_categories())).into())
}

fn list_countries(context: &Context<'_>, page: &PageArguments) -> Result<CountryConnection, Problem> {
    let snapshot = visible(context)?;
    let page = snapshot.list_countries(&page.check()?)?;
    Ok(parts(page, Country, move || Ok(snapshot.count_countries())).into())
}

fn list_currencies(
    context: &Context<'_>,
    which: Currencies,
    page: &PageArguments,
) -> Result<CurrencyConnection, Problem> {
    let snapshot = visible(context)?;
    let page = snapshot.list_currencies(which, &page.check()?)?;
    Ok(parts(page, Currency, move || Ok(snapshot.count_currencies(which))).into())
}

/// The catalog's reads.
#[derive(Debug, Default)]
pub struct CatalogQuery;

#[Object]
impl CatalogQuery {
    /// Products that match every condition of the filter. Needs catalog:read, as do all catalog fields.
    #[expect(clippy::too_many_arguments, reason = "the contract's field has them")]
    async fn products(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Conditions, joined by and.")] filter: Option<ProductFilter>,
        #[graphql(
            desc = "The order of the items; ties are broken by id.",
            default_with = "Some(ProductOrder::NameAsc)"
        )]
        order_by: Option<ProductOrder>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither `first` nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End ahead of this cursor.")] before: Option<String>,
    ) -> Option<Result<ProductConnection, Problem>> {
        let page = PageArguments { first, after, last, before };
        Some(list_products(context, filter, order_by, &page))
    }

    /// A product by its id, which is its sku; null if unknown.
    async fn product(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The product's id, such as steam_wallet_50_usd.")] id: ID,
    ) -> Option<Result<Product, Problem>> {
        visible(context).map(|snapshot| snapshot.product(&id).cloned().map(Product)).transpose()
    }

    /// Brands by name.
    #[expect(clippy::too_many_arguments, reason = "the contract's field has them")]
    async fn brands(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only brands of this category's slug.")] category: Option<String>,
        #[graphql(desc = "Only brands whose name or slug contains these words.")] search: Option<String>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither `first` nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End ahead of this cursor.")] before: Option<String>,
    ) -> Option<Result<BrandConnection, Problem>> {
        let page = PageArguments { first, after, last, before };
        Some(list_brands(context, category, search, &page))
    }

    /// Categories by name.
    async fn categories(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither `first` nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End ahead of this cursor.")] before: Option<String>,
    ) -> Option<Result<CategoryConnection, Problem>> {
        Some(list_categories(context, &PageArguments { first, after, last, before }))
    }

    /// Countries in which products are sold, by name.
    async fn countries(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither `first` nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End ahead of this cursor.")] before: Option<String>,
    ) -> Option<Result<CountryConnection, Problem>> {
        Some(list_countries(context, &PageArguments { first, after, last, before }))
    }

    /// Currencies known to the system, by code.
    #[expect(clippy::too_many_arguments, reason = "the contract's field has them")]
    async fn currencies(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only currencies in which wallets can be held.", default_with = "Some(false)")]
        settlement_only: Option<bool>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither `first` nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End ahead of this cursor.")] before: Option<String>,
    ) -> Option<Result<CurrencyConnection, Problem>> {
        let which = if settlement_only == Some(true) { Currencies::Settlement } else { Currencies::All };
        Some(list_currencies(context, which, &PageArguments { first, after, last, before }))
    }

    /// The rate at which one unit of `base` becomes `quote`, as orders would use it now, before margin; null if either has no rate.
    async fn exchange_rate(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The currency to convert from.")] base: CurrencyCode,
        #[graphql(desc = "The currency to convert to.")] quote: CurrencyCode,
    ) -> Option<Result<ExchangeRate, Problem>> {
        let ctx = request(context);
        if let Err(problem) = ctx.require(Scope::CatalogRead) {
            return Some(Err(problem));
        }
        let found = pricing::exchange_rate(ctx, base.0, quote.0)?;
        Some(Ok(ExchangeRate {
            base,
            quote,
            rate: Decimal(found.rate),
            source: found.source,
            as_of: DateTime(found.as_of),
            stale: found.stale,
        }))
    }
}
