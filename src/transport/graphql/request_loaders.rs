//! The loaders of a request.
//!
//! What lives here: one loader for each thing that a page of orders, entries or charges looks up.
//! What is always true: they live as long as one request; a stream reads afresh instead.
//! What is not here: how a loader batches (`loaders.rs`).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::Context;
use entity::ids::{ChargeId, OrderId, WalletId};
use entity::{charges, order_transitions, order_units, orders, vouchers};

use super::loaders::{RequestLoader, loader};
use super::orders::too_many_codes;
use crate::ctx::Ctx;
use crate::domain::orders::queries;
use crate::domain::pricing;
use crate::domain::wallet::{self, Funds};
use crate::problem::Problem;

/// What a request has to read many things of one kind with one statement.
pub struct Loaders {
    /// Orders by id.
    pub orders: RequestLoader<OrderId, Arc<orders::Model>>,
    /// Orders by the charge that they were placed with.
    pub orders_by_charge: RequestLoader<ChargeId, Arc<orders::Model>>,
    /// Units by order.
    pub units: RequestLoader<OrderId, Arc<Vec<order_units::Model>>>,
    /// Histories by order.
    pub transitions: RequestLoader<OrderId, Arc<Vec<order_transitions::Model>>>,
    /// Codes by order, sealed; loading them is audited.
    pub codes: RequestLoader<OrderId, Arc<Vec<vouchers::Model>>>,
    /// Charges by id.
    pub charges: RequestLoader<ChargeId, charges::Model>,
    /// What wallets have, by wallet.
    pub funds: RequestLoader<WalletId, Funds>,
    codes_told: AtomicUsize,
}

impl Loaders {
    /// The loaders of a new request.
    pub fn new(ctx: &Ctx) -> Self {
        Self {
            orders: loader(ctx, |ctx, ids| Box::pin(async move { queries::find_many(&ctx, ids).await })),
            orders_by_charge: loader(ctx, |ctx, ids| {
                Box::pin(async move { queries::find_by_charges(&ctx, ids).await })
            }),
            units: loader(ctx, |ctx, ids| Box::pin(async move { queries::find_units(&ctx, ids).await })),
            transitions: loader(ctx, |ctx, ids| {
                Box::pin(async move { queries::find_transitions(&ctx, ids).await })
            }),
            codes: loader(ctx, |ctx, ids| Box::pin(async move { queries::reveal(&ctx, ids).await })),
            charges: loader(ctx, |ctx, ids| Box::pin(async move { find_charges(&ctx, &ids).await })),
            funds: loader(ctx, |ctx, ids| Box::pin(wallet::funds_of(ctx, ids))),
            codes_told: AtomicUsize::new(0),
        }
    }

    /// The loaders of the request.
    pub fn of<'a>(context: &Context<'a>) -> &'a Self {
        context.data_unchecked::<Self>()
    }

    /// Counts codes that the answer will carry.
    ///
    /// # Errors
    /// QUERY_TOO_COMPLEX beyond the most that an answer carries.
    pub fn spend_codes(&self, codes: usize, most: usize) -> Result<(), Problem> {
        let told = self.codes_told.fetch_add(codes, Ordering::Relaxed);
        if told.saturating_add(codes) > most { Err(too_many_codes()) } else { Ok(()) }
    }
}

async fn find_charges(ctx: &Ctx, ids: &[ChargeId]) -> Result<HashMap<ChargeId, charges::Model>, Problem> {
    let partner = ctx.partner()?.partner;
    let found = pricing::find_charges(&ctx.database().reader, partner, ids).await?;
    Ok(found.into_iter().map(|charge| (charge.id, charge)).collect())
}
