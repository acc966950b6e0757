//! Whose turn it is to poll, and what is wrong with which rate: the statements.
//!
//! What lives here: the one row of polls with its lease, and the rows of troubles.
//! What is always true: leases and due times go by the database's clock; one that lies farther ahead than any could was written
//! while that clock was wrong, and is ignored; a turn that has passed to another process changes nothing.
//! What is not here: rates themselves (`store.rs`).

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::rate_troubles;
use entity::state::RateTroubleKind;
use entity::timestamp::Timestamp;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter};
use serde::Serialize;

use super::poll_model::LONGEST_WAIT_SECS;
use crate::ctx::Deps;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{Transaction, database_clock, insertion, json, lapsed, rowset, statement};

/// How long a turn lasts, in microseconds: longer than a provider may take to answer.
const TURN_MICROS: i64 = 60_000_000;

/// The turn of one process.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub(super) struct Turn {
    pub(super) lease_epoch: i64,
    /// How many polls have failed in a row before.
    pub(super) failures: i32,
}

/// When a poll may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Once it is due.
    Due,
    /// As soon as no other process is about it.
    Free,
}

impl When {
    fn condition(self, deps: &Deps) -> String {
        let clock = database_clock(deps);
        let free = lapsed("lease_until", &clock, TURN_MICROS);
        // No wait is longer than this, a tenth of chance included.
        let longest = i64::from(deps.config.rate_poll_secs.max(LONGEST_WAIT_SECS)) * 1_100_000;
        match self {
            Self::Free => free,
            Self::Due => format!("{free} AND {}", lapsed("due_at", &clock, longest)),
        }
    }
}

/// The database's present, and whether a poll is due.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub(super) struct Look {
    pub(super) present: Timestamp,
    due: i32,
}

impl Look {
    pub(super) const fn is_due(self) -> bool {
        self.due == 1
    }
}

/// Looks without a lock, so that an idle process never takes the writer.
pub(super) async fn look(deps: &Deps) -> Result<Look, DbErr> {
    let reader = &deps.database.reader;
    let (clock, due) = (database_clock(deps), When::Due.condition(deps));
    let sql = format!(
        "SELECT {clock} AS present, CASE WHEN {due} THEN 1 ELSE 0 END AS due FROM rate_polls WHERE id = 1"
    );
    let found =
        Look::find_by_statement(statement(reader.get_database_backend(), sql, [])).one(reader).await?;
    found.ok_or_else(|| DbErr::RecordNotFound("the row of rate_polls".to_owned()))
}

/// Takes the turn; `None` if another process has it, or it is too early.
pub(super) async fn take_turn(
    deps: &Deps,
    transaction: &Transaction,
    when: When,
) -> Result<Option<Turn>, DbErr> {
    let (clock, condition) = (database_clock(deps), when.condition(deps));
    let sql = format!(
        "UPDATE rate_polls SET lease_until = {clock} + {TURN_MICROS}, lease_epoch = lease_epoch + 1, tried_at = {clock}
         WHERE id = 1 AND {condition} RETURNING lease_epoch, failures"
    );
    let update = statement(transaction.get_database_backend(), sql, []);
    Turn::find_by_statement(update).one(transaction).await
}

/// How a turn has ended.
#[derive(Debug, Clone)]
pub(super) struct Ended<'a> {
    pub(super) source: &'a str,
    pub(super) wait_micros: i64,
    /// Why it failed, if it did.
    pub(super) failure: Option<&'a str>,
}

/// Ends a turn; tells whether it was still this process's.
pub(super) async fn end_turn(
    deps: &Deps,
    transaction: &Transaction,
    turn: Turn,
    ended: &Ended<'_>,
) -> Result<bool, DbErr> {
    let clock = database_clock(deps);
    let outcome = match ended.failure {
        Some(_) => "failures = failures + 1".to_owned(),
        None => format!("failures = 0, succeeded_at = {clock}"),
    };
    let sql = format!(
        "UPDATE rate_polls SET lease_until = 0, due_at = {clock} + $1, source = $2, failure = $3, {outcome}
         WHERE id = 1 AND lease_epoch = $4"
    );
    let values = [
        ended.wait_micros.into(),
        ended.source.into(),
        ended.failure.map(str::to_owned).into(),
        turn.lease_epoch.into(),
    ];
    let update = statement(transaction.get_database_backend(), sql, values);
    Ok(transaction.execute_raw(update).await?.rows_affected() == 1)
}

/// The troubles of a kind.
pub(super) async fn list_troubles(
    connection: &impl ConnectionTrait,
    kind: RateTroubleKind,
) -> Result<Vec<rate_troubles::Model>, DbErr> {
    rate_troubles::Entity::find().filter(rate_troubles::Column::Kind.eq(kind)).all(connection).await
}

/// A trouble to be written.
#[derive(Debug, Serialize)]
pub(super) struct TroubleRow<'a> {
    pub(super) quote: Currency,
    pub(super) kind: RateTroubleKind,
    pub(super) since: i64,
    pub(super) rate: Option<Decimal>,
    pub(super) source: Option<&'a str>,
    pub(super) as_of: Option<i64>,
}

/// Writes troubles. One that is there keeps since when it is, and tells the latest refused rate.
/// Answers which are new.
pub(super) async fn raise(
    transaction: &Transaction,
    kind: RateTroubleKind,
    rows: &[TroubleRow<'_>],
) -> Result<Vec<Currency>, DbErr> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let columns = [
        ("quote", Text),
        ("kind", Text),
        ("since", Integer),
        ("rate", Text),
        ("source", Text),
        ("as_of", Integer),
    ];
    let backend = transaction.get_database_backend();
    let anew = "ON CONFLICT (quote, kind) DO NOTHING RETURNING quote";
    let sql = insertion(backend, 1, "rate_troubles", &columns, anew);
    let new = quotes(transaction, statement(backend, sql, [json(rows)])).await?;
    if kind == RateTroubleKind::Jump {
        let told = rowset(backend, 1, "r", &columns);
        let sql = format!(
            "UPDATE rate_troubles SET rate = r.rate, source = r.source, as_of = r.as_of FROM {told}
             WHERE rate_troubles.quote = r.quote AND rate_troubles.kind = r.kind"
        );
        transaction.execute_raw(statement(backend, sql, [json(rows)])).await?;
    }
    Ok(new)
}

/// Ends the troubles of a kind that these currencies have; answers which had.
pub(super) async fn end_troubles(
    transaction: &Transaction,
    kind: RateTroubleKind,
    currencies: impl IntoIterator<Item = Currency>,
) -> Result<Vec<Currency>, DbErr> {
    #[derive(Serialize)]
    struct Row {
        quote: Currency,
    }
    let rows: Vec<Row> = currencies.into_iter().map(|quote| Row { quote }).collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let backend = transaction.get_database_backend();
    let sql = format!(
        "DELETE FROM rate_troubles WHERE kind = $2 AND quote IN (SELECT r.quote FROM {}) RETURNING quote",
        rowset(backend, 1, "r", &[("quote", Text)])
    );
    quotes(transaction, statement(backend, sql, [json(&rows), kind.as_str().into()])).await
}

async fn quotes(transaction: &Transaction, statement: sea_orm::Statement) -> Result<Vec<Currency>, DbErr> {
    let rows = transaction.query_all_raw(statement).await?;
    rows.into_iter().map(|row| row.try_get("", "quote")).collect()
}
