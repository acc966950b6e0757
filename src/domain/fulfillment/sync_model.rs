//! A vendor's catalog, held against what we have of it: the pure part.
//!
//! What lives here: which of our products an item is, and what becomes of each offer.
//! What is always true: an item belongs to the products that offers name for it; else to ours of its sku, where the vendor's skus
//! are ours; else to a product of its own, whose sku follows from the vendor's name, the item's and the face value alone. What the
//! operator said of an offer stays. What cannot be understood is left out with the reason, and nothing is sold of it meanwhile.
//! What is not here: reading and writing (`sync.rs`); what of a listing can be believed (`sync_listing.rs`); how an item becomes a product (`domain/catalog`).

use std::collections::{BTreeMap, HashMap, HashSet};

use entity::ids::VendorId;
use entity::money::Money;
use entity::offers;
use entity::state::OfferStatus;
use entity::timestamp::Timestamp;

use super::listing::{CatalogItem, CostRule, Faces, LeftOut};
use super::sync_listing::Listing;
use crate::domain::catalog::{Denomination, NewProduct, Product, Shelf, Snapshot, Supplied, fingerprint};

/// How long a sku of ours may be, in bytes.
const LONGEST_SKU: usize = 100;
/// How many units a purchase of a new offer may have; the vendor's own limit holds beside it.
const MOST_UNITS: i32 = 1_000;
/// A listing may make half of the offers vanish, and any number up to this.
const ALWAYS_MAY_VANISH: usize = 20;

/// The least and the greatest face value of a product that a vendor sells, where it does not sell all.
type Limits = (Option<i64>, Option<i64>);

/// An offer as it is on record, with what it costs by now.
pub(super) type KnownOffers = HashMap<String, (offers::Model, Option<CostRule>)>;

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
    /// What is left out.
    pub(super) left_out: Vec<LeftOut>,
}

impl Plan {
    /// How many offers change in a way.
    pub(super) fn count(&self, change: Change) -> usize {
        self.offers.iter().filter(|offer| offer.change == change).count()
    }

    /// Whether so many offers vanish that the listing is rather thought wrong.
    pub(super) fn is_suspicious(&self) -> bool {
        let vanishing = self.count(Change::Vanished);
        self.selling > ALWAYS_MAY_VANISH && vanishing.saturating_mul(2) > self.selling
    }
}

/// Holds a listing against what we have.
pub(super) fn plan(present: &Present<'_>, listing: Listing) -> Plan {
    let shelf = Shelf::of(present.snapshot, present.now);
    let plan = Plan { left_out: listing.left_out, ..Plan::default() };
    let mut planning = Planning { present, shelf, plan, covered: HashMap::new() };
    planning.known_offers(&listing.items);
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
    fn known_offers(&mut self, items: &BTreeMap<String, CatalogItem>) {
        let unnamed = self.plan.left_out.iter().any(|left_out| left_out.vendor_sku.is_none());
        let unreadable: HashSet<String> =
            self.plan.left_out.iter().filter_map(|left_out| left_out.vendor_sku.clone()).collect();
        for (there, cost) in self.present.offers.values() {
            self.plan.selling += usize::from(there.status == OfferStatus::Active);
            let product = self.present.snapshot.product(&there.product_id);
            let row = match (items.get(&there.vendor_sku), product) {
                (Some(item), Some(product)) => match self.refreshed(there, item, product) {
                    Ok(row) => {
                        self.planned(row, Some(&item.cost).filter(|rule| Some(**rule) != *cost).copied());
                        continue;
                    }
                    Err(left_out) => {
                        self.plan.left_out.push(left_out);
                        gone(there)
                    }
                },
                // It is listed, and nobody knows for how much.
                _ if unreadable.contains(&there.vendor_sku) => {
                    offers::Model { available: Some(0), ..there.clone() }
                }
                // What cannot be told by name may be this one.
                (None, _) if unnamed => there.clone(),
                _ => gone(there),
            };
            self.planned(row, None);
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
        let (min_face_minor, max_face_minor) = limits.ok_or_else(misfit)?;
        let status = match there.status {
            OfferStatus::Paused => OfferStatus::Paused,
            OfferStatus::Active | OfferStatus::Vanished => OfferStatus::Active,
        };
        let available = available(item);
        Ok(offers::Model { status, min_face_minor, max_face_minor, available, ..there.clone() })
    }

    /// Plans an offer that is there, unless it stays as it is.
    fn planned(&mut self, row: offers::Model, cost: Option<CostRule>) {
        let Some((there, _)) = self.present.offers.get(&row.product_id) else { return };
        if *there == row && cost.is_none() {
            self.plan.unchanged += 1;
            return;
        }
        let change = match (there.status, row.status) {
            (OfferStatus::Vanished, OfferStatus::Active) => Change::Returned,
            (OfferStatus::Active, OfferStatus::Vanished) => Change::Vanished,
            _ => Change::Refreshed,
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
                // The greatest value lies on a step.
                let over = max.saturating_sub(*min).checked_rem(*step).unwrap_or(0);
                vec![Denomination::Range { min: *min, max: max.saturating_sub(over), step: *step }]
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
        if let Some(limits) = self.limits_of_ours(item, denomination) {
            return self.add(item, &item.vendor_sku, Some(limits), None);
        }
        let id = product_id(self.present.name, item, denomination);
        if let Some(product) = self.present.snapshot.product(&id) {
            let is_same = product.denomination == denomination;
            return self.add(item, &id, limits(product, item).filter(|_| is_same), None);
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

    /// Between which face values an item sells the product of ours that it is by its very name, if there is one.
    fn limits_of_ours(&self, item: &CatalogItem, denomination: Denomination) -> Option<Limits> {
        let product = self.present.snapshot.product(&item.vendor_sku).filter(|_| self.present.shares_skus)?;
        let is_meant = match denomination {
            Denomination::Fixed(_) => product.denomination == denomination,
            Denomination::Range { .. } => true,
        };
        limits(product, item).filter(|_| is_meant)
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
        let (min_face_minor, max_face_minor) =
            limits.ok_or_else(|| format!("{id} is another product here"))?;
        let row = offers::Model {
            vendor_id: self.present.vendor,
            product_id: id.to_owned(),
            vendor_sku: item.vendor_sku.clone(),
            status: OfferStatus::Active,
            priority: 0,
            min_face_minor,
            max_face_minor,
            max_quantity: MOST_UNITS,
            available: available(item),
            created_at: self.present.now,
            updated_at: self.present.now,
        };
        let change = Change::Added;
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

fn available(item: &CatalogItem) -> Option<i64> {
    if item.is_active { item.available } else { Some(0) }
}

/// Between which face values an item sells a product; `None` where it does not.
fn limits(product: &Product, item: &CatalogItem) -> Option<Limits> {
    let is_alike = product.face_currency == item.face_currency
        && product.delivery == item.delivery
        && product.recipient == item.recipient;
    if !is_alike {
        return None;
    }
    match (product.denomination, &item.faces) {
        (Denomination::Fixed(value), Faces::Fixed(values)) => values.contains(&value).then_some((None, None)),
        (Denomination::Fixed(value), Faces::Range { min, max, step }) => {
            let range = Denomination::Range { min: *min, max: *max, step: *step };
            range.contains(value).then_some((None, None))
        }
        (Denomination::Range { .. }, Faces::Fixed(_)) => None,
        (ours @ Denomination::Range { min, max, step }, Faces::Range { min: from, max: to, step: every }) => {
            let on_steps = step.checked_rem(*every) == Some(0)
                && min.checked_sub(*from).and_then(|apart| apart.checked_rem(*every)) == Some(0);
            let least = if min >= *from { min } else { next_step(min, step, *from)? };
            let is_sold = on_steps && least <= max.min(*to) && ours.contains(least);
            is_sold.then_some((Some(*from).filter(|from| *from > min), Some(*to).filter(|to| *to < max)))
        }
    }
}

/// The first value at or above a bound, in steps from the least.
fn next_step(min: i64, step: i64, bound: i64) -> Option<i64> {
    let above = bound.checked_sub(min)?;
    let steps = above.checked_add(step.checked_sub(1)?)?.checked_div(step)?;
    min.checked_add(steps.checked_mul(step)?)
}

/// The sku of an item's own product. A vendor's name has no dot in it, so that no two vendors have the same; a name of the
/// vendor's that is no part of a sku goes in as what is left of it, and with its fingerprint.
fn product_id(vendor: &str, item: &CatalogItem, denomination: Denomination) -> String {
    let tail = match denomination {
        Denomination::Fixed(value) => {
            let face = Money::from_minor(value, item.face_currency);
            format!(".{}-{}", face.amount(), item.face_currency.to_string().to_lowercase())
        }
        Denomination::Range { .. } => String::new(),
    };
    let room = LONGEST_SKU.saturating_sub(vendor.len()).saturating_sub(tail.len()).saturating_sub(1);
    let is_plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-".contains(letter);
    let sku = &item.vendor_sku;
    if sku.len() <= room && sku.chars().all(is_plain) {
        return format!("{vendor}.{sku}{tail}");
    }
    let print = fingerprint(sku);
    let plain = |letter: char| if is_plain(letter) { letter } else { '-' };
    let kept = room.saturating_sub(print.len()).saturating_sub(1);
    let start: String = sku.to_ascii_lowercase().chars().map(plain).take(kept).collect();
    format!("{vendor}.{start}.{print}{tail}")
}

#[cfg(test)]
#[path = "sync_model_tests.rs"]
mod tests;
