//! The catalog.
//!
//! Lives here: products, as pages and one by one.
//! Always true: each needs catalog:read and is answered from memory; the price is the calling partner's.
//! Not here: how products are found (domain/catalog) and priced (domain/pricing).

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::state::{DeliveryKind, DenominationKind, ProductStatus, RecipientKind, Scope};
use entity::timestamp::Timestamp;
use serde::Serialize;

use super::gate::{Answer, Call, Outcome};
use super::orders::recipient_field;
use super::problem_details::ProblemDetails;
use super::shapes::{List, Money};
use crate::ctx::Ctx;
use crate::domain::catalog::{
    self, Availability, Denomination as Values, ProductFilter, ProductOrder, Snapshot,
};
use crate::domain::pricing;
use crate::problem::Problem;
use crate::store::encode_cursor;
use crate::transport::graphql::products::recipient_form;

/// What a page of products is asked for by.
pub const LIST: &[&str] = &["country", "category", "brand", "search", "currency", "cursor", "limit"];
/// What a product is asked for by.
pub const GET: &[&str] = &["currency"];

#[derive(Serialize)]
struct Named<'a> {
    slug: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Country<'a> {
    code: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Denomination {
    kind: DenominationKind,
    value: Option<Money>,
    min: Option<Money>,
    max: Option<Money>,
    step: Option<Money>,
}

#[derive(Serialize)]
struct RequiredInput {
    kind: RecipientKind,
    field: String,
    label: &'static str,
    pattern: &'static str,
}

#[derive(Serialize)]
struct Stock {
    availability: Availability,
    available: i64,
    on_demand: bool,
    max_quantity: i32,
}

#[derive(Serialize)]
struct Price {
    face_value: Money,
    unit_price: Money,
    factor: Decimal,
    fee: Decimal,
}

impl Price {
    /// What a unit costs the calling partner, in its default currency if none is asked for; `None` while it cannot be told.
    fn of(
        ctx: &Ctx,
        product: &catalog::Product,
        face: entity::money::Money,
        currency: Option<Currency>,
    ) -> Option<Self> {
        let actor = ctx.partner().ok()?;
        let currency = currency.unwrap_or(actor.default_currency);
        let price = pricing::price(ctx, actor.partner, product, face, currency).ok()?;
        let line = price.line()?;
        let unit_price = Money::from_minor(price.unit_price_minor, currency);
        Some(Self { face_value: face.into(), unit_price, factor: line.factor, fee: line.fee })
    }
}

#[derive(Serialize)]
struct Product<'a> {
    id: &'a str,
    name: &'a str,
    brand: Named<'a>,
    category: Named<'a>,
    country: Country<'a>,
    face_currency: Currency,
    denomination: Denomination,
    unit_label: Option<&'a str>,
    delivery: DeliveryKind,
    required_inputs: Vec<RequiredInput>,
    discount: Decimal,
    redemption_instructions: Option<&'a str>,
    expiry_rule: Option<&'a str>,
    status: ProductStatus,
    orderable: bool,
    stock: Stock,
    price: Option<Price>,
    updated_at: Timestamp,
}

impl<'a> Product<'a> {
    fn of(ctx: &Ctx, snapshot: &Snapshot, product: &'a catalog::Product, currency: Option<Currency>) -> Self {
        Self {
            id: &product.id,
            name: &product.name,
            brand: Named { slug: &product.brand.slug, name: &product.brand.name },
            category: Named { slug: &product.category.slug, name: &product.category.name },
            country: Country { code: &product.country.code, name: &product.country.name },
            face_currency: product.face_currency,
            denomination: denomination(product),
            unit_label: product.unit_label.as_deref(),
            delivery: product.delivery,
            required_inputs: product.recipient.map(required_input).into_iter().collect(),
            discount: product.discount,
            redemption_instructions: product.redemption_instructions.as_deref(),
            expiry_rule: product.expiry_rule.as_deref(),
            status: product.status,
            orderable: snapshot.orderable(product),
            stock: Stock {
                availability: snapshot.availability(product),
                available: snapshot.available(&product.id).max(0),
                on_demand: snapshot.on_demand(product),
                max_quantity: snapshot.max_quantity(product),
            },
            price: Price::of(ctx, product, product.least_face_value(), currency),
            updated_at: product.updated_at,
        }
    }
}

fn denomination(product: &catalog::Product) -> Denomination {
    let money = |minor| Some(Money::from_minor(minor, product.face_currency));
    match product.denomination {
        Values::Fixed(value) => Denomination {
            kind: DenominationKind::Fixed,
            value: money(value),
            min: None,
            max: None,
            step: None,
        },
        Values::Range { min, max, step } => Denomination {
            kind: DenominationKind::Range,
            value: None,
            min: money(min),
            max: money(max),
            step: money(step),
        },
    }
}

fn required_input(kind: RecipientKind) -> RequiredInput {
    let (label, pattern) = recipient_form(kind);
    RequiredInput { kind, field: format!("recipient.{}", recipient_field(kind)), label, pattern }
}

/// `GET /api/v1/products`
pub async fn list(call: Call) -> Outcome {
    let Call { ctx, parameters, .. } = &call;
    ctx.require(Scope::CatalogRead)?;
    let text = |name| parameters.text(name).map(str::to_owned);
    let filter = ProductFilter {
        country: parameters.country("country")?,
        category: text("category"),
        brand: text("brand"),
        search: text("search"),
        ..ProductFilter::default()
    };
    let currency = parameters.currency("currency")?;
    let snapshot = ctx.feature::<catalog::Live>().snapshot();
    let page =
        snapshot.list_products(&filter, ProductOrder::default(), &parameters.page()?).map_err(|problem| {
            ProblemDetails::from(problem).renamed("after", "cursor").renamed("filter.search", "search")
        })?;
    let next = page.items.last().filter(|_| page.has_next).map(|last| encode_cursor(&last.key));
    let data = page.items.iter().map(|listed| Product::of(ctx, &snapshot, &listed.item, currency)).collect();
    Answer::ok(&List { data, next_cursor: next })
}

/// `GET /api/v1/products/{id}`
pub async fn get(call: Call) -> Outcome {
    call.ctx.require(Scope::CatalogRead)?;
    let currency = call.parameters.currency("currency")?;
    let snapshot = call.ctx.feature::<catalog::Live>().snapshot();
    let product = snapshot.product(&call.id).ok_or_else(Problem::not_found)?;
    Answer::ok(&Product::of(&call.ctx, &snapshot, product, currency))
}
