//! Statements in the database.
//!
//! What lives here: a statement's lines, and what they corrected.
//! What is always true: a line and what it corrects are written together.
//! What is not here: whose turn it is to read a statement (`turns.rs`), and what a line means (`statement_model.rs`).

use std::collections::HashMap;

use entity::currency::Currency;
use entity::ids::{PurchaseId, TransactionId, VendorId};
use entity::state::StatementVerdict;
use entity::timestamp::Timestamp;
use entity::{purchases, statement_lines};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde::Serialize;

use super::listing::StatementLine;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{ColumnKind, Rows, Transaction, expect_all, insert, insertion, json, rowset, statement};

/// When the oldest purchase of a vendor was made that may still turn up in its statement.
pub(super) async fn oldest_open(
    connection: &impl ConnectionTrait,
    vendor: VendorId,
) -> Result<Option<Timestamp>, DbErr> {
    let oldest = purchases::Entity::find()
        .filter(purchases::Column::VendorId.eq(vendor))
        .filter(purchases::Column::EndedAt.is_null())
        .order_by_asc(purchases::Column::CreatedAt)
        .one(connection)
        .await?;
    Ok(oldest.map(|purchase| purchase.created_at))
}

#[derive(Serialize)]
struct Names<'a> {
    our_ref: Option<&'a str>,
    vendor_ref: &'a str,
}

/// What is known of lines.
pub(super) struct Known {
    by_our_ref: HashMap<String, purchases::Model>,
    by_vendor_ref: HashMap<String, purchases::Model>,
    /// The lines that were read before, by the vendor's names.
    pub(super) lines: HashMap<String, statement_lines::Model>,
    /// The names of the lines that delivered purchases are.
    pub(super) taken_for: HashMap<PurchaseId, String>,
    corrections: HashMap<String, Vec<(Currency, i64)>>,
}

impl Known {
    /// The purchase that the references of a line name.
    pub(super) fn purchase(&self, line: &StatementLine) -> Option<&purchases::Model> {
        let ours = line.our_ref.as_ref().and_then(|named| self.by_our_ref.get(named));
        ours.or_else(|| self.by_vendor_ref.get(&line.vendor_ref))
    }

    /// What was corrected because of a line.
    pub(super) fn corrections(&self, vendor_ref: &str) -> impl Iterator<Item = (Currency, i64)> {
        self.corrections.get(vendor_ref).into_iter().flatten().copied()
    }
}

/// Reads what is known of lines.
pub(super) async fn read_known(
    transaction: &Transaction,
    vendor: VendorId,
    lines: &[StatementLine],
) -> Result<Known, DbErr> {
    #[derive(FromQueryResult)]
    struct Corrected {
        vendor_ref: String,
        currency: Currency,
        amount_micros: i64,
    }
    let backend = transaction.get_database_backend();
    let names: Vec<Names<'_>> = lines
        .iter()
        .map(|line| Names { our_ref: line.our_ref.as_deref(), vendor_ref: &line.vendor_ref })
        .collect();
    let named = rowset(backend, 1, "r", &[("our_ref", Text), ("vendor_ref", Text)]);
    let select = |sql: String| statement(backend, sql, [json(&names), vendor.to_string().into()]);
    let of = |table: &str, column: &str| {
        format!("SELECT t.* FROM {named} JOIN {table} t ON t.vendor_id = $2 AND t.{column} = r.{column}")
    };
    let by_our_ref =
        purchases::Entity::find().from_raw_sql(select(of("purchases", "our_ref"))).all(transaction).await?;
    let by_vendor_ref = purchases::Entity::find()
        .from_raw_sql(select(of("purchases", "vendor_ref")))
        .all(transaction)
        .await?;
    let known = statement_lines::Entity::find()
        .from_raw_sql(select(of("statement_lines", "vendor_ref")))
        .all(transaction)
        .await?;
    let taken = format!(
        "SELECT l.* FROM {named} JOIN purchases p ON p.vendor_id = $2 AND p.our_ref = r.our_ref
         JOIN statement_lines l ON l.purchase_id = p.id WHERE l.verdict IN ('MATCHED', 'COST_DIFFERS', 'QUANTITY_DIFFERS')"
    );
    let taken = statement_lines::Entity::find().from_raw_sql(select(taken)).all(transaction).await?;
    let corrected = Corrected::find_by_statement(select(of("statement_corrections", "vendor_ref")))
        .all(transaction)
        .await?;
    let mut corrections: HashMap<String, Vec<(Currency, i64)>> = HashMap::new();
    for row in corrected {
        corrections.entry(row.vendor_ref).or_default().push((row.currency, row.amount_micros));
    }
    Ok(Known {
        by_our_ref: by_our_ref.into_iter().map(|row| (row.our_ref.clone(), row)).collect(),
        by_vendor_ref: by_vendor_ref
            .into_iter()
            .filter_map(|row| Some((row.vendor_ref.clone()?, row)))
            .collect(),
        lines: known.into_iter().map(|row| (row.vendor_ref.clone(), row)).collect(),
        taken_for: taken.into_iter().filter_map(|row| Some((row.purchase_id?, row.vendor_ref))).collect(),
        corrections,
    })
}

/// The lines that were read before of purchases that are not delivered here, but for those about which the vendor had no more to
/// say; and those whose purchases have been delivered since.
pub(super) async fn find_undelivered(
    transaction: &Transaction,
    vendor: VendorId,
) -> Result<Vec<statement_lines::Model>, DbErr> {
    let sql = "SELECT l.* FROM statement_lines l JOIN purchases p ON p.id = l.purchase_id
         WHERE l.vendor_id = $1 AND l.verdict = 'NOT_DELIVERED_HERE' AND (l.settled_at IS NULL OR p.state = 'DELIVERED')
         ORDER BY l.vendor_ref";
    let select = statement(transaction.get_database_backend(), sql, [vendor.to_string().into()]);
    statement_lines::Entity::find().from_raw_sql(select).all(transaction).await
}

/// The purchases that were made in a time, did cost something, and are no line of any statement.
pub(super) async fn find_unlisted(
    transaction: &Transaction,
    vendor: VendorId,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<purchases::Model>, DbErr> {
    let sql =
        "SELECT p.* FROM purchases p WHERE p.vendor_id = $1 AND p.created_at >= $2 AND p.created_at < $3
            AND p.state = 'DELIVERED' AND p.cost_micros > 0
            AND NOT EXISTS (SELECT 1 FROM statement_lines l WHERE l.purchase_id = p.id)
            AND NOT EXISTS (SELECT 1 FROM statement_lines l WHERE l.vendor_id = p.vendor_id
                AND l.vendor_ref = coalesce(p.vendor_ref, p.our_ref)) ORDER BY p.id";
    let values = [vendor.to_string().into(), from.micros().into(), to.micros().into()];
    let select = statement(transaction.get_database_backend(), sql, values);
    purchases::Entity::find().from_raw_sql(select).all(transaction).await
}

/// Forgets that purchases were missed whose lines have come, under another name than they were missed by. Nothing was corrected
/// because of them.
pub(super) async fn forget_unlisted(
    transaction: &Transaction,
    vendor: VendorId,
    lines: &[statement_lines::Model],
) -> Result<(), DbErr> {
    #[derive(Serialize)]
    struct Row<'a> {
        purchase_id: PurchaseId,
        vendor_ref: &'a str,
    }
    let rows: Vec<Row<'_>> = lines
        .iter()
        .filter_map(|line| Some(Row { purchase_id: line.purchase_id?, vendor_ref: &line.vendor_ref }))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let backend = transaction.get_database_backend();
    let sql = format!(
        "DELETE FROM statement_lines WHERE vendor_id = $2 AND verdict = 'NOT_LISTED_THERE' AND EXISTS (
            SELECT 1 FROM {} WHERE r.purchase_id = statement_lines.purchase_id AND r.vendor_ref <> statement_lines.vendor_ref)",
        rowset(backend, 1, "r", &[("purchase_id", Text), ("vendor_ref", Text)])
    );
    let forget = statement(backend, sql, [json(&rows), vendor.to_string().into()]);
    transaction.execute_raw(forget).await.map(drop)
}

/// Writes lines, be they there or not.
pub(super) async fn upsert_lines(
    transaction: &Transaction,
    lines: &[statement_lines::Model],
) -> Result<(), DbErr> {
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("vendor_id", Text),
        ("vendor_ref", Text),
        ("our_ref", Text),
        ("vendor_sku", Text),
        ("purchase_id", Text),
        ("quantity", Integer),
        ("cost_micros", Integer),
        ("cost_currency", Text),
        ("at", Integer),
        ("verdict", Text),
        ("first_seen_at", Integer),
        ("settled_at", Integer),
    ];
    if lines.is_empty() {
        return Ok(());
    }
    let row = |line: &statement_lines::Model| {
        serde_json::json!({
            "vendor_id": line.vendor_id,
            "vendor_ref": line.vendor_ref,
            "our_ref": line.our_ref,
            "vendor_sku": line.vendor_sku,
            "purchase_id": line.purchase_id,
            "quantity": line.quantity,
            "cost_micros": line.cost_micros,
            "cost_currency": line.cost_currency,
            "at": line.at.micros(),
            "verdict": line.verdict,
            "first_seen_at": line.first_seen_at.micros(),
            "settled_at": line.settled_at.map(Timestamp::micros),
        })
    };
    let rows: Vec<serde_json::Value> = lines.iter().map(row).collect();
    let clause = "ON CONFLICT (vendor_id, vendor_ref) DO UPDATE SET our_ref = excluded.our_ref,
        vendor_sku = excluded.vendor_sku, purchase_id = excluded.purchase_id, quantity = excluded.quantity,
        cost_micros = excluded.cost_micros, cost_currency = excluded.cost_currency, at = excluded.at,
        verdict = excluded.verdict, settled_at = excluded.settled_at";
    let backend = transaction.get_database_backend();
    let sql = insertion(backend, 1, "statement_lines", COLUMNS, clause);
    let written = transaction.execute_raw(statement(backend, sql, [json(&rows)])).await?;
    expect_all(written.rows_affected(), rows.len(), "lines of a statement")
}

/// What a line added to what is owed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Correction {
    pub(super) transaction_id: TransactionId,
    pub(super) vendor_id: VendorId,
    pub(super) vendor_ref: String,
    pub(super) currency: Currency,
    pub(super) amount_micros: i64,
}

/// Writes what lines corrected; the transactions of the ledger are there.
pub(super) async fn insert_corrections(
    transaction: &Transaction,
    corrections: &[Correction],
) -> Result<(), DbErr> {
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("transaction_id", Text),
        ("vendor_id", Text),
        ("vendor_ref", Text),
        ("currency", Text),
        ("amount_micros", Integer),
    ];
    insert(transaction, vec![Rows::of("statement_corrections", COLUMNS, corrections)]).await
}

/// Has the worker ask about purchases at once; those that are with a worker in this moment are left to it.
pub(super) async fn ask_soon(
    transaction: &Transaction,
    now: Timestamp,
    purchases: &[PurchaseId],
) -> Result<u64, DbErr> {
    #[derive(Serialize)]
    struct Row {
        id: PurchaseId,
    }
    let rows: Vec<Row> = purchases.iter().map(|id| Row { id: *id }).collect();
    let backend = transaction.get_database_backend();
    let locking = if backend == DbBackend::Postgres { "FOR UPDATE OF p SKIP LOCKED" } else { "" };
    let sql = format!(
        "UPDATE purchases SET next_at = $2 WHERE id IN (
            SELECT p.id FROM purchases p WHERE p.id IN (SELECT r.id FROM {})
            AND p.state IN ('UNKNOWN', 'REVIEW', 'REFUSED', 'NOT_EXECUTED') AND p.worker_id IS NULL
            AND (p.next_at IS NULL OR p.next_at > $2) {locking})",
        rowset(backend, 1, "r", &[("id", Text)])
    );
    let update = statement(backend, sql, [json(&rows), now.micros().into()]);
    Ok(transaction.execute_raw(update).await?.rows_affected())
}

/// Locks an open purchase that waits to be asked about; tells whether it does, and nobody else has it in this moment.
pub(super) async fn lock_waiting(transaction: &Transaction, purchase: PurchaseId) -> Result<bool, DbErr> {
    let backend = transaction.get_database_backend();
    let locking = if backend == DbBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
    let sql = format!(
        "SELECT id FROM purchases WHERE id = $1 AND ended_at IS NULL AND worker_id IS NULL {locking}"
    );
    let select = statement(backend, sql, [purchase.to_string().into()]);
    Ok(transaction.query_one_raw(select).await?.is_some())
}

/// Has the worker ask about an open purchase at an instant that is earlier than it would; nothing changes of one that is with a
/// worker in this moment.
pub(super) async fn ask_at(
    transaction: &Transaction,
    at: Timestamp,
    purchase: PurchaseId,
) -> Result<u64, DbErr> {
    let backend = transaction.get_database_backend();
    let locking = if backend == DbBackend::Postgres { "FOR UPDATE OF p SKIP LOCKED" } else { "" };
    let sql = format!(
        "UPDATE purchases SET next_at = $2 WHERE id IN (
            SELECT p.id FROM purchases p WHERE p.id = $1 AND p.state IN ('UNKNOWN', 'REVIEW') AND p.worker_id IS NULL
            AND p.next_at > $2 {locking})"
    );
    let values = [purchase.to_string().into(), at.micros().into()];
    Ok(transaction.execute_raw(statement(backend, sql, values)).await?.rows_affected())
}

/// The lines of a vendor that differ from our purchases, the latest first.
pub(super) async fn list_differing(
    connection: &impl ConnectionTrait,
    vendor: VendorId,
    most: u64,
) -> Result<Vec<statement_lines::Model>, DbErr> {
    use statement_lines::{Column, Entity};
    Entity::find()
        .filter(Column::VendorId.eq(vendor))
        .filter(Column::Verdict.ne(StatementVerdict::Matched))
        .order_by_desc(Column::FirstSeenAt)
        .order_by_desc(Column::VendorRef)
        .limit(most)
        .all(connection)
        .await
}
