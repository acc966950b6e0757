//! The operator's listener.
//!
//! What lives here: the metrics, in Prometheus' text format.
//! What is always true: it listens apart from partners, on an address that only the operator's network reaches.
//! What is not here: what is counted.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

/// Serves the metrics until the process ends.
pub async fn serve(listener: TcpListener, metrics: PrometheusHandle) {
    let render =
        move || std::future::ready(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render()));
    let router = Router::new().route("/metrics", get(render));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the operator's listener has ended");
    }
}
