//! Orders.
//!
//! Lives here: placing, reading and cancelling orders.
//! Always true: a new order is 201 in any state, the order that holds the reference already is 200; codes are opened for
//! callers with vouchers:reveal alone, after the reading was audited, and never in lists.
//! Not here: the rules of orders (domain/orders).

use std::sync::Arc;
use std::time::Duration;

use entity::currency::Currency;
use entity::ids::{ChargeId, OrderId, VoucherId};
use entity::state::{FailurePolicy, OrderFailureCode, OrderStatus, RecipientKind, Scope};
use entity::timestamp::Timestamp;
use entity::{orders, vouchers};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::gate::{Answer, Call, Outcome};
use super::input::Members;
use super::problem_details::{ProblemDetails, of_order};
use super::shapes::{List, Money};
use crate::ctx::Ctx;
use crate::domain::orders::model::failure_message;
use crate::domain::orders::queries::{self, OrderFilter};
use crate::domain::orders::{
    self as domain, CodesWanted, OrderName, OrderRefusal, OrderedProduct, PlaceOrder, Reading, Recipient,
    Reveals, purchases_to_recall,
};
use crate::domain::vouchers::{Contents, Secret, readable_until};
use crate::problem::{Failure, Problem};
use crate::store::{PageRequest, Slice, encode_cursor};

/// What placing an order takes.
pub const PLACE: &[&str] = &[
    "product_id",
    "quantity",
    "reference",
    "face_value",
    "currency",
    "charge_id",
    "max_total",
    "recipient",
    "wait_ms",
    "failure_policy",
];
/// What orders are asked for by.
pub const LIST: &[&str] = &["reference", "created_since", "sort", "cursor", "limit"];
/// How a page of orders may be sorted; the first is what is meant if nothing is said.
const SORTS: [&str; 2] = ["newest_first", "oldest_first"];

/// How long an order is waited for unless the caller says.
const DEFAULT_WAIT_MS: i32 = 900;
/// The longest that an order is waited for.
const LONGEST_WAIT_MS: i32 = 30_000;

#[derive(Serialize)]
struct OrderFailure {
    code: OrderFailureCode,
    message: &'static str,
}

/// A code in the clear; `Secret` wipes itself.
#[derive(Serialize)]
struct Voucher {
    id: VoucherId,
    unit_index: i32,
    face_value: Money,
    #[serde(flatten)]
    contents: Shown,
    expires_at: Option<Timestamp>,
    replaces: Option<VoucherId>,
    code_state: &'static str,
    code_available_until: Option<Timestamp>,
}

/// What a code holds; `None` if that is no more.
struct Shown(Option<Arc<Contents>>);

/// The one place at which a code of the facade leaves its secret.
impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let text = |of: fn(&Contents) -> &Option<Secret>| {
            self.0.as_deref().and_then(|contents| of(contents).as_ref()).map(Secret::expose)
        };
        let mut members = out.serialize_struct("Shown", 4)?;
        members.serialize_field("code", &text(|contents| &contents.code))?;
        members.serialize_field("pin", &text(|contents| &contents.pin))?;
        members.serialize_field("serial", &text(|contents| &contents.serial))?;
        members.serialize_field("redemption_url", &text(|contents| &contents.redemption_url))?;
        members.end()
    }
}

#[derive(Serialize)]
struct Order<'a> {
    id: OrderId,
    reference: &'a str,
    status: OrderStatus,
    failure_policy: FailurePolicy,
    quantity: i32,
    delivered_quantity: i32,
    refunded_quantity: i32,
    product: OrderedProduct,
    currency: Currency,
    face_value: Money,
    unit_price: Money,
    total: Money,
    refunded_total: Money,
    charge_id: Option<ChargeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vouchers: Option<Vec<Voucher>>,
    failure: Option<OrderFailure>,
    created_at: Timestamp,
    completed_at: Option<Timestamp>,
    deadline_at: Option<Timestamp>,
    cancel_requested_at: Option<Timestamp>,
}

impl<'a> Order<'a> {
    fn of(order: &'a orders::Model, vouchers: Option<Vec<Voucher>>) -> Result<Self, Problem> {
        let money = |minor| Money::from_minor(minor, order.currency);
        let refunded = order.unit_price_minor.saturating_mul(i64::from(order.refunded_quantity));
        Ok(Self {
            id: order.id,
            reference: &order.reference,
            status: order.status,
            failure_policy: order.failure_policy,
            quantity: order.quantity,
            delivered_quantity: order.delivered_quantity,
            refunded_quantity: order.refunded_quantity,
            product: serde_json::from_str(&order.product_snapshot).map_err(Problem::internal)?,
            currency: order.currency,
            face_value: Money::from_minor(order.face_minor, order.face_currency),
            unit_price: money(order.unit_price_minor),
            total: money(order.total_minor),
            refunded_total: money(refunded),
            charge_id: order.charge_id,
            vouchers,
            failure: order.failure_code.map(|code| OrderFailure { code, message: failure_message(code) }),
            created_at: order.created_at,
            completed_at: order.completed_at,
            deadline_at: order.deadline_at,
            cancel_requested_at: order.cancel_requested_at,
        })
    }
}

/// The codes of an order for a caller who may read them; the reading is audited unless it came with these codes.
async fn codes(
    ctx: &Ctx,
    order: &orders::Model,
    audited: Option<&[vouchers::Model]>,
) -> Result<Option<Vec<Voucher>>, Problem> {
    if !ctx.partner()?.may(Scope::VouchersReveal) {
        return Ok(None);
    }
    if let Some(sealed) = audited {
        return open(ctx, order, sealed).await.map(Some);
    }
    if order.delivered_quantity == 0 {
        return Ok(Some(Vec::new()));
    }
    let wanted = CodesWanted::all_of(order.id);
    let revealed = domain::reveal(ctx, vec![wanted]).await?;
    let sealed = revealed.get(&wanted).map(|sealed| sealed.as_slice()).unwrap_or_default();
    open(ctx, order, sealed).await.map(Some)
}

async fn open(ctx: &Ctx, order: &orders::Model, sealed: &[vouchers::Model]) -> Result<Vec<Voucher>, Problem> {
    let codes: Vec<&vouchers::Model> = sealed.iter().collect();
    let recalled = domain::recall(ctx, purchases_to_recall(sealed)).await?;
    let voucher = |(code, reading): (&vouchers::Model, Reading)| {
        let (code_state, contents) = match reading {
            Reading::Told(contents) => ("AVAILABLE", Some(contents)),
            Reading::Destroyed => ("DESTROYED", None),
            Reading::Unreachable => ("UNREACHABLE", None),
        };
        Voucher {
            id: code.id,
            unit_index: code.unit_index.unwrap_or_default(),
            face_value: Money::from_minor(code.face_minor, order.face_currency),
            expires_at: code.expires_at,
            replaces: code.replaces,
            code_state,
            code_available_until: readable_until(code),
            contents: Shown(contents),
        }
    };
    Ok(domain::open(ctx, &codes, &recalled).await?.into_iter().map(voucher).collect())
}

/// The member of `recipient` that names one of a kind.
pub const fn recipient_field(kind: RecipientKind) -> &'static str {
    match kind {
        RecipientKind::Phone => "phone",
        RecipientKind::PlayerId => "player_id",
        RecipientKind::Username => "username",
    }
}

fn recipient(members: &Members) -> Result<Option<Recipient>, ProblemDetails> {
    let names: Vec<&'static str> = RecipientKind::ALL.iter().copied().map(recipient_field).collect();
    let Some(given) = members.object("recipient", &names)? else { return Ok(None) };
    let (name, value) = given.one_text(&names)?;
    let kind = RecipientKind::ALL.iter().copied().find(|kind| recipient_field(*kind) == name);
    Ok(kind.map(|kind| Recipient { kind, value }))
}

fn command(members: &Members) -> Result<PlaceOrder, ProblemDetails> {
    let charge_id = members.text("charge_id")?;
    if members.is_null("quantity") && charge_id.is_none() {
        return Err(of_order(Failure::Refused(OrderRefusal::QuantityNull)));
    }
    let policies: Vec<&str> = FailurePolicy::ALL.iter().map(|policy| policy.as_str()).collect();
    Ok(PlaceOrder {
        product_id: members.text("product_id")?,
        quantity: members.whole("quantity")?,
        reference: members.required_text("reference")?,
        face_value: members.amount("face_value")?,
        currency: members.currency("currency")?,
        charge_id,
        max_total: members.amount("max_total")?,
        recipient: recipient(members)?,
        wait_ms: members.whole("wait_ms")?.unwrap_or(DEFAULT_WAIT_MS),
        failure_policy: members.word("failure_policy", &policies)?,
        reveals: Reveals::Codes,
    })
}

/// How long placing this order may wait for its end.
pub fn wait(members: &Members) -> Duration {
    let asked = members.whole("wait_ms").ok().flatten().unwrap_or(DEFAULT_WAIT_MS);
    Duration::from_millis(u64::try_from(asked.clamp(0, LONGEST_WAIT_MS)).unwrap_or(0))
}

/// `POST /api/v1/orders`
pub async fn place(call: Call) -> Outcome {
    let placed = domain::place(&call.ctx, command(&call.members)?).await.map_err(of_order)?;
    let sealed = placed.codes.as_ref().map(|codes| codes.as_slice());
    let codes = codes(&call.ctx, &placed.order, sealed).await?;
    let order = Order::of(&placed.order, codes)?;
    if placed.replayed {
        return Answer::ok(&order);
    }
    Answer::created(format!("/api/v1/orders/{}", order.id), &order)
}

async fn find(ctx: &Ctx, name: OrderName) -> Result<Option<orders::Model>, Problem> {
    let actor = ctx.require(Scope::OrdersRead)?;
    queries::find_by_name(ctx, actor.partner, &name).await
}

/// `GET /api/v1/orders/{id}`
pub async fn get(call: Call) -> Outcome {
    let order = find(&call.ctx, OrderName::Id(call.id)).await?.ok_or_else(Problem::not_found)?;
    let codes = codes(&call.ctx, &order, None).await?;
    Answer::ok(&Order::of(&order, codes)?)
}

/// `GET /api/v1/orders`
pub async fn list(call: Call) -> Outcome {
    let Call { ctx, parameters, .. } = &call;
    let Some(reference) = parameters.text("reference") else {
        return list_since(&call).await;
    };
    if let Some(other) = parameters.names().find(|name| *name != "reference") {
        return Err(ProblemDetails::of_input(other, format!("`{other}` does not go with `reference`")));
    }
    let found = find(ctx, OrderName::Reference(reference.to_owned())).await?;
    let mut data = Vec::new();
    if let Some(order) = &found {
        data.push(Order::of(order, codes(ctx, order, None).await?)?);
    }
    Answer::ok(&List { data, next_cursor: None })
}

async fn list_since(call: &Call) -> Outcome {
    let Call { ctx, parameters, .. } = call;
    let filter =
        OrderFilter { created_since: parameters.instant("created_since")?, ..OrderFilter::default() };
    let oldest_first = parameters.word_or_first("sort", &SORTS)? == "oldest_first";
    let mut wanted = parameters.page()?;
    if oldest_first {
        // The list itself is newest first: its end is the other one's beginning.
        wanted = PageRequest { slice: Slice::Last, before: wanted.after.take(), ..wanted };
    }
    let mut page = queries::list(ctx, &filter, &wanted).await.map_err(|problem| {
        ProblemDetails::from(problem).renamed("after", "cursor").renamed("before", "cursor")
    })?;
    let goes_on = if oldest_first { page.has_previous } else { page.has_next };
    if oldest_first {
        page.items.reverse();
    }
    let last = page.items.last().filter(|_| goes_on);
    let next_cursor = last.map(|order| encode_cursor(&order.id.to_string()));
    let data = page.items.iter().map(|order| Order::of(order, None)).collect::<Result<Vec<_>, _>>()?;
    Answer::ok(&List { data, next_cursor })
}

/// `POST /api/v1/orders/{id}/cancel`
pub async fn cancel(call: Call) -> Outcome {
    let order = domain::cancel(&call.ctx, OrderName::Id(call.id)).await.map_err(of_order)?;
    Answer::ok(&Order::of(&order, None)?)
}
