//! Reading what a vendor sells.
//!
//! What lives here: the command that brings a vendor's catalog into ours: products, offers, what they cost.
//! What is always true: one process reads a vendor's catalog at a time, and none does inside a transaction; nothing is written
//! before the listing was read to its end, and nothing at all where it is not whole, or makes suspiciously much vanish; what is
//! written comes in transactions of a few hundred rows, and the next reading does what an interrupted one left; what is as it was
//! is not written. Nothing is ever deleted: an offer whose item is gone has vanished, and a product that the catalog brought and
//! nobody sells any more is paused, until somebody sells it again.
//! What is not here: when catalogs are read (`jobs.rs`); what a listing comes to (`sync_model.rs`).

use std::sync::Arc;

use entity::ids::VendorId;
use entity::offer_costs;
use entity::state::ProductStatus;
use entity::timestamp::Timestamp;
use sea_orm::DbErr;
use serde_json::json;

use super::listing::{Listed, Trouble};
use super::live::{KnownVendor, Live};
use super::offers;
use super::offers_store::{insert_costs, refresh_offers};
use super::pace;
use super::sync_listing::Listing;
use super::sync_model::{Change, Plan, PlannedOffer, Present, plan};
use super::sync_report::{SyncProgress, SyncRefusal, SyncReport, Told, Vanishing};
use super::sync_store as store;
use super::turns::{self, Ended, LastReading, Listing as Turns, Turn, When};
use crate::ctx::Ctx;
use crate::domain::audit::{self, Entry};
use crate::domain::catalog::{self, NewProduct};
use crate::problem::{Failure, Problem};
use crate::store::{Subject, Transaction, bump, write};

/// Offers a transaction: with their products, costs and notes, what one may write.
const OFFERS_A_TRANSACTION: usize = 120;
/// Products a transaction that are paused or sold again.
const PRODUCTS_A_TRANSACTION: usize = 250;
/// More parts than these have no end.
const MOST_PARTS: usize = 10_000;
/// More items than these are no catalog that can be kept.
const MOST_ITEMS: usize = 200_000;

/// Reads a vendor's catalog now.
///
/// # Errors
/// `SyncRefusal`; what the database says.
pub async fn sync(
    ctx: &Ctx,
    vendor: VendorId,
    vanishing: Vanishing,
    told: Told<'_>,
) -> Result<SyncReport, Failure<SyncRefusal>> {
    run(ctx, vendor, (When::Free, vanishing), told).await
}

/// Reads it if it is due, and still nobody else does.
pub(super) async fn sync_due(ctx: &Ctx, vendor: VendorId) -> Result<SyncReport, Failure<SyncRefusal>> {
    run(ctx, vendor, (When::Due, Vanishing::Limited), &|_| ()).await
}

/// When each vendor's catalog was last read, and why it could not be since; those alone of which it was ever tried.
///
/// # Errors
/// What the database says.
pub async fn list_syncs(ctx: &Ctx) -> Result<Vec<LastReading>, Problem> {
    Ok(turns::list_readings(&ctx.database().reader, Turns::Catalog).await?)
}

async fn run(
    ctx: &Ctx,
    vendor: VendorId,
    (when, vanishing): (When, Vanishing),
    told: Told<'_>,
) -> Result<SyncReport, Failure<SyncRefusal>> {
    let refused = |reason| Err(Failure::Refused(reason));
    let Some(known) = ctx.feature::<Live>().vendor(vendor) else { return refused(SyncRefusal::NotOpen) };
    if !known.capabilities.catalog {
        return refused(SyncRefusal::Unsupported);
    }
    let deps = Arc::clone(&ctx.deps);
    let turn = write::<_, Problem, _>(&ctx.deps, move |transaction| {
        let (deps, whose) = (Arc::clone(&deps), (Turns::Catalog, vendor));
        Box::pin(async move { Ok(turns::take_turn(&deps, transaction, whose, when).await?) })
    })
    .await?;
    let Some(turn) = turn else { return refused(SyncRefusal::Busy) };
    let reading = Reading { ctx: ctx.clone(), known, turn };
    let read = reading.read(vanishing, told).await;
    match &read {
        Ok(report) => reading.tell(report),
        Err(Failure::Refused(SyncRefusal::Busy)) => {}
        Err(Failure::Refused(refusal)) => reading.give_up(&refusal.to_string()).await?,
        Err(Failure::Problem(problem)) => reading.give_up(&problem.to_string()).await?,
    }
    read
}

#[derive(Clone)]
struct Reading {
    ctx: Ctx,
    known: Arc<KnownVendor>,
    turn: Turn,
}

impl Reading {
    async fn read(&self, vanishing: Vanishing, told: Told<'_>) -> Result<SyncReport, Failure<SyncRefusal>> {
        let begun = self.ctx.deps.clock.now();
        let listing = Listing::of(self.list(told).await?);
        let items = listing.len();
        let plan = self.plan(listing).await?;
        if plan.is_suspicious() && vanishing == Vanishing::Limited {
            let (vanishing, selling) = (plan.count(Change::Vanished), plan.selling);
            return Err(Failure::Refused(SyncRefusal::TooMuchVanishes { vanishing, selling }));
        }
        let mut report = self.report(items, &plan);
        let total = plan.offers.len();
        let mut done = 0;
        for batch in plan.offers.chunks(OFFERS_A_TRANSACTION) {
            self.write(Step::Offers(batch.into())).await?;
            done += batch.len();
            told(SyncProgress::Written(done, total));
        }
        self.stand(&mut report).await?;
        self.write(Step::End(begun)).await?;
        Ok(report)
    }

    /// Everything that is listed. A listing that says that there is more than it told was cut.
    async fn list(&self, told: Told<'_>) -> Result<Vec<Listed>, Failure<SyncRefusal>> {
        let failed = |reason: String| Failure::Refused(SyncRefusal::Failed(reason));
        let (mut items, mut from) = (Vec::new(), None);
        for _ in 0..MOST_PARTS {
            pace::take_turn(&self.ctx.deps, &self.known, 1).await?;
            let part = self.known.vendor.catalog(from.take()).await;
            if let Err(Trouble::TooMany(too_many)) = &part {
                pace::leave_alone(&self.ctx.deps, self.known.row.id, *too_many).await?;
            }
            let part = part.map_err(|trouble| failed(trouble.to_string()))?;
            items.extend(part.items);
            told(SyncProgress::Read(items.len(), part.total));
            if items.len() > MOST_ITEMS {
                break;
            }
            if part.next.is_none() {
                return match part.total.filter(|total| items.len() < *total) {
                    Some(total) => Err(failed(format!("{} of {total} items were told", items.len()))),
                    None => Ok(items),
                };
            }
            from = part.next;
            self.write(Step::Read).await?;
        }
        Err(failed("it has no end".to_owned()))
    }

    async fn plan(&self, listing: Listing) -> Result<Plan, Problem> {
        // What other processes and commands have done meanwhile.
        catalog::refresh_catalog(&self.ctx.deps).await?;
        let (known, mut costs) = offers::read(&self.ctx, self.known.row.id).await?;
        let known = known.into_iter().map(|(product, row)| {
            let cost = costs.remove(&product);
            (product, (row, cost))
        });
        let snapshot = self.ctx.feature::<catalog::Live>().snapshot();
        let present = Present {
            vendor: self.known.row.id,
            name: &self.known.row.name,
            shares_skus: self.known.capabilities.shares_skus,
            snapshot: &snapshot,
            offers: &known.collect(),
            now: self.ctx.deps.clock.now(),
        };
        Ok(plan(&present, listing))
    }

    fn report(&self, items: usize, plan: &Plan) -> SyncReport {
        let of = |change| {
            let offers = plan.offers.iter().filter(move |offer| offer.change == change);
            offers.map(|offer| offer.row.product_id.clone()).collect()
        };
        SyncReport {
            vendor: self.known.row.name.clone(),
            items,
            products_added: plan.offers.iter().filter(|offer| offer.product.is_some()).count(),
            added: plan.count(Change::Added),
            changed: plan.count(Change::Refreshed),
            unchanged: plan.unchanged,
            vanished: of(Change::Vanished),
            returned: of(Change::Returned),
            withdrawn: Vec::new(),
            restored: Vec::new(),
            left_out: plan.left_out.clone(),
        }
    }

    /// Pauses what nobody sells any more of the products that this vendor's catalog brought, and has sold again what somebody does.
    async fn stand(&self, report: &mut SyncReport) -> Result<(), Failure<SyncRefusal>> {
        let brought = store::find_brought(&self.ctx.database().reader, self.known.row.id).await;
        let stock = self.ctx.feature::<catalog::Live>();
        for one in brought.map_err(Problem::from)? {
            let has_source = one.is_listed || stock.available(&one.product_id) > 0;
            match one.withdrawn_at {
                None if !has_source && one.status == ProductStatus::Active => {
                    report.withdrawn.push(one.product_id);
                }
                Some(_) if has_source => report.restored.push(one.product_id),
                _ => {}
            }
        }
        for batch in report.withdrawn.chunks(PRODUCTS_A_TRANSACTION) {
            self.write(Step::Withdraw(batch.into())).await?;
        }
        for batch in report.restored.chunks(PRODUCTS_A_TRANSACTION) {
            self.write(Step::Restore(batch.into())).await?;
        }
        Ok(())
    }

    async fn write(&self, step: Step) -> Result<(), Failure<SyncRefusal>> {
        let (reading, step) = (self.clone(), Arc::new(step));
        let held = write::<_, Problem, _>(&self.ctx.deps, move |transaction| {
            let (reading, step) = (reading.clone(), Arc::clone(&step));
            Box::pin(async move { Ok(reading.take(transaction, &step).await?) })
        })
        .await?;
        if held { Ok(()) } else { Err(Failure::Refused(SyncRefusal::Busy)) }
    }

    /// Writes a step; tells whether it was still this process's turn.
    async fn take(&self, transaction: &Transaction, step: &Step) -> Result<bool, DbErr> {
        let deps = &self.ctx.deps;
        if !turns::hold_turn(deps, transaction, Turns::Catalog, &self.turn).await? {
            return Ok(false);
        }
        let now = deps.clock.now();
        match step {
            Step::Read => {}
            Step::Offers(offers) => self.write_offers(transaction, offers).await?,
            Step::Withdraw(products) => {
                let products: Vec<&str> = products.iter().map(String::as_str).collect();
                store::note_withdrawn(transaction, &products, now).await?;
                catalog::withdraw_products(transaction, &products, now).await?;
                self.close(transaction, "products.withdrawn", &products).await?;
            }
            Step::Restore(products) => {
                let products: Vec<&str> = products.iter().map(String::as_str).collect();
                store::note_restored(transaction, &products, now).await?;
                catalog::restore_products(transaction, &products, now).await?;
                self.close(transaction, "products.restored", &products).await?;
            }
            Step::End(begun) => {
                let ended = (&self.turn, &Ended::Read(*begun));
                turns::end_turn(deps, transaction, Turns::Catalog, ended).await?;
            }
        }
        Ok(true)
    }

    async fn write_offers(&self, transaction: &Transaction, offers: &[PlannedOffer]) -> Result<(), DbErr> {
        let vendor = self.known.row.id;
        let products: Vec<NewProduct> = offers.iter().filter_map(|offer| offer.product.clone()).collect();
        if !products.is_empty() {
            let ids: Vec<&str> = products.iter().map(NewProduct::id).collect();
            catalog::add_products(transaction, &products).await?;
            store::note_products(transaction, vendor, &ids).await?;
        }
        let rows: Vec<entity::offers::Model> = offers.iter().map(|offer| offer.row.clone()).collect();
        let written = refresh_offers(transaction, &rows).await?;
        let costs: Vec<offer_costs::Model> = offers
            .iter()
            .filter(|offer| written.contains(&offer.row.product_id))
            .filter_map(|offer| {
                let cost = offer.cost?;
                Some(offer_costs::Model {
                    vendor_id: vendor,
                    product_id: offer.row.product_id.clone(),
                    since: offer.row.updated_at,
                    currency: cost.currency,
                    factor: cost.factor,
                    fee_micros: cost.fee_micros,
                })
            })
            .collect();
        insert_costs(transaction, &costs).await?;
        let facts = json!({ "offers": written.len(), "products": products.len(), "costs": costs.len() });
        audit::record(transaction, &[Entry::new(&self.ctx, "offers.synced", vendor, &facts)]).await?;
        if !products.is_empty() {
            bump(transaction, Subject::Catalog).await?;
        }
        bump(transaction, Subject::Vendors).await
    }

    async fn close(
        &self,
        transaction: &Transaction,
        action: &'static str,
        products: &[&str],
    ) -> Result<(), DbErr> {
        let entry = Entry::new(&self.ctx, action, self.known.row.id, &json!({ "products": products }));
        audit::record(transaction, &[entry]).await?;
        bump(transaction, Subject::Catalog).await
    }

    fn tell(&self, report: &SyncReport) {
        metrics::counter!("octopus_catalog_syncs_total", "outcome" => "read").increment(1);
        tracing::info!(vendor = %report.vendor, items = report.items, added = report.added, changed = report.changed,
            left_out = report.left_out.len(), "a vendor's catalog was read");
        if !report.vanished.is_empty() {
            tracing::warn!(vendor = %report.vendor, vanished = report.vanished.len(), withdrawn = report.withdrawn.len(),
                "a vendor lists some products no more: they are not bought there");
        }
    }

    async fn give_up(&self, reason: &str) -> Result<(), Problem> {
        metrics::counter!("octopus_catalog_syncs_total", "outcome" => "failed").increment(1);
        if self.turn.is_news(reason) {
            tracing::warn!(vendor = %self.known.row.name, reason, "a vendor's catalog could not be read");
        }
        let (reading, ended) = (self.clone(), Ended::Failed(reason.to_owned()));
        write::<_, Problem, _>(&self.ctx.deps, move |transaction| {
            let (reading, ended) = (reading.clone(), ended.clone());
            Box::pin(async move {
                let ended = (&reading.turn, &ended);
                Ok(turns::end_turn(&reading.ctx.deps, transaction, Turns::Catalog, ended).await?)
            })
        })
        .await
    }
}

/// What one transaction of a reading writes.
enum Step {
    /// Another part was read: the turn goes on.
    Read,
    /// Offers, with what they hang on.
    Offers(Arc<[PlannedOffer]>),
    /// Products that nobody sells any more.
    Withdraw(Arc<[String]>),
    /// Products that somebody sells again.
    Restore(Arc<[String]>),
    /// Everything is written that was read from this instant on.
    End(Timestamp),
}
