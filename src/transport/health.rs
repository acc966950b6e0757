//! Whether the server lives, and whether it can serve.
//!
//! Lives here: `/healthz` (the process answers) and `/readyz` (it can reach its database, its desks take orders, and it is not
//! stopping), for whatever starts, restarts and routes to servers.
//! Always true: neither needs a token, tells anything but yes or no, or waits longer than [`PATIENCE`].
//! Not here: metrics.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::http::AppState;
use crate::domain::orders::Desks;
use crate::store;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

async fn healthz() -> Response {
    told(StatusCode::OK, "ok")
}

async fn readyz(State(state): State<AppState>) -> Response {
    if state.drain.has_begun() {
        return told(StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    if !state.deps.feature::<Desks>().are_open() {
        tracing::error!("not ready: a desk has ended");
        return told(StatusCode::SERVICE_UNAVAILABLE, "orders cannot be taken");
    }
    match tokio::time::timeout(PATIENCE, store::ping(&state.deps.database)).await {
        Ok(Ok(())) => told(StatusCode::OK, "ready"),
        Ok(Err(problem)) => {
            tracing::warn!(%problem, "not ready: the database does not answer");
            told(StatusCode::SERVICE_UNAVAILABLE, "database unreachable")
        }
        Err(_elapsed) => {
            tracing::warn!("not ready: the database takes too long");
            told(StatusCode::SERVICE_UNAVAILABLE, "database unreachable")
        }
    }
}

fn told(status: StatusCode, word: &str) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(json!({ "status": word }))).into_response()
}
