//! Which products vendors deliver on demand.
//!
//! What lives here: telling the catalog which products an order would be accepted for though own stock has none, and keeping
//! that true while vendors, offers, prices and rates change.
//! What is always true: it is judged as acceptance judges it (`fulfillment::cover`), at the price that holds where no partner's
//! rule says otherwise; what passes by itself, such as a vendor that fails or is busy, changes nothing; whoever shows a product
//! computes nothing.
//! What is not here: acceptance, which goes by the price of the order.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use entity::money::Money;
use tokio::time::MissedTickBehavior;

use super::sold::{cost_in_base, in_base};
use crate::ctx::{Ctx, Deps};
use crate::domain::catalog::{self, Product};
use crate::domain::fulfillment::{self, Cost, Sold, cover};
use crate::domain::pricing;

/// How often it is looked whether anything has changed that it rests on.
const SUPPLY_EVERY: Duration = Duration::from_millis(100);

/// The versions of what it rests on, and what else goes by vendors and prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    catalog: i64,
    vendors: i64,
    prices: (i64, i64),
}

impl Basis {
    /// Those of now.
    pub fn present(deps: &Deps) -> Self {
        Self {
            catalog: deps.feature::<catalog::Live>().snapshot().version,
            vendors: deps.feature::<fulfillment::Live>().version(),
            prices: deps.feature::<pricing::Live>().versions(),
        }
    }
}

/// Tells the catalog anew whenever something has changed, until the task is dropped.
pub async fn watch(deps: Arc<Deps>) {
    let mut timer = tokio::time::interval(SUPPLY_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = None;
    loop {
        timer.tick().await;
        // Read before it is computed: what changes meanwhile is seen at the next look.
        let present = Basis::present(&deps);
        if known == Some(present) {
            continue;
        }
        let told = Arc::clone(&deps);
        // Thousands of prices take a while, which no request should wait for.
        match tokio::task::spawn_blocking(move || tell(&told)).await {
            Ok(()) => known = Some(present),
            Err(error) => {
                tracing::error!(%error, "what vendors deliver could not be told; it is tried again")
            }
        }
    }
}

/// Tells the catalog which products vendors deliver on demand, as they stand now.
pub fn tell(deps: &Arc<Deps>) {
    let ctx = Ctx::system(Arc::clone(deps));
    let live = deps.feature::<catalog::Live>();
    let snapshot = live.snapshot();
    let mut products: HashSet<String> = deps.feature::<fulfillment::Live>().products().into_iter().collect();
    products.retain(|id| snapshot.product(id).is_some_and(|product| is_delivered(&ctx, product)));
    live.mark_on_demand(&products);
}

/// Whether a vendor delivers a product at one of its face values at least. Prices and costs lie on lines, so that what holds
/// for a value of an offer holds for its least or its greatest.
fn is_delivered(ctx: &Ctx, product: &Product) -> bool {
    let offers = ctx.feature::<fulfillment::Live>().offers_of(&product.id);
    offers.iter().any(|(_, offer)| {
        let (least, most) = offer.face_bounds();
        let faces = product.denomination.between(least, most);
        faces.is_some_and(|(least, greatest)| {
            is_covered(ctx, product, least) || (greatest != least && is_covered(ctx, product, greatest))
        })
    })
}

fn is_covered(ctx: &Ctx, product: &Product, face_minor: i64) -> bool {
    let face = Money::from_minor(face_minor, product.face_currency);
    let Ok(price) = pricing::list_price(ctx, product, face) else { return false };
    let sold = Sold {
        product: &product.id,
        face,
        delivery: product.delivery,
        price_base: in_base(ctx, price),
        costs_at: None,
    };
    cover(&ctx.deps, sold, &|cost: Cost| cost_in_base(ctx, cost, price.currency), 1) > 0
}
