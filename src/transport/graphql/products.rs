//! Products in the contract, and what they hang on.
//!
//! What lives here: the objects of the catalog.
//! What is always true: they are answered from the snapshot in memory; the price is the calling partner's.
//! What is not here: the fields that find them (`catalog.rs`).

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::enums::{Availability, DeliveryKind, DenominationKind, ProductStatus, RecipientKind};
use super::types::{CountryCode, CurrencyCode, DateTime, Decimal, Money, MoneyAmount, request};
use crate::ctx::Ctx;
use crate::domain::catalog::{self, Denomination as Values, KnownCurrency, Snapshot};
use crate::domain::pricing;

/// The catalog as it is now.
pub(super) fn snapshot(context: &Context<'_>) -> Arc<Snapshot> {
    request(context).feature::<catalog::Live>().snapshot()
}

/// A count as `Int`.
fn int(count: i64) -> i32 {
    i32::try_from(count.max(0)).unwrap_or(i32::MAX)
}

/// The face values that a product comes in.
#[derive(SimpleObject)]
pub struct Denomination {
    /// Fixed or range.
    kind: DenominationKind,
    /// The one value; null for a range.
    value: Option<Money>,
    /// The least value; null if fixed.
    min: Option<Money>,
    /// The greatest value; null if fixed.
    max: Option<Money>,
    /// The distance between values, counted from `min`; null if fixed.
    step: Option<Money>,
}

/// What there is to be had.
#[derive(SimpleObject)]
pub struct Stock {
    /// From where a unit would come now; for a range product at any of its face values. Vendors are judged at list prices: where a partner's own rules lower the price below what a vendor takes, an order may be refused all the same.
    availability: Availability,
    /// Codes in our own stock right now; for a range product over all face values. What vendors deliver on demand is not counted.
    available: i32,
    /// Whether vendors deliver the product on demand, beside what is in our own stock: then more may be had than `available`. Judged as `availability` is.
    on_demand: bool,
    /// The largest quantity that one order may ask for; 0 if the product is UNAVAILABLE.
    max_quantity: i32,
}

/// An input that an order of the product must carry.
#[derive(SimpleObject)]
pub struct RequiredInput {
    /// The field of `recipient` to fill.
    kind: RecipientKind,
    /// What to ask the user for.
    label: &'static str,
    /// The form of the value, as a regular expression.
    pattern: &'static str,
}

/// A price for one unit.
#[derive(SimpleObject)]
pub struct ProductPrice {
    /// The face value that the price is for.
    face_value: Money,
    /// What one unit costs.
    unit_price: Money,
}

/// Something that can be bought: one brand in one country at one denomination or range.
#[derive(Clone)]
pub struct Product(pub(super) Arc<catalog::Product>);

/// Something that can be bought: one brand in one country at one denomination or range.
#[Object]
impl Product {
    /// The id, which is the sku, such as steam_wallet_50_usd.
    pub(super) async fn id(&self) -> ID {
        self.0.id.clone().into()
    }

    /// The name, with value and currency.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whose it is.
    async fn brand(&self) -> Brand {
        Brand(Arc::clone(&self.0.brand))
    }

    /// The kind of goods.
    async fn category(&self) -> Category {
        Category(Arc::clone(&self.0.category))
    }

    /// Where it is redeemed.
    async fn country(&self) -> Country {
        Country(Arc::clone(&self.0.country))
    }

    /// The currency of its face value.
    async fn face_currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.face_currency)
    }

    /// The face values that it comes in.
    async fn denomination(&self) -> Denomination {
        let money = |minor| Some(Money::from_minor(minor, self.0.face_currency));
        match self.0.denomination {
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

    /// What one unit is, for goods sold by the unit, such as "Essential, 12 months"; null otherwise.
    async fn unit_label(&self) -> Option<&str> {
        self.0.unit_label.as_deref()
    }

    /// How a unit reaches its user.
    async fn delivery(&self) -> DeliveryKind {
        self.0.delivery.into()
    }

    /// What an order must carry besides quantity and face value; empty for codes.
    async fn required_inputs(&self) -> Vec<RequiredInput> {
        self.0.recipient.map(required_input).into_iter().collect()
    }

    /// The share of the face value taken off for every partner: "0.05" is five per cent. A partner's own rules may give more or less: see `price`.
    async fn discount(&self) -> Decimal {
        Decimal(self.0.discount)
    }

    /// How to redeem; null if the operator has given none.
    async fn redemption_instructions(&self) -> Option<&str> {
        self.0.redemption_instructions.as_deref()
    }

    /// When a code expires, in words; null if unknown.
    async fn expiry_rule(&self) -> Option<&str> {
        self.0.expiry_rule.as_deref()
    }

    /// Whether it is sold.
    async fn status(&self) -> ProductStatus {
        self.0.status.into()
    }

    /// Whether an order for one unit would be accepted now, funds apart.
    async fn orderable(&self, context: &Context<'_>) -> bool {
        snapshot(context).orderable(&self.0)
    }

    /// What there is to be had.
    async fn stock(&self, context: &Context<'_>) -> Stock {
        let snapshot = snapshot(context);
        Stock {
            availability: snapshot.availability(&self.0).into(),
            available: int(snapshot.available(&self.0.id)),
            on_demand: snapshot.on_demand(&self.0),
            max_quantity: snapshot.max_quantity(&self.0),
        }
    }

    /// The price of one unit for the calling partner as an order would pay it now; null if it cannot be told: the product does not come in `faceValue`, nobody settles in `currency`, or rates are stale. `createCharge` says which.
    async fn price(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "The face value to be priced; the fixed value, or the least of a range, if absent."
        )]
        face_value: Option<MoneyAmount>,
        #[graphql(desc = "The settlement currency; the partner's default if absent.")] currency: Option<
            CurrencyCode,
        >,
    ) -> Option<ProductPrice> {
        let face = match face_value {
            Some(asked) => self.0.face_value(Some(&asked.0)).ok()?,
            None => self.0.least_face_value(),
        };
        let unit_price = unit_price(request(context), &self.0, face, currency.map(|currency| currency.0))?;
        Some(ProductPrice { face_value: face.into(), unit_price: unit_price.into() })
    }

    /// When anything but its sources last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// What the calling partner pays for one unit; `currency` is its default if absent. `None` while it cannot be told.
fn unit_price(
    ctx: &Ctx,
    product: &catalog::Product,
    face: entity::money::Money,
    currency: Option<entity::currency::Currency>,
) -> Option<entity::money::Money> {
    let actor = ctx.partner().ok()?;
    let currency = currency.unwrap_or(actor.default_currency);
    let price = pricing::price(ctx, actor.partner, product, face, currency).ok()?;
    Some(entity::money::Money::from_minor(price.unit_price_minor, currency))
}

/// What to ask a user for, and the form that orders take it in. Source for phones: ITU-T E.164.
pub(in crate::transport) const fn recipient_form(
    kind: entity::state::RecipientKind,
) -> (&'static str, &'static str) {
    use entity::state::RecipientKind as Kind;
    match kind {
        Kind::Phone => ("Phone number with country code", "^\\+[1-9][0-9]{6,14}$"),
        Kind::PlayerId => ("Player id", "^\\S(.{0,126}\\S)?$"),
        Kind::Username => ("User name", "^\\S(.{0,126}\\S)?$"),
    }
}

fn required_input(kind: entity::state::RecipientKind) -> RequiredInput {
    let (label, pattern) = recipient_form(kind);
    RequiredInput { kind: kind.into(), label, pattern }
}

/// Whose goods they are.
#[derive(Clone)]
pub struct Brand(pub(super) Arc<catalog::Brand>);

/// Whose goods they are.
#[Object]
impl Brand {
    /// The id, beginning with brd_.
    pub(super) async fn id(&self) -> ID {
        format!("brd_{}", self.0.slug).into()
    }

    /// The short name used in filters.
    async fn slug(&self) -> &str {
        &self.0.slug
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The kind of goods.
    async fn category(&self) -> Category {
        Category(Arc::clone(&self.0.category))
    }

    /// How many products it has.
    async fn product_count(&self) -> i32 {
        self.0.product_count
    }
}

/// A kind of goods.
#[derive(Clone)]
pub struct Category(pub(super) Arc<catalog::Category>);

/// A kind of goods.
#[Object]
impl Category {
    /// The id, beginning with cat_.
    pub(super) async fn id(&self) -> ID {
        format!("cat_{}", self.0.slug).into()
    }

    /// The short name used in filters.
    async fn slug(&self) -> &str {
        &self.0.slug
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How many products it has.
    async fn product_count(&self) -> i32 {
        self.0.product_count
    }
}

/// A country.
#[derive(Clone)]
pub struct Country(pub(super) Arc<catalog::Country>);

/// A country.
#[Object]
impl Country {
    /// The id, beginning with cty_.
    pub(super) async fn id(&self) -> ID {
        format!("cty_{}", self.0.code).into()
    }

    /// The ISO 3166-1 alpha-2 code.
    async fn code(&self) -> CountryCode {
        CountryCode(self.0.code.clone())
    }

    /// The ISO 3166-1 alpha-3 code.
    async fn alpha3(&self) -> &str {
        &self.0.alpha3
    }

    /// The English name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Its main currency; null if it has none of its own.
    async fn currency(&self) -> Option<CurrencyCode> {
        self.0.currency.map(CurrencyCode)
    }

    /// How many products are sold for it.
    async fn product_count(&self) -> i32 {
        self.0.product_count
    }
}

/// A currency.
#[derive(Clone)]
pub struct Currency(pub(super) Arc<KnownCurrency>);

/// A currency.
#[Object]
impl Currency {
    /// The id, beginning with cur_.
    pub(super) async fn id(&self) -> ID {
        format!("cur_{}", self.0.currency).into()
    }

    /// The ISO 4217 code.
    async fn code(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency)
    }

    /// The English name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How many digits its amounts have after the point.
    async fn minor_units(&self) -> i32 {
        int(i64::from(self.0.currency.minor_units()))
    }

    /// Whether wallets can be held in it.
    async fn settlement(&self) -> bool {
        self.0.settlement
    }

    /// How many products have their face value in it.
    async fn product_count(&self) -> i32 {
        self.0.product_count
    }
}

/// An object of the catalog behind an id.
pub enum CatalogNode {
    /// A product, by its sku.
    Product(Product),
    /// A brand: brd_ and its slug.
    Brand(Brand),
    /// A category: cat_ and its slug.
    Category(Category),
    /// A country: cty_ and its code.
    Country(Country),
    /// A currency: cur_ and its code.
    Currency(Currency),
}

impl CatalogNode {
    /// The object behind an id; `None` if there is none.
    pub fn find(snapshot: &Snapshot, id: &str) -> Option<Self> {
        if let Some(slug) = id.strip_prefix("brd_") {
            return snapshot.brand(slug).cloned().map(Brand).map(Self::Brand);
        }
        if let Some(slug) = id.strip_prefix("cat_") {
            return snapshot.category(slug).cloned().map(Category).map(Self::Category);
        }
        if let Some(code) = id.strip_prefix("cty_") {
            return snapshot.country(code).cloned().map(Country).map(Self::Country);
        }
        if let Some(code) = id.strip_prefix("cur_") {
            let currency = code.parse().ok()?;
            return snapshot.currency(currency).cloned().map(Currency).map(Self::Currency);
        }
        snapshot.product(id).cloned().map(Product).map(Self::Product)
    }
}
