//! Finding vendors for units.
//!
//! What lives here: what an order's open units could have from vendors, and putting purchases for them on record.
//! What is always true: purchases go on record in the transaction of the caller, who sends them when that is committed and not
//! before; costs are compared in one currency, by the caller's rates.
//! What is not here: sending (`calls.rs`); stock, refunds and the units' rows (orders).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use entity::ids::{PurchaseId, VendorId, WorkerId};
use entity::money::Money;
use entity::state::{AttemptOutcome, DeliveryKind, FailurePolicy, OfferStatus, PurchaseState};
use entity::timestamp::Timestamp;
use entity::{orders, purchases, vendor_health};
use sea_orm::DbErr;

use super::allowance::Allowance;
use super::live::{KnownOffer, KnownVendor, Live};
use super::model::{
    CIRCUIT_OPENS_AT, Candidate, Plan, Prospect, Skip, highest_cost, our_ref, plan, resolves_by,
};
use super::store;
use super::vendor::RefusalKind;
use super::vendor_store;
use crate::ctx::Deps;
use crate::domain::vouchers::Cost;
use crate::store::Transaction;

/// What is sold, as vendors are asked for it.
#[derive(Debug, Clone, Copy)]
pub struct Sold<'a> {
    /// The product.
    pub product: &'a str,
    /// The face value of a unit.
    pub face: Money,
    /// How it reaches its user.
    pub delivery: DeliveryKind,
    /// What a unit is sold for in the base currency, at scale 6; `None` without a rate.
    pub price_base: Option<i64>,
    /// At which instant's costs it is judged; `None`: at today's.
    pub costs_at: Option<Timestamp>,
}

/// A unit that wants a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedUnit {
    /// Its place in the order.
    pub index: i32,
    /// How many purchases it was part of.
    pub tries: i32,
}

/// How costs are compared: a cost in the base currency, at scale 6; `None` without a rate.
pub type ToBase<'a> = &'a (dyn Fn(Cost) -> Option<i64> + Send + Sync);

/// What became of units that wanted a source.
#[derive(Debug, Default)]
pub struct Sourced {
    /// The purchases that are on record now, to be sent once the transaction is committed.
    pub purchases: Vec<purchases::Model>,
    /// The units that are part of them: their index, of how many purchases they were part by now, and the instant by which it is
    /// known what the vendor did.
    pub awaiting: Vec<(i32, i32, Timestamp)>,
    /// The units that have no source now, with what they can hope for.
    pub unsourced: Vec<(WantedUnit, Prospect)>,
    /// The vendors that were busy, if a unit waits for one, each with how long its rate is used up, if that is why.
    pub busy: Vec<(VendorId, Option<Duration>)>,
}

/// How many units vendors could deliver, as far as is known before any is asked; never more than `wanted`.
pub fn cover(deps: &Deps, sold: Sold<'_>, to_base: ToBase<'_>, wanted: i32) -> i32 {
    let offers = deps.feature::<Live>().offers_of(sold.product);
    let mut units = 0_i64;
    for (vendor, offer) in &offers {
        let candidate = candidate(vendor, offer, sold, to_base);
        let found = plan(wanted, 0, sold.price_base, &[candidate], Timestamp::NEVER);
        if found.from_vendors.is_empty() {
            continue;
        }
        units = units.saturating_add(offer.available().unwrap_or_else(|| i64::from(wanted)));
    }
    i32::try_from(units.min(i64::from(wanted))).unwrap_or(wanted)
}

/// A vendor as a candidate, as if it were well and had no limits.
fn candidate(vendor: &KnownVendor, offer: &KnownOffer, sold: Sold<'_>, to_base: ToBase<'_>) -> Candidate {
    let rule = match sold.costs_at {
        Some(at) => offer.cost_at(at),
        None => offer.cost(),
    };
    let cost = rule.and_then(|rule| rule.unit_cost(sold.face));
    Candidate {
        vendor: vendor.row.id,
        cost,
        cost_base: cost.and_then(to_base),
        priority: vendor.row.priority.saturating_add(offer.row.priority),
        obstacle: obstacle(vendor, offer, sold),
        failures: 0,
        open_until: Timestamp::from_micros(i64::MIN),
        capacity: i32::MAX,
        refused: false,
        lost: false,
    }
}

fn obstacle(vendor: &KnownVendor, offer: &KnownOffer, sold: Sold<'_>) -> Option<Skip> {
    if !vendor.is_bought_from() || offer.row.status == OfferStatus::Paused {
        Some(Skip::Paused)
    } else if offer.row.status == OfferStatus::Vanished {
        Some(Skip::Vanished)
    } else if !offer.takes_face(sold.face.minor) || !vendor.capabilities.delivers.contains(&sold.delivery) {
        Some(Skip::NotSold)
    } else if offer.available() == Some(0) {
        Some(Skip::SoldOut)
    } else {
        None
    }
}

/// Who asks vendors for units of which order.
#[derive(Clone, Copy)]
pub struct Sourcing<'a> {
    /// The process.
    pub deps: &'a Arc<Deps>,
    /// The caller's transaction, which has locked the order's row.
    pub transaction: &'a Transaction,
    /// The worker that will send what goes on record.
    pub worker: WorkerId,
    /// The present.
    pub now: Timestamp,
    /// The order.
    pub order: &'a orders::Model,
    /// What is sold.
    pub sold: Sold<'a>,
    /// How costs are compared.
    pub to_base: ToBase<'a>,
}

/// What was tried for a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Past {
    /// Vendors that have refused it for good.
    refused: BTreeSet<VendorId>,
    /// Vendors that a purchase of it never reached.
    lost: BTreeSet<VendorId>,
}

/// A vendor that could be asked, with what is left of its limits.
struct Seller {
    known: Arc<KnownVendor>,
    offer: KnownOffer,
    candidate: Candidate,
    /// How many purchases it takes now, by its limits; `None` if it is not asked.
    allowance: Option<(Allowance, i32)>,
    used: i32,
}

impl Seller {
    /// How many units a purchase may have.
    fn batch(&self) -> i32 {
        self.known.largest_batch().min(self.offer.max_quantity()).max(1)
    }

    /// How many units it takes now: one where it is tried again after failing.
    fn capacity(&self) -> i32 {
        let purchases = self.allowance.map_or(0, |(_, purchases)| purchases - self.used).max(0);
        if self.candidate.failures >= CIRCUIT_OPENS_AT {
            return purchases.min(1).min(1 - self.used.min(1));
        }
        purchases.saturating_mul(self.batch())
    }
}

impl Sourcing<'_> {
    /// Puts purchases for units on record, as far as vendors and their limits reach.
    ///
    /// # Errors
    /// What the database says.
    pub async fn source(self, units: &[WantedUnit]) -> Result<Sourced, DbErr> {
        let mut sourced = Sourced::default();
        let mut sellers = self.sellers().await?;
        if sellers.is_empty() {
            sourced.unsourced = units.iter().map(|unit| (*unit, Prospect::Stock)).collect();
            return Ok(sourced);
        }
        let mut attempts = Vec::new();
        for (past, group) in self.groups(units, &sellers).await? {
            self.plan_group(&mut sellers, &past, &group, &mut sourced, &mut attempts);
        }
        if sourced.unsourced.iter().any(|(_, prospect)| *prospect == Prospect::Busy) {
            let busy = |seller: &Seller| Some((seller.known.row.id, self.rest_of(seller)?));
            sourced.busy = sellers.iter().filter_map(busy).collect();
        }
        let is_lost = sourced.unsourced.iter().any(|(_, prospect)| *prospect == Prospect::Refused);
        if is_lost && self.order.failure_policy == FailurePolicy::AllOrNothing {
            // It will not have all of its units: nothing more is bought for it.
            return Ok(Sourced { unsourced: sourced.unsourced, ..Sourced::default() });
        }
        if sourced.purchases.is_empty() {
            return Ok(sourced);
        }
        store::insert_purchases(self.transaction, &sourced.purchases, &attempts, self.now).await?;
        for seller in sellers.iter().filter(|seller| seller.used > 0) {
            let vendor = seller.known.row.id;
            if let Some((allowance, _)) = seller.allowance {
                let requests = seller.known.requests_of_purchase(self.sold.delivery);
                let requests = seller.used.saturating_mul(requests);
                allowance.take(self.transaction, &seller.known, requests).await?;
            }
            if seller.candidate.failures >= CIRCUIT_OPENS_AT {
                let secs = i64::from(seller.known.row.timeout_ms).div_euclid(1_000) + 1;
                let subject = (vendor, self.sold.product);
                vendor_store::probe(self.transaction, self.now, subject, secs).await?;
            }
        }
        Ok(sourced)
    }

    /// The vendors that sell it, their limits locked in the order of their ids.
    async fn sellers(&self) -> Result<Vec<Seller>, DbErr> {
        let mut offers = self.deps.feature::<Live>().offers_of(self.sold.product);
        offers.sort_by_key(|(vendor, _)| vendor.row.id);
        let ids: Vec<VendorId> = offers.iter().map(|(vendor, _)| vendor.row.id).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let health = vendor_store::find_health(self.transaction, &ids, self.sold.product).await?;
        let mut sellers = Vec::with_capacity(offers.len());
        for (known, offer) in offers {
            let candidate =
                with_health(candidate(&known, &offer, self.sold, self.to_base), health.get(&known.row.id));
            // A vendor that is not asked whatever its limits keeps nobody waiting for its row.
            let is_asked = !plan(1, 0, self.sold.price_base, std::slice::from_ref(&candidate), self.now)
                .from_vendors
                .is_empty();
            let allowance = if is_asked { Some(self.allowance(&known).await?) } else { None };
            sellers.push(Seller { known, offer, candidate, allowance, used: 0 });
        }
        Ok(sellers)
    }

    /// How long a vendor's rate is used up, with what is asked of it now; `None` within if it is not, `None` if it is not asked.
    fn rest_of(&self, seller: &Seller) -> Option<Option<Duration>> {
        let (allowance, _) = seller.allowance?;
        let requests = seller.used.saturating_mul(seller.known.requests_of_purchase(self.sold.delivery));
        let wait = allowance.wait_after(requests);
        Some((!wait.is_zero()).then_some(wait))
    }

    async fn allowance(&self, known: &KnownVendor) -> Result<(Allowance, i32), DbErr> {
        let allowance = Allowance::lock(self.deps, self.transaction, known).await?;
        let requests = known.requests_of_purchase(self.sold.delivery);
        Ok((allowance, allowance.purchases(self.transaction, known, requests, self.now).await?))
    }

    /// The units by what was tried for them.
    async fn groups(
        &self,
        units: &[WantedUnit],
        sellers: &[Seller],
    ) -> Result<BTreeMap<Past, Vec<WantedUnit>>, DbErr> {
        let mut pasts: HashMap<i32, Past> = HashMap::new();
        if units.iter().any(|unit| unit.tries > 0) {
            for attempt in store::find_past_attempts(self.transaction, self.order.id).await? {
                let past = pasts.entry(attempt.unit_index).or_default();
                match attempt.refusal.as_deref().and_then(RefusalKind::parse) {
                    _ if attempt.outcome == AttemptOutcome::NotExecuted => {
                        past.lost.insert(attempt.vendor_id);
                    }
                    // No vendor would say otherwise.
                    Some(RefusalKind::BadRecipient) => {
                        past.refused.extend(sellers.iter().map(|one| one.known.row.id));
                    }
                    Some(kind) if kind.is_passing() => {}
                    Some(_) | None => drop(past.refused.insert(attempt.vendor_id)),
                }
            }
        }
        let mut groups: BTreeMap<Past, Vec<WantedUnit>> = BTreeMap::new();
        for unit in units {
            groups.entry(pasts.remove(&unit.index).unwrap_or_default()).or_default().push(*unit);
        }
        Ok(groups)
    }

    fn plan_group(
        &self,
        sellers: &mut [Seller],
        past: &Past,
        group: &[WantedUnit],
        sourced: &mut Sourced,
        attempts: &mut Vec<(PurchaseId, entity::ids::OrderId, i32, i32)>,
    ) {
        let candidates: Vec<Candidate> = sellers
            .iter()
            .map(|seller| Candidate {
                capacity: seller.capacity(),
                refused: past.refused.contains(&seller.known.row.id),
                lost: past.lost.contains(&seller.known.row.id),
                ..seller.candidate.clone()
            })
            .collect();
        let wanted = i32::try_from(group.len()).unwrap_or(i32::MAX);
        let found = plan(wanted, 0, self.sold.price_base, &candidates, self.now);
        let mut rest = group;
        for (place, units) in &found.from_vendors {
            let seller = &mut sellers[*place];
            let (taken, left) = rest.split_at(usize::try_from(*units).unwrap_or(0).min(rest.len()));
            rest = left;
            for members in taken.chunks(usize::try_from(seller.batch()).unwrap_or(1)) {
                let purchase = self.purchase(seller, members, &found);
                seller.used += 1;
                for unit in members {
                    attempts.push((purchase.id, self.order.id, unit.index, unit.tries + 1));
                    sourced.awaiting.push((unit.index, unit.tries + 1, purchase.resolves_by));
                }
                sourced.purchases.push(purchase);
            }
        }
        sourced.unsourced.extend(rest.iter().map(|unit| (*unit, found.prospect)));
    }

    /// What so many units may cost at most; `None` on a charge: what has grown dearer since is our loss.
    fn highest_cost(&self, candidate: &Candidate, quantity: i32) -> Option<i64> {
        if self.sold.costs_at.is_some() {
            return None;
        }
        let (cost, base, price) = (candidate.cost?, candidate.cost_base?, self.sold.price_base?);
        Some(highest_cost(cost, base, price).saturating_mul(i64::from(quantity)))
    }

    fn purchase(&self, seller: &Seller, members: &[WantedUnit], found: &Plan) -> purchases::Model {
        let first = members[0];
        let quantity = i32::try_from(members.len()).unwrap_or(i32::MAX);
        let unit = seller.candidate.cost.unwrap_or(Cost { micros: 0, currency: seller.known.row.currency });
        purchases::Model {
            id: PurchaseId::from_uuid(self.deps.ids.uuid(self.now)),
            our_ref: our_ref(self.order.partner_id, &self.order.reference, first.index, first.tries + 1),
            vendor_id: seller.known.row.id,
            product_id: self.order.product_id.clone(),
            vendor_sku: seller.offer.row.vendor_sku.clone(),
            partner_id: self.order.partner_id,
            order_id: self.order.id,
            quantity,
            face_minor: self.order.face_minor,
            face_currency: self.order.face_currency,
            expected_cost_micros: unit.micros.saturating_mul(i64::from(quantity)),
            highest_cost_micros: self.highest_cost(&seller.candidate, quantity),
            cost_currency: unit.currency,
            route: serde_json::to_string(&found.considered).unwrap_or_default(),
            state: PurchaseState::Sending,
            epoch: 1,
            worker_id: Some(self.worker),
            sends: 1,
            looks: 0,
            not_found: 0,
            not_found_since: None,
            vendor_ref: None,
            delivered_quantity: 0,
            cost_micros: None,
            refusal: None,
            message: None,
            ended_by: None,
            created_at: self.now,
            sent_at: self.now,
            next_at: None,
            resolves_by: resolves_by(self.now, seller.known.row.settle_window_secs),
            ended_at: None,
        }
    }
}

fn with_health(candidate: Candidate, health: Option<&vendor_health::Model>) -> Candidate {
    match health {
        Some(health) => Candidate { failures: health.failures, open_until: health.open_until, ..candidate },
        None => candidate,
    }
}
