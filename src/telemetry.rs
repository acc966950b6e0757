//! What a server tells its operator.
//!
//! What lives here: where the log goes and how loud it is, and the recorder that metrics are read from.
//! What is always true: it goes to standard error, a line an event; no code, pin, token or password is ever an event's field.
//! What is not here: what is logged, which is decided where it happens.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::LogFormat;
use crate::problem::Problem;

/// Starts the log. Only the first call of a process has an effect, so that tests may call it as often as they like.
///
/// # Errors
/// A filter that is none, such as `loud`; `info` and `octopus_cards=debug,info` are.
pub fn start(filter: &str, format: LogFormat) -> Result<(), ParseError> {
    // Louder, they print what they carry: tokens and codes among it.
    let quiet = "tungstenite=info,tokio_tungstenite=info,h2=info,hyper=info,hyper_util=info,sqlx=info";
    let filter = EnvFilter::builder().parse(format!("{filter},{quiet}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Fails if the process has a log already, which then stays.
    let _ = match format {
        LogFormat::Text => log.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    Ok(())
}

/// Begins to keep metrics, and tells where they are read.
///
/// # Errors
/// SERVICE_UNAVAILABLE if somebody else of the process keeps them already.
pub fn start_metrics() -> Result<PrometheusHandle, Problem> {
    PrometheusBuilder::new().install_recorder().map_err(Problem::unavailable)
}
