//! The vendors and offers that a process works with.
//!
//! What lives here: each vendor with its adapter opened, what each sells, and how they follow the database.
//! What is always true: they are replaced whole; rows and version are read in one transaction; an adapter stays open, with its
//! tokens and connections, until its vendor's row changes. A vendor that cannot be opened is known with the reason, and not
//! bought from.
//! What is not here: how a vendor has answered of late, and its limits: those are in the database, for all processes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use entity::ids::VendorId;
use entity::state::{DeliveryKind, OfferStatus, VendorStatus};
use entity::timestamp::Timestamp;
use entity::{offer_costs, offers, vendors};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait};
use tokio::sync::Semaphore;

use super::adapter::{Adapters, BadAccount, VendorAccount};
use super::listing::CostRule;
use super::vendor::{Capabilities, Vendor};
use crate::ctx::{Ctx, Deps};
use crate::domain::vouchers::{Place, Secret, Vault};
use crate::problem::Problem;
use crate::store::{Subject, begin_snapshot, statement, versions};

/// For how long costs that were replaced are remembered at least.
const COSTS_KEPT_SECS: i64 = 86_400;

/// A vendor, its adapter opened.
pub struct KnownVendor {
    /// Its row.
    pub row: vendors::Model,
    /// Its adapter.
    pub vendor: Arc<dyn Vendor>,
    /// What the adapter can do.
    pub capabilities: Capabilities,
    /// The lines of those who read codes that it keeps: half of what it takes.
    pub(super) readers: Semaphore,
}

impl fmt::Debug for KnownVendor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("KnownVendor").field("name", &self.row.name).finish_non_exhaustive()
    }
}

impl KnownVendor {
    /// How many units a purchase there may have.
    pub fn largest_batch(&self) -> i32 {
        self.row.largest_batch.min(self.capabilities.largest_batch)
    }

    /// How many requests it takes to send a purchase of goods that reach their user in a way.
    pub fn requests_of_purchase(&self, delivery: DeliveryKind) -> i32 {
        let requests = self.capabilities.requests;
        match delivery {
            DeliveryKind::Code => requests.purchase,
            DeliveryKind::Direct | DeliveryKind::Topup => requests.purchase + requests.recipient,
        }
    }

    /// How many requests it takes to ask what became of a purchase: none where it cannot be asked.
    pub fn requests_of_look(&self) -> i32 {
        let requests = self.capabilities.requests;
        if self.capabilities.query_by_reference {
            requests.look
        } else if self.capabilities.idempotent_create {
            requests.purchase + requests.recipient
        } else {
            0
        }
    }

    /// Whether it is bought from: by the operator's word, and because what is unknown there can ever become known.
    pub fn is_bought_from(&self) -> bool {
        self.row.status == VendorStatus::Active
    }
}

/// A product as a vendor sells it.
#[derive(Debug, Clone)]
pub struct KnownOffer {
    /// Its row.
    pub row: offers::Model,
    /// What a unit costs, since when, the latest first.
    costs: Vec<(Timestamp, CostRule)>,
}

impl KnownOffer {
    /// What a unit costs now.
    pub fn cost(&self) -> Option<&CostRule> {
        self.costs.first().map(|(_, cost)| cost)
    }

    /// What a unit cost at an instant, as far as is remembered.
    pub fn cost_at(&self, at: Timestamp) -> Option<&CostRule> {
        self.costs.iter().find(|(since, _)| *since <= at).or(self.costs.last()).map(|(_, cost)| cost)
    }

    /// Whether it is offered.
    pub fn is_active(&self) -> bool {
        self.row.status == OfferStatus::Active
    }

    /// The least and the greatest face value that it comes in, where it does not come in all of its product's: by the operator's
    /// word and by the vendor's, whichever is narrower.
    pub fn face_bounds(&self) -> (Option<i64>, Option<i64>) {
        let row = &self.row;
        let least = row.min_face_minor.max(row.listed_min_face_minor);
        (least, narrower(row.max_face_minor, row.listed_max_face_minor))
    }

    /// Whether it comes in a face value.
    pub fn takes_face(&self, minor: i64) -> bool {
        let (least, most) = self.face_bounds();
        least.is_none_or(|least| least <= minor) && most.is_none_or(|most| minor <= most)
    }

    /// How many there are; `None` if neither the operator nor the vendor says.
    pub fn available(&self) -> Option<i64> {
        narrower(self.row.available, self.row.listed_available)
    }

    /// How many units a purchase of it may have.
    pub fn max_quantity(&self) -> i32 {
        self.row.max_quantity.min(self.row.listed_max_quantity.unwrap_or(i32::MAX))
    }
}

/// The lesser of two limits, of which there may be none.
fn narrower(ours: Option<i64>, theirs: Option<i64>) -> Option<i64> {
    [ours, theirs].into_iter().flatten().min()
}

#[derive(Debug, Default)]
struct State {
    version: i64,
    vendors: HashMap<VendorId, Arc<KnownVendor>>,
    broken: HashMap<VendorId, String>,
    offers: HashMap<String, Vec<KnownOffer>>,
}

/// Vendors and offers in memory: the state of this feature.
#[derive(Debug)]
pub struct Live {
    adapters: Adapters,
    state: ArcSwap<State>,
    /// Held while they are read and replaced, so that an earlier reading never takes the place of a later one.
    refreshing: tokio::sync::Mutex<()>,
}

impl Live {
    /// Knows the adapters, and no vendor yet.
    pub fn new(adapters: Adapters) -> Self {
        Self {
            adapters,
            state: ArcSwap::from_pointee(State { version: -1, ..State::default() }),
            refreshing: tokio::sync::Mutex::default(),
        }
    }

    /// Every adapter.
    pub const fn adapters(&self) -> Adapters {
        self.adapters
    }

    /// A vendor that is open.
    pub fn vendor(&self, id: VendorId) -> Option<Arc<KnownVendor>> {
        self.state.load().vendors.get(&id).map(Arc::clone)
    }

    /// Why a vendor is not open.
    pub fn broken(&self, id: VendorId) -> Option<String> {
        self.state.load().broken.get(&id).cloned()
    }

    /// Every vendor that is open.
    pub fn vendors(&self) -> Vec<Arc<KnownVendor>> {
        self.state.load().vendors.values().map(Arc::clone).collect()
    }

    /// Who sells a product.
    pub fn offers_of(&self, product: &str) -> Vec<(Arc<KnownVendor>, KnownOffer)> {
        let state = self.state.load();
        let offers = state.offers.get(product).into_iter().flatten();
        offers
            .filter_map(|offer| {
                state.vendors.get(&offer.row.vendor_id).map(|vendor| (Arc::clone(vendor), offer.clone()))
            })
            .collect()
    }

    /// Every product that a vendor has an offer of.
    pub fn products(&self) -> Vec<String> {
        self.state.load().offers.keys().cloned().collect()
    }

    /// The version that is known: it grows whenever vendors or offers change.
    pub fn version(&self) -> i64 {
        self.state.load().version
    }
}

/// Replaces vendors and offers if they have changed.
///
/// # Errors
/// What the database says; the present ones stay.
pub async fn refresh(deps: &Arc<Deps>) -> Result<(), Problem> {
    let live = deps.feature::<Live>();
    let _alone = live.refreshing.lock().await;
    let present = versions(&deps.database.reader).await?;
    if present.get(Subject::Vendors.as_str()).copied().unwrap_or(0) == live.version() {
        return Ok(());
    }
    let transaction = begin_snapshot(&deps.database).await?;
    let read = read(&transaction, costs_since(deps)).await;
    transaction.rollback().await?;
    let (version, rows, offers) = read?;
    let known = live.state.load_full();
    let (mut vendors, mut broken) = (HashMap::new(), HashMap::new());
    for row in rows {
        let id = row.id;
        match known.vendors.get(&id).filter(|there| there.row == row) {
            Some(there) => drop(vendors.insert(id, Arc::clone(there))),
            None => match open(deps, live.adapters, row).await {
                Ok(vendor) => drop(vendors.insert(id, Arc::new(vendor))),
                Err(reason) => {
                    tracing::error!(vendor = %id, %reason, "a vendor cannot be used");
                    broken.insert(id, reason);
                }
            },
        }
    }
    live.state.store(Arc::new(State { version, vendors, broken, offers }));
    Ok(())
}

/// Since when costs are remembered that were replaced: for as long as an order on a charge may look for vendors.
fn costs_since(deps: &Deps) -> Timestamp {
    let longest = i64::from(deps.config.charge_ttl_secs) + i64::from(deps.config.unit_deadline_secs);
    deps.clock.now().plus_seconds(-longest.max(COSTS_KEPT_SECS))
}

type Rows = (i64, Vec<vendors::Model>, HashMap<String, Vec<KnownOffer>>);

async fn read(connection: &impl ConnectionTrait, costs_since: Timestamp) -> Result<Rows, DbErr> {
    let version = versions(connection).await?.get(Subject::Vendors.as_str()).copied().unwrap_or(0);
    let vendors = vendors::Entity::find().all(connection).await?;
    let offers = offers::Entity::find().all(connection).await?;
    let mut costs = read_costs(connection, costs_since).await?;
    let mut by_product: HashMap<String, Vec<KnownOffer>> = HashMap::new();
    for row in offers {
        let key = (row.vendor_id, row.product_id.clone());
        let costs = costs.remove(&key).unwrap_or_default();
        by_product.entry(row.product_id.clone()).or_default().push(KnownOffer { row, costs });
    }
    Ok((version, vendors, by_product))
}

/// The costs that were in effect at an instant or came after it, the latest first.
async fn read_costs(
    connection: &impl ConnectionTrait,
    since: Timestamp,
) -> Result<HashMap<(VendorId, String), Vec<(Timestamp, CostRule)>>, DbErr> {
    let sql = "SELECT c.* FROM offer_costs c WHERE NOT EXISTS (
        SELECT 1 FROM offer_costs n WHERE n.vendor_id = c.vendor_id AND n.product_id = c.product_id
            AND n.since > c.since AND n.since <= $1)
        ORDER BY c.vendor_id, c.product_id, c.since DESC";
    let select = statement(connection.get_database_backend(), sql, [since.micros().into()]);
    let rows = offer_costs::Entity::find().from_raw_sql(select).all(connection).await?;
    let mut costs: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        let cost = CostRule { currency: row.currency, factor: row.factor, fee_micros: row.fee_micros };
        costs.entry((row.vendor_id, row.product_id)).or_default().push((row.since, cost));
    }
    Ok(costs)
}

async fn open(deps: &Arc<Deps>, adapters: Adapters, row: vendors::Model) -> Result<KnownVendor, String> {
    let adapter =
        adapters.find(&row.adapter).ok_or_else(|| format!("there is no adapter {:?}", row.adapter))?;
    let account = account_of(deps, &row).await?;
    let vendor = (adapter.open)(account, Arc::clone(&deps.clock)).map_err(|bad| bad.to_string())?;
    let capabilities = vendor.capabilities();
    let lines = usize::try_from(row.concurrent_requests).unwrap_or(1).div_euclid(2).max(1);
    Ok(KnownVendor { row, vendor, capabilities, readers: Semaphore::new(lines) })
}

async fn account_of(deps: &Arc<Deps>, row: &vendors::Model) -> Result<VendorAccount, String> {
    let options: BTreeMap<String, String> =
        serde_json::from_str(&row.options).map_err(|error| format!("its options are broken: {error}"))?;
    let mut credentials = BTreeMap::new();
    if let (Some(sealed), Some(key)) = (&row.credentials, row.credentials_key_id) {
        let vault = deps.find_feature::<Vault>().ok_or("there are no keys to open its credentials with")?;
        let id = row.id.to_string();
        let place = place_of_credentials(&id);
        let opened = vault.open_text(&deps.database, &place, (key, sealed)).await;
        let opened = opened.map_err(|problem| problem.to_string())?;
        let all: BTreeMap<String, String> =
            serde_json::from_str(opened.expose()).map_err(|_| "its credentials are broken".to_owned())?;
        credentials = all.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
    }
    Ok(VendorAccount {
        base_url: row.base_url.clone(),
        options,
        credentials,
        currency: row.currency,
        timeout_ms: u32::try_from(row.timeout_ms).unwrap_or(20_000),
    })
}

/// Where a vendor's credentials are sealed.
pub(super) const fn place_of_credentials(vendor: &str) -> Place<'_> {
    Place { table: "vendors", column: "credentials", row: vendor }
}

/// Checks that an account can be opened before it is written.
///
/// # Errors
/// What the adapter says of it.
pub(super) fn try_open(ctx: &Ctx, adapter: &str, account: VendorAccount) -> Result<Capabilities, BadAccount> {
    let adapters = ctx.feature::<Live>().adapters;
    let unknown = || BadAccount {
        field: "adapter".to_owned(),
        reason: format!(
            "must be one of {}",
            adapters.0.iter().map(|known| known.name).collect::<Vec<_>>().join(", ")
        ),
    };
    let adapter = adapters.find(adapter).ok_or_else(unknown)?;
    adapter.check_names(&account)?;
    let vendor = (adapter.open)(account, Arc::clone(&ctx.deps.clock))?;
    Ok(vendor.capabilities())
}
