//! A vendor's catalog, held against what we have of it: the pure part.
//!
//! What lives here: which of our products an item is, and what becomes of each offer.
//! What is always true: an item belongs to the products that offers name for it; else to ours of its sku, where the vendor's skus
//! are ours and both are the same goods; else to a product of its own, whose sku follows from the vendor's name, the item's and
//! the face value alone. A sku that a catalog made here says nothing to another vendor. What the operator said of an offer stays.
//! What cannot be understood is left out with the reason, and nothing is sold of it meanwhile. A cost that plunges is not believed.
//! What is not here: reading and writing (`sync.rs`); what of a listing can be believed (`sync_listing.rs`); how an item becomes a product (`domain/catalog`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use entity::ids::VendorId;
use entity::money::Money;
use entity::offers;
use entity::state::OfferStatus;
use entity::timestamp::Timestamp;

use super::listing::{CatalogItem, CostRule, Faces, LeftOut};
use super::sync_goods::{Limits, limits, normal, product_id};
use super::sync_listing::Listing;
use super::sync_report::HeldCost;
use crate::domain::catalog::{Denomination, NewProduct, Product, Shelf, Snapshot, Supplied};

/// How many units a purchase may have; the vendor's own limit holds beside it.
const MOST_UNITS: i32 = 1_000;
/// A listing may make half of the offers vanish, and any number up to this.
const ALWAYS_MAY_VANISH: usize = 20;

/// An offer as it is on record, with what it costs by now.
pub(super) type KnownOffers = BTreeMap<String, (offers::Model, Option<CostRule>)>;

/// What a listing is held against.
pub(super) struct Present<'a> {
    /// The vendor.
    pub(super) vendor: VendorId,
    /// Its name.
    pub(super) name: &'a str,
    /// Whether its skus are ours.
    pub(super) shares_skus: bool,
    /// Our catalog.
    pub(super) snapshot: &'a Snapshot,
    /// Its offers, by product.
    pub(super) offers: &'a KnownOffers,
    /// Which vendor's catalog brought each product that one did.
    pub(super) bringers: &'a HashMap<String, VendorId>,
    /// When it is.
    pub(super) now: Timestamp,
}

/// How an offer changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It was not there.
    Added,
    /// It says something else.
    Refreshed,
    /// It is listed no more.
    Vanished,
    /// It is listed again.
    Returned,
    /// Its item cannot be read any more: nothing is bought by it.
    Unreadable,
}

/// An offer that is to be written.
#[derive(Debug, Clone)]
pub(super) struct PlannedOffer {
    /// As it will stand; of one that is there, what the operator says of it is left as it is.
    pub(super) row: offers::Model,
    /// What it costs from now on, if that is news.
    pub(super) cost: Option<CostRule>,
    /// Its product, if that is new.
    pub(super) product: Option<NewProduct>,
    /// How it changes.
    pub(super) change: Change,
}

/// What a listing comes to.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What is to be written, by product.
    pub(super) offers: Vec<PlannedOffer>,
    /// How many offers stay as they are.
    pub(super) unchanged: usize,
    /// How many offers were sold before.
    pub(super) selling: usize,
    /// The products that are sold and whose items cannot be read.
    pub(super) unreadable: Vec<String>,
    /// Costs that are not believed.
    pub(super) held: Vec<HeldCost>,
    /// What is left out.
    pub(super) left_out: Vec<LeftOut>,
}

impl Plan {
    /// How many offers change in a way.
    pub(super) fn count(&self, change: Change) -> usize {
        self.offers.iter().filter(|offer| offer.change == change).count()
    }

    /// How many offers are sold no more, because their items are not listed or cannot be read.
    pub(super) fn vanishing(&self) -> usize {
        self.count(Change::Vanished).saturating_add(self.count(Change::Unreadable))
    }

    /// Whether those are so many that the listing is rather thought wrong.
    pub(super) fn is_suspicious(&self) -> bool {
        self.selling > ALWAYS_MAY_VANISH && self.vanishing().saturating_mul(2) > self.selling
    }
}

/// Holds a listing against what we have.
pub(super) fn plan(present: &Present<'_>, listing: &Listing) -> Plan {
    let shelf = Shelf::of(present.snapshot, present.now);
    let plan = Plan { left_out: listing.left_out.clone(), ..Plan::default() };
    let mut planning = Planning { present, shelf, plan, covered: HashMap::new() };
    planning.known_offers(listing);
    for item in listing.items.values() {
        planning.news(item);
    }
    planning.plan.offers.sort_by(|left, right| left.row.product_id.cmp(&right.row.product_id));
    planning.plan
}

struct Planning<'a> {
    present: &'a Present<'a>,
    shelf: Shelf,
    plan: Plan,
    /// The denominations in which offers sell an item, by its name.
    covered: HashMap<String, Vec<Denomination>>,
}

impl Planning<'_> {
    /// What becomes of the offers that are there.
    fn known_offers(&mut self, listing: &Listing) {
        // Each thing whose name cannot be read may be one that is missing, and no more than one.
        let may_be_nameless = listing.nameless >= self.missing(listing).len();
        for (there, cost) in self.present.offers.values() {
            self.plan.selling += usize::from(there.status == OfferStatus::Active);
            let sku = &there.vendor_sku;
            let product = self.present.snapshot.product(&there.product_id);
            match (listing.items.get(sku), product) {
                (Some(item), Some(product)) => match self.refreshed(there, item, product) {
                    Ok(row) => {
                        let cost = self.believed(item, product, *cost);
                        self.planned(row, cost, Change::Refreshed);
                    }
                    Err(left_out) => {
                        self.plan.left_out.push(left_out);
                        self.planned(gone(there), None, Change::Refreshed);
                    }
                },
                // It is listed, and nobody knows for how much.
                _ if listing.unreadable.contains(sku) => self.unreadable(there),
                // It was listed a moment ago: parts shift while they are read.
                (None, _) if listing.told_before.contains(sku) => self.plan.unchanged += 1,
                (None, _) if may_be_nameless && there.status != OfferStatus::Vanished => {
                    self.unreadable(there);
                }
                _ => self.planned(gone(there), None, Change::Refreshed),
            }
        }
    }

    /// The names of what was sold and is not listed.
    fn missing(&self, listing: &Listing) -> BTreeSet<&str> {
        let sold = self.present.offers.values().filter(|(offer, _)| offer.status != OfferStatus::Vanished);
        let names = sold.map(|(offer, _)| offer.vendor_sku.as_str());
        names.filter(|sku| !listing.names(sku) && !listing.told_before.contains(*sku)).collect()
    }

    /// An offer of which nothing is bought, since nobody knows what is listed of it.
    fn unreadable(&mut self, there: &offers::Model) {
        let row = offers::Model { listed_available: Some(0), ..there.clone() };
        let is_sold = there.status == OfferStatus::Active;
        if is_sold {
            self.plan.unreadable.push(there.product_id.clone());
        }
        self.planned(row, None, if is_sold { Change::Unreadable } else { Change::Refreshed });
    }

    /// What an offer costs from now on, if that is news and believed. A vendor that errs is bought from at once, and everything
    /// sold below its cost: a cost that falls by more than half, or is in another currency, waits for a person's word.
    fn believed(
        &mut self,
        item: &CatalogItem,
        product: &Product,
        known: Option<CostRule>,
    ) -> Option<CostRule> {
        let Some(known) = known.filter(|known| *known != item.cost) else {
            return known.is_none().then_some(item.cost);
        };
        let (least, greatest) = match product.denomination {
            Denomination::Fixed(value) => (value, value),
            Denomination::Range { min, max, .. } => (min, max),
        };
        let plunge = [least, greatest].into_iter().find_map(|minor| {
            let face = Money::from_minor(minor, product.face_currency);
            let (before, after) = (known.unit_cost(face)?, item.cost.unit_cost(face)?);
            let plunges = before.currency != after.currency || after.micros.saturating_mul(2) < before.micros;
            plunges.then(|| HeldCost::new(product, item, (face, before, after)))
        });
        match plunge {
            Some(held) => {
                self.plan.held.push(held);
                None
            }
            None => Some(item.cost),
        }
    }

    /// An offer as its item has it.
    fn refreshed(
        &mut self,
        there: &offers::Model,
        item: &CatalogItem,
        product: &Product,
    ) -> Result<offers::Model, LeftOut> {
        let limits = limits(product, item);
        if limits.is_some() {
            self.covered.entry(item.vendor_sku.clone()).or_default().push(product.denomination);
        }
        if !self.shelf.knows(item.cost.currency) {
            return Err(LeftOut::new(&item.vendor_sku, unknown_currency(&item.cost)));
        }
        let misfit = || {
            let reason = format!(
                "it is not sold there as {} is here: other face values, or delivered otherwise",
                product.id
            );
            LeftOut::new(&item.vendor_sku, reason)
        };
        let limits = limits.ok_or_else(misfit)?;
        let status = match there.status {
            OfferStatus::Paused => OfferStatus::Paused,
            OfferStatus::Active | OfferStatus::Vanished => OfferStatus::Active,
        };
        Ok(listed(item, limits, offers::Model { status, ..there.clone() }))
    }

    /// Plans an offer that is there, unless it stays as it is; `otherwise` is how it changes if it neither goes nor comes.
    fn planned(&mut self, row: offers::Model, cost: Option<CostRule>, otherwise: Change) {
        let Some((there, _)) = self.present.offers.get(&row.product_id) else { return };
        if *there == row && cost.is_none() {
            self.plan.unchanged += 1;
            return;
        }
        let change = match (there.status, row.status) {
            (OfferStatus::Vanished, OfferStatus::Active) => Change::Returned,
            (OfferStatus::Active, OfferStatus::Vanished) => Change::Vanished,
            _ => otherwise,
        };
        let row = offers::Model { updated_at: self.present.now, ..row };
        self.plan.offers.push(PlannedOffer { row, cost, product: None, change });
    }

    /// What an item sells that no offer knows.
    fn news(&mut self, item: &CatalogItem) {
        let covered = self.covered.remove(&item.vendor_sku).unwrap_or_default();
        let missing: Vec<Denomination> = match &item.faces {
            Faces::Fixed(values) => {
                let values: HashSet<i64> = values.iter().copied().collect();
                let mut missing: Vec<i64> = values
                    .into_iter()
                    .filter(|value| !covered.iter().any(|sold| sold.contains(*value)))
                    .collect();
                missing.sort_unstable();
                missing.into_iter().map(Denomination::Fixed).collect()
            }
            Faces::Range { .. } if !covered.is_empty() => Vec::new(),
            Faces::Range { min, max, step } => {
                vec![normal(Denomination::Range { min: *min, max: *max, step: *step })]
            }
        };
        for denomination in missing {
            if let Err(reason) = self.offer_anew(item, denomination) {
                let left_out = LeftOut::new(&item.vendor_sku, reason);
                // All face values of an item are mostly left out for one reason, which is told once.
                if self.plan.left_out.last() != Some(&left_out) {
                    self.plan.left_out.push(left_out);
                }
            }
        }
    }

    fn offer_anew(&mut self, item: &CatalogItem, denomination: Denomination) -> Result<(), String> {
        if !item.is_active {
            return Err("it cannot be bought at present".to_owned());
        }
        if !self.shelf.knows(item.cost.currency) {
            return Err(unknown_currency(&item.cost));
        }
        if self.is_ours(item, denomination) {
            return self.add(item, &item.vendor_sku, Some((None, None)), None);
        }
        let id = product_id(self.present.name, item, denomination);
        if let Some(product) = self.present.snapshot.product(&id) {
            let is_its = self.present.bringers.get(&id) == Some(&self.present.vendor)
                && product.denomination == denomination;
            return self.add(item, &id, limits(product, item).filter(|_| is_its), None);
        }
        let several = matches!(&item.faces, Faces::Fixed(values) if values.len() > 1);
        let face = Money::from_minor(denomination.least(), item.face_currency);
        let supplied = Supplied {
            name: if several { format!("{} {face}", item.name) } else { item.name.clone() },
            brand: &item.brand,
            category: &item.category,
            country: item.country.as_deref(),
            face_currency: item.face_currency,
            denomination,
            delivery: item.delivery,
            recipient: item.recipient,
            redemption_instructions: item.redemption_instructions.as_deref(),
            source: self.present.name,
            id,
        };
        let product = self.shelf.place(&supplied)?;
        self.add(item, &supplied.id, Some((None, None)), Some(product))
    }

    /// Whether an item is the product of ours that has its very name: a name that both sides gave by themselves to the same goods.
    /// One that a catalog made here is made of a vendor's name, and another Octopus may know another vendor by it.
    fn is_ours(&self, item: &CatalogItem, denomination: Denomination) -> bool {
        let Some(product) = self.present.snapshot.product(&item.vendor_sku) else { return false };
        self.present.shares_skus
            && !self.present.bringers.contains_key(&product.id)
            && self.shelf.brand_of(&item.brand) == Some(product.brand.slug.as_str())
            && item.country.as_deref() == Some(product.country.code.as_str())
            && normal(product.denomination) == denomination
            && limits(product, item).is_some()
    }

    fn add(
        &mut self,
        item: &CatalogItem,
        id: &str,
        limits: Option<Limits>,
        product: Option<NewProduct>,
    ) -> Result<(), String> {
        if let Some((there, _)) = self.present.offers.get(id) {
            return Err(format!("{id} is bought there as {}", there.vendor_sku));
        }
        let limits = limits.ok_or_else(|| format!("{id} is another product here"))?;
        let row = offers::Model {
            vendor_id: self.present.vendor,
            product_id: id.to_owned(),
            vendor_sku: item.vendor_sku.clone(),
            status: OfferStatus::Active,
            priority: 0,
            min_face_minor: None,
            max_face_minor: None,
            max_quantity: MOST_UNITS,
            available: None,
            listed_min_face_minor: None,
            listed_max_face_minor: None,
            listed_max_quantity: None,
            listed_available: None,
            created_at: self.present.now,
            updated_at: self.present.now,
        };
        let (row, change) = (listed(item, limits, row), Change::Added);
        self.plan.offers.push(PlannedOffer { row, cost: Some(item.cost), product, change });
        Ok(())
    }
}

/// An offer that is listed no more. What the operator paused stays so.
fn gone(there: &offers::Model) -> offers::Model {
    let status = match there.status {
        OfferStatus::Active | OfferStatus::Vanished => OfferStatus::Vanished,
        OfferStatus::Paused => OfferStatus::Paused,
    };
    offers::Model { status, ..there.clone() }
}

fn unknown_currency(cost: &CostRule) -> String {
    format!("what it costs is in {}, which is unknown here", cost.currency)
}

/// An offer with what its item says of it.
fn listed(item: &CatalogItem, (least, greatest): Limits, offer: offers::Model) -> offers::Model {
    offers::Model {
        listed_min_face_minor: least,
        listed_max_face_minor: greatest,
        listed_max_quantity: item.max_quantity.map(|most| most.min(MOST_UNITS)),
        listed_available: if item.is_active { item.available } else { Some(0) },
        ..offer
    }
}
