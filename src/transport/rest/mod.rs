//! The REST facade: a few operations over plain HTTP, for whoever wants no GraphQL.
//!
//! Lives here: [`ROUTES`], the table of every operation, and the router made of it.
//! Always true: an operation reads its input, calls the domain function that GraphQL calls, and wraps the result; what it
//! takes and answers is what `openapi.json` says, and a test compares the two.
//! Not here: the checks ahead of an operation (gate.rs); one file a feature has the operations themselves.

mod auth;
mod charges;
mod events;
mod gate;
mod hints;
mod input;
mod json;
mod orders;
mod problem_details;
mod products;
mod shapes;
mod wallets;

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use axum::{Extension, Router};
use futures_util::future::BoxFuture;

use super::http::{AppState, Arrival};
use crate::problem::ErrorCode;
use gate::{Answer, Call, Outcome};
use input::Members;
pub use problem_details::ProblemDetails;

/// The description of the facade: OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("../../../openapi.json");

/// What a change costs a caller's allowance, in points, as in GraphQL.
const CHANGE_POINTS: u64 = 10;
/// What a page costs.
const PAGE_POINTS: u64 = 20;
/// What a page that may be filtered or searched costs: what does not match is looked at too, as in GraphQL.
const NARROWED_PAGE_POINTS: u64 = PAGE_POINTS + 100;

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Everybody: there is no token yet.
    Open,
    /// Vendors, who have no token and sign what they send, in any form.
    Vendors,
    /// Callers with a valid token.
    SignedIn,
}

/// An operation's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Changes.
    Post,
}

/// An operation.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// By which method.
    pub verb: Verb,
    /// At which address; `{id}` stands for one segment.
    pub path: &'static str,
    /// Who may come in.
    pub door: Door,
    /// The parameters of the address that it takes.
    pub parameters: &'static [&'static str],
    /// The members of the body that it takes; `None` if it needs no body.
    pub members: Option<&'static [&'static str]>,
    points: u64,
    wait: fn(&Members) -> Duration,
    action: fn(Call) -> BoxFuture<'static, Outcome>,
}

const fn read(path: &'static str, action: fn(Call) -> BoxFuture<'static, Outcome>) -> Route {
    let (verb, door) = (Verb::Get, Door::SignedIn);
    let wait = |_: &Members| Duration::ZERO;
    Route { verb, path, door, parameters: &[], members: None, points: 1, wait, action }
}

const fn page(
    path: &'static str,
    parameters: &'static [&'static str],
    action: fn(Call) -> BoxFuture<'static, Outcome>,
) -> Route {
    Route { parameters, points: PAGE_POINTS, ..read(path, action) }
}

const fn change(
    path: &'static str,
    members: Option<&'static [&'static str]>,
    action: fn(Call) -> BoxFuture<'static, Outcome>,
) -> Route {
    Route { verb: Verb::Post, members, points: CHANGE_POINTS, ..read(path, action) }
}

/// Every operation.
pub static ROUTES: &[Route] = &[
    Route {
        door: Door::Open,
        ..change("/auth/login", Some(auth::LOGIN), |call| Box::pin(auth::login(call)))
    },
    Route {
        door: Door::Open,
        ..change("/auth/refresh", Some(auth::REFRESH), |call| Box::pin(auth::refresh(call)))
    },
    change("/auth/logout", None, |call| Box::pin(auth::logout(call))),
    Route {
        points: NARROWED_PAGE_POINTS,
        ..page("/api/v1/products", products::LIST, |call| Box::pin(products::list(call)))
    },
    Route {
        parameters: products::GET,
        ..read("/api/v1/products/{id}", |call| Box::pin(products::get(call)))
    },
    change("/api/v1/charges", Some(charges::CREATE), |call| Box::pin(charges::create(call))),
    read("/api/v1/charges/{id}", |call| Box::pin(charges::get(call))),
    // Orders are bounded by their desks, not by a rate: an order costs one point.
    Route {
        points: 1,
        wait: orders::wait,
        ..change("/api/v1/orders", Some(orders::PLACE), |call| Box::pin(orders::place(call)))
    },
    page("/api/v1/orders", orders::LIST, |call| Box::pin(orders::list(call))),
    read("/api/v1/orders/{id}", |call| Box::pin(orders::get(call))),
    change("/api/v1/orders/{id}/cancel", None, |call| Box::pin(orders::cancel(call))),
    page("/api/v1/wallets", wallets::LIST, |call| Box::pin(wallets::list(call))),
    page("/api/v1/events", events::LIST, |call| Box::pin(events::list(call))),
    Route { door: Door::Vendors, ..change("/vendors/{id}/hints", None, |call| Box::pin(hints::take(call))) },
    Route { door: Door::Open, ..read("/openapi.json", |_| Box::pin(describe())) },
];

async fn describe() -> Outcome {
    Ok(Answer::text(OPENAPI))
}

/// The routes of the facade.
pub(super) fn router() -> Router<AppState> {
    let add = |router: Router<AppState>, route: &'static Route| {
        let filter = match route.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
        };
        let serve =
            move |State(state): State<AppState>, Extension(arrival): Extension<Arrival>, request: Request| {
                gate::serve(state, arrival, request, route)
            };
        router.route(route.path, on(filter, serve))
    };
    ROUTES.iter().fold(Router::new(), add).method_not_allowed_fallback(not_allowed)
}

/// Whether an address is the facade's, so that whatever is wrong there is told as a problem.
pub(super) fn serves(path: &str) -> bool {
    let folders = ["/api/", "/auth/", "/vendors/"];
    folders.iter().any(|folder| path.starts_with(folder)) || path == "/openapi.json"
}

/// axum adds the methods that are allowed.
async fn not_allowed(Extension(arrival): Extension<Arrival>) -> Response {
    let details = ProblemDetails::new(ErrorCode::BadRequest, "this address takes other methods: see Allow");
    details.with_status(StatusCode::METHOD_NOT_ALLOWED).answer(arrival.request_id)
}
