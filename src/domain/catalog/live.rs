//! The catalog that a process answers from.
//!
//! What lives here: the present snapshot and the counters beside it, how they are loaded and how they follow the database.
//! What is always true: a reader sees one whole snapshot; a snapshot and its version are read in one transaction.
//! What is not here: the timer; `jobs.rs` has it.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use entity::timestamp::Timestamp;

use super::snapshot::Snapshot;
use super::stock::Stock;
use super::store::read_tables;
use crate::config::Config;
use crate::ctx::{Database, Deps};
use crate::problem::Problem;
use crate::store::{Subject, begin_snapshot, versions};

/// The catalog in memory: the state of this feature.
#[derive(Debug)]
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
    stock: Stock,
}

impl Live {
    /// The present snapshot; take it once for a request.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// How many codes of a product are in stock, over all face values, as of at most 200 ms ago.
    pub fn available(&self, product_id: &str) -> i64 {
        self.snapshot.load().available(product_id)
    }

    /// Takes in which products vendors deliver on demand: these, and no others.
    pub fn mark_on_demand(&self, products: &HashSet<String>) {
        self.stock.mark_on_demand(products);
    }
}

/// Loads the catalog and counts the stock.
///
/// # Errors
/// What the database says.
pub async fn load(database: &Database, config: &Config, now: Timestamp) -> Result<Live, Problem> {
    let transaction = begin_snapshot(database).await?;
    let tables = read_tables(&transaction).await?;
    let stock = Stock::count(&transaction, usable_after(config, now)).await?;
    transaction.rollback().await?;
    let snapshot = Snapshot::build(tables, |product| stock.supply(product)).map_err(Problem::internal)?;
    Ok(Live { snapshot: ArcSwap::from_pointee(snapshot), stock })
}

/// Until when a code must be good at least to be sold now.
fn usable_after(config: &Config, now: Timestamp) -> Timestamp {
    now.plus_seconds(i64::from(config.min_validity_secs))
}

/// Replaces the snapshot if the catalog has changed.
///
/// # Errors
/// What the database says; the present snapshot stays.
pub async fn refresh_catalog(deps: &Deps) -> Result<(), Problem> {
    let live = deps.feature::<Live>();
    let known = live.snapshot.load().version;
    let present = versions(&deps.database.reader).await?.get(Subject::Catalog.as_str()).copied().unwrap_or(0);
    if present == known {
        return Ok(());
    }
    let transaction = begin_snapshot(&deps.database).await?;
    let tables = read_tables(&transaction).await?;
    transaction.rollback().await?;
    let snapshot =
        Snapshot::build(tables, |product| live.stock.supply(product)).map_err(Problem::internal)?;
    live.snapshot.store(Arc::new(snapshot));
    Ok(())
}

/// Brings the counters up to date; tells whether any may have changed.
///
/// # Errors
/// What the database says; the counters stay as they were.
pub async fn refresh_stock(deps: &Deps) -> Result<bool, Problem> {
    let now = deps.clock.now();
    let stock = &deps.feature::<Live>().stock;
    Ok(stock.refresh(&deps.database, usable_after(&deps.config, now)).await?)
}
