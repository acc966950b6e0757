//! Reading the event feed.
//!
//! What lives here: who waits for a partner's events, the task that wakes them, and the reads.
//! What is always true: a reader goes by (partner, sequence), which has no gaps, so that replay and live are one loop with
//! neither gap nor duplicate; a wake-up is only a hint, the database is the truth.
//! What is not here: writing events (`events.rs`), and what sockets make of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entity::events;
use entity::ids::{EventId, OrderId, PartnerId};
use entity::state::Scope;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::ctx::{Ctx, Deps, PartnerActor};
use crate::domain::events::{KINDS, WalletFacts};
use crate::drain::Drain;
use crate::problem::{ErrorCode, Problem};
use crate::store::ColumnKind::Text;
use crate::store::{Page, decode_cursor, encode_cursor, json, rowset, statement};

/// How often the heads are looked at when nothing was committed on this node.
const POLL: Duration = Duration::from_millis(50);
/// How many events are read at once.
const SLICE: u64 = 256;

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
    kept_from: i64,
}

async fn find_heads(connection: &impl ConnectionTrait, partners: &[PartnerId]) -> Result<Vec<Head>, DbErr> {
    #[derive(Serialize)]
    struct Row {
        partner_id: PartnerId,
    }
    let rows: Vec<Row> = partners.iter().map(|partner_id| Row { partner_id: *partner_id }).collect();
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT h.partner_id, h.sequence, h.kept_from FROM {} JOIN event_heads h ON h.partner_id = r.partner_id",
        rowset(backend, 1, "r", &[("partner_id", Text)])
    );
    Head::find_by_statement(statement(backend, sql, [json(&rows)])).all(connection).await
}

/// The number of a partner's last event; 0 before the first.
///
/// # Errors
/// What the database says.
pub async fn find_head(ctx: &Ctx, partner: PartnerId) -> Result<i64, Problem> {
    let heads = find_heads(&ctx.database().reader, &[partner]).await?;
    Ok(heads.first().map_or(0, |head| head.sequence))
}

/// Which of a partner's events a reader wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interest {
    /// Those of one order.
    Order(OrderId),
    /// Those of these kinds, such as order.delivered.
    Kinds(Vec<&'static str>),
}

/// The next events behind a sequence, oldest first, at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn list_after(
    ctx: &Ctx,
    partner: PartnerId,
    interest: &Interest,
    after: i64,
    limit: Option<u64>,
) -> Result<Vec<events::Model>, Problem> {
    let read = interested(partner, interest)
        .filter(events::Column::Sequence.gt(after))
        .order_by_asc(events::Column::Sequence)
        .limit(limit.unwrap_or(SLICE));
    Ok(read.all(&ctx.database().reader).await?)
}

/// A page of the feed.
#[derive(Debug)]
pub struct FeedPage {
    /// The events, oldest first.
    pub events: Page<events::Model>,
    /// Which events it is a page of.
    pub interest: Interest,
}

/// A page of the calling partner's feed behind a cursor: the types that were asked for, as far as the scopes allow. `size` is
/// what the caller calls the number of events, and that number.
///
/// # Errors
/// FORBIDDEN without orders:read and wallet:read; BAD_USER_INPUT naming the argument; CURSOR_EXPIRED.
pub async fn list_page(
    ctx: &Ctx,
    after: Option<&str>,
    types: Option<&[String]>,
    size: (&'static str, i32),
) -> Result<FeedPage, Problem> {
    let actor = ctx.partner()?;
    let visible = visible_kinds(actor);
    if visible.is_empty() {
        return Err(Problem::forbidden("the scope orders:read or wallet:read"));
    }
    let interest = Interest::Kinds(wanted_kinds(&visible, types)?);
    let (argument, size) = size;
    let limit = u64::try_from(size).ok().filter(|size| (1..=100).contains(size));
    let limit =
        limit.ok_or_else(|| Problem::bad_argument(argument, format!("`{argument}` must be 1 to 100")))?;
    let from = after.map(sequence_of).transpose()?;
    let mut items = list_after(ctx, actor.partner, &interest, from.unwrap_or(0), Some(limit + 1)).await?;
    if let Some(from) = from {
        // After the read, so that what a sweep took meanwhile is not passed over in silence.
        check_place(ctx, actor.partner, from).await?;
    }
    let has_next = u64::try_from(items.len()).is_ok_and(|length| length > limit);
    items.truncate(usize::try_from(limit).unwrap_or(0));
    Ok(FeedPage { events: Page { items, has_next, has_previous: after.is_some() }, interest })
}

/// The calling partner's events by id, of the kinds that its scopes allow.
///
/// # Errors
/// UNAUTHENTICATED, FORBIDDEN for anyone but a partner; what the database says.
pub async fn find_events(ctx: &Ctx, ids: Vec<EventId>) -> Result<HashMap<EventId, events::Model>, Problem> {
    let actor = ctx.partner()?;
    let visible = interested(actor.partner, &Interest::Kinds(visible_kinds(actor)));
    let found = visible.filter(events::Column::Id.is_in(ids)).all(&ctx.database().reader).await?;
    Ok(found.into_iter().map(|event| (event.id, event)).collect())
}

/// The kinds of event that a caller may see.
fn visible_kinds(actor: &PartnerActor) -> Vec<&'static str> {
    let may_see = |kind: &&'static str| {
        if kind.starts_with("order.") { actor.may(Scope::OrdersRead) } else { actor.may(Scope::WalletRead) }
    };
    KINDS.iter().copied().filter(may_see).collect()
}

fn wanted_kinds(visible: &[&'static str], types: Option<&[String]>) -> Result<Vec<&'static str>, Problem> {
    let Some(types) = types else { return Ok(visible.to_vec()) };
    let unknown = types.iter().find(|kind| !KINDS.contains(&kind.as_str()));
    if let Some(kind) = unknown {
        return Err(Problem::bad_argument("types", format!("there are no events of the type {kind:?}")));
    }
    Ok(visible.iter().copied().filter(|kind| types.iter().any(|wanted| wanted == kind)).collect())
}

/// How many of a partner's events interest.
///
/// # Errors
/// What the database says.
pub async fn count(ctx: &Ctx, partner: PartnerId, interest: &Interest) -> Result<i64, Problem> {
    use sea_orm::PaginatorTrait;
    let count = interested(partner, interest).count(&ctx.database().reader).await?;
    i64::try_from(count).map_err(Problem::internal)
}

fn interested(partner: PartnerId, interest: &Interest) -> sea_orm::Select<events::Entity> {
    let owned = events::owned_by(partner);
    match interest {
        Interest::Order(order) => owned.filter(events::Column::OrderId.eq(*order)),
        Interest::Kinds(kinds) => owned.filter(events::Column::Kind.is_in(kinds.iter().copied())),
    }
}

/// The opaque place of an event in its partner's feed.
pub fn cursor_of(sequence: i64) -> String {
    encode_cursor(&format!("evt:{sequence}"))
}

/// The sequence in a cursor.
///
/// # Errors
/// BAD_USER_INPUT naming `after`; CURSOR_EXPIRED if events behind it are not kept any more.
pub async fn check_cursor(ctx: &Ctx, partner: PartnerId, cursor: &str) -> Result<i64, Problem> {
    let sequence = sequence_of(cursor)?;
    check_place(ctx, partner, sequence).await?;
    Ok(sequence)
}

fn malformed() -> Problem {
    Problem::bad_argument("after", "`after` is not a cursor of this feed")
}

fn sequence_of(cursor: &str) -> Result<i64, Problem> {
    let text = decode_cursor("after", cursor)?;
    let number = text.strip_prefix("evt:").and_then(|number| number.parse::<i64>().ok());
    number.filter(|sequence| *sequence >= 0).ok_or_else(malformed)
}

/// Whether a place is in the feed, and everything behind it still there.
async fn check_place(ctx: &Ctx, partner: PartnerId, sequence: i64) -> Result<(), Problem> {
    let heads = find_heads(&ctx.database().reader, &[partner]).await?;
    let (last, kept_from) = heads.first().map_or((0, 1), |head| (head.sequence, head.kept_from));
    if sequence > last {
        Err(malformed())
    } else if sequence + 1 < kept_from {
        Err(Problem::new(
            ErrorCode::CursorExpired,
            "the events behind this cursor are not kept any more; begin without it",
        ))
    } else {
        Ok(())
    }
}

/// What a wallet's event says.
///
/// # Errors
/// A payload that was not written by `events.rs`.
pub fn wallet_facts(event: &events::Model) -> Result<WalletFacts, Problem> {
    serde_json::from_str(&event.payload).map_err(Problem::internal)
}

/// What an order's event says.
///
/// # Errors
/// A payload that was not written by `events.rs`.
pub fn order_facts(event: &events::Model) -> Result<crate::domain::events::OrderFacts, Problem> {
    serde_json::from_str(&event.payload).map_err(Problem::internal)
}
