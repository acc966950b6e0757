//! Reading what a vendor sells.
//!
//! What lives here: the command that brings a vendor's catalog into ours: products, offers, what they cost.
//! What is always true: one process reads a vendor's catalog at a time, and none does inside a transaction; nothing is written
//! before the listing was read to its end, and nothing at all where it is not whole, or makes suspiciously much vanish; what
//! vanishes is missing from two readings in a row; what is written comes in transactions of a few hundred rows, and the next
//! reading does what an interrupted one left; what is as it was is not written. Nothing is ever deleted: an offer whose item is
//! gone has vanished, and a product that the catalog brought and nobody sells any more is paused, until somebody sells it again.
//! What is not here: when catalogs are read (`jobs.rs`), how they are (`sync_reading.rs`); what a listing comes to
//! (`sync_model.rs`).

use std::sync::Arc;

use entity::ids::VendorId;
use entity::offer_costs;
use entity::timestamp::Timestamp;
use sea_orm::DbErr;
use serde_json::json;

use super::live::{KnownVendor, Live};
use super::offers;
use super::offers_store::{insert_costs, refresh_offers};
use super::standing::{self, PRODUCTS_A_TRANSACTION};
use super::sync_listing::Listing;
use super::sync_model::{Change, Plan, PlannedOffer, Present, plan};
use super::sync_reading::Reader;
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
        let reader = Reader { ctx: &self.ctx, known: &self.known, turn: &self.turn, begun };
        let mut listing = reader.read(told).await?;
        let mut plan = self.plan(&listing).await?;
        if plan.count(Change::Vanished) > 0 {
            // What is withdrawn while parts are read moves what is behind it over to a part that was read before.
            let told_before = listing.into_names();
            listing = reader.read(told).await?;
            listing.told_before = told_before;
            plan = self.plan(&listing).await?;
        }
        if plan.is_suspicious() && vanishing == Vanishing::Limited {
            let (vanishing, selling) = (plan.vanishing(), plan.selling);
            return Err(Failure::Refused(SyncRefusal::TooMuchVanishes { vanishing, selling }));
        }
        let (mut report, offers) = self.report(listing.len(), plan);
        let total = offers.len();
        let mut done = 0;
        for batch in offers.chunks(OFFERS_A_TRANSACTION) {
            self.write(Step::Offers(batch.into())).await?;
            done += batch.len();
            told(SyncProgress::Written(done, total));
        }
        self.stand(&mut report).await?;
        self.write(Step::End { begun, doubt: report.doubt() }).await?;
        Ok(report)
    }

    async fn plan(&self, listing: &Listing) -> Result<Plan, Problem> {
        // What other processes and commands have done meanwhile.
        catalog::refresh_catalog(&self.ctx.deps).await?;
        let (known, mut costs) = offers::read(&self.ctx, self.known.row.id).await?;
        let known = known.into_iter().map(|(product, row)| {
            let cost = costs.remove(&product);
            (product, (row, cost))
        });
        let bringers = store::find_bringers(&self.ctx.database().reader).await?;
        let snapshot = self.ctx.feature::<catalog::Live>().snapshot();
        let present = Present {
            vendor: self.known.row.id,
            name: &self.known.row.name,
            shares_skus: self.known.capabilities.shares_skus,
            snapshot: &snapshot,
            offers: &known.collect(),
            bringers: &bringers,
            now: self.ctx.deps.clock.now(),
        };
        Ok(plan(&present, listing))
    }

    /// What the reading does, and the offers that it writes.
    fn report(&self, items: usize, plan: Plan) -> (SyncReport, Vec<PlannedOffer>) {
        let of = |change| {
            let offers = plan.offers.iter().filter(move |offer| offer.change == change);
            offers.map(|offer| offer.row.product_id.clone()).collect()
        };
        let report = SyncReport {
            vendor: self.known.row.name.clone(),
            items,
            products_added: plan.offers.iter().filter(|offer| offer.product.is_some()).count(),
            added: plan.count(Change::Added),
            changed: plan.count(Change::Refreshed).saturating_add(plan.count(Change::Unreadable)),
            unchanged: plan.unchanged,
            vanished: of(Change::Vanished),
            returned: of(Change::Returned),
            withdrawn: Vec::new(),
            restored: Vec::new(),
            unreadable: plan.unreadable,
            held: plan.held,
            left_out: plan.left_out,
        };
        (report, plan.offers)
    }

    /// Pauses what nobody sells any more of the products that this vendor's catalog brought, and has sold again what somebody does.
    async fn stand(&self, report: &mut SyncReport) -> Result<(), Failure<SyncRefusal>> {
        let verdict = standing::judge(&self.ctx, self.known.row.id).await?;
        (report.withdrawn, report.restored) = (verdict.withdrawn, verdict.restored);
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
        let vendor = self.known.row.id;
        match step {
            Step::Offers(offers) => self.write_offers(transaction, offers).await?,
            Step::Withdraw(products) => {
                standing::withdraw(&self.ctx, transaction, vendor, products).await?;
            }
            Step::Restore(products) => standing::restore(&self.ctx, transaction, vendor, products).await?,
            Step::End { begun, doubt } => {
                let ended = (&self.turn, &Ended::Read { until: *begun, doubt: doubt.clone() });
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

    fn tell(&self, report: &SyncReport) {
        metrics::counter!("octopus_catalog_syncs_total", "outcome" => "read").increment(1);
        tracing::info!(vendor = %report.vendor, items = report.items, added = report.added, changed = report.changed,
            left_out = report.left_out.len(), "a vendor's catalog was read");
        if !report.vanished.is_empty() {
            tracing::warn!(vendor = %report.vendor, vanished = report.vanished.len(), withdrawn = report.withdrawn.len(),
                "a vendor lists some products no more: they are not bought there");
        }
        if let Some(doubt) = report.doubt().filter(|doubt| self.turn.is_news(doubt)) {
            tracing::warn!(vendor = %report.vendor, doubt, held = ?report.held, "not all of a vendor's catalog is believed");
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
    /// Offers, with what they hang on.
    Offers(Arc<[PlannedOffer]>),
    /// Products that nobody sells any more.
    Withdraw(Arc<[String]>),
    /// Products that somebody sells again.
    Restore(Arc<[String]>),
    /// Everything is written that was read from an instant on, and is believed.
    End { begun: Timestamp, doubt: Option<String> },
}
