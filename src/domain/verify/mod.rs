//! The proof of the books.
//!
//! What lives here: the invariants of the ledger, the orders, the stock and the feed, each as one named check, with one statement
//! for each way in which it can be broken, that tells the rows that do.
//! What is always true: a check reads and never writes; all checks see the same moment, beside a running server; what they tell
//! is ids and reasons, never a secret; a test breaks the data in each of those ways and sees that this check alone reports.
//! What is not here: mending. What a check finds is for people to judge.

mod feed;
mod fulfillment;
mod guards;
mod ledger;
mod money;
mod orders;
mod retention;
mod stock;

use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};
use serde::Serialize;

use crate::ctx::Deps;
use crate::problem::Problem;
use crate::store::{begin_snapshot, statement};

/// How many offenders a finding names at most.
const MOST_OFFENDERS: usize = 20;

/// A statement of two columns, `offender` and `reason`, that tells the rows that break an invariant. `{now}` stands for the present.
#[derive(Debug, Clone, Copy)]
enum Sql {
    /// The same on both engines.
    Same(&'static str),
    /// One for each engine, where catalogs and JSON differ.
    Each {
        /// For SQLite.
        sqlite: &'static str,
        /// For PostgreSQL.
        postgres: &'static str,
    },
}

/// An invariant.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its name, such as `transactions_balance`.
    pub name: &'static str,
    /// Its number in the list of invariants; `None` for those that came later.
    pub invariant: Option<&'static str>,
    /// What is true while it holds.
    pub says: &'static str,
    /// The ways in which it can be broken.
    pub breaches: &'static [Breach],
}

/// A way in which an invariant can be broken.
#[derive(Debug, Clone, Copy)]
pub struct Breach {
    /// Its name within the check, such as `unbalanced`.
    pub name: &'static str,
    sql: Sql,
}

/// A row that breaks an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromQueryResult)]
pub struct Offender {
    /// Its id.
    pub offender: String,
    /// What is wrong with it.
    pub reason: String,
}

/// An invariant that is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's name.
    pub check: &'static str,
    /// What should be true.
    pub says: &'static str,
    /// What breaks it, at most twenty.
    pub offenders: Vec<Offender>,
    /// Whether there are more than those.
    pub more: bool,
}

/// Every check, in the order in which they run.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    let all: [&'static [Check]; 8] = [
        ledger::CHECKS,
        money::CHECKS,
        orders::CHECKS,
        fulfillment::CHECKS,
        stock::CHECKS,
        retention::CHECKS,
        feed::CHECKS,
        guards::CHECKS,
    ];
    all.into_iter().flatten()
}

/// Runs every check and tells what is broken; nothing if all is well.
///
/// # Errors
/// SERVICE_UNAVAILABLE when the database is away.
pub async fn verify(deps: &Deps) -> Result<Vec<Finding>, Problem> {
    verify_telling(deps, &mut |_, _| ()).await
}

/// Runs every check, telling after each how it ended.
///
/// # Errors
/// SERVICE_UNAVAILABLE when the database is away.
pub async fn verify_telling(
    deps: &Deps,
    told: &mut (dyn FnMut(&'static Check, Option<&Finding>) + Send),
) -> Result<Vec<Finding>, Problem> {
    // One moment for all: a server that goes on selling must not look like a broken one.
    let transaction = begin_snapshot(&deps.database).await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        // Checks read whole tables; the limits of requests are not theirs.
        transaction.execute_unprepared("SET LOCAL statement_timeout = '15min'").await?;
        transaction.execute_unprepared("SET LOCAL idle_in_transaction_session_timeout = '5min'").await?;
    }
    let mut findings = Vec::new();
    for check in checks() {
        let finding = run(&transaction, check, deps.clock.now()).await?;
        told(check, finding.as_ref());
        findings.extend(finding);
    }
    transaction.rollback().await?;
    Ok(findings)
}

async fn run(
    connection: &impl ConnectionTrait,
    check: &'static Check,
    now: Timestamp,
) -> Result<Option<Finding>, DbErr> {
    let backend = connection.get_database_backend();
    let mut offenders = Vec::new();
    for breach in check.breaches {
        let sql = match (breach.sql, backend) {
            (Sql::Same(sql), _) | (Sql::Each { postgres: sql, .. }, DbBackend::Postgres) => sql,
            (Sql::Each { sqlite: sql, .. }, _) => sql,
        };
        let sql = sql.replace("{now}", &now.micros().to_string());
        let bounded = format!("SELECT offender, reason FROM ({sql}) AS found LIMIT {}", MOST_OFFENDERS + 1);
        offenders.extend(Offender::find_by_statement(statement(backend, bounded, [])).all(connection).await?);
    }
    if offenders.is_empty() {
        return Ok(None);
    }
    let more = offenders.len() > MOST_OFFENDERS;
    offenders.truncate(MOST_OFFENDERS);
    Ok(Some(Finding { check: check.name, says: check.says, offenders, more }))
}
