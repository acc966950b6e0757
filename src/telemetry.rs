//! What a server tells its operator.
//!
//! What lives here: where the log goes and how loud it is, and the recorder that metrics are read from.
//! What is always true: it goes to standard error, a line an event; no code, pin, token or password is ever an event's field.
//! What is not here: what is logged, which is decided where it happens.

use std::io::{IsTerminal, stderr};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;
use crate::problem::Problem;

/// Crates that print what goes over the wire, tokens and codes included. They are heard up to `info`, whatever the filter says.
const WIRE: [&str; 3] = ["tungstenite", "tokio_tungstenite", "h2"];

/// Starts the log. Only the first call of a process has an effect, so that tests may call it as often as they like.
///
/// # Errors
/// A filter that is none, such as `loud`; `info` and `octopus_cards=debug,info` are.
pub fn start(filter: &str, format: LogFormat) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let colours = stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(stderr);
    let discreet = filter_fn(is_discreet);
    // Fails if the process has a log already, which then stays.
    let _ = match format {
        LogFormat::Text => log.with_target(false).finish().with(discreet).try_init(),
        LogFormat::Json => log.json().finish().with(discreet).try_init(),
    };
    Ok(())
}

/// Whether an event is certain not to carry what a partner and the server say to each other.
fn is_discreet(event: &Metadata<'_>) -> bool {
    let source = event.target().split("::").next().unwrap_or_default();
    *event.level() <= Level::INFO || !WIRE.contains(&source)
}

/// Begins to keep metrics, and tells where they are read.
///
/// # Errors
/// SERVICE_UNAVAILABLE if somebody else of the process keeps them already.
pub fn start_metrics() -> Result<PrometheusHandle, Problem> {
    PrometheusBuilder::new().install_recorder().map_err(Problem::unavailable)
}
