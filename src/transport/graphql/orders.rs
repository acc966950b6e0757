//! Orders in the contract: the objects.
//!
//! What lives here: an order and its parts.
//! What is always true: codes leave through `Voucher` alone, for callers who may reveal them, after the reading was audited;
//! everything that a page of orders needs is read in batches.
//! What is not here: the fields that place, cancel and read orders (`order_fields.rs`).

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::ids::UnitId;
use entity::{order_units, orders, vouchers};

use super::charges::Charge;
use super::enums::{DeliveryKind, FailurePolicy, OrderFailureCode, OrderStatus, UnitStatus};
use super::loaders::load;
use super::products::Product;
use super::request_loaders::Loaders;
use super::types::{ConnectionParts, Count, CountryCode, CurrencyCode, DateTime, Money, connection, request};
use crate::domain::catalog;
use crate::domain::orders::OrderedProduct as Frozen;
use crate::domain::orders::model::failure_message;
use crate::domain::vouchers::{Secret, vault};
use crate::problem::{ErrorCode, Problem};
use crate::store::{Page, PageRequest, Slice};

/// The most codes that an answer carries.
const MOST_CODES: usize = 1_000;

/// A purchase of 1 to 1,000 units of one product.
#[derive(Clone)]
pub struct Order {
    model: Arc<orders::Model>,
    codes: Option<Arc<Vec<vouchers::Model>>>,
}

impl From<Arc<orders::Model>> for Order {
    fn from(model: Arc<orders::Model>) -> Self {
        Self { model, codes: None }
    }
}

impl Order {
    /// An order with codes whose reading is audited already.
    pub(super) fn with_codes(model: Arc<orders::Model>, codes: Option<Arc<Vec<vouchers::Model>>>) -> Self {
        Self { model, codes }
    }

    fn money(&self, minor: i64) -> Money {
        Money::from_minor(minor, self.model.currency)
    }

    async fn sealed_codes(&self, context: &Context<'_>) -> Result<Arc<Vec<vouchers::Model>>, Problem> {
        match &self.codes {
            Some(codes) => Ok(Arc::clone(codes)),
            None => Ok(load(&Loaders::of(context).codes, self.model.id).await?.unwrap_or_default()),
        }
    }

    async fn open_codes(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<ID>,
    ) -> Result<Vec<Voucher>, Problem> {
        let first =
            usize::try_from(first.unwrap_or(1_000)).ok().filter(|first| (1..=MOST_CODES).contains(first));
        let first = first.ok_or_else(|| Problem::bad_argument("first", "`first` must be 1 to 1000"))?;
        // Counted before they are read, so that what would be refused is neither loaded nor audited.
        let at_most = usize::try_from(self.model.delivered_quantity).unwrap_or(0).min(first);
        Loaders::of(context).spend_codes(at_most, MOST_CODES)?;
        let sealed = self.sealed_codes(context).await?;
        let begin = match &after {
            None => 0,
            Some(after) => {
                1 + sealed.iter().position(|code| code.id.to_string() == after.as_str()).ok_or_else(|| {
                    Problem::bad_argument("after", "`after` is not the id of a voucher of this order")
                })?
            }
        };
        let wanted: Vec<&vouchers::Model> = sealed.iter().skip(begin).take(first).collect();
        let vault = vault(request(context));
        vault.know(request(context), &sealed).await?;
        wanted
            .into_iter()
            .map(|code| {
                let opened = vault.open_voucher(code)?;
                let text = |secret: Option<Secret>| secret.map(|secret| secret.expose().to_owned());
                Ok(Voucher {
                    id: code.id.to_string().into(),
                    unit_index: code.unit_index.unwrap_or_default(),
                    face_value: Money::from_minor(code.face_minor, self.model.face_currency),
                    code: text(opened.code),
                    pin: text(opened.pin),
                    serial: text(opened.serial),
                    redemption_url: text(opened.redemption_url),
                    expires_at: code.expires_at.map(DateTime),
                })
            })
            .collect()
    }
}

/// A purchase of 1 to 1,000 units of one product.
#[Object]
impl Order {
    /// The id, beginning with ord_.
    pub(super) async fn id(&self) -> ID {
        self.model.id.to_string().into()
    }

    /// The partner's own name for it.
    async fn reference(&self) -> &str {
        &self.model.reference
    }

    /// Where it stands.
    async fn status(&self) -> OrderStatus {
        self.model.status.into()
    }

    /// What happens when not every unit can be had.
    async fn failure_policy(&self) -> FailurePolicy {
        self.model.failure_policy.into()
    }

    /// How many units were bought.
    async fn quantity(&self) -> i32 {
        self.model.quantity
    }

    /// How many are delivered.
    async fn delivered_quantity(&self) -> i32 {
        self.model.delivered_quantity
    }

    /// How many are refunded.
    async fn refunded_quantity(&self) -> i32 {
        self.model.refunded_quantity
    }

    /// The face value of one unit.
    async fn face_value(&self) -> Money {
        Money::from_minor(self.model.face_minor, self.model.face_currency)
    }

    /// What one unit costs.
    async fn unit_price(&self) -> Money {
        self.money(self.model.unit_price_minor)
    }

    /// What all units cost: unitPrice × quantity.
    async fn total(&self) -> Money {
        self.money(self.model.total_minor)
    }

    /// What has gone back to the wallet: unitPrice × refundedQuantity.
    async fn refunded_total(&self) -> Money {
        self.money(self.model.unit_price_minor.saturating_mul(i64::from(self.model.refunded_quantity)))
    }

    /// The product as it was when it was sold.
    async fn product(&self) -> Result<OrderedProduct, Problem> {
        serde_json::from_str(&self.model.product_snapshot).map(OrderedProduct).map_err(Problem::internal)
    }

    /// The charge that it was placed with; null if it was placed without one.
    async fn charge(&self, context: &Context<'_>) -> Option<Result<Charge, Problem>> {
        let found = load(&Loaders::of(context).charges, self.model.charge_id?).await;
        found.map(|charge| charge.map(Charge)).transpose()
    }

    /// The codes of delivered units, by unit. Needs vouchers:reveal; the reading is audited. At most 1,000 codes an answer.
    async fn vouchers(
        &self,
        context: &Context<'_>,
        #[graphql(default = 1000, desc = "How many, 1 to 1,000.")] first: Option<i32>,
        #[graphql(desc = "Begin behind the voucher with this id.")] after: Option<ID>,
    ) -> Option<Result<Vec<Voucher>, Problem>> {
        Some(self.open_codes(context, first, after).await)
    }

    /// The units, by index.
    async fn units(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither `first` nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End ahead of this cursor.")] before: Option<String>,
    ) -> Result<UnitConnection, Problem> {
        let page = PageRequest::new(first, after.as_deref(), last, before.as_deref())?;
        let units = load(&Loaders::of(context).units, self.model.id).await?.unwrap_or_default();
        let count: Count = Box::new({
            let count = i64::from(self.model.quantity);
            move || Box::pin(std::future::ready(Ok(count)))
        });
        let currency = self.model.currency;
        let wrap = |unit: order_units::Model| Unit { model: unit, currency };
        Ok(ConnectionParts::new(
            page_of_units(&page, &units)?,
            |unit| unit.unit_index.to_string(),
            wrap,
            count,
        )
        .into())
    }

    /// Every state that it has been in, oldest first.
    async fn status_history(&self, context: &Context<'_>) -> Result<Vec<OrderStatusChange>, Problem> {
        let steps = load(&Loaders::of(context).transitions, self.model.id).await?.unwrap_or_default();
        let change = |step: &entity::order_transitions::Model| OrderStatusChange {
            status: step.to_status.into(),
            at: DateTime(step.at),
            reason: step.reason.clone(),
        };
        Ok(steps.iter().map(change).collect())
    }

    /// Why units were refunded; null if none was.
    async fn failure(&self) -> Option<OrderFailure> {
        self.model
            .failure_code
            .map(|code| OrderFailure { code: code.into(), message: failure_message(code).to_owned() })
    }

    /// When it was accepted.
    async fn created_at(&self) -> DateTime {
        DateTime(self.model.created_at)
    }

    /// When it reached its end; null before.
    async fn completed_at(&self) -> Option<DateTime> {
        self.model.completed_at.map(DateTime)
    }

    /// When units that are still pending are refunded; null if none was left open at acceptance.
    async fn deadline_at(&self) -> Option<DateTime> {
        self.model.deadline_at.map(DateTime)
    }

    /// When its partner asked to cancel it; null if never.
    async fn cancel_requested_at(&self) -> Option<DateTime> {
        self.model.cancel_requested_at.map(DateTime)
    }
}

/// Cuts a page out of an order's units, which come whole: there are at most 1,000.
fn page_of_units(
    page: &PageRequest,
    units: &[order_units::Model],
) -> Result<Page<order_units::Model>, Problem> {
    let key = |argument: &str, text: &Option<String>| match text.as_deref().map(str::parse::<i32>) {
        None => Ok(None),
        Some(Ok(index)) => Ok(Some(index)),
        Some(Err(_)) => {
            Err(Problem::bad_argument(argument, format!("`{argument}` is not a cursor of this list")))
        }
    };
    let (after, before) = (key("after", &page.after)?, key("before", &page.before)?);
    let inside = |unit: &&order_units::Model| {
        after.is_none_or(|after| unit.unit_index > after)
            && before.is_none_or(|before| unit.unit_index < before)
    };
    let size = usize::try_from(page.size).unwrap_or(0) + 1;
    let rows = units.iter().filter(inside).cloned();
    Ok(page.cut(match page.slice {
        Slice::First => rows.take(size).collect(),
        Slice::Last => rows.rev().take(size).collect(),
    }))
}

connection! {
    /// A page of orders.
    OrderConnection,
    /// One item of a page of orders.
    OrderEdge,
    Order
}

/// A product as it was when it was sold; it does not change with the catalog.
pub struct OrderedProduct(Frozen);

/// A product as it was when it was sold; it does not change with the catalog.
#[Object]
impl OrderedProduct {
    /// The product's id, which is its sku.
    async fn id(&self) -> ID {
        self.0.id.clone().into()
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The brand's name.
    async fn brand_name(&self) -> &str {
        &self.0.brand_name
    }

    /// The category's slug.
    async fn category(&self) -> &str {
        &self.0.category
    }

    /// Where it is redeemed.
    async fn country(&self) -> CountryCode {
        CountryCode(self.0.country.clone())
    }

    /// The currency of its face value.
    async fn face_currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.face_currency)
    }

    /// How a unit reaches its user.
    async fn delivery(&self) -> DeliveryKind {
        self.0.delivery.into()
    }

    /// What one unit is, for goods sold by the unit; null otherwise.
    async fn unit_label(&self) -> Option<&str> {
        self.0.unit_label.as_deref()
    }

    /// How to redeem; null if the operator had given none.
    async fn redemption_instructions(&self) -> Option<&str> {
        self.0.redemption_instructions.as_deref()
    }

    /// The product as it is now; null if it has gone.
    async fn current(&self, context: &Context<'_>) -> Option<Product> {
        let snapshot = request(context).feature::<catalog::Live>().snapshot();
        snapshot.product(&self.0.id).map(|product| Product(Arc::clone(product)))
    }
}

/// One of an order's items.
#[derive(Clone)]
pub struct Unit {
    model: order_units::Model,
    currency: entity::currency::Currency,
}

impl Unit {
    /// A unit of an order in this currency.
    pub(super) fn new(model: order_units::Model, currency: entity::currency::Currency) -> Self {
        Self { model, currency }
    }
}

/// One of an order's items.
#[Object]
impl Unit {
    /// The id, beginning with unt_.
    pub(super) async fn id(&self) -> ID {
        UnitId { order: self.model.order_id, index: self.model.unit_index }.to_string().into()
    }

    /// Its place in the order, from 1.
    async fn index(&self) -> i32 {
        self.model.unit_index
    }

    /// Where it stands.
    async fn status(&self) -> UnitStatus {
        self.model.status.into()
    }

    /// What it costs.
    async fn price(&self) -> Money {
        Money::from_minor(self.model.price_minor, self.currency)
    }

    /// When it was delivered; null if it is not.
    async fn delivered_at(&self) -> Option<DateTime> {
        self.model.delivered_at.map(DateTime)
    }

    /// When it was refunded; null if it is not.
    async fn refunded_at(&self) -> Option<DateTime> {
        self.model.refunded_at.map(DateTime)
    }
}

connection! {
    /// A page of units.
    UnitConnection,
    /// One item of a page of units.
    UnitEdge,
    Unit
}

/// What was delivered for a unit: secret, and worth money to whoever reads it.
#[derive(SimpleObject)]
pub struct Voucher {
    /// The id, beginning with vch_.
    id: ID,
    /// The index of its unit, from 1.
    unit_index: i32,
    /// The face value.
    face_value: Money,
    /// The code; null for goods that come as a link alone.
    code: Option<String>,
    /// The pin that goes with the code; null if there is none.
    pin: Option<String>,
    /// The serial number; null if there is none.
    serial: Option<String>,
    /// Where to redeem; null if there is no link.
    redemption_url: Option<String>,
    /// When it expires; null if never.
    expires_at: Option<DateTime>,
}

/// A step in an order's life.
#[derive(SimpleObject)]
pub struct OrderStatusChange {
    /// The state that it entered.
    status: OrderStatus,
    /// When.
    at: DateTime,
    /// Why, such as accepted, stock, deadline or cancelled.
    reason: String,
}

/// Why units of an order were refunded.
#[derive(SimpleObject)]
pub struct OrderFailure {
    /// The reason, for programs.
    code: OrderFailureCode,
    /// The reason, for people.
    message: String,
}

/// Too many codes for one answer.
pub(super) fn too_many_codes() -> Problem {
    Problem::new(
        ErrorCode::QueryTooComplex,
        "an answer carries at most 1,000 codes; ask for fewer orders or pages",
    )
}
