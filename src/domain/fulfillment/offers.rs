//! What vendors sell, and for how much.
//!
//! What lives here: putting a vendor's offers on record, from a file or from its catalog.
//! What is always true: an offer says what a unit costs; a cost that changes leaves the old one in the history; offers that are
//! there and not named stay as they are; a product that was paused because nobody sells it is sold again once somebody does.
//! What is not here: asking a vendor for its catalog (`sync.rs`); reading files (the command line).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use entity::ids::VendorId;
use entity::state::OfferStatus;
use entity::timestamp::Timestamp;
use entity::{offer_costs, offers};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::Serialize;
use serde_json::json;

use super::listing::CostRule;
use super::offers_store::{insert_costs, upsert_offers};
use super::standing;
use crate::ctx::Ctx;
use crate::domain::audit::{self, Entry};
use crate::problem::Problem;
use crate::store::{Subject, bump, write};

/// How many offers one transaction writes.
const LARGEST_BATCH: usize = 500;

/// An offer as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOffer {
    /// The product.
    pub product: String,
    /// The vendor's name for it.
    pub vendor_sku: String,
    /// Whether it is bought there.
    pub status: OfferStatus,
    /// What a unit costs.
    pub cost: CostRule,
    /// Among equals, the lowest goes first.
    pub priority: i32,
    /// The least face value that the vendor sells, in minor units.
    pub min_face_minor: Option<i64>,
    /// The greatest.
    pub max_face_minor: Option<i64>,
    /// How many units a purchase may have.
    pub max_quantity: i32,
    /// How many the vendor has; `None` if it does not say.
    pub available: Option<i64>,
}

/// What putting offers on record did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct OffersReport {
    /// Offers that were not there.
    pub added: usize,
    /// Offers that are different now.
    pub changed: usize,
    /// Offers that were the same.
    pub unchanged: usize,
}

/// Puts offers of a vendor on record; `told` hears how many are done after each batch. The products must be there.
///
/// # Errors
/// What the database says; the batches before are in then.
pub async fn put_offers(
    ctx: &Ctx,
    vendor: VendorId,
    wanted: Vec<NewOffer>,
    told: &(dyn Fn(usize) + Send + Sync),
) -> Result<OffersReport, Problem> {
    let (known, costs) = read(ctx, vendor).await?;
    let mut report = OffersReport::default();
    let (mut rows, mut fresh) = (Vec::new(), Vec::new());
    for offer in wanted {
        let there = known.get(&offer.product);
        let row = row(vendor, &offer, there, ctx.now);
        let has_new_cost = costs.get(&offer.product) != Some(&offer.cost);
        match there {
            None => report.added += 1,
            Some(there) if is_same(there, &row) && !has_new_cost => {
                report.unchanged += 1;
                continue;
            }
            Some(_) => report.changed += 1,
        }
        if has_new_cost {
            fresh.push(cost_row(vendor, &offer, ctx.now));
        }
        rows.push(row);
    }
    // Everybody who writes several offers goes by their products.
    rows.sort_by(|left, right| left.product_id.cmp(&right.product_id));
    write_all(ctx, vendor, rows, fresh, told).await?;
    standing::restore_sold(ctx, vendor).await?;
    Ok(report)
}

/// Offers and costs by product.
pub(super) type Known = (BTreeMap<String, offers::Model>, HashMap<String, CostRule>);

/// The offers of a vendor, and what each costs by now, by product.
pub(super) async fn read(ctx: &Ctx, vendor: VendorId) -> Result<Known, Problem> {
    let reader = &ctx.database().reader;
    let known = offers::Entity::find().filter(offers::Column::VendorId.eq(vendor)).all(reader).await?;
    let history = offer_costs::Entity::find()
        .filter(offer_costs::Column::VendorId.eq(vendor))
        .order_by_asc(offer_costs::Column::Since)
        .all(reader)
        .await?;
    let rule = |row: offer_costs::Model| {
        let rule = CostRule { currency: row.currency, factor: row.factor, fee_micros: row.fee_micros };
        (row.product_id, rule)
    };
    Ok((
        known.into_iter().map(|row| (row.product_id.clone(), row)).collect(),
        history.into_iter().map(rule).collect(),
    ))
}

fn row(vendor: VendorId, offer: &NewOffer, there: Option<&offers::Model>, now: Timestamp) -> offers::Model {
    // What the vendor lists is about its item.
    let listed = there.filter(|there| there.vendor_sku == offer.vendor_sku);
    offers::Model {
        vendor_id: vendor,
        product_id: offer.product.clone(),
        vendor_sku: offer.vendor_sku.clone(),
        status: offer.status,
        priority: offer.priority,
        min_face_minor: offer.min_face_minor,
        max_face_minor: offer.max_face_minor,
        max_quantity: offer.max_quantity,
        available: offer.available,
        listed_min_face_minor: listed.and_then(|listed| listed.listed_min_face_minor),
        listed_max_face_minor: listed.and_then(|listed| listed.listed_max_face_minor),
        listed_max_quantity: listed.and_then(|listed| listed.listed_max_quantity),
        listed_available: listed.and_then(|listed| listed.listed_available),
        created_at: there.map_or(now, |there| there.created_at),
        updated_at: now,
    }
}

fn is_same(there: &offers::Model, row: &offers::Model) -> bool {
    *there == offers::Model { updated_at: there.updated_at, ..row.clone() }
}

fn cost_row(vendor: VendorId, offer: &NewOffer, now: Timestamp) -> offer_costs::Model {
    offer_costs::Model {
        vendor_id: vendor,
        product_id: offer.product.clone(),
        since: now,
        currency: offer.cost.currency,
        factor: offer.cost.factor,
        fee_micros: offer.cost.fee_micros,
    }
}

async fn write_all(
    ctx: &Ctx,
    vendor: VendorId,
    rows: Vec<offers::Model>,
    costs: Vec<offer_costs::Model>,
    told: &(dyn Fn(usize) + Send + Sync),
) -> Result<(), Problem> {
    let mut costs: HashMap<String, offer_costs::Model> =
        costs.into_iter().map(|cost| (cost.product_id.clone(), cost)).collect();
    let mut done = 0;
    for batch in rows.chunks(LARGEST_BATCH) {
        let fresh: Arc<[offer_costs::Model]> =
            batch.iter().filter_map(|row| costs.remove(&row.product_id)).collect();
        let batch: Arc<[offers::Model]> = batch.into();
        let entry = Entry::new(ctx, "offers.changed", vendor, &json!({ "offers": batch.len() }));
        done += batch.len();
        write::<_, Problem, _>(&ctx.deps, move |transaction| {
            let (batch, fresh, entry) = (Arc::clone(&batch), Arc::clone(&fresh), entry.clone());
            Box::pin(async move {
                upsert_offers(transaction, &batch).await?;
                insert_costs(transaction, &fresh).await?;
                audit::record(transaction, &[entry]).await?;
                Ok(bump(transaction, Subject::Vendors).await?)
            })
        })
        .await?;
        told(done);
    }
    Ok(())
}
