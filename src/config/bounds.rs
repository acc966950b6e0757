//! What settings may be.
//!
//! What lives here: the bounds of each setting, in the words in which a refusal names them.
//! What is always true: a server starts with settings that are all within their bounds, or not at all.
//! What is not here: their defaults, and where they come from (`config.rs`).

use super::values::{is_address, is_database, is_service};
use super::{Config, ConfigError, Key, RateSource};

impl Config {
    /// Whether the provider of rates, if it asks for a key, has one that can be sent.
    fn has_its_key(&self) -> bool {
        let needed = self.rate_provider == Some(RateSource::OpenExchangeRates);
        self.rate_provider_key.as_ref().map_or(!needed, Key::is_plain)
    }

    /// The settings, if each is within its bounds.
    ///
    /// # Errors
    /// The first setting that is not.
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        let bounds: [(bool, &'static str, &'static str); 22] = [
            (
                is_address(&self.public_url),
                "public_url",
                "http:// or https://, a host, and no more than a path",
            ),
            (
                is_database(&self.database_url),
                "database_url",
                "sqlite:PATH or postgres://user:password@host/name",
            ),
            (self.charge_ttl_secs >= 1, "charge_ttl_secs", "at least 1"),
            (self.unit_deadline_secs >= 1, "unit_deadline_secs", "at least 1"),
            (self.rate_max_age_secs >= 60, "rate_max_age_secs", "at least 60"),
            (
                self.rate_provider_url.as_deref().is_none_or(is_service),
                "rate_provider_url",
                "http:// or https://, a host, and no more than a path",
            ),
            (
                self.has_its_key(),
                "rate_provider_key",
                "the App ID of an account at Open Exchange Rates, if that is the rate_provider: letters and digits",
            ),
            (self.rate_poll_secs >= 60, "rate_poll_secs", "at least 60"),
            (self.rate_max_jump_bps >= 1, "rate_max_jump_bps", "at least 1"),
            (
                self.rate_stale_alarm_secs < self.rate_max_age_secs,
                "rate_stale_alarm_secs",
                "less than rate_max_age_secs",
            ),
            (self.reconcile_secs >= 60, "reconcile_secs", "at least 60"),
            (
                self.vendor_sync_secs == 0 || self.vendor_sync_secs >= 60,
                "vendor_sync_secs",
                "0, which is never, or at least 60",
            ),
            (self.default_margin_bps < 10_000, "default_margin_bps", "less than 10000"),
            ((60..=86_400).contains(&self.access_token_secs), "access_token_secs", "60 to 86400"),
            (
                self.refresh_token_secs > self.access_token_secs,
                "refresh_token_secs",
                "more than access_token_secs",
            ),
            (self.logins_per_minute >= 1, "logins_per_minute", "at least 1"),
            (self.order_queue >= 1, "order_queue", "at least 1"),
            (self.requests_per_second >= 1, "requests_per_second", "at least 1"),
            (self.sockets_per_address >= 1, "sockets_per_address", "at least 1"),
            (self.cost_per_second >= 1, "cost_per_second", "at least 1"),
            // What partners are promised.
            (self.event_retention_days >= 30, "event_retention_days", "at least 30"),
            (self.database_connections >= 8, "database_connections", "at least 8"),
        ];
        match bounds.into_iter().find(|(kept, _, _)| !kept) {
            None => Ok(self),
            Some((_, setting, bounds)) => {
                let given = serde_json::json!(self)[setting].to_string();
                Err(ConfigError::OutOfBounds { setting, given, bounds })
            }
        }
    }
}
