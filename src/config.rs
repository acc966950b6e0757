//! Every setting.
//!
//! What lives here: the settings, their defaults, where they come from and what they may be.
//! What is always true: flags win over `OCTOPUS_…` variables, those over `octopus.toml`, those over the defaults; this is the
//! only file that reads the environment or the settings file.
//! What is not here: what a setting does.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use entity::state::Environment;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

mod bounds;
mod values;

use values::without_password;
pub use values::{Key, RateSource};

/// The settings as flags, variables or file give them; whatever is absent has a default.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct Settings {
    /// Where to listen for partners and browsers [default: 127.0.0.1:8080]
    #[arg(long, env = "OCTOPUS_LISTEN", global = true)]
    pub listen: Option<SocketAddr>,

    /// Where to serve metrics; nowhere if absent
    #[arg(long, env = "OCTOPUS_OPS_LISTEN", global = true)]
    pub ops_listen: Option<SocketAddr>,

    /// How the outside reaches this server: links and the allowed origin of browsers [default: http://localhost:8080]
    #[arg(long, env = "OCTOPUS_PUBLIC_URL", global = true)]
    pub public_url: Option<String>,

    /// sqlite:PATH or postgres://…; an SQLite file in the data folder if absent
    #[arg(long, env = "OCTOPUS_DATABASE_URL", global = true, hide_env_values = true)]
    pub database_url: Option<String>,

    /// Where the embedded database, keys and sandbox credentials lie [default: var]
    #[arg(long, env = "OCTOPUS_DATA_DIR", global = true)]
    pub data_dir: Option<PathBuf>,

    /// The folder with catalog.csv and the other files that a sandbox begins with [default: data]
    #[arg(long, env = "OCTOPUS_SEED_DIR", global = true)]
    pub seed_dir: Option<PathBuf>,

    /// production or sandbox, for the first start on a database [default: production]
    #[arg(long = "env", visible_alias = "environment", env = "OCTOPUS_ENV", global = true, value_parser = parse_environment)]
    #[serde(rename = "env")]
    pub environment: Option<Environment>,

    /// The folder with the master keys [default: keys in the data folder]
    #[arg(long, env = "OCTOPUS_KEYS_DIR", global = true)]
    pub keys_dir: Option<PathBuf>,

    /// Proxies whose X-Forwarded-For is believed: networks, separated by commas
    #[arg(long, env = "OCTOPUS_TRUSTED_PROXIES", global = true, value_delimiter = ',')]
    pub trusted_proxies: Option<Vec<IpNet>>,

    /// How long a charge binds, in seconds [default: 600]
    #[arg(long, env = "OCTOPUS_CHARGE_TTL_SECS", global = true)]
    pub charge_ttl_secs: Option<u32>,

    /// How long open units wait before they are refunded, in seconds [default: 1800]
    #[arg(long, env = "OCTOPUS_UNIT_DEADLINE_SECS", global = true)]
    pub unit_deadline_secs: Option<u32>,

    /// How old a rate may be, in seconds; without limit in a sandbox [default: 345600]
    #[arg(long, env = "OCTOPUS_RATE_MAX_AGE_SECS", global = true)]
    pub rate_max_age_secs: Option<u32>,

    /// Whom to ask for exchange rates; nobody if absent
    #[arg(long, env = "OCTOPUS_RATE_PROVIDER", global = true, value_enum)]
    pub rate_provider: Option<RateSource>,

    /// Where the provider of rates is; where the public finds it if absent
    #[arg(long, env = "OCTOPUS_RATE_PROVIDER_URL", global = true)]
    pub rate_provider_url: Option<String>,

    /// The key to the provider of rates; rather set the variable, for others on the machine can see flags
    #[arg(long, env = "OCTOPUS_RATE_PROVIDER_KEY", global = true, hide_env_values = true)]
    pub rate_provider_key: Option<Key>,

    /// How often to ask for exchange rates, in seconds [default: 3600]
    #[arg(long, env = "OCTOPUS_RATE_POLL_SECS", global = true)]
    pub rate_poll_secs: Option<u32>,

    /// How far a rate may be from the one before, in hundredths of a per cent; one that is farther waits for a person [default: 1000]
    #[arg(long, env = "OCTOPUS_RATE_MAX_JUMP_BPS", global = true)]
    pub rate_max_jump_bps: Option<u32>,

    /// How long before a rate is too old an alarm is raised, in seconds [default: a quarter of the age that it may have]
    #[arg(long, env = "OCTOPUS_RATE_STALE_ALARM_SECS", global = true)]
    pub rate_stale_alarm_secs: Option<u32>,

    /// How often vendors' statements are held against our purchases, in seconds [default: 900]
    #[arg(long, env = "OCTOPUS_RECONCILE_SECS", global = true)]
    pub reconcile_secs: Option<u32>,

    /// How often vendors' catalogs are read again, in seconds, once an operator had them read; never if 0 [default: 3600]
    #[arg(long, env = "OCTOPUS_VENDOR_SYNC_SECS", global = true)]
    pub vendor_sync_secs: Option<u32>,

    /// The margin on rates where no price rule sets one, in hundredths of a per cent [default: 150]
    #[arg(long, env = "OCTOPUS_DEFAULT_MARGIN_BPS", global = true)]
    pub default_margin_bps: Option<u32>,

    /// How much longer than now a code must be good to be sold, in seconds [default: 86400]
    #[arg(long, env = "OCTOPUS_MIN_VALIDITY_SECS", global = true)]
    pub min_validity_secs: Option<u32>,

    /// How long an access token lives, in seconds [default: 3600]
    #[arg(long, env = "OCTOPUS_ACCESS_TOKEN_SECS", global = true)]
    pub access_token_secs: Option<u32>,

    /// How long a refresh token lives, in seconds [default: 604800]
    #[arg(long, env = "OCTOPUS_REFRESH_TOKEN_SECS", global = true)]
    pub refresh_token_secs: Option<u32>,

    /// How many sign-ins an account or an address may try a minute, and how many refreshes an address [default: 30]
    #[arg(long, env = "OCTOPUS_LOGINS_PER_MINUTE", global = true)]
    pub logins_per_minute: Option<u32>,

    /// How many orders may wait for a desk before more are told RATE_LIMITED; one partner may take half of the places [default: 2000]
    #[arg(long, env = "OCTOPUS_ORDER_QUEUE", global = true)]
    pub order_queue: Option<u32>,

    /// How many requests a second one address may make [default: 5000]
    #[arg(long, env = "OCTOPUS_REQUESTS_PER_SECOND", global = true)]
    pub requests_per_second: Option<u32>,

    /// How many sockets one address may have open [default: 1000]
    #[arg(long, env = "OCTOPUS_SOCKETS_PER_ADDRESS", global = true)]
    pub sockets_per_address: Option<u32>,

    /// How many points of query cost a partner gets back a second; it can save up twenty times as many [default: 50000]
    #[arg(long, env = "OCTOPUS_COST_PER_SECOND", global = true)]
    pub cost_per_second: Option<u32>,

    /// What to log, as error, warn, info, debug or trace, also by module: octopus_cards=debug,info [default: info, migrations only if they fail]
    #[arg(long, env = "OCTOPUS_LOG", global = true)]
    pub log: Option<String>,

    /// How to log, text or json [default: text]
    #[arg(long, env = "OCTOPUS_LOG_FORMAT", global = true, value_enum)]
    pub log_format: Option<LogFormat>,

    /// How long events are kept for those who read the feed, in days [default: 90]
    #[arg(long, env = "OCTOPUS_EVENT_RETENTION_DAYS", global = true)]
    pub event_retention_days: Option<u32>,

    /// How many connections to keep to PostgreSQL, half of them for writing [default: 16]
    #[arg(long, env = "OCTOPUS_DATABASE_CONNECTIONS", global = true)]
    pub database_connections: Option<u32>,
}

fn parse_environment(text: &str) -> Result<Environment, String> {
    text.parse().map_err(|_| "must be production or sandbox".to_owned())
}

/// How a server's log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: a JSON object a line.
    Json,
}

/// The settings, complete. As JSON they have the names of the settings file, and no password.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `Settings`, with their defaults")]
pub struct Config {
    pub listen: SocketAddr,
    pub ops_listen: Option<SocketAddr>,
    pub public_url: String,
    #[serde(serialize_with = "without_password")]
    pub database_url: String,
    pub data_dir: PathBuf,
    pub seed_dir: PathBuf,
    #[serde(rename = "env")]
    pub environment: Option<Environment>,
    pub keys_dir: PathBuf,
    pub trusted_proxies: Vec<IpNet>,
    pub charge_ttl_secs: u32,
    pub unit_deadline_secs: u32,
    pub rate_max_age_secs: u32,
    pub rate_provider: Option<RateSource>,
    pub rate_provider_url: Option<String>,
    pub rate_provider_key: Option<Key>,
    pub rate_poll_secs: u32,
    pub rate_max_jump_bps: u32,
    pub rate_stale_alarm_secs: u32,
    pub reconcile_secs: u32,
    pub vendor_sync_secs: u32,
    pub default_margin_bps: u32,
    pub min_validity_secs: u32,
    pub access_token_secs: u32,
    pub refresh_token_secs: u32,
    pub logins_per_minute: u32,
    pub order_queue: u32,
    pub requests_per_second: u32,
    pub sockets_per_address: u32,
    pub cost_per_second: u32,
    pub log: String,
    pub log_format: LogFormat,
    pub event_retention_days: u32,
    pub database_connections: u32,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The settings file is not what it should be.
    #[error("{path}: {cause}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        cause: toml::de::Error,
    },
    /// A setting is outside its bounds.
    #[error("{setting} = {given} cannot be used: it must be {bounds}. Mend --{}, OCTOPUS_{} or {setting} in the settings file",
        setting.replace('_', "-"), setting.to_uppercase())]
    OutOfBounds {
        /// The setting.
        setting: &'static str,
        /// What it was.
        given: String,
        /// What it may be.
        bounds: &'static str,
    },
}

impl Settings {
    /// Reads a settings file; an absent default file is an empty one.
    ///
    /// # Errors
    /// A file that cannot be read or has an unknown or malformed setting.
    pub fn from_file(path: Option<&Path>) -> Result<Self, ConfigError> {
        let file = path.unwrap_or(Path::new("octopus.toml"));
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(cause) if path.is_none() && cause.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(cause) => return Err(ConfigError::Unreadable { path: file.to_owned(), cause }),
        };
        toml::from_str(&text).map_err(|cause| ConfigError::Malformed { path: file.to_owned(), cause })
    }

    /// Completes the settings: these first, then the file's, then the defaults.
    ///
    /// # Errors
    /// A setting outside its bounds.
    pub fn complete(self, file: Self) -> Result<Config, ConfigError> {
        let data_dir = self.data_dir.or(file.data_dir).unwrap_or_else(|| PathBuf::from("var"));
        let rate_max_age_secs = self.rate_max_age_secs.or(file.rate_max_age_secs).unwrap_or(345_600);
        let embedded = || format!("sqlite:{}", data_dir.join("octopus.db").display());
        let config = Config {
            listen: self.listen.or(file.listen).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            ops_listen: self.ops_listen.or(file.ops_listen),
            public_url: self
                .public_url
                .or(file.public_url)
                .unwrap_or_else(|| "http://localhost:8080".to_owned()),
            database_url: self.database_url.or(file.database_url).unwrap_or_else(embedded),
            seed_dir: self.seed_dir.or(file.seed_dir).unwrap_or_else(|| PathBuf::from("data")),
            environment: self.environment.or(file.environment),
            keys_dir: self.keys_dir.or(file.keys_dir).unwrap_or_else(|| data_dir.join("keys")),
            data_dir,
            trusted_proxies: self.trusted_proxies.or(file.trusted_proxies).unwrap_or_default(),
            charge_ttl_secs: self.charge_ttl_secs.or(file.charge_ttl_secs).unwrap_or(600),
            unit_deadline_secs: self.unit_deadline_secs.or(file.unit_deadline_secs).unwrap_or(1_800),
            rate_max_age_secs,
            rate_provider: self.rate_provider.or(file.rate_provider),
            rate_provider_url: self.rate_provider_url.or(file.rate_provider_url),
            rate_provider_key: self.rate_provider_key.or(file.rate_provider_key),
            rate_poll_secs: self.rate_poll_secs.or(file.rate_poll_secs).unwrap_or(3_600),
            rate_max_jump_bps: self.rate_max_jump_bps.or(file.rate_max_jump_bps).unwrap_or(1_000),
            rate_stale_alarm_secs: self
                .rate_stale_alarm_secs
                .or(file.rate_stale_alarm_secs)
                .unwrap_or_else(|| rate_max_age_secs.div_euclid(4)),
            reconcile_secs: self.reconcile_secs.or(file.reconcile_secs).unwrap_or(900),
            vendor_sync_secs: self.vendor_sync_secs.or(file.vendor_sync_secs).unwrap_or(3_600),
            default_margin_bps: self.default_margin_bps.or(file.default_margin_bps).unwrap_or(150),
            min_validity_secs: self.min_validity_secs.or(file.min_validity_secs).unwrap_or(86_400),
            access_token_secs: self.access_token_secs.or(file.access_token_secs).unwrap_or(3_600),
            refresh_token_secs: self.refresh_token_secs.or(file.refresh_token_secs).unwrap_or(604_800),
            logins_per_minute: self.logins_per_minute.or(file.logins_per_minute).unwrap_or(30),
            order_queue: self.order_queue.or(file.order_queue).unwrap_or(2_000),
            requests_per_second: self.requests_per_second.or(file.requests_per_second).unwrap_or(5_000),
            sockets_per_address: self.sockets_per_address.or(file.sockets_per_address).unwrap_or(1_000),
            cost_per_second: self.cost_per_second.or(file.cost_per_second).unwrap_or(50_000),
            log: self.log.or(file.log).unwrap_or_else(|| "info,sea_orm_migration=warn".to_owned()),
            log_format: self.log_format.or(file.log_format).unwrap_or_default(),
            event_retention_days: self.event_retention_days.or(file.event_retention_days).unwrap_or(90),
            database_connections: self.database_connections.or(file.database_connections).unwrap_or(16),
        };
        config.checked()
    }
}

impl Config {
    /// The file of an SQLite database; `None` for PostgreSQL.
    pub fn database_file(&self) -> Option<PathBuf> {
        let path = self.database_url.strip_prefix("sqlite:")?;
        Some(PathBuf::from(path.trim_start_matches("//")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_kept_for_a_month_at_least() {
        let kept = |days| Settings { event_retention_days: Some(days), ..Settings::default() };
        assert!(kept(29).complete(Settings::default()).is_err());
        assert!(kept(30).complete(Settings::default()).is_ok());
    }

    #[test]
    fn the_documented_file_says_the_defaults() {
        let documented = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/octopus.toml");
        let file = Settings::from_file(Some(&documented)).unwrap();
        let completed = Settings::default().complete(file).unwrap();
        let defaults = Settings::default().complete(Settings::default()).unwrap();
        assert_eq!(format!("{completed:#?}"), format!("{defaults:#?}"));
        let text = std::fs::read_to_string(documented).unwrap();
        let shown = format!("{defaults:#?}");
        let settings =
            shown.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(':').map(|(name, _)| name));
        for setting in
            settings.filter(|name| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'))
        {
            let name = if setting == "environment" { "env" } else { setting };
            assert!(text.contains(&format!("{name} = ")), "docs/octopus.toml does not document {name}");
        }
    }
}
