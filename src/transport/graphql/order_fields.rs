//! Orders in the contract: the fields.
//!
//! What lives here: placing, cancelling and reading orders.
//! What is always true: a resolver parses, calls, wraps; each root field may fail alone.
//! What is not here: the objects (`orders.rs`); rules (`domain::orders`).

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, OneofObject, SimpleObject};
use entity::state::{RecipientKind, Scope};

use super::enums::{FailurePolicy, OrderStatus};
use super::orders::{Order, OrderConnection};
use super::request_loaders::Slot;
use super::types::{ConnectionParts, Count, CurrencyCode, DateTime, MoneyAmount, request};
use super::user_errors::UserError;
use crate::ctx::Ctx;
use crate::domain::orders::queries::{self, OrderFilter as Filter};
use crate::domain::orders::{self as domain, OrderName, OrderRefusal, PlaceOrder, Recipient, Reveals};
use crate::problem::{Failure, Problem};
use crate::store::PageRequest;

/// Conditions on orders, joined by and.
#[derive(InputObject)]
pub struct OrderFilter {
    /// In one of these states.
    status: Option<Vec<OrderStatus>>,
    /// For this product.
    product_id: Option<ID>,
    /// Placed at or after this instant.
    created_since: Option<DateTime>,
    /// Placed before this instant.
    created_before: Option<DateTime>,
}

impl From<OrderFilter> for Filter {
    fn from(filter: OrderFilter) -> Self {
        Self {
            status: filter.status.map(|all| all.into_iter().map(Into::into).collect()),
            product_id: filter.product_id.map(|id| id.to_string()),
            created_since: filter.created_since.map(|instant| instant.0),
            created_before: filter.created_before.map(|instant| instant.0),
        }
    }
}

/// Who receives a unit that has no code: exactly one of the fields.
#[derive(OneofObject)]
pub enum RecipientInput {
    /// A phone number in E.164, such as +14155550123.
    Phone(String),
    /// A player's id in the game.
    PlayerId(String),
    /// A user's name with the service.
    Username(String),
}

impl From<RecipientInput> for Recipient {
    fn from(input: RecipientInput) -> Self {
        let (kind, value) = match input {
            RecipientInput::Phone(value) => (RecipientKind::Phone, value),
            RecipientInput::PlayerId(value) => (RecipientKind::PlayerId, value),
            RecipientInput::Username(value) => (RecipientKind::Username, value),
        };
        Self { kind, value }
    }
}

/// What is bought, under which reference.
#[derive(InputObject)]
pub struct CreateOrderInput {
    /// The product's id; may be absent with `chargeId`.
    product_id: Option<ID>,
    /// How many units, 1 to 1,000; 1 if absent, or the charge's with `chargeId`, beside which alone it may be null.
    quantity: MaybeUndefined<i32>,
    /// The partner's own name for this purchase, 1 to 64 of A-Z a-z 0-9 . _ : -, kept for ever. Repeating it repeats the answer, never the purchase.
    reference: String,
    /// The face value of one unit, in the product's face currency; needed for a range.
    face_value: Option<MoneyAmount>,
    /// The settlement currency; the partner's default if absent.
    currency: Option<CurrencyCode>,
    /// The charge whose price is to be paid.
    charge_id: Option<ID>,
    /// Refuse with PRICE_CHANGED above this total, in the settlement currency; more than nought.
    max_total: Option<MoneyAmount>,
    /// Who receives it, for products with `requiredInputs`; quantity 1 only.
    recipient: Option<RecipientInput>,
    /// How long to wait for the end of the order before answering it as it stands, in milliseconds, 0 to 30,000.
    #[graphql(default = 900)]
    wait_ms: Option<i32>,
    /// What happens when not every unit can be had; BEST_EFFORT if absent.
    failure_policy: Option<FailurePolicy>,
}

/// How long an order is waited for unless the caller says.
const DEFAULT_WAIT_MS: i32 = 900;

impl CreateOrderInput {
    fn command(self, reveals: Reveals) -> Result<PlaceOrder, OrderRefusal> {
        if self.quantity.is_null() && self.charge_id.is_none() {
            return Err(OrderRefusal::QuantityNull);
        }
        Ok(PlaceOrder {
            product_id: self.product_id.map(|id| id.to_string()),
            quantity: self.quantity.take(),
            reference: self.reference,
            face_value: self.face_value.map(|amount| amount.0),
            currency: self.currency.map(|code| code.0),
            charge_id: self.charge_id.map(|id| id.to_string()),
            max_total: self.max_total.map(|amount| amount.0),
            recipient: self.recipient.map(Into::into),
            wait_ms: self.wait_ms.unwrap_or(DEFAULT_WAIT_MS),
            failure_policy: self.failure_policy.map(Into::into),
            reveals,
        })
    }
}

/// The answer to `createOrder`.
#[derive(SimpleObject)]
pub struct CreateOrderPayload {
    /// The order; null when refused.
    order: Option<Order>,
    /// Whether the order stood already under this reference.
    replayed: bool,
    /// Why it was refused; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Which order to cancel: exactly one of the fields.
#[derive(InputObject)]
pub struct CancelOrderInput {
    /// The order's id.
    order_id: Option<ID>,
    /// The reference that the order was placed under.
    reference: Option<String>,
}

/// The answer to `cancelOrder`.
#[derive(SimpleObject)]
pub struct CancelOrderPayload {
    /// The order as it is now; null when refused.
    order: Option<Order>,
    /// Why it was refused; empty when it worked.
    user_errors: Vec<UserError>,
}

/// The one name that a caller gives an order by; `None` if it gives neither or both.
pub(super) fn order_name(id: Option<ID>, reference: Option<String>) -> Option<OrderName> {
    match (id, reference) {
        (Some(id), None) => Some(OrderName::Id(id.to_string())),
        (None, Some(reference)) => Some(OrderName::Reference(reference)),
        _ => None,
    }
}

/// The reads of orders.
#[derive(Debug, Default)]
pub struct OrdersQuery;

#[Object]
impl OrdersQuery {
    /// An order of the calling partner, by its id or by the partner's own reference, exactly one of them; null if unknown. Needs orders:read.
    async fn order(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The order's id.")] id: Option<ID>,
        #[graphql(desc = "The reference that the order was placed under.")] reference: Option<String>,
    ) -> Option<Result<Order, Problem>> {
        find_order(request(context), order_name(id, reference)).await.transpose()
    }

    /// The orders of the calling partner, newest first. Needs orders:read.
    #[expect(clippy::too_many_arguments, reason = "they are the contract's")]
    async fn orders(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Conditions, joined by and.")] filter: Option<OrderFilter>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither `first` nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End ahead of this cursor.")] before: Option<String>,
    ) -> Option<Result<OrderConnection, Problem>> {
        let page = PageRequest::new(first, after.as_deref(), last, before.as_deref());
        let filter = filter.map(Filter::from).unwrap_or_default();
        Some(match page {
            Ok(page) => list_orders(request(context), filter, &page).await,
            Err(problem) => Err(problem),
        })
    }
}

async fn find_order(ctx: &Ctx, name: Option<OrderName>) -> Result<Option<Order>, Problem> {
    let actor = ctx.require(Scope::OrdersRead)?;
    let name =
        name.ok_or_else(|| Problem::bad_argument("id", "give `id` or `reference`, exactly one of them"))?;
    let found = queries::find_by_name(ctx, actor.partner, &name).await?;
    Ok(found.map(|order| Order::from(Arc::new(order))))
}

async fn list_orders(ctx: &Ctx, filter: Filter, page: &PageRequest) -> Result<OrderConnection, Problem> {
    let listed = queries::list(ctx, &filter, page).await?;
    let ctx = ctx.clone();
    let count: Count = Box::new(move || {
        let (ctx, filter) = (ctx.clone(), filter.clone());
        Box::pin(async move { queries::count(&ctx, &filter).await })
    });
    Ok(ConnectionParts::new(
        listed,
        |order| order.id.to_string(),
        |order| Order::from(Arc::new(order)),
        count,
    )
    .into())
}

/// The changes of orders.
#[derive(Debug, Default)]
pub struct OrdersMutation;

#[Object]
impl OrdersMutation {
    /// Buy 1 to 1,000 units. Safe to repeat: one reference makes one order, for ever, and a repetition answers that order with `replayed: true`. Needs orders:write.
    async fn create_order(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is bought, under which reference.")] input: CreateOrderInput,
    ) -> Option<Result<CreateOrderPayload, Problem>> {
        Slot::of(context).forget(request(context));
        let asks_for_codes = context.look_ahead().field("order").field("vouchers").exists();
        let reveals = if asks_for_codes { Reveals::Codes } else { Reveals::Nothing };
        let placed = match input.command(reveals) {
            Ok(command) => domain::place(request(context), command).await,
            Err(refusal) => Err(Failure::Refused(refusal)),
        };
        match placed {
            Ok(placed) => Some(Ok(CreateOrderPayload {
                order: Some(Order::with_codes(placed.order, placed.codes)),
                replayed: placed.replayed,
                user_errors: Vec::new(),
            })),
            Err(Failure::Refused(refusal)) => Some(Ok(CreateOrderPayload {
                order: None,
                replayed: false,
                user_errors: vec![UserError::of_order(refusal)],
            })),
            Err(Failure::Problem(problem)) => Some(Err(problem)),
        }
    }

    /// Stop what can still be stopped: pending units are refunded, delivered ones stay. Needs orders:write.
    async fn cancel_order(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which order.")] input: CancelOrderInput,
    ) -> Option<Result<CancelOrderPayload, Problem>> {
        let ctx = request(context);
        Slot::of(context).forget(ctx);
        let cancelled = match order_name(input.order_id, input.reference) {
            Some(name) => domain::cancel(ctx, name).await,
            None => Err(Failure::Refused(OrderRefusal::OneNameNeeded)),
        };
        match cancelled {
            Ok(order) => Some(Ok(CancelOrderPayload {
                order: Some(Order::from(Arc::new(order))),
                user_errors: Vec::new(),
            })),
            Err(Failure::Refused(refusal)) => {
                Some(Ok(CancelOrderPayload { order: None, user_errors: vec![UserError::of_order(refusal)] }))
            }
            Err(Failure::Problem(problem)) => Some(Err(problem)),
        }
    }
}
