//! Orders in sets.
//!
//! What lives here: the statements that look up, insert and change orders.
//! What is always true: each takes a slice and is one statement; orders are inserted in (partner, reference) order, so that two
//! batches never wait for each other in a circle.
//! What is not here: their units and history (`parts_store.rs`); money and codes, which are the wallet's and the vouchers' stores.

use std::collections::{HashMap, HashSet};

use entity::currency::Currency;
use entity::ids::{ChargeId, DataKeyId, OrderId, PartnerId, WalletId};
use entity::orders;
use entity::state::{FailurePolicy, OrderFailureCode, OrderStatus};
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, FromQueryResult};
use serde::Serialize;

use crate::store::ColumnKind::{Bytes, Integer, Text};
use crate::store::{ColumnKind, Transaction, bytes, expect_all, insertion, json, rowset, statement};

/// A partner's name for an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Reference {
    /// Whose.
    pub partner_id: PartnerId,
    /// The name.
    pub reference: String,
}

/// The orders that hold these references.
///
/// # Errors
/// What the database says.
pub async fn find_by_references(
    connection: &impl ConnectionTrait,
    references: &[Reference],
) -> Result<HashMap<Reference, orders::Model>, DbErr> {
    if references.is_empty() {
        return Ok(HashMap::new());
    }
    let backend = connection.get_database_backend();
    let columns = [("partner_id", Text), ("reference", Text)];
    let sql = format!(
        "SELECT o.* FROM {} JOIN orders o ON o.partner_id = r.partner_id AND o.reference = r.reference",
        rowset(backend, 1, "r", &columns)
    );
    let select = statement(backend, sql, [json(references)]);
    let found = orders::Entity::find().from_raw_sql(select).all(connection).await?;
    let key = |order: &orders::Model| Reference {
        partner_id: order.partner_id,
        reference: order.reference.clone(),
    };
    Ok(found.into_iter().map(|order| (key(&order), order)).collect())
}

/// Which of these charges have an order.
///
/// # Errors
/// What the database says.
pub async fn find_used_charges(
    connection: &impl ConnectionTrait,
    charges: &[ChargeId],
) -> Result<HashSet<ChargeId>, DbErr> {
    #[derive(Serialize, FromQueryResult)]
    struct Row {
        charge_id: ChargeId,
    }
    if charges.is_empty() {
        return Ok(HashSet::new());
    }
    let rows: Vec<Row> = charges.iter().map(|charge_id| Row { charge_id: *charge_id }).collect();
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT o.charge_id FROM {} JOIN orders o ON o.charge_id = r.charge_id",
        rowset(backend, 1, "r", &[("charge_id", Text)])
    );
    let found = Row::find_by_statement(statement(backend, sql, [json(&rows)])).all(connection).await?;
    Ok(found.into_iter().map(|row| row.charge_id).collect())
}

const ORDER_COLUMNS: &[(&str, ColumnKind)] = &[
    ("id", Text),
    ("partner_id", Text),
    ("wallet_id", Text),
    ("reference", Text),
    ("fingerprint", Text),
    ("status", Text),
    ("version", Integer),
    ("failure_policy", Text),
    ("product_id", Text),
    ("product_snapshot", Text),
    ("quantity", Integer),
    ("delivered_quantity", Integer),
    ("refunded_quantity", Integer),
    ("face_minor", Integer),
    ("face_currency", Text),
    ("currency", Text),
    ("unit_price_minor", Integer),
    ("unit_sales_minor", Integer),
    ("unit_fx_minor", Integer),
    ("unit_fee_minor", Integer),
    ("unit_rounding_minor", Integer),
    ("total_minor", Integer),
    ("charge_id", Text),
    ("recipient", Bytes),
    ("recipient_key_id", Text),
    ("created_at", Integer),
    ("completed_at", Integer),
    ("deadline_at", Integer),
    ("lease_epoch", Integer),
];

#[derive(Serialize)]
struct OrderRow<'a> {
    id: OrderId,
    partner_id: PartnerId,
    wallet_id: WalletId,
    reference: &'a str,
    fingerprint: &'a str,
    status: OrderStatus,
    version: i32,
    failure_policy: FailurePolicy,
    product_id: &'a str,
    product_snapshot: &'a str,
    quantity: i32,
    delivered_quantity: i32,
    refunded_quantity: i32,
    face_minor: i64,
    face_currency: Currency,
    currency: Currency,
    unit_price_minor: i64,
    unit_sales_minor: i64,
    unit_fx_minor: i64,
    unit_fee_minor: i64,
    unit_rounding_minor: i64,
    total_minor: i64,
    charge_id: Option<ChargeId>,
    recipient: Option<String>,
    recipient_key_id: Option<DataKeyId>,
    created_at: i64,
    completed_at: Option<i64>,
    deadline_at: Option<i64>,
    lease_epoch: i64,
}

fn order_row(order: &orders::Model) -> OrderRow<'_> {
    OrderRow {
        id: order.id,
        partner_id: order.partner_id,
        wallet_id: order.wallet_id,
        reference: &order.reference,
        fingerprint: &order.fingerprint,
        status: order.status,
        version: order.version,
        failure_policy: order.failure_policy,
        product_id: &order.product_id,
        product_snapshot: &order.product_snapshot,
        quantity: order.quantity,
        delivered_quantity: order.delivered_quantity,
        refunded_quantity: order.refunded_quantity,
        face_minor: order.face_minor,
        face_currency: order.face_currency,
        currency: order.currency,
        unit_price_minor: order.unit_price_minor,
        unit_sales_minor: order.unit_sales_minor,
        unit_fx_minor: order.unit_fx_minor,
        unit_fee_minor: order.unit_fee_minor,
        unit_rounding_minor: order.unit_rounding_minor,
        total_minor: order.total_minor,
        charge_id: order.charge_id,
        recipient: order.recipient.as_ref().map(|sealed| bytes(&sealed.0)),
        recipient_key_id: order.recipient_key_id,
        created_at: order.created_at.micros(),
        completed_at: order.completed_at.map(Timestamp::micros),
        deadline_at: order.deadline_at.map(Timestamp::micros),
        lease_epoch: order.lease_epoch,
    }
}

/// Inserts orders where neither reference nor charge is taken; tells which went in.
///
/// # Errors
/// What the database says.
pub async fn insert(transaction: &Transaction, orders: &[&orders::Model]) -> Result<HashSet<OrderId>, DbErr> {
    #[derive(FromQueryResult)]
    struct Inserted {
        id: OrderId,
    }
    if orders.is_empty() {
        return Ok(HashSet::new());
    }
    let mut rows: Vec<OrderRow<'_>> = orders.iter().map(|order| order_row(order)).collect();
    rows.sort_by(|left, right| (left.partner_id, left.reference).cmp(&(right.partner_id, right.reference)));
    let backend = transaction.get_database_backend();
    let sql = insertion(backend, 1, "orders", ORDER_COLUMNS, "ON CONFLICT DO NOTHING RETURNING id");
    let inserted =
        Inserted::find_by_statement(statement(backend, sql, [json(&rows)])).all(transaction).await?;
    Ok(inserted.into_iter().map(|row| row.id).collect())
}

/// Brings orders' rows to where their units stand.
///
/// # Errors
/// What the database says.
pub async fn update(transaction: &Transaction, orders: &[&orders::Model]) -> Result<(), DbErr> {
    #[derive(Serialize)]
    struct Row {
        id: OrderId,
        status: OrderStatus,
        version: i32,
        delivered_quantity: i32,
        refunded_quantity: i32,
        failure_code: Option<OrderFailureCode>,
        completed_at: Option<i64>,
        deadline_at: Option<i64>,
        cancel_requested_at: Option<i64>,
    }
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("id", Text),
        ("status", Text),
        ("version", Integer),
        ("delivered_quantity", Integer),
        ("refunded_quantity", Integer),
        ("failure_code", Text),
        ("completed_at", Integer),
        ("deadline_at", Integer),
        ("cancel_requested_at", Integer),
    ];
    if orders.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row> = orders
        .iter()
        .map(|order| Row {
            id: order.id,
            status: order.status,
            version: order.version,
            delivered_quantity: order.delivered_quantity,
            refunded_quantity: order.refunded_quantity,
            failure_code: order.failure_code,
            completed_at: order.completed_at.map(Timestamp::micros),
            deadline_at: order.deadline_at.map(Timestamp::micros),
            cancel_requested_at: order.cancel_requested_at.map(Timestamp::micros),
        })
        .collect();
    let backend = transaction.get_database_backend();
    let sql = format!(
        "UPDATE orders SET status = r.status, version = r.version, delivered_quantity = r.delivered_quantity,
         refunded_quantity = r.refunded_quantity, failure_code = r.failure_code, completed_at = r.completed_at,
         deadline_at = r.deadline_at, cancel_requested_at = r.cancel_requested_at, lease_until = NULL
         FROM {} WHERE orders.id = r.id AND orders.completed_at IS NULL",
        rowset(backend, 1, "r", COLUMNS)
    );
    let changed = transaction.execute_raw(statement(backend, sql, [json(&rows)])).await?.rows_affected();
    expect_all(changed, rows.len(), "open orders")
}
