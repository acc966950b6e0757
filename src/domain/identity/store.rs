//! The statements of identity that need text: sets, guards and joins.
//!
//! What lives here: counting sign-ins, what a session's row and its owners say, rotation of refresh tokens, ending sessions.
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
    #[derive(Serialize)]
    struct Row<'a> {
        key: &'a str,
    }
    #[derive(FromQueryResult)]
    struct Admitted {
        key: String,
    }
    let rows: Vec<Row<'_>> = keys.iter().map(|key| Row { key }).collect();
    let backend = transaction.get_database_backend();
    // Rows are taken in the order of their keys, so that two attempts at once cannot lock each other out. A theoretical arrival
    // that lies further ahead than two bursts was written by a clock that was wrong, and counts for nothing.
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
    let far = now.micros().saturating_add(rate.burst_micros.saturating_mul(2));
    let values =
        [json(&rows), now.into(), rate.interval_micros.into(), rate.latest_admitted(now).into(), far.into()];
    let admitted: Vec<String> = Admitted::find_by_statement(statement(backend, sql, values))
        .all(transaction)
        .await?
        .into_iter()
        .map(|row| row.key)
        .collect();
    let mut wait = None;
    for key in keys.iter().filter(|key| !admitted.contains(key)) {
        let arrival = find_arrival(transaction, key).await?.unwrap_or(now);
        wait = wait.max(Some(rate.retry_after_ms(arrival, now)));
    }
    Ok(wait.map_or(Ok(()), Err))
}

async fn find_arrival(transaction: &Transaction, key: &str) -> Result<Option<Timestamp>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        theoretical_arrival_at: Timestamp,
    }
    let sql = "SELECT theoretical_arrival_at FROM login_throttles WHERE key = $1";
    let statement = statement(transaction.get_database_backend(), sql, [key.into()]);
    let row = Row::find_by_statement(statement).one(transaction).await?;
    Ok(row.map(|row| row.theoretical_arrival_at))
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

/// Removes at most `limit` rows that mean nothing any more: expired refresh tokens, or counts that are back at nought.
pub(super) async fn remove_stale(
    transaction: &Transaction,
    table: Stale,
    before: Timestamp,
    limit: u32,
) -> Result<u64, DbErr> {
    let (table, key, column) = match table {
        Stale::RefreshTokens => ("refresh_tokens", "hash", "expires_at"),
        Stale::Throttles => ("login_throttles", "key", "theoretical_arrival_at"),
    };
    let sql = format!(
        "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {column} <= $1
         ORDER BY {key} LIMIT $2)"
    );
    let statement =
        statement(transaction.get_database_backend(), sql, [before.into(), i64::from(limit).into()]);
    Ok(transaction.execute_raw(statement).await?.rows_affected())
}

/// What can be stale.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stale {
    RefreshTokens,
    Throttles,
}
