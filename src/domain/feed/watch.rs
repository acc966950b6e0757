//! Waiting for a partner's events.
//!
//! What lives here: who waits for whose events, and the task that wakes them.
//! What is always true: a wake-up is only a hint; who begins to watch before reading misses none.
//! What is not here: the reads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entity::ids::PartnerId;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::ctx::Deps;
use crate::drain::Drain;
use crate::store::ColumnKind::Text;
use crate::store::{json, rowset, statement};

/// How often the heads are looked at when nothing was committed on this node.
const POLL: Duration = Duration::from_millis(50);

/// Who waits for whose events: the feature's state.
#[derive(Debug, Default)]
pub struct Feed {
    heads: Mutex<HashMap<PartnerId, watch::Sender<i64>>>,
    woken: Notify,
}

/// Waits for one partner's events.
#[derive(Debug)]
pub struct Watch {
    head: watch::Receiver<i64>,
    drain: Drain,
}

impl Watch {
    /// Waits until the partner's head has moved since the last call.
    pub async fn moved(&mut self) {
        if self.head.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The same, but gives up at an instant or when the process drains; tells whether the head has moved.
    pub async fn moved_before(&mut self, until: Instant) -> bool {
        tokio::select! {
            moved = tokio::time::timeout_at(until, self.head.changed()) => matches!(moved, Ok(Ok(()))),
            () = self.drain.begun() => false,
        }
    }
}

impl Feed {
    fn watched(&self) -> Vec<PartnerId> {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.retain(|_, sender| sender.receiver_count() > 0);
        heads.keys().copied().collect()
    }

    fn move_to(&self, partner: PartnerId, sequence: i64) {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = heads.get(&partner) {
            sender.send_if_modified(|head| std::mem::replace(head, sequence) != sequence);
        }
    }
}

/// Begins to watch a partner's head.
pub fn watch(deps: &Deps, partner: PartnerId) -> Watch {
    let feed = deps.feature::<Feed>();
    let mut heads = feed.heads.lock().unwrap_or_else(PoisonError::into_inner);
    let sender = heads.entry(partner).or_insert_with(|| watch::channel(-1).0);
    Watch { head: sender.subscribe(), drain: deps.feature::<Drain>().clone() }
}

/// Tells that something was committed on this node, so that nobody waits for the next look.
pub fn wake(deps: &Deps) {
    if let Some(feed) = deps.find_feature::<Feed>() {
        feed.woken.notify_one();
    }
}

/// Looks at the heads of the partners that somebody watches, for as long as the process runs.
pub async fn run(deps: Arc<Deps>) {
    let feed = deps.feature::<Feed>();
    loop {
        tokio::select! {
            () = feed.woken.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
        let watched = feed.watched();
        if watched.is_empty() {
            continue;
        }
        match find_heads(&deps.database.reader, &watched).await {
            Ok(heads) => heads.into_iter().for_each(|head| feed.move_to(head.partner_id, head.sequence)),
            Err(error) => tracing::warn!(%error, "the heads of the event feed cannot be read"),
        }
    }
}

#[derive(Debug, FromQueryResult)]
struct Head {
    partner_id: PartnerId,
    sequence: i64,
}

async fn find_heads(connection: &impl ConnectionTrait, partners: &[PartnerId]) -> Result<Vec<Head>, DbErr> {
    #[derive(Serialize)]
    struct Row {
        partner_id: PartnerId,
    }
    let rows: Vec<Row> = partners.iter().map(|partner_id| Row { partner_id: *partner_id }).collect();
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT h.partner_id, h.sequence FROM {} JOIN event_heads h ON h.partner_id = r.partner_id",
        rowset(backend, 1, "r", &[("partner_id", Text)])
    );
    Head::find_by_statement(statement(backend, sql, [json(&rows)])).all(connection).await
}
