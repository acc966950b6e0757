//! Products that vendors' catalogs brought, and whether anybody sells them.
//!
//! What lives here: pausing those that nobody sells any more, and having them sold again when somebody does.
//! What is always true: a product is paused by what its own vendor's catalog says, and sold again whoever sells it: any vendor's
//! offer that has not vanished, or a code in stock. What the operator paused stays so.
//! What is not here: when it is judged (`sync.rs`, `offers.rs`); the statements (`sync_store.rs`).

use std::sync::Arc;

use entity::ids::VendorId;
use entity::state::ProductStatus;
use sea_orm::DbErr;
use serde_json::json;

use super::sync_store as store;
use crate::ctx::Ctx;
use crate::domain::audit::{self, Entry};
use crate::domain::catalog;
use crate::problem::Problem;
use crate::store::{Subject, Transaction, bump, write};

/// Products a transaction that are paused or sold again.
pub(super) const PRODUCTS_A_TRANSACTION: usize = 250;

/// What is to become of products.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Those that nobody sells any more.
    pub(super) withdrawn: Vec<String>,
    /// Those that somebody sells again.
    pub(super) restored: Vec<String>,
}

/// Judges what a vendor's catalog brought, and whatever is withdrawn.
///
/// # Errors
/// What the database says.
pub(super) async fn judge(ctx: &Ctx, vendor: VendorId) -> Result<Verdict, Problem> {
    Ok(verdict(ctx, store::find_brought(&ctx.database().reader, vendor).await?))
}

/// Has whatever is withdrawn sold again that somebody sells by now; `vendor` is whose offers have changed.
///
/// # Errors
/// What the database says; the products before are in then.
pub(super) async fn restore_sold(ctx: &Ctx, vendor: VendorId) -> Result<(), Problem> {
    let verdict = verdict(ctx, store::find_withdrawn(&ctx.database().reader).await?);
    for batch in verdict.restored.chunks(PRODUCTS_A_TRANSACTION) {
        let (task, products): (Ctx, Arc<[String]>) = (ctx.clone(), batch.into());
        write::<_, Problem, _>(&ctx.deps, move |transaction| {
            let (ctx, products) = (task.clone(), Arc::clone(&products));
            Box::pin(async move { Ok(restore(&ctx, transaction, vendor, &products).await?) })
        })
        .await?;
    }
    Ok(())
}

fn verdict(ctx: &Ctx, brought: Vec<store::Brought>) -> Verdict {
    let stock = ctx.feature::<catalog::Live>();
    let mut verdict = Verdict::default();
    for one in brought {
        let has_source = one.is_listed || stock.available(&one.product_id) > 0;
        match one.withdrawn_at {
            None if !has_source && one.status == ProductStatus::Active => {
                verdict.withdrawn.push(one.product_id);
            }
            Some(_) if has_source => verdict.restored.push(one.product_id),
            _ => {}
        }
    }
    verdict
}

/// Pauses products that nobody sells any more.
pub(super) async fn withdraw(
    ctx: &Ctx,
    transaction: &Transaction,
    vendor: VendorId,
    products: &[String],
) -> Result<(), DbErr> {
    let (ids, now) = (names(products), ctx.deps.clock.now());
    store::note_withdrawn(transaction, &ids, now).await?;
    catalog::withdraw_products(transaction, &ids, now).await?;
    close(ctx, transaction, vendor, ("products.withdrawn", &ids)).await
}

/// Has products sold again that somebody sells.
pub(super) async fn restore(
    ctx: &Ctx,
    transaction: &Transaction,
    vendor: VendorId,
    products: &[String],
) -> Result<(), DbErr> {
    let (ids, now) = (names(products), ctx.deps.clock.now());
    store::note_restored(transaction, &ids, now).await?;
    catalog::restore_products(transaction, &ids, now).await?;
    close(ctx, transaction, vendor, ("products.restored", &ids)).await
}

fn names(products: &[String]) -> Vec<&str> {
    products.iter().map(String::as_str).collect()
}

async fn close(
    ctx: &Ctx,
    transaction: &Transaction,
    vendor: VendorId,
    (action, products): (&'static str, &[&str]),
) -> Result<(), DbErr> {
    let entry = Entry::new(ctx, action, vendor, &json!({ "products": products }));
    audit::record(transaction, &[entry]).await?;
    bump(transaction, Subject::Catalog).await
}
