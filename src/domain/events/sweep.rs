//! Removing old events.
//!
//! What lives here: the command that removes events once they have been kept for as long as the settings say.
//! What is always true: what goes is the beginning of a feed, at most 500 events a transaction, and the head says in the same
//! transaction from which number and instant on everything is kept; a younger event goes in no case, nor one behind it; the head
//! is locked first.
//! What is not here: what a reader with an older cursor is told (`feed/`); when it runs (`app.rs`).

use std::collections::BTreeMap;

use entity::ids::PartnerId;
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use super::lock_heads;
use crate::ctx::Ctx;
use crate::problem::Problem;
use crate::store::{Transaction, statement, write};

/// How many events one transaction removes.
const AT_ONCE: i64 = 500;
const DAY_SECS: i64 = 86_400;

/// Removes the events that are older than the settings keep them; tells how many. To be run every few minutes; two at once do no
/// harm.
///
/// # Errors
/// What the database says; what was removed until then stays removed.
pub async fn sweep(ctx: &Ctx) -> Result<u64, Problem> {
    let kept_days = i64::from(ctx.deps.config.event_retention_days);
    let before = ctx.now.plus_seconds(-DAY_SECS * kept_days);
    let mut total = 0_u64;
    for partner in find_overdue(&ctx.database().reader, before).await? {
        loop {
            let removed = write::<_, Problem, _>(&ctx.deps, move |transaction| {
                Box::pin(async move { Ok(remove_some(transaction, partner, before).await?) })
            })
            .await?;
            total = total.saturating_add(removed);
            if removed < AT_ONCE.unsigned_abs() {
                break;
            }
        }
    }
    Ok(total)
}

/// The partners whose first kept event is too old.
async fn find_overdue(connection: &impl ConnectionTrait, before: Timestamp) -> Result<Vec<PartnerId>, DbErr> {
    #[derive(FromQueryResult)]
    struct Overdue {
        partner_id: PartnerId,
    }
    let sql = "SELECT h.partner_id FROM event_heads h
        JOIN events e ON e.partner_id = h.partner_id AND e.sequence = h.kept_from
        WHERE e.occurred_at < $1 ORDER BY h.partner_id";
    let select = statement(connection.get_database_backend(), sql, [before.micros().into()]);
    let found = Overdue::find_by_statement(select).all(connection).await?;
    Ok(found.into_iter().map(|overdue| overdue.partner_id).collect())
}

async fn remove_some(transaction: &Transaction, partner: PartnerId, before: Timestamp) -> Result<u64, DbErr> {
    #[derive(FromQueryResult)]
    struct Kept {
        kept_from: i64,
    }
    lock_heads(transaction, &BTreeMap::from([(partner, 0)])).await?;
    let backend = transaction.get_database_backend();
    let (partner, before) = (partner.to_string(), before.micros());
    let sql = "SELECT coalesce(min(CASE WHEN e.occurred_at >= $2 THEN e.sequence END), max(e.sequence) + 1) AS kept_from
        FROM event_heads h JOIN events e ON e.partner_id = h.partner_id
            AND e.sequence >= h.kept_from AND e.sequence < h.kept_from + $3
        WHERE h.partner_id = $1 HAVING count(*) > 0";
    let find = statement(backend, sql, [partner.clone().into(), before.into(), AT_ONCE.into()]);
    let Some(Kept { kept_from }) = Kept::find_by_statement(find).one(transaction).await? else {
        return Ok(0);
    };
    // The head first: the database lets go only of what lies ahead of `kept_from`.
    let sql = "UPDATE event_heads SET kept_from = $2, kept_since = CASE WHEN kept_since < $3 THEN $3 ELSE kept_since END
        WHERE partner_id = $1 AND kept_from < $2";
    let values = [partner.clone().into(), kept_from.into(), before.into()];
    if transaction.execute_raw(statement(backend, sql, values)).await?.rows_affected() == 0 {
        return Ok(0);
    }
    let sql = "DELETE FROM events WHERE partner_id = $1 AND sequence < $2";
    let delete = statement(backend, sql, [partner.into(), kept_from.into()]);
    Ok(transaction.execute_raw(delete).await?.rows_affected())
}
