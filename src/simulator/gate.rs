//! Who gets in to the sandbox vendor, and how fast.
//!
//! What lives here: the key, the pace and the crowd that it lets in, how long it takes to answer anything, and when it was asked.
//! What is always true: whoever is turned away here has changed nothing; seconds are those of the vendor's clock.
//! What is not here: 401 and 429 on purpose, which are behaviours.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;

use super::Simulator;
use super::refusal::Reason;

/// The path on which tests change what the vendor does: no pace and no crowd hold it up.
pub(super) const SCRIPT: &str = "/script";
/// The same for what it sells.
pub(super) const SCRIPT_PRODUCTS: &str = "/script/products";

/// Of how many requests it is remembered when they came: the first ones.
const MOST_RECORDED: usize = 10_000;

/// What it lets in.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) key: String,
    pub(super) requests_per_second: Option<u32>,
    pub(super) concurrent: Option<usize>,
    pub(super) latency: Duration,
    /// When each request came, of those with the key.
    arrivals: Mutex<Vec<Instant>>,
    /// The second, and how many came in it.
    second: Mutex<(i64, u32)>,
    inside: AtomicUsize,
}

/// A place inside; dropping it leaves.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Gate {
    pub(super) fn new(key: String, latency: Duration) -> Self {
        let (arrivals, second, inside) = (Mutex::default(), Mutex::default(), AtomicUsize::default());
        Self { key, requests_per_second: None, concurrent: None, latency, arrivals, second, inside }
    }

    fn knows(&self, request: &Request) -> bool {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        bool::from(key.as_bytes().ct_eq(self.key.as_bytes()))
    }

    /// When each request came, in order.
    pub(super) fn arrivals(&self) -> Vec<Instant> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self) {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() < MOST_RECORDED {
            arrivals.push(Instant::now());
        }
    }

    /// Whether one more fits into the second.
    fn keeps_pace(&self, second: i64) -> bool {
        let Some(most) = self.requests_per_second else { return true };
        let mut current = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != second {
            *current = (second, 0);
        }
        current.1 = current.1.saturating_add(1);
        current.1 <= most
    }

    fn enter(&self) -> Option<Place<'_>> {
        let before = self.inside.fetch_add(1, Ordering::AcqRel);
        let place = Place(&self.inside);
        self.concurrent.is_none_or(|most| before < most).then_some(place)
    }
}

/// Lets a request in, or turns it away.
pub(super) async fn pass(State(simulator): State<Simulator>, request: Request, next: Next) -> Response {
    let gate = &simulator.0.gate;
    if !gate.knows(&request) {
        return Reason::Unauthorized.into_response();
    }
    if [SCRIPT, SCRIPT_PRODUCTS].contains(&request.uri().path()) {
        return next.run(request).await;
    }
    gate.record();
    let Some(_place) = gate.enter().filter(|_| gate.keeps_pace(simulator.0.shop.clock.now().seconds()))
    else {
        return Reason::TooMany.retry_after(1);
    };
    tokio::time::sleep(gate.latency).await;
    next.run(request).await
}
