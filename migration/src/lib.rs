//! The schema, for SQLite and PostgreSQL from one source.
//!
//! What lives here: the steps of the schema, written as SQL in which only a few words differ between the engines (see `dialect`),
//! so that a reader sees the very table that the database has. A step is what can be taken back, and applied again, by itself.
//! What is always true: every amount, state and reference is guarded by a constraint here, and what must never change is
//! guarded by a trigger on both engines; a step is done whole or not at all.
//! What is not here: data; sandboxes are filled by `src/cli/serve.rs`, through the same doors as productions.

mod dialect;
mod m01_installation;
mod m02_identity;
mod m03_catalog;
mod m04_pricing;
mod m05_keys;
mod m06_books;
mod m07_audit;
mod m08_fulfillment;
mod m09_rates;
mod m10_goodwill;
mod m11_reconciliation;
mod m12_catalog_sync;
mod m13_turns;

pub use sea_orm_migration::prelude::MigratorTrait;
use sea_orm_migration::prelude::{MigrationTrait, async_trait};

/// Every migration, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m01_installation::Migration),
            Box::new(m02_identity::Migration),
            Box::new(m03_catalog::Migration),
            Box::new(m04_pricing::Migration),
            Box::new(m05_keys::Migration),
            Box::new(m06_books::Migration),
            Box::new(m07_audit::Migration),
            Box::new(m08_fulfillment::Migration),
            Box::new(m09_rates::Migration),
            Box::new(m10_goodwill::Migration),
            Box::new(m11_reconciliation::Migration),
            Box::new(m12_catalog_sync::Migration),
            Box::new(m13_turns::Migration),
        ]
    }
}
