//! Finding open orders with something to do, and leasing them.
//!
//! What lives here: which orders are due (stock has arrived, a unit looks for a vendor, the deadline has passed), leasing them,
//! and working on each in a transaction of its own.
//! What is always true: an order is leased by the database's clock and its epoch grows with each lease, so that a worker which
//! slept through its lease cannot write; claims do not wait for one another.
//! What is not here: what is done for an order (`work.rs`), and the worker that does it (`worker.rs`).

use std::collections::HashMap;
use std::sync::Arc;

use entity::ids::{OrderId, PartnerId, StockWriterId, WorkerId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};
use serde::Serialize;

use super::parts_store;
use super::settle;
use super::turns::Waiting;
use super::work::{Done, Hand};
use crate::crash::{self, Place};
use crate::ctx::Deps;
use crate::problem::Problem;
use crate::store::ColumnKind::Text;
use crate::store::{self, Transaction, json, rowset, statement};

/// How many orders are leased at once.
const MOST_LEASES: usize = 32;
/// How many orders of one partner are looked at for that.
const MOST_OF_ONE: i64 = 32;
/// How long a lease lasts, in microseconds.
const LEASE_MICROS: i64 = 10_000_000;
/// How far ahead a lease may lie, in microseconds: longer than it lasts, so that none lapses by a clock that was put back a little.
const FARTHEST_MICROS: i64 = 60_000_000;

/// An order that a worker has leased.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The order.
    pub waiting: Waiting,
    epoch: i64,
}

/// The orders that have something to do, that nobody has leased and that do not rest, by their deadlines: a read without a lock,
/// so that an idle worker never takes the writer.
///
/// # Errors
/// What the database says.
pub async fn find_waiting(deps: &Deps, resting: &[OrderId]) -> Result<Vec<Waiting>, Problem> {
    #[derive(FromQueryResult)]
    struct Row {
        id: OrderId,
        partner_id: PartnerId,
        product_id: String,
        place: i64,
    }
    let sql = format!(
        "SELECT d.id, d.partner_id, d.product_id, d.place FROM (
            SELECT o.id, o.partner_id, o.product_id, o.deadline_at,
                row_number() OVER (PARTITION BY o.partner_id ORDER BY o.deadline_at, o.id) AS place
            FROM orders o WHERE {DUE} AND {} AND o.id NOT IN (SELECT r.id FROM {})) d
         WHERE d.place <= {MOST_OF_ONE} ORDER BY d.deadline_at, d.id",
        free(deps),
        rowset(deps.database.backend(), 3, "r", &[("id", Text)])
    );
    let [now, good_until] = due_values(deps);
    let select = statement(deps.database.backend(), sql, [now, good_until, ids(resting)]);
    let rows = Row::find_by_statement(select).all(&deps.database.reader).await?;
    let waiting =
        |row: Row| Waiting { id: row.id, partner: row.partner_id, product: row.product_id, place: row.place };
    Ok(rows.into_iter().map(waiting).collect())
}

/// Leases the first of these orders that are still free, and keeps their order.
///
/// # Errors
/// What the database says.
pub async fn lease(deps: &Arc<Deps>, mut waiting: Vec<Waiting>) -> Result<Vec<Lease>, Problem> {
    waiting.truncate(MOST_LEASES);
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<OrderId> = waiting.iter().map(|one| one.id).collect();
    let in_transaction = Arc::clone(deps);
    let mut epochs = store::write::<_, Problem, _>(deps, move |transaction| {
        let (deps, ids) = (Arc::clone(&in_transaction), ids.clone());
        Box::pin(async move { Ok(claim(&deps, transaction, &ids).await?) })
    })
    .await?;
    let leased = waiting.into_iter().filter_map(|waiting| {
        let epoch = epochs.remove(&waiting.id)?;
        Some(Lease { waiting, epoch })
    });
    Ok(leased.collect())
}

/// Works on a leased order, unless the lease has passed to another worker.
///
/// # Errors
/// What the database says.
pub async fn work_on_leased(
    deps: &Arc<Deps>,
    writer: StockWriterId,
    worker: WorkerId,
    lease: &Lease,
) -> Result<Done, Problem> {
    let in_transaction = Arc::clone(deps);
    let lease = (lease.waiting.id, lease.epoch);
    store::write::<_, Problem, _>(deps, move |transaction| {
        let deps = Arc::clone(&in_transaction);
        Box::pin(async move {
            let hand = Hand { deps: &deps, transaction, writer, worker, now: deps.clock.now() };
            let done = work_on(hand, lease).await?;
            crash::pass(Place::WorkWritten);
            Ok(done)
        })
    })
    .await
}

async fn work_on(hand: Hand<'_>, (id, epoch): (OrderId, i64)) -> Result<Done, DbErr> {
    let Some(locked) = settle::lock(hand.transaction, id).await? else { return Ok(Done::default()) };
    if locked.order.lease_epoch != epoch || locked.pending().next().is_none() {
        return Ok(Done::default());
    }
    let done = hand.work_on(locked).await?;
    if !done.something {
        give_back(hand.transaction, id, epoch).await?;
    }
    Ok(done)
}

/// Has units that wait for stock alone look for a vendor: vendors or their offers have changed.
///
/// # Errors
/// What the database says.
pub async fn awaken(deps: &Arc<Deps>) -> Result<(), Problem> {
    let now = deps.clock.now();
    store::write::<_, Problem, _>(deps, move |transaction| {
        Box::pin(async move {
            parts_store::awaken(transaction, now).await?;
            Ok(())
        })
    })
    .await
}

/// The condition under which an open order has something to do: parameters are now and how long a code must be good.
const DUE: &str = "o.completed_at IS NULL AND EXISTS (
        SELECT 1 FROM order_units u WHERE u.order_id = o.id AND u.status = 'PENDING'
        AND (o.deadline_at <= $1 OR u.next_at <= $1 OR (u.sourced_at IS NULL AND EXISTS (
            SELECT 1 FROM vouchers v WHERE v.product_id = o.product_id AND v.face_minor = o.face_minor
            AND v.state = 'AVAILABLE' AND v.usable_until > $2))))";

/// The condition under which nobody has leased an order.
fn free(deps: &Deps) -> String {
    let lapsed = store::lapsed("o.lease_until", &store::database_clock(deps), FARTHEST_MICROS);
    format!("(o.lease_until IS NULL OR {lapsed})")
}

fn due_values(deps: &Deps) -> [sea_orm::Value; 2] {
    let now = deps.clock.now();
    let good_until = now.plus_seconds(i64::from(deps.config.min_validity_secs));
    [now.micros().into(), good_until.micros().into()]
}

/// Orders, as a parameter.
fn ids(orders: &[OrderId]) -> sea_orm::Value {
    #[derive(Serialize)]
    struct Row {
        id: OrderId,
    }
    json(&orders.iter().map(|id| Row { id: *id }).collect::<Vec<_>>())
}

async fn claim(
    deps: &Deps,
    transaction: &Transaction,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, i64>, DbErr> {
    #[derive(FromQueryResult)]
    struct Leased {
        id: OrderId,
        lease_epoch: i64,
    }
    let backend = transaction.get_database_backend();
    let locking = if backend == DbBackend::Postgres { "FOR NO KEY UPDATE OF o SKIP LOCKED" } else { "" };
    let clock = store::database_clock(deps);
    let sql = format!(
        "UPDATE orders SET lease_until = {clock} + {LEASE_MICROS}, lease_epoch = lease_epoch + 1
         WHERE id IN (SELECT o.id FROM {} JOIN orders o ON o.id = r.id WHERE o.completed_at IS NULL AND {} {locking})
         RETURNING id, lease_epoch",
        rowset(backend, 1, "r", &[("id", Text)]),
        free(deps)
    );
    let leased = Leased::find_by_statement(statement(backend, sql, [ids(orders)])).all(transaction).await?;
    Ok(leased.into_iter().map(|one| (one.id, one.lease_epoch)).collect())
}

/// Ends a lease without having done anything: others took what there was.
async fn give_back(transaction: &Transaction, id: OrderId, epoch: i64) -> Result<(), DbErr> {
    let sql = "UPDATE orders SET lease_until = NULL WHERE id = $1 AND lease_epoch = $2";
    let values = [id.to_string().into(), epoch.into()];
    transaction.execute_raw(statement(transaction.get_database_backend(), sql, values)).await.map(drop)
}
