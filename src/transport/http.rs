//! The HTTP server: its routes, what every request passes first, and how it stops.
//!
//! Lives here: [`AppState`], [`router`], [`serve`].
//! Always true: every request has an id, a client address and a place in the limit of that address before any handler
//! sees it; every answer, whoever made it, carries the request id and the security headers.
//! Not here: what the routes do (endpoint.rs, ws.rs, health.rs, rest, playground).
//!
//! The order of what a request passes, and why:
//! 1. its id and its client's address, so that everything after can name them;
//! 2. the limit of that address, ahead of everything that costs: reading a body, checking a token;
//! 3. the route, which reads no more of the body than it takes.
//!
//! Security headers are put on last, so that no answer leaves without them; a route may set its own (the playground has
//! a Content-Security-Policy that lets its page run).

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Json, Router};
use entity::ids::RequestId;
use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use uuid::Uuid;

use super::graphql::pipeline::answer::Answer;
use super::graphql::pipeline::contract::Contract;
use super::graphql::pipeline::refusal::Refusal;
use super::graphql::pipeline::{Limits, Pipeline};
use super::limits::{Allowance, Buckets, Place, Places, client_address, counted_as};
use super::rest::{self, ProblemDetails};
use super::{endpoint, graphql, health, playground, server};
use crate::ctx::{Actor, Ctx, Deps};
use crate::drain::Drain;
use crate::problem::{ErrorCode, Problem};

/// The header that names a request, in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a stop waits for requests that are under way.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// How long an operation may take, waiting for orders aside.
pub(super) const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);
/// How many seconds' worth of points a partner may save up.
const SAVED_SECONDS: u64 = 20;

/// What every handler is given.
#[derive(Clone)]
pub struct AppState {
    /// What the process has.
    pub deps: Arc<Deps>,
    /// The endpoint's pipeline.
    pub pipeline: Arc<Pipeline<graphql::Schema>>,
    /// The signal that the server stops.
    pub drain: Drain,
    /// The sockets that are open: their tasks outlive the requests that they began as.
    pub sockets: TaskTracker,
    addresses: Arc<Buckets<IpAddr>>,
    socket_places: Arc<Places>,
    started: Instant,
}

impl AppState {
    /// The state of a server over these dependencies.
    #[must_use]
    pub fn new(deps: Arc<Deps>) -> Self {
        let points = u64::from(deps.config.cost_per_second);
        let limits = Limits {
            timeout: OPERATION_TIMEOUT,
            allowance: Allowance {
                maximum_points: points.saturating_mul(SAVED_SECONDS),
                restore_points_per_second: points,
            },
        };
        let requests = u64::from(deps.config.requests_per_second);
        let addresses =
            Allowance { maximum_points: requests.saturating_mul(2), restore_points_per_second: requests };
        let sockets = usize::try_from(deps.config.sockets_per_address).unwrap_or(usize::MAX);
        Self {
            pipeline: Arc::new(Pipeline::new(Contract::bundled(), graphql::build_schema(&deps), limits)),
            drain: deps.find_feature::<Drain>().cloned().unwrap_or_default(),
            sockets: TaskTracker::new(),
            addresses: Arc::new(Buckets::new(addresses)),
            socket_places: Arc::new(Places::new(sockets)),
            started: Instant::now(),
            deps,
        }
    }

    /// Milliseconds since the server started: limits are filled by the machine's time, which no test moves.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// An id for a request that no caller has named.
    #[must_use]
    pub fn new_request_id(&self) -> RequestId {
        RequestId::from_uuid(self.deps.ids.uuid(self.deps.clock.now()))
    }

    /// Counts a request, or an operation of a socket, for the limit of its client's address.
    ///
    /// # Errors
    /// After how many milliseconds there is room for one more.
    pub fn admit(&self, address: IpAddr) -> Result<(), u64> {
        let taken = self.addresses.take(&counted_as(address), 1, self.elapsed_ms());
        taken.map(drop).map_err(|short| short.wait_ms.unwrap_or(1_000))
    }

    /// A place for one more socket of a client's address; `None` if it has as many as it may.
    #[must_use]
    pub fn admit_socket(&self, address: IpAddr) -> Option<Place> {
        self.socket_places.take(counted_as(address))
    }

    /// The context of a request.
    #[must_use]
    pub fn ctx(&self, arrival: Arrival, actor: Actor) -> Ctx {
        let mut ctx = Ctx::new(Arc::clone(&self.deps), actor, Some(arrival.address));
        ctx.request_id = arrival.request_id;
        ctx
    }
}

/// What is known of a request before its route: an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// What it is called in logs and answers: the caller's own name if it is a UUID or one of ours, else a new one.
    pub request_id: RequestId,
    /// The client's address.
    pub address: IpAddr,
}

/// Every route of the server.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/graphql", any(endpoint::serve))
        .merge(health::router())
        .merge(playground::router())
        .merge(rest::router())
        .fallback(no_such_route)
        .layer(middleware::from_fn_with_state(state.clone(), receive))
        .with_state(state)
}

/// Serves until `stop` is done, then lets requests that are under way end, at most 20 seconds: waiting orders are
/// answered as they stand, sockets are closed with 1001.
pub async fn serve(listener: TcpListener, state: AppState, stop: impl Future<Output = ()> + Send) {
    let (drain, sockets) = (state.drain.clone(), state.sockets.clone());
    let connections = server::accept(&listener, router(state), stop).await;
    drop(listener);
    drain.begin();
    sockets.close();
    let ended = async { tokio::join!(connections.shutdown(), sockets.wait()) };
    if tokio::time::timeout(STOP_PATIENCE, ended).await.is_err() {
        tracing::warn!("stopped with requests still under way");
    }
}

async fn receive(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let trusted = &state.deps.config.trusted_proxies;
    let address = client_address(peer.ip(), request.headers(), trusted);
    let arrival = Arrival { request_id: request_id(&state, request.headers()), address };
    let is_rest = rest::serves(request.uri().path());
    let mut response = match state.admit(address) {
        Ok(()) => {
            request.extensions_mut().insert(arrival);
            // Whatever the log tells of the request, statements included, stands in its span.
            let run = next.run(request).instrument(tracing::debug_span!("request", id = %arrival.request_id));
            // A panic would cut the connection, and with it the other requests of an HTTP/2 peer.
            AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|_panic| {
                tracing::error!(request_id = %arrival.request_id, "a handler panicked");
                if is_rest { ProblemDetails::fault().answer(arrival.request_id) } else { failed(arrival) }
            })
        }
        Err(wait_ms) if is_rest => {
            ProblemDetails::from(Problem::rate_limited(wait_ms)).answer(arrival.request_id)
        }
        Err(wait_ms) => answered(StatusCode::TOO_MANY_REQUESTS, &Answer::refused(too_many_requests(wait_ms))),
    };
    count(response.status(), began);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&arrival.request_id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    secure(headers);
    response
}

fn count(status: StatusCode, began: Instant) {
    metrics::counter!("octopus_http_requests_total", "status" => status.as_str().to_owned()).increment(1);
    metrics::histogram!("octopus_http_request_seconds").record(began.elapsed());
}

/// The id that the caller gave, if it is one of ours or any UUID; else a new one. Anything else could not be told from
/// what other callers write into the same log.
fn request_id(state: &AppState, headers: &HeaderMap) -> RequestId {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let ours = given.and_then(|given| given.parse().ok());
    let foreign = || Some(RequestId::from_uuid(Uuid::parse_str(given?).ok()?));
    ours.or_else(foreign).unwrap_or_else(|| state.new_request_id())
}

fn secure(headers: &mut HeaderMap) {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// The refusal of an address that asks too much: over HTTP or a socket, whatever it asks for.
pub(super) fn too_many_requests(wait_ms: u64) -> Refusal {
    let message = "Too many requests from this address; try again after `retryAfterMs`.";
    Refusal::new(ErrorCode::RateLimited, message).retry_after_ms(wait_ms)
}

/// A handler panicked: the caller learns the request's id alone.
fn failed(arrival: Arrival) -> Response {
    answered(StatusCode::INTERNAL_SERVER_ERROR, &Answer::failed(&arrival.request_id.to_string()))
}

/// What is answered ahead of the routes: the same JSON for every route but the facade's.
pub(super) fn answered(status: StatusCode, answer: &Answer) -> Response {
    let mut response = (status, Json(answer)).into_response();
    if let Some(retry_after_ms) = answer.retry_after_ms() {
        let seconds = retry_after_ms.div_ceil(1_000).max(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn no_such_route(Extension(arrival): Extension<Arrival>) -> Response {
    let details = ProblemDetails::new(
        ErrorCode::NotFound,
        "there is nothing at this address: /openapi.json lists every address of the REST facade, and GraphQL is at /graphql",
    );
    details.answer(arrival.request_id)
}
