//! Statements in the database.
//!
//! What lives here: whose turn it is to read a vendor's statement, its lines, and what they corrected.
//! What is always true: leases and due times go by the database's clock; a turn that has passed to another process writes nothing;
//! a line and what it corrects are written together.
//! What is not here: what a line means (`statement_model.rs`).

use std::collections::HashMap;

use entity::currency::Currency;
use entity::ids::{PurchaseId, TransactionId, VendorId};
use entity::state::StatementVerdict;
use entity::timestamp::Timestamp;
use entity::{purchases, statement_lines};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Value,
};
use serde::Serialize;

use super::listing::StatementLine;
use crate::ctx::Deps;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{
    ColumnKind, Rows, Transaction, database_clock, expect_all, insert, insertion, json, rowset, statement,
};

/// How long a turn lasts after each part of a statement, in microseconds: longer than a vendor may take to answer.
const TURN_MICROS: i64 = 300_000_000;

/// The turn of one process at one vendor.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub(super) struct Turn {
    vendor_id: VendorId,
    lease_epoch: i64,
    /// How often it failed in a row before.
    pub(super) failures: i32,
    /// Up to when the statement was read.
    pub(super) read_until: Option<Timestamp>,
}

/// When a statement may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Once it is due.
    Due,
    /// As soon as no other process reads it.
    Free,
}

impl When {
    /// The condition on a row of `statement_turns` under an alias.
    fn condition(self, deps: &Deps, alias: &str) -> String {
        let clock = database_clock(deps);
        let interval = interval_micros(deps);
        // What lies farther ahead than any could was written while the clock was wrong.
        let free =
            format!("({alias}.lease_until <= {clock} OR {alias}.lease_until > {clock} + {TURN_MICROS})");
        match self {
            Self::Free => free,
            Self::Due => {
                format!("{free} AND ({alias}.due_at <= {clock} OR {alias}.due_at > {clock} + {interval})")
            }
        }
    }
}

fn interval_micros(deps: &Deps) -> i64 {
    i64::from(deps.config.reconcile_secs).saturating_mul(1_000_000)
}

/// The vendors whose statements are due, read without a lock; a new vendor's first when an interval has passed.
pub(super) async fn find_due(deps: &Deps) -> Result<Vec<VendorId>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: VendorId,
    }
    let reader = &deps.database.reader;
    let (clock, interval) = (database_clock(deps), interval_micros(deps));
    let sql = format!(
        "SELECT v.id FROM vendors v LEFT JOIN statement_turns t ON t.vendor_id = v.id
         WHERE (t.vendor_id IS NULL AND v.created_at + {interval} <= {clock})
            OR (t.vendor_id IS NOT NULL AND {}) ORDER BY v.id",
        When::Due.condition(deps, "t")
    );
    let found = Row::find_by_statement(statement(reader.get_database_backend(), sql, [])).all(reader).await?;
    Ok(found.into_iter().map(|row| row.id).collect())
}

/// Takes the turn; `None` if another process has it, or it is too early.
pub(super) async fn take_turn(
    deps: &Deps,
    transaction: &Transaction,
    vendor: VendorId,
    when: When,
) -> Result<Option<Turn>, DbErr> {
    let clock = database_clock(deps);
    let sql = format!(
        "INSERT INTO statement_turns (vendor_id, lease_until, lease_epoch, due_at, failures)
         VALUES ($1, {clock} + {TURN_MICROS}, 1, {clock}, 0)
         ON CONFLICT (vendor_id) DO UPDATE SET lease_until = excluded.lease_until,
            lease_epoch = statement_turns.lease_epoch + 1 WHERE {}
         RETURNING vendor_id, lease_epoch, failures, read_until",
        when.condition(deps, "statement_turns")
    );
    let take = statement(transaction.get_database_backend(), sql, [vendor.to_string().into()]);
    Turn::find_by_statement(take).one(transaction).await
}

/// Keeps a turn; tells whether it was still this process's.
pub(super) async fn hold_turn(deps: &Deps, transaction: &Transaction, turn: Turn) -> Result<bool, DbErr> {
    let clock = database_clock(deps);
    let sql = format!(
        "UPDATE statement_turns SET lease_until = {clock} + {TURN_MICROS} WHERE vendor_id = $1 AND lease_epoch = $2"
    );
    let values = [turn.vendor_id.to_string().into(), turn.lease_epoch.into()];
    let hold = statement(transaction.get_database_backend(), sql, values);
    Ok(transaction.execute_raw(hold).await?.rows_affected() == 1)
}

/// How a turn has ended.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    /// The statement was read up to an instant.
    Read(Timestamp),
    /// It was not, and why; it is tried again after so many seconds.
    Failed(String, i64),
}

/// Ends a turn, if it was still this process's.
pub(super) async fn end_turn(
    deps: &Deps,
    transaction: &Transaction,
    turn: Turn,
    ended: &Ended,
) -> Result<(), DbErr> {
    let clock = database_clock(deps);
    let (wait_micros, read_until, failure, failures) = match ended {
        Ended::Read(until) => (interval_micros(deps), Some(until.micros()), None, 0),
        Ended::Failed(why, secs) => {
            (secs.saturating_mul(1_000_000), None, Some(why.clone()), turn.failures.saturating_add(1))
        }
    };
    let sql = format!(
        "UPDATE statement_turns SET lease_until = 0, due_at = {clock} + $3, read_until = coalesce($4, read_until),
            failure = $5, failures = $6 WHERE vendor_id = $1 AND lease_epoch = $2"
    );
    let values: [Value; 6] = [
        turn.vendor_id.to_string().into(),
        turn.lease_epoch.into(),
        wait_micros.into(),
        read_until.into(),
        failure.into(),
        failures.into(),
    ];
    let end = statement(transaction.get_database_backend(), sql, values);
    transaction.execute_raw(end).await.map(drop)
}

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
        corrections,
    })
}

/// The lines that were read before whose purchases are open here.
pub(super) async fn find_unsettled(
    transaction: &Transaction,
    vendor: VendorId,
) -> Result<Vec<statement_lines::Model>, DbErr> {
    statement_lines::Entity::find()
        .filter(statement_lines::Column::VendorId.eq(vendor))
        .filter(statement_lines::Column::SettledAt.is_null())
        .all(transaction)
        .await
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
            AND NOT EXISTS (SELECT 1 FROM statement_lines l WHERE l.purchase_id = p.id) ORDER BY p.id";
    let values = [vendor.to_string().into(), from.micros().into(), to.micros().into()];
    let select = statement(transaction.get_database_backend(), sql, values);
    purchases::Entity::find().from_raw_sql(select).all(transaction).await
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
            AND p.state IN ('UNKNOWN', 'REVIEW', 'NOT_EXECUTED') AND p.worker_id IS NULL
            AND (p.next_at IS NULL OR p.next_at > $2) {locking})",
        rowset(backend, 1, "r", &[("id", Text)])
    );
    let update = statement(backend, sql, [json(&rows), now.micros().into()]);
    Ok(transaction.execute_raw(update).await?.rows_affected())
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
