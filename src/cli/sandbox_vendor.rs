//! The vendor that a sandbox carries with it.
//!
//! What lives here: starting the sandbox vendor beside the server, adding it as a vendor, and what is bought from it: products
//! that rehearse each outcome, direct products and top-ups.
//! What is always true: it goes through the doors that a production's vendors use; its books are a file of the data folder, so
//! that what was bought before a restart is known after it; one server of a machine runs it, others call it there.
//! What is not here: what it can be made to do (`simulator`).

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::state::{DeliveryKind, OfferStatus};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::{CliError, progress, vendor_sim};
use crate::clock::SystemClock;
use crate::ctx::Ctx;
use crate::domain::catalog::{self, Product};
use crate::domain::fulfillment::{self, AddVendor, CostRule, NewOffer, Retention, Secret};
use crate::problem::{Failure, Problem};
use crate::simulator::{self, BEHAVIOURS, Options, Simulator};
use crate::store;

/// Its name among the vendors.
const VENDOR: &str = "sandbox";
/// The brand of the products that rehearse outcomes.
const BRAND: &str = "octopus_sandbox";
/// The product whose offer is made last: where it is, all are.
const LAST_MADE: &str = "sandbox_ok";
/// How long a call to it may take: so long it rehearses to be silent.
const TIMEOUT_MS: u32 = 5_000;
/// For how long a purchase that it does not know may come to be, in seconds.
const SETTLE_WINDOW_SECS: u32 = 10;
/// What it asks below a product's discount, in hundredths of the face value.
const BELOW_DISCOUNT: i128 = 3;
/// What it takes of the face value of a product that rehearses, in hundredths.
const OF_REHEARSALS: i128 = 95;

/// The running vendor; dropping it ends it.
#[derive(Debug)]
pub(super) struct Running {
    _task: AbortOnDropHandle<()>,
    _lock: File,
}

/// Starts the vendor, unless another server of this data folder has it, and makes it known.
///
/// # Errors
/// Files of the data folder that cannot be used; what the database says.
pub(super) async fn start(ctx: &Ctx) -> Result<Option<Running>, CliError> {
    let folder = &ctx.config().data_dir;
    std::fs::create_dir_all(folder).map_err(|error| store::unusable(folder, &error))?;
    let Some(lock) = lock(&folder.join("sandbox-vendor.lock"))? else { return Ok(None) };
    let key = key(&folder.join("sandbox-vendor.key"))?;
    let options = Options {
        ledger: Some(folder.join("sandbox-vendor.jsonl")),
        // Without the seed folder, of which a full sandbox has no need, it sells whatever it is asked for.
        catalog: Some(ctx.config().seed_dir.join("catalog.csv")).filter(|path| path.exists()),
        ..Options::new(key.clone(), 1)
    };
    let simulator = Simulator::open(options, Arc::new(SystemClock))?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let task = tokio::spawn(simulator::serve(listener, simulator, std::future::pending()));
    make_known(ctx, &base_url, key).await?;
    Ok(Some(Running { _task: AbortOnDropHandle::new(task), _lock: lock }))
}

fn lock(path: &Path) -> Result<Option<File>, CliError> {
    let file = File::create(path).map_err(|error| store::unusable(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// The key that it demands, the same at every start.
fn key(path: &Path) -> Result<String, CliError> {
    let mut known = String::new();
    if path.exists() {
        File::open(path)?.read_to_string(&mut known)?;
    }
    if known.trim().is_empty() {
        known = vendor_sim::new_key();
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(known.as_bytes())?;
        file.sync_all()?;
    }
    Ok(known.trim().to_owned())
}

/// Each step does nothing where its work is done, so that a start that was interrupted is finished by the next.
async fn make_known(ctx: &Ctx, base_url: &str, key: String) -> Result<(), CliError> {
    let vendors = fulfillment::list_vendors(ctx).await?;
    let vendor = match vendors.iter().any(|vendor| vendor.name == VENDOR) {
        true => fulfillment::move_vendor(ctx, VENDOR, base_url).await?,
        false => fulfillment::add_vendor(ctx, account(base_url, key)).await?,
    };
    fulfillment::refresh(&ctx.deps).await?;
    if !ctx.feature::<fulfillment::Live>().offers_of(LAST_MADE).is_empty() {
        return Ok(());
    }
    import_rehearsals(ctx).await?;
    let offers = offers(ctx);
    let bar = progress::bar("making offers", offers.len());
    let moved = bar.clone();
    let told = move |done| moved.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    fulfillment::put_offers(ctx, vendor.id, offers, &told).await?;
    bar.finish_and_clear();
    Ok(fulfillment::refresh(&ctx.deps).await?)
}

fn account(base_url: &str, key: String) -> AddVendor {
    AddVendor {
        name: VENDOR.to_owned(),
        adapter: "sandbox".to_owned(),
        base_url: base_url.to_owned(),
        options: BTreeMap::new(),
        credentials: BTreeMap::from([("api_key".to_owned(), Secret::new(key))]),
        currency: Currency::USD,
        priority: 0,
        timeout_ms: TIMEOUT_MS,
        requests_per_second: None,
        concurrent_requests: None,
        largest_batch: None,
        settle_window_secs: Some(SETTLE_WINDOW_SECS),
        retention: Retention::Store,
    }
}

/// The products that rehearse: one for each behaviour, named after it.
async fn import_rehearsals(ctx: &Ctx) -> Result<(), CliError> {
    let brands = format!("slug,name,category,delivery\n{BRAND},Octopus Sandbox,sandbox,code\n");
    let mut rows = String::from(
        "sku,brand_slug,product_name,category,country,face_currency,denomination_kind,face_value,min_value,max_value,step,\
         unit_label,delivery,recipient_field,denom_basis,discount_pct,discount_basis\n",
    );
    for behaviour in BEHAVIOURS {
        let (name, words) = (behaviour.name, behaviour.name.replace('_', " "));
        rows.push_str(&format!(
            "sandbox_{name},{BRAND},Sandbox: {words} 10 USD,sandbox,US,USD,fixed,10,,,,,code,,made,0,made\n"
        ));
    }
    let files = catalog::Files {
        brands: Some(brands.into_bytes()),
        catalog: Some(rows.into_bytes()),
        ..catalog::Files::default()
    };
    let import = catalog::Import { files, bad_rows: catalog::BadRows::Refuse };
    catalog::import(ctx, import, |_| {}).await.map_err(|failure| match failure {
        Failure::Refused(refusal) => CliError::Problem(Problem::internal(refusal.to_string())),
        Failure::Problem(problem) => CliError::Problem(problem),
    })?;
    Ok(catalog::refresh_catalog(&ctx.deps).await?)
}

/// What is bought from it: what rehearses, and what no stock can hold. Codes come from the sandbox's own stock, so that it can
/// run out.
fn offers(ctx: &Ctx) -> Vec<NewOffer> {
    let snapshot = ctx.feature::<catalog::Live>().snapshot();
    let mut offers: Vec<NewOffer> = snapshot.products().iter().filter_map(|product| offer(product)).collect();
    offers.sort_by_key(|offer| offer.product == LAST_MADE);
    offers
}

fn offer(product: &Product) -> Option<NewOffer> {
    let factor = if product.brand.slug == BRAND {
        Decimal::new(OF_REHEARSALS, 2)
    } else if product.delivery == DeliveryKind::Code {
        return None;
    } else {
        share_left(product.discount)?
    };
    Some(NewOffer {
        product: product.id.clone(),
        vendor_sku: product.id.clone(),
        status: OfferStatus::Active,
        cost: CostRule { currency: product.face_currency, factor, fee_micros: 0 },
        priority: 0,
        min_face_minor: None,
        max_face_minor: None,
        max_quantity: 1_000,
        available: None,
    })
}

/// What a vendor takes that asks a little less than a discount leaves; `None` if that is nothing.
fn share_left(discount: Decimal) -> Option<Decimal> {
    let scale = discount.scale().max(2);
    let raised = |number: i128, from: u32| number.checked_mul(10_i128.checked_pow(scale.checked_sub(from)?)?);
    let taken = raised(discount.mantissa(), discount.scale())?.checked_add(raised(BELOW_DISCOUNT, 2)?)?;
    let left = raised(1, 0)?.checked_sub(taken)?;
    (left > 0).then(|| Decimal::new(left, scale))
}
