//! The worker that settles open units.
//!
//! What lives here: finding orders with something to do (stock has arrived, or the deadline has passed), leasing them, and
//! settling each in a transaction of its own.
//! What is always true: an order is leased by the database's clock and its epoch grows with each lease, so that a worker which
//! slept through its lease cannot write; claims do not wait for one another.
//! What is not here: vendors.

use std::sync::Arc;
use std::time::Duration;

use entity::ids::{OrderId, StockWriterId};
use entity::state::OrderFailureCode;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};

use super::settle::{self, Outcome};
use crate::ctx::Deps;
use crate::domain::feed;
use crate::domain::vouchers::{Demand, lock_free};
use crate::drain::Drain;
use crate::problem::Problem;
use crate::store::{self, Transaction, statement};

/// How often the worker looks for something to do.
const POLL: Duration = Duration::from_millis(200);
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

/// What became of a leased order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Some of its units have ended.
    Something,
    /// None: others took the codes or have locked them, or another worker has the order.
    Nothing,
}

/// Works until the process drains.
pub async fn run(deps: Arc<Deps>) {
    let drain = deps.feature::<Drain>().clone();
    let writer = StockWriterId::from_uuid(deps.ids.uuid(deps.clock.now()));
    while !drain.has_begun() {
        match work_once(&deps, writer).await {
            Ok(0) => {
                tokio::select! {
                    () = tokio::time::sleep(POLL) => {}
                    () = drain.begun() => {}
                }
            }
            Ok(_) => {}
            Err(problem) => {
                tracing::warn!(%problem, "open orders cannot be settled just now");
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

/// Leases what there is to do and settles it; tells how many orders were: none of those whose codes others have locked, and those
/// are worth another look only later.
///
/// # Errors
/// What the database says.
pub async fn work_once(deps: &Arc<Deps>, writer: StockWriterId) -> Result<usize, Problem> {
    let mut settled = 0;
    for lease in lease(deps).await? {
        match settle_leased(deps, writer, lease).await {
            Ok(Settled::Something) => settled += 1,
            Ok(Settled::Nothing) => {}
            // An order that cannot be settled keeps its lease, and so waits; the others do not wait with it.
            Err(problem) => tracing::error!(%problem, order = %lease.id, "an order cannot be settled"),
        }
    }
    if settled > 0 {
        feed::wake(deps);
    }
    Ok(settled)
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

/// Settles a leased order, unless the lease has passed to another worker.
///
/// # Errors
/// What the database says.
pub async fn settle_leased(
    deps: &Arc<Deps>,
    writer: StockWriterId,
    lease: Lease,
) -> Result<Settled, Problem> {
    let in_transaction = Arc::clone(deps);
    store::write::<_, Problem, _>(deps, move |transaction| {
        let deps = Arc::clone(&in_transaction);
        Box::pin(async move { Ok(settle_one(&deps, transaction, writer, lease).await?) })
    })
    .await
}

/// The condition under which an open order has something to do: parameters are now and how long a code must be good.
const DUE: &str = "o.completed_at IS NULL AND (o.deadline_at <= $1 OR EXISTS (
    SELECT 1 FROM vouchers v WHERE v.product_id = o.product_id AND v.face_minor = o.face_minor
    AND v.state = 'AVAILABLE' AND v.usable_until > $2))";

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

async fn settle_one(
    deps: &Deps,
    transaction: &Transaction,
    writer: StockWriterId,
    lease: Lease,
) -> Result<Settled, DbErr> {
    let now = deps.clock.now();
    let Some(locked) = settle::lock(transaction, lease.id).await? else {
        return Ok(Settled::Nothing);
    };
    if locked.order.lease_epoch != lease.lease_epoch || locked.open.is_empty() {
        return Ok(Settled::Nothing);
    }
    let demand = Demand {
        product_id: locked.order.product_id.clone(),
        face_minor: locked.order.face_minor,
        count: i32::try_from(locked.open.len()).unwrap_or(i32::MAX),
    };
    let is_over = locked.order.deadline_at.is_some_and(|deadline| deadline <= now);
    let good_until = now.plus_seconds(i64::from(deps.config.min_validity_secs));
    let codes = if is_over { Vec::new() } else { lock_free(transaction, &demand, good_until).await? };
    if codes.is_empty() && !is_over {
        give_back(transaction, lease).await?;
        return Ok(Settled::Nothing);
    }
    let refunds = if is_over { locked.open.len() } else { 0 };
    let failure = is_over.then_some(OrderFailureCode::DeadlinePassed);
    let reason = if is_over { "deadline" } else { "stock" };
    let outcome = Outcome { codes, refunds, failure, reason };
    settle::settle(deps, transaction, writer, now, locked, outcome).await.map(|_| Settled::Something)
}
