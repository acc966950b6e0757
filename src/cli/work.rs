//! `octopus work`: a process that works on orders and purchases, and answers nobody.
//!
//! What lives here: what happens between its start and its end.
//! What is always true: it does what the worker inside `octopus serve` does, beside any number of others; it ends by a signal,
//! and hands over what it had at once.
//! What is not here: the work itself (`domain/orders/worker.rs`).

use sea_orm::DbBackend;

use super::{CliError, open, serve};
use crate::app;
use crate::config::Config;
use crate::domain::vouchers;
use crate::telemetry;

/// Works until SIGINT or SIGTERM.
///
/// # Errors
/// `Usage` on SQLite, where the one server has the file; missing keys; what the database says.
pub async fn run(config: Config) -> Result<(), CliError> {
    telemetry::start(&config.log, config.log_format)
        .map_err(|error| CliError::Usage(format!("log: {error}")))?;
    let deps = open(config).await?;
    if deps.database.backend() == DbBackend::Sqlite {
        return Err(CliError::Usage(
            "on SQLite `octopus serve` does all the work: processes of their own work on PostgreSQL"
                .to_owned(),
        ));
    }
    vouchers::require_vault(&deps)?;
    app::work(&deps, serve::stop()?).await;
    app::close(&deps).await;
    Ok(())
}
