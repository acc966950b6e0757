//! Orders in the contract: the objects.
//!
//! What lives here: an order and its parts.
//! What is always true: everything that a page of orders needs is read in batches.
//! What is not here: codes (`codes.rs`); the fields that place, cancel and read orders (`order_fields.rs`).

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::ids::UnitId;
use entity::{order_units, orders, receipts, vouchers};

use super::charges::Charge;
use super::codes::{self, Voucher};
use super::enums::{DeliveryKind, FailurePolicy, OrderFailureCode, OrderStatus, UnitStatus};
use super::loaders::load;
use super::products::Product;
use super::request_loaders::Loaders;
use super::types::{ConnectionParts, Count, CountryCode, CurrencyCode, DateTime, Money, connection, request};
use crate::domain::catalog;
use crate::domain::orders::OrderedProduct as Frozen;
use crate::domain::orders::model::failure_message;
use crate::domain::orders::queries::UnitRange;
use crate::problem::Problem;
use crate::store::{Page, PageRequest};

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

    /// The codes of delivered units, by unit; of a unit whose code was replaced, the one that stands. Needs vouchers:reveal; the reading is audited. At most 1,000 codes an answer.
    async fn vouchers(
        &self,
        context: &Context<'_>,
        #[graphql(default = 1000, desc = "How many, 1 to 1,000.")] first: Option<i32>,
        #[graphql(desc = "Begin behind the voucher with this id.")] after: Option<ID>,
    ) -> Option<Result<Vec<Voucher>, Problem>> {
        Some(codes::of_order(context, &self.model, self.codes.as_deref(), first, after).await)
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
        let (currency, quantity) = (self.model.currency, self.model.quantity);
        let units = page.number(quantity)?;
        let range = UnitRange { order_id: self.model.id, low: units.low, high: units.high };
        let found = load(&Loaders::of(context).units, range).await?.unwrap_or_default();
        let count: Count = Box::new(move || Box::pin(std::future::ready(Ok(i64::from(quantity)))));
        let page =
            Page { items: Vec::clone(&found), has_next: units.has_next, has_previous: units.has_previous };
        let wrap = |model: order_units::Model| Unit { model, currency };
        Ok(ConnectionParts::new(page, |unit| unit.unit_index.to_string(), wrap, count).into())
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

    /// While it is AWAITING_VENDOR: by when it is known what the vendor did, by the vendor's word or by a person's decision; null otherwise. Until then it is neither delivered nor refunded, whatever `deadlineAt` says.
    async fn resolves_by(&self) -> Option<DateTime> {
        self.model.resolves_by.map(DateTime)
    }

    /// The vendor's receipt of a unit that was delivered without a code; null otherwise.
    async fn receipt(&self, context: &Context<'_>) -> Result<Option<Receipt>, Problem> {
        if self.model.status != entity::state::UnitStatus::Delivered {
            return Ok(None);
        }
        let of_order = load(&Loaders::of(context).receipts, self.model.order_id).await?.unwrap_or_default();
        let own = of_order.iter().find(|receipt| receipt.unit_index == self.model.unit_index);
        Ok(own.cloned().map(Receipt))
    }
}

connection! {
    /// A page of units.
    UnitConnection,
    /// One item of a page of units.
    UnitEdge,
    Unit
}

/// A step in an order's life.
#[derive(SimpleObject)]
pub struct OrderStatusChange {
    /// The state that it entered.
    status: OrderStatus,
    /// When.
    at: DateTime,
    /// Why, such as accepted, stock, vendor, refused, deadline or cancelled.
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

/// A receipt.
pub struct Receipt(receipts::Model);

/// What a vendor gave for a unit that it delivered without a code.
#[Object]
impl Receipt {
    /// The receipt's number, by which the vendor finds the delivery.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// When it was given.
    async fn received_at(&self) -> DateTime {
        DateTime(self.0.at)
    }
}
