//! Finding open orders with something to do, and leasing them.
//!
//! What lives here: which orders are due (stock has arrived, a unit looks for a vendor, the deadline has passed), leasing them,
//! and working on each in a transaction of its own.
//! What is always true: an order is leased by the database's clock and its epoch grows with each lease, so that a worker which
//! slept through its lease cannot write; claims do not wait for one another.
//! What is not here: what is done for an order (`work.rs`), and the worker that does it (`worker.rs`).

use std::sync::Arc;

use entity::ids::{OrderId, StockWriterId, WorkerId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};

use super::parts_store;
use super::settle;
use super::work::{Done, Hand};
use crate::crash::{self, Place};
use crate::ctx::Deps;
use crate::problem::Problem;
use crate::store::{self, Transaction, statement};

/// How many orders are leased at once.
const MOST_LEASES: i64 = 32;
/// How long a lease lasts, in microseconds.
const LEASE_MICROS: i64 = 10_000_000;

/// An order that a worker has leased.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct Lease {
    id: OrderId,
    lease_epoch: i64,
}

impl Lease {
    /// The order.
    pub const fn order(&self) -> OrderId {
        self.id
    }
}

/// Leases orders that have something to do.
///
/// # Errors
/// What the database says.
pub async fn lease(deps: &Arc<Deps>) -> Result<Vec<Lease>, Problem> {
    if !has_work(deps).await? {
        return Ok(Vec::new());
    }
    let in_transaction = Arc::clone(deps);
    store::write::<_, Problem, _>(deps, move |transaction| {
        let deps = Arc::clone(&in_transaction);
        Box::pin(async move { Ok(claim(&deps, transaction).await?) })
    })
    .await
}

/// Works on a leased order, unless the lease has passed to another worker.
///
/// # Errors
/// What the database says.
pub async fn work_on_leased(
    deps: &Arc<Deps>,
    writer: StockWriterId,
    worker: WorkerId,
    lease: Lease,
) -> Result<Done, Problem> {
    let in_transaction = Arc::clone(deps);
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

async fn work_on(hand: Hand<'_>, lease: Lease) -> Result<Done, DbErr> {
    let Some(locked) = settle::lock(hand.transaction, lease.id).await? else { return Ok(Done::default()) };
    if locked.order.lease_epoch != lease.lease_epoch || locked.pending().next().is_none() {
        return Ok(Done::default());
    }
    let done = hand.work_on(locked).await?;
    if !done.something {
        give_back(hand.transaction, lease).await?;
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

/// A read without a lock, so that an idle worker never takes the writer.
async fn has_work(deps: &Deps) -> Result<bool, Problem> {
    let sql = format!("SELECT 1 AS one FROM orders o WHERE {DUE} LIMIT 1");
    let select = statement(deps.database.backend(), sql, due_values(deps));
    Ok(deps.database.reader.query_one_raw(select).await?.is_some())
}

fn due_values(deps: &Deps) -> [sea_orm::Value; 2] {
    let now = deps.clock.now();
    let good_until = now.plus_seconds(i64::from(deps.config.min_validity_secs));
    [now.micros().into(), good_until.micros().into()]
}

async fn claim(deps: &Deps, transaction: &Transaction) -> Result<Vec<Lease>, DbErr> {
    let backend = transaction.get_database_backend();
    let locking = if backend == DbBackend::Postgres { "FOR NO KEY UPDATE OF o SKIP LOCKED" } else { "" };
    let clock = store::database_clock(deps);
    let sql = format!(
        "UPDATE orders SET lease_until = {clock} + {LEASE_MICROS}, lease_epoch = lease_epoch + 1
         WHERE id IN (SELECT o.id FROM orders o WHERE {DUE} AND (o.lease_until IS NULL OR o.lease_until < {clock})
         ORDER BY o.deadline_at, o.id LIMIT {MOST_LEASES} {locking}) RETURNING id, lease_epoch"
    );
    Lease::find_by_statement(statement(backend, sql, due_values(deps))).all(transaction).await
}

/// Ends a lease without having done anything: others took what there was.
async fn give_back(transaction: &Transaction, lease: Lease) -> Result<(), DbErr> {
    let sql = "UPDATE orders SET lease_until = NULL WHERE id = $1 AND lease_epoch = $2";
    let values = [lease.id.to_string().into(), lease.lease_epoch.into()];
    transaction.execute_raw(statement(transaction.get_database_backend(), sql, values)).await.map(drop)
}
