//! Events in the contract: the feed and the subscriptions.
//!
//! What lives here: the event objects, the pull feed, and the streams of orders and wallets.
//! What is always true: a stream is one loop over (partner, sequence): replay from the database, then live, without a gap and
//! without a duplicate; scopes decide which types a caller sees.
//! What is not here: how a socket carries a stream (`transport/ws.rs`).

use async_graphql::{Context, ID, Interface, Object, Subscription};
use async_stream::try_stream;
use entity::events as rows;
use entity::ids::{OrderId, PartnerId, WalletId};
use entity::state::Scope;
use futures_util::{Stream, StreamExt};

use super::enums::OrderStatus;
use super::loaders::load;
use super::order_fields::order_name;
use super::orders::Order;
use super::request_loaders::{Loaders, Slot};
use super::types::{BigInt, ConnectionParts, Count, DateTime, Money, connection, request};
use super::wallet::Wallet;
use crate::ctx::Ctx;
use crate::domain::events::{KINDS, OrderFacts, WalletFacts};
use crate::domain::feed::{self, Interest, Place};
use crate::domain::orders::model::is_terminal;
use crate::domain::orders::queries;
use crate::problem::Problem;
use crate::store::Page;

/// Something that happened, told once, in the order of commits.
#[derive(Interface)]
#[allow(clippy::duplicated_attributes, reason = "two fields of the interface have one type")]
#[graphql(
    field(name = "id", ty = "ID", desc = "The id, beginning with evt_."),
    field(name = "cursor", ty = "String", desc = "Its place, for `after`."),
    field(
        name = "sequence",
        ty = "BigInt",
        desc = "Its number among the partner's events, without gaps in the whole feed."
    ),
    field(name = "type", method = "kind", ty = "String", desc = "What happened, such as order.delivered."),
    field(name = "occurred_at", ty = "DateTime", desc = "When.")
)]
pub enum Event {
    /// To an order.
    Order(OrderEvent),
    /// To a wallet.
    Wallet(WalletEvent),
}

/// Makes an event's object: what every event tells, and then what this one does.
macro_rules! event {
    ($(#[$doc:meta])* $event:ident, $(#[$kind_doc:meta])* { $($own:tt)* }) => {
        $(#[$doc])*
        #[Object]
        impl $event {
            /// The id, beginning with evt_.
            pub(super) async fn id(&self) -> ID {
                self.row.id.to_string().into()
            }

            /// Its place, for `after`.
            pub(super) async fn cursor(&self) -> String {
                feed::cursor_of(self.row.sequence)
            }

            /// Its number among the partner's events, without gaps in the whole feed.
            pub(super) async fn sequence(&self) -> BigInt {
                BigInt(self.row.sequence)
            }

            $(#[$kind_doc])*
            #[graphql(name = "type")]
            pub(super) async fn kind(&self) -> String {
                self.row.kind.clone()
            }

            /// When.
            pub(super) async fn occurred_at(&self) -> DateTime {
                DateTime(self.row.occurred_at)
            }

            $($own)*
        }
    };
}

/// Something that happened to an order: order.created, order.processing, order.progressed, order.delivered, order.partially_delivered, order.failed, order.cancelled, order.unit_refunded or order.voucher_replaced.
pub struct OrderEvent {
    row: rows::Model,
    order: OrderId,
    facts: OrderFacts,
}

event! {
    /// Something that happened to an order: order.created, order.processing, order.progressed, order.delivered, order.partially_delivered, order.failed, order.cancelled, order.unit_refunded or order.voucher_replaced.
    OrderEvent,
    /// What happened, such as order.delivered.
    {
        /// The order's id.
        async fn order_id(&self) -> ID {
            self.order.to_string().into()
        }

        /// The order's reference.
        async fn reference(&self) -> &str {
            &self.facts.reference
        }

        /// The order's state after the event.
        async fn status(&self) -> OrderStatus {
            self.facts.status.into()
        }

        /// Its state before the event; null for the first.
        async fn previous_status(&self) -> Option<OrderStatus> {
            self.facts.previous_status.map(Into::into)
        }

        /// How many units were delivered after the event.
        async fn delivered_quantity(&self) -> i32 {
            self.facts.delivered_quantity
        }

        /// How many units were refunded after the event.
        async fn refunded_quantity(&self) -> i32 {
            self.facts.refunded_quantity
        }

        /// How many units were bought.
        async fn quantity(&self) -> i32 {
            self.facts.quantity
        }

        /// Of order.voucher_replaced, the id of the voucher that stands now, which names its unit and the one that it replaces; null for other events.
        async fn voucher_id(&self) -> Option<ID> {
            self.facts.voucher_id.map(|voucher| voucher.to_string().into())
        }

        /// The order as it is now, which may be later than the event.
        async fn order(&self, context: &Context<'_>) -> Result<Order, Problem> {
            let found = load(&Loaders::of(context).orders, self.order).await?;
            found.map(Order::from).ok_or_else(Problem::not_found)
        }
    }
}

/// A change of a wallet's available money: wallet.credited or wallet.debited; one for each wallet and transaction.
pub struct WalletEvent {
    row: rows::Model,
    wallet: WalletId,
    facts: WalletFacts,
}

event! {
    /// A change of a wallet's available money: wallet.credited or wallet.debited; one for each wallet and transaction.
    WalletEvent,
    /// What happened, such as wallet.debited.
    {
        /// The sum of the entries: negative where money left.
        async fn amount(&self) -> Money {
            Money::from_minor(self.facts.amount_minor, self.facts.currency)
        }

        /// What was available after.
        async fn available(&self) -> Money {
            Money::from_minor(self.facts.available_minor, self.facts.currency)
        }

        /// The first entry's number in the wallet.
        async fn first_entry_sequence(&self) -> BigInt {
            BigInt(self.facts.first_entry)
        }

        /// The last entry's number in the wallet.
        async fn last_entry_sequence(&self) -> BigInt {
            BigInt(self.facts.last_entry)
        }

        /// The wallet as it is now, which may be later than the event.
        async fn wallet(&self, context: &Context<'_>) -> Result<Wallet, Problem> {
            let found = load(&Loaders::of(context).wallets, self.wallet).await?;
            found.map(Wallet::from).ok_or_else(Problem::not_found)
        }
    }
}

connection! {
    /// A page of events.
    EventConnection,
    /// One item of a page of events.
    EventEdge,
    Event
}

/// The event that a row tells.
pub(super) fn event(row: rows::Model) -> Result<Event, Problem> {
    if row.order_id.is_some() {
        order_event(row).map(Event::Order)
    } else {
        wallet_event(row).map(Event::Wallet)
    }
}

fn order_event(row: rows::Model) -> Result<OrderEvent, Problem> {
    let order = row.order_id.ok_or_else(|| Problem::internal("an order event about no order"))?;
    Ok(OrderEvent { facts: feed::order_facts(&row)?, row, order })
}

fn wallet_event(row: rows::Model) -> Result<WalletEvent, Problem> {
    let wallet = row.wallet_id.ok_or_else(|| Problem::internal("a wallet event about no wallet"))?;
    Ok(WalletEvent { facts: feed::wallet_facts(&row)?, row, wallet })
}

/// The feed's reads.
#[derive(Debug, Default)]
pub struct EventsQuery;

#[Object]
impl EventsQuery {
    /// The calling partner's events in commit order, oldest first: the pull feed for those who want neither sockets nor webhooks. Shows the types that the scopes allow: orders:read, wallet:read.
    async fn events(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "Begin behind this cursor; from the oldest event kept if absent. A cursor older than what is kept is CURSOR_EXPIRED."
        )]
        after: Option<String>,
        #[graphql(desc = "Only events of these types, such as order.delivered; all if absent.")]
        types: Option<Vec<String>>,
        #[graphql(default = 20, desc = "How many, 1 to 100.")] first: Option<i32>,
    ) -> Option<Result<EventConnection, Problem>> {
        Some(list_events(request(context), after.as_deref(), types.as_deref(), first.unwrap_or(20)).await)
    }
}

async fn list_events(
    ctx: &Ctx,
    after: Option<&str>,
    types: Option<&[String]>,
    first: i32,
) -> Result<EventConnection, Problem> {
    let page = feed::list_page(ctx, after, types, ("first", first)).await?;
    let (ctx, partner, interest) = (ctx.clone(), ctx.partner()?.partner, page.interest);
    let count: Count = Box::new(move || {
        let (ctx, interest) = (ctx.clone(), interest.clone());
        Box::pin(async move { feed::count(&ctx, partner, &interest).await })
    });
    connection_of(page.events, count)
}

fn connection_of(page: Page<rows::Model>, count: Count) -> Result<EventConnection, Problem> {
    let items: Vec<(i64, Event)> =
        page.items.into_iter().map(|row| Ok((row.sequence, event(row)?))).collect::<Result<_, Problem>>()?;
    let page = Page { items, has_next: page.has_next, has_previous: page.has_previous };
    Ok(ConnectionParts::new(page, |(sequence, _)| format!("evt:{sequence}"), |(_, event)| event, count)
        .into())
}

/// The rows of a partner's feed as they come, for ever; what an event looks up is read when it is told.
fn follow(
    context: &Context<'_>,
    (partner, interest): (PartnerId, Interest),
    place: Place,
) -> impl Stream<Item = Result<rows::Model, Problem>> + use<> {
    let (ctx, loaders) = (request(context).clone(), Slot::of(context));
    let mut following = feed::follow(ctx.clone(), partner, interest, place);
    try_stream! {
        loop {
            for row in following.next().await? {
                loaders.begin_anew(&ctx);
                yield row;
            }
        }
    }
}

/// Where a stream of a partner's updates begins: behind the cursor, or now.
async fn place_of_updates(ctx: &Ctx, partner: PartnerId, after: Option<&str>) -> Result<Place, Problem> {
    match after {
        Some(cursor) => Place::behind(cursor),
        None => feed::find_end(ctx, partner).await,
    }
}

fn kinds_of(feature: &str) -> Interest {
    Interest::Kinds(KINDS.iter().copied().filter(|kind| kind.starts_with(feature)).collect())
}

/// The streams.
#[derive(Debug, Default)]
pub struct EventsSubscription;

#[Subscription]
impl EventsSubscription {
    /// One order's changes of state, by id or by reference, exactly one of them: from its first event (or behind `after`), then live, until it reaches its end. Needs orders:read.
    async fn order_status(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The order's id.")] order_id: Option<ID>,
        #[graphql(desc = "The reference that the order was placed under.")] reference: Option<String>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<OrderEvent, Problem>>, Problem> {
        let ctx = request(context);
        let partner = ctx.require(Scope::OrdersRead)?.partner;
        let name = order_name(order_id, reference).ok_or_else(|| {
            Problem::bad_argument("orderId", "give `orderId` or `reference`, exactly one of them")
        })?;
        let order = queries::find_by_name(ctx, partner, &name).await?.ok_or_else(Problem::not_found)?;
        let place = after.as_deref().map_or(Ok(Place::Oldest), Place::behind)?;
        let is_told =
            is_terminal(order.status) && !feed::has_step_behind(ctx, partner, order.id, place).await?;
        let rows = follow(context, (partner, Interest::Order(order.id)), place);
        Ok(try_stream! {
            if is_told {
                return;
            }
            for await row in rows {
                let row = row?;
                // Only a step ends an order; what else happened to it precedes or follows.
                let is_step = row.order_version.is_some();
                let event = order_event(row)?;
                let is_over = is_step && is_terminal(event.facts.status);
                yield event;
                if is_over {
                    break;
                }
            }
        })
    }

    /// Every order event of the calling partner, from now on or behind `after`. Needs orders:read.
    async fn order_updates(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<OrderEvent, Problem>>, Problem> {
        let partner = request(context).require(Scope::OrdersRead)?.partner;
        let place = place_of_updates(request(context), partner, after.as_deref()).await?;
        Ok(follow(context, (partner, kinds_of("order.")), place).map(|row| order_event(row?)))
    }

    /// Every change to the available money of the calling partner's wallets, from now on or behind `after`. Needs wallet:read.
    async fn wallet_updates(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Begin behind this cursor.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<WalletEvent, Problem>>, Problem> {
        let partner = request(context).require(Scope::WalletRead)?.partner;
        let place = place_of_updates(request(context), partner, after.as_deref()).await?;
        Ok(follow(context, (partner, kinds_of("wallet.")), place).map(|row| wallet_event(row?)))
    }
}
