//! Offers in the database.
//!
//! What lives here: offers as the operator or their vendor has them, and the history of what they cost.
//! What is always true: what the operator says of an offer (paused, its priority, its face values, its largest quantity, how many
//! there are) is left as it is by the very statement that refreshes it by a vendor's listing, whenever that was said; and what the
//! listing says, by the one that the operator's word is written with, unless the offer is for another item now.
//! What is not here: what an offer should be (`offers.rs`, `sync_model.rs`).

use std::collections::HashSet;

use entity::{offer_costs, offers};
use sea_orm::{ConnectionTrait, DbErr, Statement};

use crate::store::ColumnKind::{Integer, Text};
use crate::store::{ColumnKind, Rows, Transaction, insert, insertion, json, statement};

/// Writes offers, be they there or not.
pub(super) async fn upsert_offers(transaction: &Transaction, offers: &[offers::Model]) -> Result<(), DbErr> {
    if offers.is_empty() {
        return Ok(());
    }
    let clause = "ON CONFLICT (vendor_id, product_id) DO UPDATE SET vendor_sku = excluded.vendor_sku,
        status = excluded.status, priority = excluded.priority, min_face_minor = excluded.min_face_minor,
        max_face_minor = excluded.max_face_minor, max_quantity = excluded.max_quantity,
        available = excluded.available, updated_at = excluded.updated_at,
        listed_min_face_minor = CASE WHEN offers.vendor_sku = excluded.vendor_sku THEN offers.listed_min_face_minor END,
        listed_max_face_minor = CASE WHEN offers.vendor_sku = excluded.vendor_sku THEN offers.listed_max_face_minor END,
        listed_max_quantity = CASE WHEN offers.vendor_sku = excluded.vendor_sku THEN offers.listed_max_quantity END,
        listed_available = CASE WHEN offers.vendor_sku = excluded.vendor_sku THEN offers.listed_available END";
    transaction.execute_raw(insertion_of(transaction, offers, clause)).await.map(drop)
}

/// Writes offers as their vendor lists them; tells the products of those that were written. One that the operator has given to
/// another item meanwhile is not.
pub(super) async fn refresh_offers(
    transaction: &Transaction,
    offers: &[offers::Model],
) -> Result<HashSet<String>, DbErr> {
    let clause = "ON CONFLICT (vendor_id, product_id) DO UPDATE SET
        status = CASE WHEN offers.status = 'PAUSED' THEN offers.status ELSE excluded.status END,
        listed_min_face_minor = excluded.listed_min_face_minor, listed_max_face_minor = excluded.listed_max_face_minor,
        listed_max_quantity = excluded.listed_max_quantity, listed_available = excluded.listed_available,
        updated_at = excluded.updated_at
        WHERE offers.vendor_sku = excluded.vendor_sku RETURNING product_id";
    let written = transaction.query_all_raw(insertion_of(transaction, offers, clause)).await?;
    written.iter().map(|row| row.try_get("", "product_id")).collect()
}

fn insertion_of(transaction: &Transaction, offers: &[offers::Model], clause: &str) -> Statement {
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("vendor_id", Text),
        ("product_id", Text),
        ("vendor_sku", Text),
        ("status", Text),
        ("priority", Integer),
        ("min_face_minor", Integer),
        ("max_face_minor", Integer),
        ("max_quantity", Integer),
        ("available", Integer),
        ("listed_min_face_minor", Integer),
        ("listed_max_face_minor", Integer),
        ("listed_max_quantity", Integer),
        ("listed_available", Integer),
        ("created_at", Integer),
        ("updated_at", Integer),
    ];
    let row = |offer: &offers::Model| {
        serde_json::json!({
            "vendor_id": offer.vendor_id,
            "product_id": offer.product_id,
            "vendor_sku": offer.vendor_sku,
            "status": offer.status,
            "priority": offer.priority,
            "min_face_minor": offer.min_face_minor,
            "max_face_minor": offer.max_face_minor,
            "max_quantity": offer.max_quantity,
            "available": offer.available,
            "listed_min_face_minor": offer.listed_min_face_minor,
            "listed_max_face_minor": offer.listed_max_face_minor,
            "listed_max_quantity": offer.listed_max_quantity,
            "listed_available": offer.listed_available,
            "created_at": offer.created_at.micros(),
            "updated_at": offer.updated_at.micros(),
        })
    };
    let rows: Vec<serde_json::Value> = offers.iter().map(row).collect();
    let backend = transaction.get_database_backend();
    statement(backend, insertion(backend, 1, "offers", COLUMNS, clause), [json(&rows)])
}

/// Adds costs to the history.
pub(super) async fn insert_costs(
    transaction: &Transaction,
    costs: &[offer_costs::Model],
) -> Result<(), DbErr> {
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("vendor_id", Text),
        ("product_id", Text),
        ("since", Integer),
        ("currency", Text),
        ("factor", Text),
        ("fee_micros", Integer),
    ];
    let row = |cost: &offer_costs::Model| {
        serde_json::json!({
            "vendor_id": cost.vendor_id,
            "product_id": cost.product_id,
            "since": cost.since.micros(),
            "currency": cost.currency,
            "factor": cost.factor.to_string(),
            "fee_micros": cost.fee_micros,
        })
    };
    let rows: Vec<serde_json::Value> = costs.iter().map(row).collect();
    insert(transaction, vec![Rows::of("offer_costs", COLUMNS, &rows)]).await
}
