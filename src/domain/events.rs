//! The event feed.
//!
//! What lives here: the one function that writes events, what they say, and the one that removes old ones (`sweep`).
//! What is always true: a transaction's events are its last three statements; a partner's events number from 1 without gaps in
//! commit order, because the row of its head is locked from the numbering to the commit; no event carries a code.
//! What is not here: who reads them: subscriptions and the feed (`domain/feed/`).

mod sweep;

use std::collections::BTreeMap;

use entity::currency::Currency;
use entity::ids::{EventId, OrderId, PartnerId, VoucherId, WalletId};
use entity::state::OrderStatus;
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};
use serde::{Deserialize, Serialize};

use crate::store::ColumnKind::{Integer, Text};
use crate::store::{ColumnKind, Rows, Transaction, insert, json, rowset, statement};

pub use sweep::sweep;

/// What an order's event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderFacts {
    /// The order's reference.
    pub reference: String,
    /// The state after the event.
    pub status: OrderStatus,
    /// The state before; `None` for the first event.
    pub previous_status: Option<OrderStatus>,
    /// Units delivered after the event.
    pub delivered_quantity: i32,
    /// Units refunded after the event.
    pub refunded_quantity: i32,
    /// Units bought.
    pub quantity: i32,
    /// The voucher that the event tells; `None` if it tells none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher_id: Option<VoucherId>,
}

/// What a wallet's event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletFacts {
    /// The wallet's currency.
    pub currency: Currency,
    /// The sum of the entries, in minor units.
    pub amount_minor: i64,
    /// What was available after, in minor units.
    pub available_minor: i64,
    /// The first entry's number in the wallet.
    pub first_entry: i64,
    /// The last entry's number in the wallet.
    pub last_entry: i64,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An order; `version` is the transition that it tells, if it tells one.
    Order {
        /// The order.
        id: OrderId,
        /// Its transition.
        version: Option<i32>,
        /// What it says.
        facts: OrderFacts,
    },
    /// A wallet.
    Wallet {
        /// The wallet.
        id: WalletId,
        /// What it says.
        facts: WalletFacts,
    },
}

/// An event to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The id.
    pub id: EventId,
    /// Whose feed.
    pub partner: PartnerId,
    /// What happened, such as order.delivered.
    pub kind: &'static str,
    /// To what.
    pub subject: Subject,
}

/// Every kind of event that this version writes.
pub const KINDS: &[&str] = &[
    "order.created",
    "order.processing",
    "order.progressed",
    "order.delivered",
    "order.partially_delivered",
    "order.failed",
    "order.cancelled",
    "order.unit_refunded",
    "order.voucher_replaced",
    "wallet.debited",
    "wallet.credited",
];

/// The kind of event that tells a state.
pub const fn kind_of(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Pending => "order.created",
        OrderStatus::Processing => "order.processing",
        OrderStatus::Delivered => "order.delivered",
        OrderStatus::PartiallyDelivered => "order.partially_delivered",
        OrderStatus::Failed => "order.failed",
        OrderStatus::Cancelled => "order.cancelled",
    }
}

#[derive(Serialize)]
struct EventRow {
    partner_id: PartnerId,
    sequence: i64,
    id: EventId,
    kind: &'static str,
    order_id: Option<OrderId>,
    order_version: Option<i32>,
    wallet_id: Option<WalletId>,
    payload: String,
    occurred_at: i64,
}

/// Writes a transaction's events; nothing may follow but the commit.
///
/// A set-based UPDATE alone does not lock in order and deadlocks with another of its kind: hence the SELECT first.
///
/// # Errors
/// What the database says.
pub async fn record(transaction: &Transaction, now: Timestamp, events: Vec<NewEvent>) -> Result<(), DbErr> {
    if events.is_empty() {
        return Ok(());
    }
    let mut counts: BTreeMap<PartnerId, i64> = BTreeMap::new();
    for event in &events {
        *counts.entry(event.partner).or_default() += 1;
    }
    // Of one head there is no order, and moving it locks it.
    if counts.len() > 1 {
        lock_heads(transaction, &counts).await?;
    }
    let mut next = advance_heads(transaction, &counts).await?;
    let rows: Vec<EventRow> = events.into_iter().map(|event| row(event, now, &mut next)).collect();
    insert(transaction, vec![Rows::of("events", EVENT_COLUMNS, &rows)]).await
}

const EVENT_COLUMNS: &[(&str, ColumnKind)] = &[
    ("partner_id", Text),
    ("sequence", Integer),
    ("id", Text),
    ("kind", Text),
    ("order_id", Text),
    ("order_version", Integer),
    ("wallet_id", Text),
    ("payload", Text),
    ("occurred_at", Integer),
];

#[derive(Serialize)]
struct HeadRow {
    partner_id: PartnerId,
    count: i64,
}

fn head_rows(counts: &BTreeMap<PartnerId, i64>) -> Vec<HeadRow> {
    counts.iter().map(|(partner, count)| HeadRow { partner_id: *partner, count: *count }).collect()
}

const HEAD_COLUMNS: &[(&str, ColumnKind)] = &[("partner_id", Text), ("count", Integer)];

async fn lock_heads(transaction: &Transaction, counts: &BTreeMap<PartnerId, i64>) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    if backend != DbBackend::Postgres {
        return Ok(());
    }
    let sql = format!(
        "SELECT h.partner_id FROM event_heads h WHERE h.partner_id IN (SELECT r.partner_id FROM {})
         ORDER BY h.partner_id FOR UPDATE OF h",
        rowset(backend, 1, "r", HEAD_COLUMNS)
    );
    transaction.query_all_raw(statement(backend, sql, [json(&head_rows(counts))])).await.map(drop)
}

/// Moves the heads on and tells the first new number of each.
async fn advance_heads(
    transaction: &Transaction,
    counts: &BTreeMap<PartnerId, i64>,
) -> Result<BTreeMap<PartnerId, i64>, DbErr> {
    #[derive(FromQueryResult)]
    struct Head {
        partner_id: PartnerId,
        sequence: i64,
    }
    let backend = transaction.get_database_backend();
    // `WHERE true` lets SQLite's parser tell the upsert from a join.
    let sql = format!(
        "INSERT INTO event_heads (partner_id, sequence) SELECT r.partner_id, r.count FROM {} WHERE true
         ON CONFLICT (partner_id) DO UPDATE SET sequence = event_heads.sequence + excluded.sequence
         RETURNING partner_id, sequence",
        rowset(backend, 1, "r", HEAD_COLUMNS)
    );
    let heads =
        Head::find_by_statement(statement(backend, sql, [json(&head_rows(counts))])).all(transaction).await?;
    Ok(heads
        .into_iter()
        .map(|head| (head.partner_id, head.sequence + 1 - counts.get(&head.partner_id).copied().unwrap_or(0)))
        .collect())
}

fn row(event: NewEvent, now: Timestamp, next: &mut BTreeMap<PartnerId, i64>) -> EventRow {
    let number = next.entry(event.partner).or_insert(1);
    let sequence = *number;
    *number += 1;
    let payload =
        |facts: Result<String, serde_json::Error>| facts.expect("facts of numbers and text always serialise");
    let (order_id, order_version, wallet_id, payload) = match event.subject {
        Subject::Order { id, version, facts } => {
            (Some(id), version, None, payload(serde_json::to_string(&facts)))
        }
        Subject::Wallet { id, facts } => (None, None, Some(id), payload(serde_json::to_string(&facts))),
    };
    EventRow {
        partner_id: event.partner,
        sequence,
        id: event.id,
        kind: event.kind,
        order_id,
        order_version,
        wallet_id,
        payload,
        occurred_at: now.micros(),
    }
}
