//! Vendors to buy from: the sandbox vendor inside the test's process, its books open to be read.
//! Always true: its clock is the test's; it is added as an operator adds one, and ends with the value. Not here: what each of its
//! behaviours is (`src/simulator/behaviour.rs`).

use std::collections::{BTreeMap, BTreeSet};

use entity::currency::Currency;
use entity::state::OfferStatus;
use entity::vendors;
use octopus_cards::domain::catalog;
use octopus_cards::domain::fulfillment::{self, AddVendor, CostRule, NewOffer, Retention, Secret};
use octopus_cards::simulator::{self, Options, Simulator};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::app::TestApp;
use super::poll;
use super::wire::Wire;

/// The key that it demands.
const KEY: &str = "the-key-of-the-tests";
/// How long a call to it may take: what it never answers costs a test so much.
const TIMEOUT_MS: u32 = 700;
/// What it is expected to take of a face value.
pub const FACTOR: &str = "0.95";

/// A vendor inside this process.
pub struct TestVendor {
    /// Its row.
    pub row: vendors::Model,
    /// The vendor itself.
    pub simulator: Simulator,
    /// The network between it and the server.
    pub wire: Wire,
    _stop: oneshot::Sender<()>,
}

/// How a vendor is set up.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How many units a purchase may have.
    pub largest_batch: i32,
    /// How many requests a second it is asked at most.
    pub requests_per_second: u32,
    /// How many requests at once it is asked at most.
    pub concurrent_requests: u32,
    /// How long each of its answers takes, in milliseconds.
    pub latency_ms: u64,
    /// For how many seconds a purchase that it does not know may come to be; what the adapter says if absent.
    pub settle_window_secs: Option<u32>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            largest_batch: 100,
            requests_per_second: 1_000,
            concurrent_requests: 16,
            latency_ms: 0,
            settle_window_secs: None,
        }
    }
}

impl TestVendor {
    /// A vendor of a name, on ordinary terms, that sells nothing yet.
    pub async fn open(app: &TestApp, name: &str) -> Self {
        Self::on_terms(app, name, Terms::default()).await
    }

    /// A vendor of a name, that sells nothing yet.
    pub async fn on_terms(app: &TestApp, name: &str, terms: Terms) -> Self {
        let options = Options { latency_ms: terms.latency_ms, ..Options::new(KEY.to_owned(), seed(name)) };
        Self::with_options(app, name, terms, options).await
    }

    /// A vendor of a name that sells what these lines of a catalog say, told in parts of ten: `sku,brand,name,value` of gaming
    /// codes in dollars for the United States, at 8 % off.
    pub async fn with_catalog(app: &TestApp, name: &str, lines: &[String]) -> Self {
        let heading = "sku,brand_slug,product_name,face_value,category,country,face_currency,min_value,max_value,step,\
            delivery,recipient_field,discount_pct";
        let line = |line: &String| format!("{line},gaming,US,USD,,,,code,,5\n");
        let rows: String = lines.iter().map(line).collect();
        let path = app.database.folder.path().join(format!("{name}.csv"));
        std::fs::write(&path, format!("{heading}\n{rows}")).expect("the folder is ours");
        let options = Options { catalog: Some(path), page: 10, ..Options::new(KEY.to_owned(), seed(name)) };
        Self::with_options(app, name, Terms::default(), options).await
    }

    async fn with_options(app: &TestApp, name: &str, terms: Terms, options: Options) -> Self {
        let simulator = Simulator::open(options, app.clock.clone()).expect("it needs no file");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a spare port");
        let wire = Wire::before(listener.local_addr().expect("it is bound")).await;
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(simulator::serve(listener, simulator.clone(), async move {
            stopped.await.ok();
        }));
        let row = add(app, name, format!("http://{}", wire.address), terms).await;
        Self { row, simulator, wire, _stop: stop }
    }

    /// Has it sell products with its behaviours: `("steam_wallet_at_20_eur", "sandbox_ok")`.
    pub async fn sell(&self, app: &TestApp, products: &[(&str, &str)]) {
        self.sell_for(app, products, FACTOR).await;
    }

    /// The same, for such a share of the face value.
    pub async fn sell_for(&self, app: &TestApp, products: &[(&str, &str)], factor: &str) {
        let snapshot = app.deps.feature::<catalog::Live>().snapshot();
        let offers = products.iter().map(|(product, vendor_sku)| NewOffer {
            product: (*product).to_owned(),
            vendor_sku: format!("any_{vendor_sku}"),
            status: OfferStatus::Active,
            cost: CostRule {
                currency: snapshot.product(product).expect("it is in the catalog").face_currency,
                factor: factor.parse().expect("it is a number"),
                fee_micros: 0,
            },
            priority: 0,
            min_face_minor: None,
            max_face_minor: None,
            max_quantity: 1_000,
            available: None,
        });
        let system = app.system();
        let put = fulfillment::put_offers(&system, self.row.id, offers.collect(), &|_| ());
        put.await.expect("the offers are good");
        fulfillment::refresh(&app.deps).await.expect("the database answers");
    }

    /// Has the codes that it delivers from now on kept so.
    pub async fn keep(&self, app: &TestApp, retention: Retention) {
        fulfillment::refresh(&app.deps).await.expect("the database answers");
        fulfillment::set_retention(&app.system(), &self.row.name, retention)
            .await
            .expect("it can be kept so");
    }

    /// The codes that it tells of a purchase, by its reference.
    pub async fn codes(&self, reference: &str) -> Vec<String> {
        let url = format!("http://{}/purchases/{reference}", self.wire.address);
        let told = reqwest::Client::new().get(url).bearer_auth(KEY).send().await.expect("the vendor answers");
        let told: Value = told.json().await.expect("it answers with JSON");
        let units = told["units"].as_array().expect("it has units");
        units.iter().map(|unit| unit["code"].as_str().expect("a code").to_owned()).collect()
    }

    /// What its books say: how many units each reference brought.
    pub fn booked(&self) -> BTreeMap<String, i64> {
        let booked = self.simulator.booked();
        let count = booked.len();
        let by_reference: BTreeMap<String, i64> = booked
            .into_iter()
            .map(|one| (one.reference, i64::try_from(one.units).expect("few units")))
            .collect();
        assert_eq!(by_reference.len(), count, "a reference was bought twice");
        by_reference
    }
}

/// What a vendor of a name draws its codes from.
fn seed(name: &str) -> u64 {
    name.bytes().map(u64::from).sum()
}

async fn add(app: &TestApp, name: &str, base_url: String, terms: Terms) -> vendors::Model {
    let command = AddVendor {
        name: name.to_owned(),
        adapter: "sandbox".to_owned(),
        base_url,
        options: BTreeMap::new(),
        credentials: BTreeMap::from([("api_key".to_owned(), Secret::new(KEY.to_owned()))]),
        currency: Currency::USD,
        priority: 0,
        timeout_ms: TIMEOUT_MS,
        requests_per_second: Some(terms.requests_per_second),
        concurrent_requests: Some(terms.concurrent_requests),
        largest_batch: Some(terms.largest_batch),
        settle_window_secs: terms.settle_window_secs,
        retention: Retention::Store,
    };
    fulfillment::add_vendor(&app.system(), command).await.expect("the vendor is good")
}

/// Waits until no purchase is open, moving the clock on as long as one is, so that vendors are asked.
pub async fn resolve_all(app: &TestApp) {
    let open = "SELECT count(*) FROM purchases WHERE ended_at IS NULL AND state <> 'SENDING'";
    let all = "SELECT count(*) FROM purchases WHERE ended_at IS NULL";
    poll::until_within(poll::PATIENCE * 4, "every purchase is resolved", async || {
        if app.database.number(open).await > 0 {
            app.advance_secs(1);
        }
        (app.database.number(all).await == 0).then_some(())
    })
    .await;
}

/// Asserts that each vendor's books and ours say the same: what was delivered, by reference and units, and nothing else.
pub async fn assert_agreed(app: &TestApp, vendors: &[&TestVendor]) {
    let mut theirs = BTreeSet::new();
    for vendor in vendors {
        let id = vendor.row.id;
        theirs.extend(
            vendor.booked().into_iter().map(|(reference, units)| format!("{id} {reference} {units}")),
        );
    }
    let sql = "SELECT vendor_id || ' ' || our_ref || ' ' || delivered_quantity AS line FROM purchases
        WHERE state = 'DELIVERED'";
    let ours: BTreeSet<String> = app.database.texts(sql).await.into_iter().collect();
    assert_eq!(ours, theirs, "ours and the vendors' books");
}
