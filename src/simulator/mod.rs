//! The sandbox vendor: a program that sells codes worth nothing, and fails on request.
//!
//! What lives here: an HTTP API over books of its own, `octopus vendor-sim`, and inside a sandbox's server. Every call names the
//! key, `Authorization: Bearer …`; amounts are decimal text beside a currency; an error is `{"error": {"code", "message"}}`.
//!
//! | call | answer |
//! | --- | --- |
//! | `POST /purchases` `{reference, sku, quantity, face_value, currency, recipient?: {kind, value}}` | 201 and the purchase; 200 if the same was bought under the reference before; 409 `reference_used` if another was; 422 `out_of_stock`, `not_sold`, `bad_recipient`, `price_changed`; 402 `no_funds`; 400 `malformed` |
//! | `GET /purchases/{reference}` | the purchase: `{id, reference, sku, quantity, face_value, currency, status, at, units, undelivered, cost, refusal}`, `status` being `pending`, `delivered` or `refused`; 404 `unknown_reference` |
//! | `GET /statement?since=&cursor=` | `{purchases: [{id, reference, sku, quantity, cost, at}], next}`, oldest first |
//! | `GET /products?cursor=` | `{products: [{sku, name, brand, category, country, currency, faces, cost: {currency, factor, fee}, delivery, recipient, available}], next, total}` |
//! | `POST /recipients/check` `{sku, recipient: {kind, value}}` | `{can_receive}` |
//! | `GET /balance?currency=` | `{amount, currency}` |
//! | `POST /script` `{on, sku?, behaviour}` | for tests: from now on each `on` (`purchase`, `find`, `statement`, `products`, `recipient`, `balance`), of one product or of all, meets a behaviour; null ends it |
//! | `POST /script/products` `{sku, withdrawn?, factor?}` | for tests: from now on a product is listed and sold or not, or costs another share of its face value |
//!
//! What is always true: the same seed and reference give the same codes and the same fault; what was bought is in the books,
//! synced, before anything is answered, and is told again for ever; it knows nothing of the product that buys from it.
//! What is not here: the adapter that speaks to it (`vendors/sandbox.rs`); which product names ask for a fault (`behaviour.rs`).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use entity::decimal::Decimal;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::Service as _;

mod behaviour;
mod bomb;
mod digest;
mod gate;
mod ledger;
mod manner;
mod products;
mod refusal;
mod routes;
mod shop;

pub use behaviour::{BEHAVIOURS, Behaviour};
pub use bomb::gzip as gzip_bomb;
pub use products::{Amendment, BadCatalog};

use crate::clock::Clock;
use gate::Gate;
use ledger::Ledger;
use manner::HangUp;
use products::Products;
use shop::Shop;

/// How many rows a part of a listing has, unless it is set.
const PAGE: usize = 200;
/// How long accepting rests when no connection can be taken.
const REST: Duration = Duration::from_millis(100);

/// How a sandbox vendor is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The key that callers name.
    pub key: String,
    /// What codes, ids and faults are drawn from.
    pub seed: u64,
    /// The file of its books; in memory if absent.
    pub ledger: Option<PathBuf>,
    /// A catalog such as `data/catalog.csv`; without one it sells whatever it is asked for.
    pub catalog: Option<PathBuf>,
    /// How long each answer takes at least, in milliseconds.
    pub latency_ms: u64,
    /// How many requests a second it takes; any number if absent.
    pub requests_per_second: Option<u32>,
    /// How many requests at once it takes; any number if absent.
    pub concurrent: Option<usize>,
    /// Which share of ordinary purchases meets a fault, from 0 to 1.
    pub fault_rate: Decimal,
    /// The behaviours that purchases of a quantity meet, by name.
    pub at_quantity: Vec<(i32, String)>,
    /// How many rows a part of a listing has.
    pub page: usize,
}

impl Options {
    /// A vendor of a key and a seed, in memory, that does nothing on its own.
    pub fn new(key: String, seed: u64) -> Self {
        Self {
            key,
            seed,
            ledger: None,
            catalog: None,
            latency_ms: 0,
            requests_per_second: None,
            concurrent: None,
            fault_rate: Decimal::ZERO,
            at_quantity: Vec::new(),
            page: PAGE,
        }
    }
}

/// Why a sandbox vendor cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum BadSimulator {
    /// The file of its books cannot be used.
    #[error("{path}: {cause}")]
    Ledger {
        /// The file.
        path: PathBuf,
        /// What the machine says.
        cause: io::Error,
    },
    /// The catalog cannot be used.
    #[error("the catalog: {0}")]
    Catalog(#[from] BadCatalog),
    /// The fault rate is no share.
    #[error("the fault rate must be from 0 to 1")]
    FaultRate,
    /// A behaviour is none of the table.
    #[error(transparent)]
    Behaviour(#[from] UnknownBehaviour),
}

/// A name that no behaviour has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no behaviour has this name; docs/vendor-sim.md lists them")]
pub struct UnknownBehaviour;

/// What can be asked of it, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// To buy.
    Purchase,
    /// What became of a purchase.
    Find,
    /// What was bought.
    Statement,
    /// What it sells.
    Products,
    /// Whether a recipient can receive.
    Recipient,
    /// What the account has.
    Balance,
}

/// A purchase that was made, as its books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// The buyer's reference.
    pub reference: String,
    /// The product.
    pub sku: String,
    /// How many units it has.
    pub units: usize,
}

/// A sandbox vendor; clones share it.
#[derive(Clone)]
pub struct Simulator(Arc<Inner>);

struct Inner {
    shop: Shop,
    gate: Gate,
    page: usize,
    streamed: Arc<AtomicU64>,
}

impl Simulator {
    /// Sets one up on its books, which are read whole.
    ///
    /// # Errors
    /// See `BadSimulator`.
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, BadSimulator> {
        let products = Products::open(options.catalog.as_deref())?;
        let ledger = match options.ledger {
            Some(path) => Ledger::open(&path).map_err(|cause| BadSimulator::Ledger { path, cause })?,
            None => Ledger::default(),
        };
        let mut shop = Shop::new(options.seed, products, ledger, clock);
        shop.fault_share = millionths(options.fault_rate).ok_or(BadSimulator::FaultRate)?;
        for (quantity, name) in options.at_quantity {
            let plan = behaviour::named(&name).ok_or(UnknownBehaviour)?;
            shop.at_quantity.push((quantity, plan));
        }
        let mut gate = Gate::new(options.key, Duration::from_millis(options.latency_ms));
        gate.requests_per_second = options.requests_per_second;
        gate.concurrent = options.concurrent;
        Ok(Self(Arc::new(Inner { shop, gate, page: options.page.max(1), streamed: Arc::default() })))
    }

    /// From now on a question meets a behaviour, for one product or for all; `None` ends it.
    ///
    /// # Errors
    /// A name that is not in the table.
    pub fn play(
        &self,
        question: Question,
        sku: Option<&str>,
        behaviour: Option<&str>,
    ) -> Result<(), UnknownBehaviour> {
        self.0.shop.play(question, sku, behaviour)
    }

    /// Changes a product from now on; tells whether there is one of this name.
    pub fn amend(&self, sku: &str, amendment: Amendment) -> bool {
        self.0.shop.amend(sku, amendment)
    }

    /// The purchases that it has made, in order; what it refused is none.
    pub fn booked(&self) -> Vec<Booked> {
        let all = self.0.shop.purchases();
        let made = all.iter().filter(|purchase| purchase.refusal.is_none());
        made.map(|purchase| Booked {
            reference: purchase.wanted.reference.clone(),
            sku: purchase.wanted.sku.clone(),
            units: purchase.units.len(),
        })
        .collect()
    }

    /// When each of the first requests came, in order, those that it turned away for their pace included.
    pub fn arrivals(&self) -> Vec<Instant> {
        self.0.gate.arrivals()
    }

    /// How many bytes of answers that are too large were taken from it.
    pub fn streamed_bytes(&self) -> u64 {
        self.0.streamed.load(Ordering::Relaxed)
    }
}

/// A share in parts of a million.
fn millionths(share: Decimal) -> Option<u32> {
    let factor = 10_i128.checked_pow(6_u32.checked_sub(share.scale())?)?;
    u32::try_from(share.mantissa().checked_mul(factor)?).ok().filter(|parts| *parts <= 1_000_000)
}

/// Answers at an address until `stop` is done; then every connection is closed at once. What was being bought is bought all the
/// same.
pub async fn serve(listener: TcpListener, simulator: Simulator, stop: impl Future<Output = ()> + Send) {
    let router = routes::router(simulator);
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, router.clone()));
                }
                Err(error) => {
                    tracing::debug!(%error, "the sandbox vendor cannot take a connection");
                    tokio::time::sleep(REST).await;
                }
            },
        }
    }
}

/// Answers the requests of a connection; one whose answer says so is closed instead.
async fn converse(stream: TcpStream, router: axum::Router) {
    // Otherwise each answer waits for the caller's delayed acknowledgement; without it the connection still works.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        async move {
            let Ok(response) = router.call(request.map(Body::new)).await;
            match response.extensions().get::<HangUp>() {
                Some(HangUp) => Err(io::Error::other("closed on purpose")),
                None => Ok(response),
            }
        }
    });
    let connection = Builder::new(TokioExecutor::new()).http1_only();
    if let Err(error) = connection.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection to the sandbox vendor broke");
    }
}
