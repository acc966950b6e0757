//! Codes going to orders.
//!
//! What lives here: the statements that lock codes in stock, hand them over, and tell the moves of stock.
//! What is always true: the code that expires first goes first, those that never expire last; a code that another transaction
//! has locked is passed over, and waited for before a shortage is believed.
//! What is not here: loading codes, and opening them.

use entity::ids::{OrderId, PartnerId, StockWriterId, VoucherId};
use entity::state::StockMoveKind;
use entity::timestamp::Timestamp;
use entity::vouchers;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, Value};
use serde::Serialize;

use crate::store::ColumnKind::{Integer, Text};
use crate::store::{
    ColumnKind, Rows, Transaction, engine_clock, expect_all, insert, json, rowset, statement,
};

/// Which codes, and how many, are wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Demand {
    /// Of which product.
    pub product_id: String,
    /// Of which face value, in minor units.
    pub face_minor: i64,
    /// How many.
    pub count: i32,
}

/// Locks codes in stock that are good until after `good_until`, at most as many as are wanted, and passes over those that
/// another transaction has locked.
///
/// # Errors
/// What the database says.
pub async fn lock_free(
    transaction: &Transaction,
    demand: &Demand,
    good_until: Timestamp,
) -> Result<Vec<vouchers::Model>, DbErr> {
    lock(transaction, demand, good_until, "FOR UPDATE SKIP LOCKED").await
}

/// The same, but waits for what another transaction has locked. Whoever waits holds no code of this product or of a later one:
/// two that wait in the order of products and codes never wait for each other.
///
/// # Errors
/// What the database says.
pub async fn lock_waiting(
    transaction: &Transaction,
    demand: &Demand,
    good_until: Timestamp,
) -> Result<Vec<vouchers::Model>, DbErr> {
    lock(transaction, demand, good_until, "FOR UPDATE").await
}

async fn lock(
    transaction: &Transaction,
    demand: &Demand,
    good_until: Timestamp,
    locking: &str,
) -> Result<Vec<vouchers::Model>, DbErr> {
    let backend = transaction.get_database_backend();
    let locking = if backend == DbBackend::Postgres { locking } else { "" };
    let sql = format!("SELECT * {IN_STOCK} ORDER BY usable_until, id LIMIT $4 {locking}");
    let select = statement(backend, sql, in_stock(demand, good_until));
    vouchers::Entity::find().from_raw_sql(select).all(transaction).await
}

/// How many codes are in stock, at most as many as are wanted, those included that other transactions have locked and may yet
/// give back.
///
/// # Errors
/// What the database says.
pub async fn count_with_locked(
    transaction: &Transaction,
    demand: &Demand,
    good_until: Timestamp,
) -> Result<usize, DbErr> {
    let sql = format!("SELECT count(*) AS n FROM (SELECT 1 AS one {IN_STOCK} LIMIT $4) AS found");
    let count = statement(transaction.get_database_backend(), sql, in_stock(demand, good_until));
    let row = transaction.query_one_raw(count).await?;
    let n: i64 = row.ok_or_else(|| DbErr::RecordNotFound("a count".to_owned()))?.try_get("", "n")?;
    Ok(usize::try_from(n).unwrap_or(0))
}

const IN_STOCK: &str =
    "FROM vouchers WHERE product_id = $1 AND face_minor = $2 AND state = 'AVAILABLE' AND usable_until > $3";

fn in_stock(demand: &Demand, good_until: Timestamp) -> [Value; 4] {
    [
        demand.product_id.as_str().into(),
        demand.face_minor.into(),
        good_until.micros().into(),
        i64::from(demand.count).into(),
    ]
}

/// A code that goes to a unit.
#[derive(Debug, Clone, Serialize)]
pub struct Handover {
    /// The code.
    pub id: VoucherId,
    /// The order.
    pub order_id: OrderId,
    /// The unit's index.
    pub unit_index: i32,
    /// The partner.
    pub partner_id: PartnerId,
}

/// Hands locked codes over to units.
///
/// # Errors
/// What the database says; a code that is not in stock any more.
pub async fn deliver(transaction: &Transaction, now: Timestamp, handovers: &[Handover]) -> Result<(), DbErr> {
    if handovers.is_empty() {
        return Ok(());
    }
    let backend = transaction.get_database_backend();
    let columns = [("id", Text), ("order_id", Text), ("unit_index", Integer), ("partner_id", Text)];
    let sql = format!(
        "UPDATE vouchers SET state = 'DELIVERED', order_id = r.order_id, unit_index = r.unit_index,
         partner_id = r.partner_id, delivered_at = $2 FROM {} WHERE vouchers.id = r.id AND vouchers.state = 'AVAILABLE'",
        rowset(backend, 1, "r", &columns)
    );
    let update = statement(backend, sql, [json(handovers), now.micros().into()]);
    let changed = transaction.execute_raw(update).await?.rows_affected();
    expect_all(changed, handovers.len(), "codes")
}

/// Hands a locked code over in the place of one that was delivered.
///
/// # Errors
/// What the database says; a code that is not in stock any more.
pub async fn deliver_instead(
    transaction: &Transaction,
    now: Timestamp,
    replaced: VoucherId,
    replacement: VoucherId,
) -> Result<(), DbErr> {
    let sql = "UPDATE vouchers SET state = 'DELIVERED', order_id = r.order_id, unit_index = r.unit_index,
         partner_id = r.partner_id, replaces = r.id, delivered_at = $3
         FROM vouchers AS r WHERE r.id = $1 AND vouchers.id = $2 AND vouchers.state = 'AVAILABLE'";
    let values = [replaced.to_string().into(), replacement.to_string().into(), now.micros().into()];
    let update = statement(transaction.get_database_backend(), sql, values);
    expect_all(transaction.execute_raw(update).await?.rows_affected(), 1, "codes")
}

/// A change of the number of available codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockMove {
    /// Of which product.
    pub product_id: String,
    /// Of which face value, in minor units.
    pub face_minor: i64,
    /// Why.
    pub kind: StockMoveKind,
    /// By how many; negative where codes left.
    pub delta: i32,
}

/// Tells moves of stock, so that every node's counters follow: appends to the writer's moves, which number from 1 without gaps.
///
/// # Errors
/// What the database says.
pub async fn record_moves(
    transaction: &Transaction,
    now: Timestamp,
    writer: StockWriterId,
    moves: &[StockMove],
) -> Result<(), DbErr> {
    #[derive(Serialize)]
    struct Row<'a> {
        writer: StockWriterId,
        n: i64,
        product_id: &'a str,
        face_minor: i64,
        kind: StockMoveKind,
        delta: i32,
        at: i64,
    }
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("writer", Text),
        ("n", Integer),
        ("product_id", Text),
        ("face_minor", Integer),
        ("kind", Text),
        ("delta", Integer),
        ("at", Integer),
    ];
    if moves.is_empty() {
        return Ok(());
    }
    let count =
        i64::try_from(moves.len()).map_err(|_| DbErr::Custom("too many moves of stock".to_owned()))?;
    let first = advance_writer(transaction, writer, count).await?;
    let rows: Vec<Row<'_>> = moves
        .iter()
        .zip(first..)
        .map(|(one, n)| Row {
            writer,
            n,
            product_id: &one.product_id,
            face_minor: one.face_minor,
            kind: one.kind,
            delta: one.delta,
            at: now.micros(),
        })
        .collect();
    insert(transaction, vec![Rows::of("stock_moves", COLUMNS, &rows)]).await
}

/// How much a writer's `moved_at` may lie behind its last move, in microseconds. As long as it stays, the update touches no index.
const MOVED_AT_LAG: i64 = 60_000_000;

/// Moves a writer's head on and tells its first new number.
async fn advance_writer(transaction: &Transaction, writer: StockWriterId, count: i64) -> Result<i64, DbErr> {
    let backend = transaction.get_database_backend();
    let sql = format!(
        "INSERT INTO stock_writers (writer, n, moved_at) VALUES ($1, $2, {})
         ON CONFLICT (writer) DO UPDATE SET n = stock_writers.n + excluded.n, moved_at = CASE
            WHEN excluded.moved_at - stock_writers.moved_at > {MOVED_AT_LAG} THEN excluded.moved_at
            ELSE stock_writers.moved_at END
         RETURNING n",
        engine_clock(backend)
    );
    let advance = statement(backend, sql, [writer.to_string().into(), count.into()]);
    let row = transaction.query_one_raw(advance).await?;
    let last: i64 =
        row.ok_or_else(|| DbErr::RecordNotFound("the stock writer's head".to_owned()))?.try_get("", "n")?;
    Ok(last - count + 1)
}
