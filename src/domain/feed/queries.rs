//! Reads of the event feed.
//!
//! What lives here: places in a feed and their cursors, what is read behind one, and the pull feed.
//! What is always true: the events behind a place, the end of the feed and what of it is kept are read by one statement, so that
//! they are of one moment: no reader takes what a sweep took for what never was.
//! What is not here: waiting for more (`follow.rs`).

use std::collections::HashMap;

use entity::ids::{EventId, OrderId, PartnerId};
use entity::state::Scope;
use entity::{event_heads, events};
use sea_orm::sea_query::{Expr, ExprTrait, JoinType};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, Iterable, Order, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select,
};

use crate::ctx::{Ctx, PartnerActor};
use crate::domain::events::{KINDS, OrderFacts, WalletFacts};
use crate::problem::{ErrorCode, Problem};
use crate::store::{Page, decode_cursor, encode_cursor};

/// A place in a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Ahead of the oldest event that is kept.
    Oldest,
    /// Behind the event with this number; 0 for ahead of the first.
    Behind(i64),
}

impl Place {
    /// The place of a cursor.
    ///
    /// # Errors
    /// BAD_USER_INPUT naming `after`.
    pub fn behind(cursor: &str) -> Result<Self, Problem> {
        let text = decode_cursor("after", cursor)?;
        let number = text.strip_prefix("evt:").and_then(|number| number.parse::<i64>().ok());
        number.filter(|sequence| *sequence >= 0).map(Self::Behind).ok_or_else(malformed)
    }

    fn sequence(self) -> i64 {
        match self {
            Self::Oldest => 0,
            Self::Behind(sequence) => sequence,
        }
    }
}

fn malformed() -> Problem {
    Problem::bad_argument("after", "`after` is not a cursor of this feed")
}

/// The end of a partner's feed, as it is now.
///
/// # Errors
/// What the database says.
pub async fn find_end(ctx: &Ctx, partner: PartnerId) -> Result<Place, Problem> {
    let head = event_heads::Entity::find_by_id(partner).one(&ctx.database().reader).await?;
    Ok(Place::Behind(head.map_or(0, |head| head.sequence)))
}

/// Which of a partner's events a reader wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interest {
    /// Those of one order.
    Order(OrderId),
    /// Those of one order that tell a change of its state.
    Steps(OrderId),
    /// Those of these kinds, such as order.delivered.
    Kinds(Vec<&'static str>),
}

fn interested(partner: PartnerId, interest: &Interest) -> Select<events::Entity> {
    let owned = events::owned_by(partner);
    match interest {
        Interest::Order(order) => owned.filter(events::Column::OrderId.eq(*order)),
        Interest::Steps(order) => owned
            .filter(events::Column::OrderId.eq(*order))
            .filter(events::Column::OrderVersion.is_not_null()),
        Interest::Kinds(kinds) => owned.filter(events::Column::Kind.is_in(kinds.iter().copied())),
    }
}

/// What lies behind a place, all of it of one moment.
pub(super) struct Slice {
    /// The events that interest, oldest first.
    pub(super) events: Vec<events::Model>,
    /// The place that they reach to: that of the last of them, or the end of the feed if they are all.
    pub(super) end: Place,
    /// Whether they are all.
    pub(super) is_last: bool,
}

/// The events behind a place that interest, at most `limit`.
///
/// # Errors
/// BAD_USER_INPUT naming `after` if the feed does not reach so far; CURSOR_EXPIRED if not all that lay behind the place is kept;
/// what the database says.
pub(super) async fn read_slice(
    ctx: &Ctx,
    partner: PartnerId,
    interest: &Interest,
    place: Place,
    limit: u64,
) -> Result<Slice, Problem> {
    #[derive(FromQueryResult)]
    struct Row {
        head: i64,
        kept_from: i64,
        #[sea_orm(nested)]
        event: Option<events::Model>,
    }
    let behind = interested(partner, interest)
        .filter(events::Column::Sequence.gt(place.sequence()))
        .order_by_asc(events::Column::Sequence)
        .limit(limit)
        .into_query();
    let mut read = event_heads::Entity::find()
        .select_only()
        .column_as(event_heads::Column::Sequence, "head")
        .column(event_heads::Column::KeptFrom)
        .filter(event_heads::Column::PartnerId.eq(partner));
    let same_feed = Expr::col((event_heads::Entity, event_heads::Column::PartnerId))
        .equals(("e", events::Column::PartnerId));
    QueryTrait::query(&mut read)
        .columns(events::Column::iter().map(|column| ("e", column)))
        .join_subquery(JoinType::LeftJoin, behind, "e", same_feed)
        .order_by(("e", events::Column::Sequence), Order::Asc);
    let rows = read.into_model::<Row>().all(&ctx.database().reader).await?;
    let (head, kept_from) = rows.first().map_or((0, 1), |row| (row.head, row.kept_from));
    check(place, head, kept_from)?;
    let events: Vec<events::Model> = rows.into_iter().filter_map(|row| row.event).collect();
    let is_last = u64::try_from(events.len()).is_ok_and(|length| length < limit);
    let last = events.last().map_or(head, |event| event.sequence);
    Ok(Slice { end: Place::Behind(if is_last { head } else { last }), events, is_last })
}

/// Whether a place is in the feed, and everything behind it still there.
fn check(place: Place, head: i64, kept_from: i64) -> Result<(), Problem> {
    match place {
        Place::Behind(sequence) if sequence > head => Err(malformed()),
        Place::Behind(sequence) if sequence + 1 < kept_from => Err(Problem::new(
            ErrorCode::CursorExpired,
            "the events behind this cursor are not kept any more; begin without it",
        )),
        Place::Behind(_) | Place::Oldest => Ok(()),
    }
}

/// Whether a change of an order's state is told behind a place.
///
/// # Errors
/// As [`read_slice`].
pub async fn has_step_behind(
    ctx: &Ctx,
    partner: PartnerId,
    order: OrderId,
    place: Place,
) -> Result<bool, Problem> {
    let steps = read_slice(ctx, partner, &Interest::Steps(order), place, 1).await?;
    Ok(!steps.events.is_empty())
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
    let visible = visible_kinds(actor)?;
    let interest = Interest::Kinds(wanted_kinds(&visible, types)?);
    let (argument, size) = size;
    let limit = u64::try_from(size).ok().filter(|size| (1..=100).contains(size));
    let limit =
        limit.ok_or_else(|| Problem::bad_argument(argument, format!("`{argument}` must be 1 to 100")))?;
    let place = after.map_or(Ok(Place::Oldest), Place::behind)?;
    let slice = read_slice(ctx, actor.partner, &interest, place, limit + 1).await?;
    let mut items = slice.events;
    let has_next = u64::try_from(items.len()).is_ok_and(|length| length > limit);
    items.truncate(usize::try_from(limit).unwrap_or(0));
    Ok(FeedPage { events: Page { items, has_next, has_previous: after.is_some() }, interest })
}

/// The calling partner's events by id, of the kinds that its scopes allow.
///
/// # Errors
/// UNAUTHENTICATED; FORBIDDEN without orders:read and wallet:read; what the database says.
pub async fn find_events(ctx: &Ctx, ids: Vec<EventId>) -> Result<HashMap<EventId, events::Model>, Problem> {
    let actor = ctx.partner()?;
    let visible = interested(actor.partner, &Interest::Kinds(visible_kinds(actor)?));
    let found = visible.filter(events::Column::Id.is_in(ids)).all(&ctx.database().reader).await?;
    Ok(found.into_iter().map(|event| (event.id, event)).collect())
}

/// The kinds of event that a caller may see.
fn visible_kinds(actor: &PartnerActor) -> Result<Vec<&'static str>, Problem> {
    let may_see = |kind: &&'static str| {
        if kind.starts_with("order.") { actor.may(Scope::OrdersRead) } else { actor.may(Scope::WalletRead) }
    };
    let visible: Vec<_> = KINDS.iter().copied().filter(may_see).collect();
    if visible.is_empty() {
        return Err(Problem::forbidden("the scope orders:read or wallet:read"));
    }
    Ok(visible)
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
    let count = interested(partner, interest).count(&ctx.database().reader).await?;
    i64::try_from(count).map_err(Problem::internal)
}

/// The opaque place of an event in its partner's feed.
pub fn cursor_of(sequence: i64) -> String {
    encode_cursor(&format!("evt:{sequence}"))
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
pub fn order_facts(event: &events::Model) -> Result<OrderFacts, Problem> {
    serde_json::from_str(&event.payload).map_err(Problem::internal)
}
