//! What a server tells its operator.
//!
//! What lives here: where the log goes, and how loud it is.
//! What is always true: it goes to standard error, a line an event; no code, pin, token or password is ever an event's field.
//! What is not here: what is logged, which is decided where it happens.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::LogFormat;

/// Starts the log. Only the first call of a process has an effect, so that tests may call it as often as they like.
///
/// # Errors
/// A filter that is none, such as `loud`; `info` and `octopus_cards=debug,info` are.
pub fn start(filter: &str, format: LogFormat) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Fails if the process has a log already, which then stays.
    let _ = match format {
        LogFormat::Text => log.with_target(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    Ok(())
}
