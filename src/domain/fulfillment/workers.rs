//! Workers: their signs of life, and the purchases that they hold.
//!
//! What lives here: a worker's lease, whether a purchase is still held by the worker that is about to send it, and letting go of
//! what a worker holds by the rows and has not under way.
//! What is always true: a lease goes by the database's clock; whoever has let one run out may have lost what it held, and asks.
//! What is not here: taking purchases over (`pace.rs`), and the worker (orders).

use std::sync::Arc;

use entity::ids::{PurchaseId, WorkerId};
use entity::purchases;
use sea_orm::{ConnectionTrait, DbErr, Value};
use serde::Serialize;

use crate::ctx::Deps;
use crate::problem::Problem;
use crate::store::ColumnKind::Text;
use crate::store::{database_clock, json, rowset, statement, write};

/// How long a worker is taken to live after it was last heard of, in microseconds.
const LEASE_MICROS: i64 = 10_000_000;
/// How far ahead that may lie, in microseconds: longer, so that no worker is taken for dead by a clock that was put back a little.
pub(super) const FARTHEST_LEASE_MICROS: i64 = 60_000_000;

/// A worker's sign of life, told to the database.
///
/// # Errors
/// What the database says.
pub async fn beat(deps: &Arc<Deps>, worker: WorkerId) -> Result<(), Problem> {
    let task = Arc::clone(deps);
    write::<_, Problem, _>(deps, move |transaction| {
        let deps = Arc::clone(&task);
        Box::pin(async move {
            let clock = database_clock(&deps);
            let sql = format!(
                "INSERT INTO workers (id, lease_until, started_at) VALUES ($1, {clock} + {LEASE_MICROS}, {clock})
                 ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until"
            );
            let beat = statement(transaction.get_database_backend(), sql, [worker.to_string().into()]);
            transaction.execute_raw(beat).await?;
            Ok(())
        })
    })
    .await
}

/// Tells the database that a worker has ended: what it had is taken over at once. Those that ended long ago and have no purchase
/// left are forgotten.
///
/// # Errors
/// What the database says.
pub async fn leave(deps: &Arc<Deps>, worker: WorkerId) -> Result<(), Problem> {
    let task = Arc::clone(deps);
    write::<_, Problem, _>(deps, move |transaction| {
        let deps = Arc::clone(&task);
        Box::pin(async move {
            let (clock, backend) = (database_clock(&deps), transaction.get_database_backend());
            let end = format!("UPDATE workers SET lease_until = {clock} WHERE id = $1 AND lease_until > {clock}");
            transaction.execute_raw(statement(backend, end, [worker.to_string().into()])).await?;
            let forget = format!(
                "DELETE FROM workers WHERE lease_until < {clock} - 86400000000
                 AND NOT EXISTS (SELECT 1 FROM purchases p WHERE p.worker_id = workers.id AND p.ended_at IS NULL)"
            );
            transaction.execute_raw(statement(backend, forget, [])).await?;
            Ok(())
        })
    })
    .await
}

/// Whether a purchase that is about to be sent is still its worker's, in this epoch.
///
/// # Errors
/// What the database says.
pub async fn is_held(deps: &Deps, purchase: &purchases::Model) -> Result<bool, Problem> {
    let reader = &deps.database.reader;
    let sql = "SELECT 1 AS one FROM purchases WHERE id = $1 AND epoch = $2 AND worker_id = $3 AND state = 'SENDING'";
    let worker = purchase.worker_id.map(|worker| worker.to_string());
    let values: [Value; 3] = [purchase.id.to_string().into(), purchase.epoch.into(), worker.into()];
    let select = statement(reader.get_database_backend(), sql, values);
    Ok(reader.query_one_raw(select).await?.is_some())
}

/// The purchases that a worker holds by their rows: a read without a lock.
///
/// # Errors
/// What the database says.
pub async fn find_held(deps: &Deps, worker: WorkerId) -> Result<Vec<PurchaseId>, Problem> {
    let reader = &deps.database.reader;
    let sql = "SELECT id FROM purchases WHERE worker_id = $1 AND ended_at IS NULL AND next_at IS NULL";
    let select = statement(reader.get_database_backend(), sql, [worker.to_string().into()]);
    let rows = reader.query_all_raw(select).await?;
    Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, DbErr>>()?)
}

/// Lets go of purchases that a worker still holds by their rows: whichever worker comes first asks about them now.
///
/// # Errors
/// What the database says.
pub async fn let_go(deps: &Arc<Deps>, worker: WorkerId, purchases: Vec<PurchaseId>) -> Result<(), Problem> {
    #[derive(Serialize)]
    struct Row {
        id: PurchaseId,
    }
    let rows = json(&purchases.into_iter().map(|id| Row { id }).collect::<Vec<_>>());
    let now = deps.clock.now();
    write::<_, Problem, _>(deps, move |transaction| {
        let rows = rows.clone();
        Box::pin(async move {
            let backend = transaction.get_database_backend();
            let sql = format!(
                "UPDATE purchases SET worker_id = NULL, next_at = $2
                 WHERE id IN (SELECT r.id FROM {}) AND worker_id = $3 AND ended_at IS NULL AND next_at IS NULL",
                rowset(backend, 1, "r", &[("id", Text)])
            );
            let values = [rows, now.micros().into(), worker.to_string().into()];
            transaction.execute_raw(statement(backend, sql, values)).await?;
            Ok(())
        })
    })
    .await
}
