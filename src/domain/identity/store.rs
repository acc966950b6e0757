//! The statements of identity that need text: sets, guards and joins.
//!
//! What lives here: counting attempts, what a session's row and its owners say, rotation of refresh tokens, ending sessions,
//! and removing what means nothing any more.
//! What is always true: each guard is in the WHERE, so that of two callers at once the row lets one through.
//! What is not here: what follows from the answers.

use entity::currency::Currency;
use entity::ids::{AdminId, CredentialId, PartnerId, SessionId};
use entity::secret::{Digest, Sealed};
use entity::state::PartnerStatus;
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use serde::Serialize;

use super::model::Rate;
use crate::store::ColumnKind::Text;
use crate::store::{Transaction, json, rowset, statement};

/// A session with what its owners say about it.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(super) struct SessionRow {
    pub(super) id: SessionId,
    pub(super) partner_id: Option<PartnerId>,
    pub(super) credential_id: Option<CredentialId>,
    pub(super) admin_id: Option<AdminId>,
    pub(super) scopes: String,
    pub(super) expires_at: Timestamp,
    pub(super) revoked_at: Option<Timestamp>,
    credential_revoked_at: Option<Timestamp>,
    partner_status: Option<PartnerStatus>,
    pub(super) default_currency: Option<Currency>,
}

impl SessionRow {
    /// Whether it may be used now. `dead_sessions` says the same in SQL.
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none()
            && self.expires_at > now
            && self.credential_revoked_at.is_none()
            && self.partner_status.is_none_or(|status| status == PartnerStatus::Active)
    }
}

/// The session with this id.
pub(super) async fn find_session(
    connection: &impl ConnectionTrait,
    session: SessionId,
) -> Result<Option<SessionRow>, DbErr> {
    let sql = "SELECT s.id, s.partner_id, s.credential_id, s.admin_id, s.scopes, s.expires_at, s.revoked_at,
                      c.revoked_at AS credential_revoked_at, p.status AS partner_status, p.default_currency
               FROM sessions s LEFT JOIN partners p ON p.id = s.partner_id
               LEFT JOIN api_credentials c ON c.id = s.credential_id
               WHERE s.id = $1";
    let backend = connection.get_database_backend();
    SessionRow::find_by_statement(statement(backend, sql, [session.into()])).one(connection).await
}

#[derive(Debug, FromQueryResult)]
struct SessionIdRow {
    id: SessionId,
}

/// Which of these sessions may not be used now: ended, expired, unknown, or of a credential or partner that may not act.
pub(super) async fn list_dead_sessions(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    sessions: &[SessionId],
) -> Result<Vec<SessionId>, DbErr> {
    #[derive(Serialize)]
    struct Row {
        id: SessionId,
    }
    let rows: Vec<Row> = sessions.iter().map(|id| Row { id: *id }).collect();
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT r.id FROM {} LEFT JOIN sessions s ON s.id = r.id
         LEFT JOIN partners p ON p.id = s.partner_id LEFT JOIN api_credentials c ON c.id = s.credential_id
         WHERE s.id IS NULL OR s.revoked_at IS NOT NULL OR s.expires_at <= $2
            OR c.revoked_at IS NOT NULL OR p.status <> 'ACTIVE'",
        rowset(backend, 1, "r", &[("id", Text)])
    );
    let statement = statement(backend, sql, [json(&rows), now.into()]);
    let found = SessionIdRow::find_by_statement(statement).all(connection).await?;
    Ok(found.into_iter().map(|row| row.id).collect())
}

/// Which sessions to end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    One(SessionId),
    OfCredential(CredentialId),
    OfPartner(PartnerId),
}

/// Ends sessions that have not ended; tells which.
pub(super) async fn end_sessions(
    transaction: &Transaction,
    now: Timestamp,
    which: Which,
    reason: &str,
) -> Result<Vec<SessionId>, DbErr> {
    let (column, id): (&str, Value) = match which {
        Which::One(id) => ("id", id.into()),
        Which::OfCredential(id) => ("credential_id", id.into()),
        Which::OfPartner(id) => ("partner_id", id.into()),
    };
    let sql = format!(
        "UPDATE sessions SET revoked_at = $1, revoked_reason = $2 WHERE {column} = $3 AND revoked_at IS NULL
         RETURNING id"
    );
    let backend = transaction.get_database_backend();
    let statement = statement(backend, sql, [now.into(), reason.into(), id]);
    let ended = SessionIdRow::find_by_statement(statement).all(transaction).await?;
    Ok(ended.into_iter().map(|row| row.id).collect())
}

/// Counts an attempt under each of these keys if every one of them admits it; otherwise tells how long to wait, and the caller
/// rolls back.
pub(super) async fn admit_attempt(
    transaction: &Transaction,
    now: Timestamp,
    rate: Rate,
    keys: &[String],
) -> Result<Result<(), u64>, DbErr> {
    #[derive(FromQueryResult)]
    struct Admitted {
        key: String,
    }
    let backend = transaction.get_database_backend();
    // Rows are taken in the order of their keys, so that two attempts at once cannot lock each other out. A theoretical arrival
    // that lies further ahead than two bursts was written while the clock was wrong, and counts for nothing.
    let sql = format!(
        "INSERT INTO login_throttles (key, theoretical_arrival_at)
         SELECT r.key, $2 + $3 FROM {} WHERE true ORDER BY r.key
         ON CONFLICT (key) DO UPDATE SET theoretical_arrival_at = $3 +
             CASE WHEN login_throttles.theoretical_arrival_at BETWEEN $2 AND $4
             THEN login_throttles.theoretical_arrival_at ELSE $2 END
         WHERE NOT login_throttles.theoretical_arrival_at BETWEEN $4 + 1 AND $5
         RETURNING key",
        rowset(backend, 1, "r", &[("key", Text)])
    );
    let (latest, far) = (rate.latest_admitted(now), rate.latest_believed(now));
    let values = [counts(keys), now.into(), rate.interval_micros.into(), latest.into(), far.into()];
    let admitted: Vec<String> = Admitted::find_by_statement(statement(backend, sql, values))
        .all(transaction)
        .await?
        .into_iter()
        .map(|row| row.key)
        .collect();
    let over: Vec<String> = keys.iter().filter(|key| !admitted.contains(key)).cloned().collect();
    if over.is_empty() {
        return Ok(Ok(()));
    }
    let wait_ms = find_wait(transaction, now, rate, &over).await?;
    Ok(Err(wait_ms.unwrap_or(1)))
}

/// How long to wait, in milliseconds, until each of these keys admits an attempt; `None` if all do now.
pub(super) async fn find_wait(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    rate: Rate,
    keys: &[String],
) -> Result<Option<u64>, DbErr> {
    #[derive(FromQueryResult)]
    struct Over {
        theoretical_arrival_at: Timestamp,
    }
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT t.theoretical_arrival_at FROM {} JOIN login_throttles t ON t.key = r.key
         WHERE t.theoretical_arrival_at BETWEEN $2 + 1 AND $3",
        rowset(backend, 1, "r", &[("key", Text)])
    );
    let values = [counts(keys), rate.latest_admitted(now).into(), rate.latest_believed(now).into()];
    let over = Over::find_by_statement(statement(backend, sql, values)).all(connection).await?;
    Ok(over.into_iter().map(|row| rate.retry_after_ms(row.theoretical_arrival_at, now)).max())
}

/// Keys of counts as a set.
fn counts(keys: &[String]) -> Value {
    #[derive(Serialize)]
    struct Row<'a> {
        key: &'a str,
    }
    json(&keys.iter().map(|key| Row { key }).collect::<Vec<_>>())
}

/// A refresh token's exchange for its successor.
#[derive(Debug)]
pub(super) struct Rotation {
    pub(super) hash: Digest,
    pub(super) successor_hash: Digest,
    pub(super) successor_sealed: Sealed,
}

/// Marks an unused, unexpired refresh token as exchanged; tells its session if this call was the one that did.
pub(super) async fn exchange(
    transaction: &Transaction,
    now: Timestamp,
    rotation: &Rotation,
) -> Result<Option<SessionId>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        session_id: SessionId,
    }
    let sql = "UPDATE refresh_tokens SET used_at = $1, successor_hash = $2, successor_sealed = $3
               WHERE hash = $4 AND used_at IS NULL AND expires_at > $1 RETURNING session_id";
    let values: [Value; 4] = [
        now.into(),
        rotation.successor_hash.clone().into(),
        rotation.successor_sealed.clone().into(),
        rotation.hash.clone().into(),
    ];
    let statement = statement(transaction.get_database_backend(), sql, values);
    Ok(Row::find_by_statement(statement).one(transaction).await?.map(|row| row.session_id))
}

/// Makes a session live longer, and forgets what its tokens no longer need: the sealed copy of the one just used, and those
/// that have expired.
pub(super) async fn renew_session(
    transaction: &Transaction,
    now: Timestamp,
    session: SessionId,
    expires_at: Timestamp,
    used: &Digest,
) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    let statements: [(&str, Vec<Value>); 3] = [
        ("UPDATE sessions SET expires_at = $1 WHERE id = $2", vec![expires_at.into(), session.into()]),
        (
            "UPDATE refresh_tokens SET successor_sealed = NULL WHERE session_id = $1 AND successor_hash = $2",
            vec![session.into(), used.clone().into()],
        ),
        (
            "DELETE FROM refresh_tokens WHERE session_id = $1 AND expires_at <= $2",
            vec![session.into(), now.into()],
        ),
    ];
    for (sql, values) in statements {
        transaction.execute_raw(statement(backend, sql, values)).await?;
    }
    Ok(())
}

/// What means nothing any more before an instant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stale {
    /// Refresh tokens that had expired by then.
    RefreshTokens,
    /// Counts that were back at nought by then.
    Throttles,
    /// Sessions that had ended by then, whose tokens go with them.
    Sessions,
    /// Sealed copies of the successors of tokens that were used ahead of it.
    Successors,
}

impl Stale {
    /// The table, its key, and which of its rows are meant.
    const fn rows(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::RefreshTokens => ("refresh_tokens", "hash", "expires_at <= $1"),
            Self::Throttles => ("login_throttles", "key", "theoretical_arrival_at <= $1"),
            Self::Sessions => ("sessions", "id", "expires_at <= $1"),
            Self::Successors => ("refresh_tokens", "hash", "successor_sealed IS NOT NULL AND used_at < $1"),
        }
    }
}

/// Whether there is anything stale, so that nobody opens a transaction for nothing.
pub(super) async fn has_stale(
    connection: &impl ConnectionTrait,
    stale: Stale,
    before: Timestamp,
) -> Result<bool, DbErr> {
    let (table, _, meant) = stale.rows();
    let sql = format!("SELECT 1 AS found FROM {table} WHERE {meant} LIMIT 1");
    let statement = statement(connection.get_database_backend(), sql, [before.into()]);
    Ok(connection.query_one_raw(statement).await?.is_some())
}

/// Removes at most `limit` rows, or parts of rows, that are stale; tells how many.
pub(super) async fn remove_stale(
    transaction: &Transaction,
    stale: Stale,
    before: Timestamp,
    limit: u32,
) -> Result<u64, DbErr> {
    let (table, key, meant) = stale.rows();
    let some = format!("SELECT {key} FROM {table} WHERE {meant} ORDER BY {key} LIMIT $2");
    let removal = match stale {
        Stale::Successors => format!("UPDATE {table} SET successor_sealed = NULL WHERE {key} IN ({some})"),
        _ => format!("DELETE FROM {table} WHERE {key} IN ({some})"),
    };
    // Both statements mean the same sessions, for one that ended so long ago changes no more. Where another server sweeps at
    // the same time, the foreign key keeps what would be left without its session; the next sweep takes it.
    let tokens = format!("DELETE FROM refresh_tokens WHERE session_id IN ({some})");
    let steps = if matches!(stale, Stale::Sessions) { vec![tokens, removal] } else { vec![removal] };
    let mut removed = 0;
    for sql in steps {
        let values = [before.into(), i64::from(limit).into()];
        let statement = statement(transaction.get_database_backend(), sql, values);
        removed = transaction.execute_raw(statement).await?.rows_affected();
    }
    Ok(removed)
}
