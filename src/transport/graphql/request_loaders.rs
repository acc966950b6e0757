//! The loaders of a request.
//!
//! What lives here: one loader for each thing that a page of orders, wallets, entries, charges or nodes looks up, and who is calling.
//! What is always true: they live as long as one answer: a stream begins each of its events with new ones, and so does each
//! field that places or cancels an order, so that nothing that is told is of an earlier moment.
//! What is not here: how a loader batches (`loaders.rs`).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use arc_swap::ArcSwap;
use async_graphql::{Context, Data};
use entity::ids::{
    ChargeId, CredentialId, EventId, OrderId, PostingId, PurchaseId, UnitId, VoucherId, WalletId,
};
use entity::{
    api_credentials, charges, events, order_transitions, order_units, orders, receipts, vouchers, wallets,
};

use super::loaders::{RequestLoader, loader};
use crate::ctx::Ctx;
use crate::domain::orders::queries::{self, UnitRange};
use crate::domain::orders::{self as domain, CodesWanted, MOST_CODES, Recalled};
use crate::domain::wallet::{self, EntriesWanted, Entry, EntryRange, Funds};
use crate::domain::{feed, identity, pricing};
use crate::problem::{ErrorCode, Problem};
use crate::store::Page;

/// What a request has to read many things of one kind with one statement.
pub struct Loaders {
    /// Orders by id.
    pub orders: RequestLoader<OrderId, Arc<orders::Model>>,
    /// Orders by the charge that they were placed with.
    pub orders_by_charge: RequestLoader<ChargeId, Arc<orders::Model>>,
    /// Units by order and index.
    pub units: RequestLoader<UnitRange, Arc<Vec<order_units::Model>>>,
    /// Histories by order.
    pub transitions: RequestLoader<OrderId, Arc<Vec<order_transitions::Model>>>,
    /// Receipts by order.
    pub receipts: RequestLoader<OrderId, Arc<Vec<receipts::Model>>>,
    /// Codes, sealed; loading them is audited.
    pub codes: RequestLoader<CodesWanted, Arc<Vec<vouchers::Model>>>,
    /// What vendors tell of purchases whose codes they keep.
    pub recalled: RequestLoader<PurchaseId, Recalled>,
    /// The units that codes were delivered for.
    pub units_of_codes: RequestLoader<VoucherId, UnitId>,
    /// The vouchers that stand in the place of others, by those.
    pub replacements: RequestLoader<VoucherId, VoucherId>,
    /// Charges by id.
    pub charges: RequestLoader<ChargeId, charges::Model>,
    /// Wallets by id.
    pub wallets: RequestLoader<WalletId, wallets::Model>,
    /// What wallets have, by wallet.
    pub funds: RequestLoader<WalletId, Funds>,
    /// Pages of wallets' entries.
    pub entries: RequestLoader<EntriesWanted, Arc<Page<Entry>>>,
    /// How many entries wallets have in a time.
    pub entry_counts: RequestLoader<(WalletId, EntryRange), i64>,
    /// Entries by id.
    pub entries_by_id: RequestLoader<PostingId, Entry>,
    /// Events by id.
    pub events: RequestLoader<EventId, events::Model>,
    /// Credentials by id.
    pub credentials: RequestLoader<CredentialId, api_credentials::Model>,
    /// Who is calling: one, whoever asks.
    pub viewer: RequestLoader<(), Arc<identity::Viewer>>,
    codes_told: Arc<AtomicI32>,
}

impl Loaders {
    fn new(ctx: &Ctx, codes_told: Arc<AtomicI32>) -> Self {
        Self {
            orders: loader(ctx, |ctx, ids| Box::pin(async move { queries::find_many(&ctx, ids).await })),
            orders_by_charge: loader(ctx, |ctx, ids| {
                Box::pin(async move { queries::find_by_charges(&ctx, ids).await })
            }),
            units: loader(ctx, |ctx, ranges| {
                Box::pin(async move { queries::find_units(&ctx, ranges).await })
            }),
            transitions: loader(ctx, |ctx, ids| {
                Box::pin(async move { queries::find_transitions(&ctx, ids).await })
            }),
            receipts: loader(ctx, |ctx, ids| {
                Box::pin(async move { queries::find_receipts(&ctx, ids).await })
            }),
            codes: loader(ctx, |ctx, wanted| Box::pin(async move { domain::reveal(&ctx, wanted).await })),
            recalled: loader(ctx, |ctx, ids| Box::pin(async move { domain::recall(&ctx, ids).await })),
            units_of_codes: loader(ctx, |ctx, ids| {
                Box::pin(async move { domain::find_units_of_codes(&ctx, ids).await })
            }),
            replacements: loader(ctx, |ctx, ids| {
                Box::pin(async move { domain::find_replacements(&ctx, ids).await })
            }),
            charges: loader(ctx, |ctx, ids| Box::pin(async move { find_charges(&ctx, &ids).await })),
            wallets: loader(ctx, |ctx, ids| Box::pin(async move { wallet::find_wallets(&ctx, ids).await })),
            funds: loader(ctx, |ctx, ids| Box::pin(async move { wallet::funds_of(&ctx, ids).await })),
            entries: loader(ctx, |ctx, wanted| {
                Box::pin(async move { wallet::list_entries(&ctx, wanted).await })
            }),
            entry_counts: loader(ctx, |ctx, wanted| {
                Box::pin(async move { wallet::count_entries(&ctx, wanted).await })
            }),
            entries_by_id: loader(ctx, |ctx, ids| {
                Box::pin(async move { wallet::find_entries(&ctx, ids).await })
            }),
            events: loader(ctx, |ctx, ids| Box::pin(async move { feed::find_events(&ctx, ids).await })),
            credentials: loader(ctx, |ctx, ids| {
                Box::pin(async move { identity::find_credentials(&ctx, ids).await })
            }),
            viewer: loader(ctx, |ctx, _| Box::pin(async move { find_viewer(&ctx).await })),
            codes_told,
        }
    }

    /// The loaders of the answer.
    pub fn of(context: &Context<'_>) -> Arc<Self> {
        context.data_unchecked::<Slot>().0.load_full()
    }

    /// Counts codes that the answer will carry.
    ///
    /// # Errors
    /// QUERY_TOO_COMPLEX beyond the most that an answer carries.
    pub fn spend_codes(&self, codes: i32) -> Result<(), Problem> {
        let fits = |told: i32| told.checked_add(codes).filter(|sum| *sum <= MOST_CODES);
        let spent = self.codes_told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        spent.map(drop).map_err(|_| {
            Problem::new(
                ErrorCode::QueryTooComplex,
                "an answer carries at most 1,000 codes; ask for fewer orders or pages",
            )
        })
    }
}

/// Where an answer finds its loaders.
#[derive(Clone)]
pub struct Slot(Arc<ArcSwap<Loaders>>);

impl Slot {
    /// Gives a request its first loaders.
    pub fn put(data: &mut Data, ctx: &Ctx) {
        data.insert(Self(Arc::new(ArcSwap::from_pointee(Loaders::new(ctx, Arc::default())))));
    }

    /// The slot of a request.
    pub fn of(context: &Context<'_>) -> Self {
        context.data_unchecked::<Self>().clone()
    }

    /// Forgets what was read so far in this answer: a mutation is about to change it.
    pub fn forget(&self, ctx: &Ctx) {
        let codes_told = Arc::clone(&self.0.load().codes_told);
        self.0.store(Arc::new(Loaders::new(ctx, codes_told)));
    }

    /// Begins another answer of the same request: a stream's next event, at the present.
    pub fn begin_anew(&self, ctx: &Ctx) {
        self.0.store(Arc::new(Loaders::new(&ctx.anew(), Arc::default())));
    }
}

async fn find_charges(ctx: &Ctx, ids: &[ChargeId]) -> Result<HashMap<ChargeId, charges::Model>, Problem> {
    let partner = ctx.partner()?.partner;
    let found = pricing::find_charges(&ctx.database().reader, partner, ids).await?;
    Ok(found.into_iter().map(|charge| (charge.id, charge)).collect())
}

async fn find_viewer(ctx: &Ctx) -> Result<HashMap<(), Arc<identity::Viewer>>, Problem> {
    Ok(HashMap::from([((), Arc::new(identity::get_viewer(ctx).await?))]))
}
