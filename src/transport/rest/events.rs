//! The event feed.
//!
//! Lives here: the pull feed, oldest first.
//! Always true: an event carries ids, states and counts, and never a code; the cursor behind the last one is always told, so
//! that whoever has read everything knows where to go on.
//! Not here: subscriptions, which are sockets (transport/ws.rs).

use entity::events;
use entity::ids::{EventId, OrderId, VoucherId, WalletId};
use entity::state::OrderStatus;
use entity::timestamp::Timestamp;
use serde::Serialize;

use super::gate::{Answer, Call, Outcome};
use super::shapes::Money;
use crate::domain::feed;
use crate::problem::Problem;

/// What events are asked for by.
pub const LIST: &[&str] = &["after", "types", "limit"];

#[derive(Serialize)]
#[serde(untagged)]
enum Facts {
    Order {
        order_id: OrderId,
        reference: String,
        status: OrderStatus,
        previous_status: Option<OrderStatus>,
        quantity: i32,
        delivered_quantity: i32,
        refunded_quantity: i32,
        voucher_id: Option<VoucherId>,
    },
    Wallet {
        wallet_id: WalletId,
        amount: Money,
        available: Money,
        first_entry_sequence: String,
        last_entry_sequence: String,
    },
}

#[derive(Serialize)]
struct Event {
    id: EventId,
    cursor: String,
    sequence: String,
    #[serde(rename = "type")]
    kind: String,
    occurred_at: Timestamp,
    #[serde(flatten)]
    facts: Facts,
}

#[derive(Serialize)]
struct Feed {
    data: Vec<Event>,
    next_cursor: Option<String>,
    has_more: bool,
}

fn facts(row: &events::Model) -> Result<Facts, Problem> {
    match (row.order_id, row.wallet_id) {
        (Some(order_id), _) => {
            let facts = feed::order_facts(row)?;
            Ok(Facts::Order {
                order_id,
                reference: facts.reference,
                status: facts.status,
                previous_status: facts.previous_status,
                quantity: facts.quantity,
                delivered_quantity: facts.delivered_quantity,
                refunded_quantity: facts.refunded_quantity,
                voucher_id: facts.voucher_id,
            })
        }
        (None, Some(wallet_id)) => {
            let facts = feed::wallet_facts(row)?;
            Ok(Facts::Wallet {
                wallet_id,
                amount: Money::from_minor(facts.amount_minor, facts.currency),
                available: Money::from_minor(facts.available_minor, facts.currency),
                first_entry_sequence: facts.first_entry.to_string(),
                last_entry_sequence: facts.last_entry.to_string(),
            })
        }
        (None, None) => Err(Problem::internal("an event about nothing")),
    }
}

fn event(row: events::Model) -> Result<Event, Problem> {
    Ok(Event {
        facts: facts(&row)?,
        id: row.id,
        cursor: feed::cursor_of(row.sequence),
        sequence: row.sequence.to_string(),
        kind: row.kind,
        occurred_at: row.occurred_at,
    })
}

/// `GET /api/v1/events`
pub async fn list(call: Call) -> Outcome {
    let Call { ctx, parameters, .. } = &call;
    let after = parameters.text("after");
    let types: Option<Vec<String>> =
        parameters.text("types").map(|types| types.split(',').map(|kind| kind.trim().to_owned()).collect());
    let size = ("limit", parameters.limit()?);
    let page = feed::list_page(ctx, after, types.as_deref(), size).await?.events;
    let data = page.items.into_iter().map(event).collect::<Result<Vec<_>, _>>()?;
    let next_cursor = data.last().map(|event| event.cursor.clone()).or_else(|| after.map(str::to_owned));
    Answer::ok(&Feed { data, next_cursor, has_more: page.has_next })
}
