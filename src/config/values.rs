//! What single settings may be.
//!
//! What lives here: kinds of setting that are no number, and how addresses are judged and shown.
//! What is always true: a key never prints, neither for people nor for programs.
//! What is not here: the settings (`config.rs`).

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize, Serializer};

/// Who tells exchange rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateSource {
    /// The European Central Bank: some 30 currencies, on working days.
    Ecb,
    /// The free currency-api: every currency, once a day.
    CurrencyApi,
    /// Open Exchange Rates: every currency, once an hour; needs a key.
    OpenExchangeRates,
}

/// A key or a password of a setting.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The key itself, for whom it is meant for.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it can stand in an address as it is.
    pub(super) fn is_plain(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    }
}

impl FromStr for Key {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("…")
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("…")
    }
}

/// Whether the outside can reach a server by this: it is the tokens' issuer, the origin of the server's own pages, and what links
/// begin with.
pub(super) fn is_address(url: &str) -> bool {
    let Ok(address) = url.parse::<axum::http::Uri>() else { return false };
    let web = matches!(address.scheme_str(), Some("http" | "https"));
    let named = address.host().is_some_and(|host| !host.is_empty());
    web && named && !url.contains(['?', '#', '@'])
}

/// Whether it names a server that can be called; what follows the host may hold any sign of a path.
pub(super) fn is_service(url: &str) -> bool {
    let Ok(address) = url.parse::<axum::http::Uri>() else { return false };
    let web = matches!(address.scheme_str(), Some("http" | "https"));
    let plain = address.authority().is_some_and(|named| !named.as_str().contains('@'));
    let named = address.host().is_some_and(|host| !host.is_empty());
    web && named && plain && !url.contains(['?', '#'])
}

pub(super) fn is_database(url: &str) -> bool {
    let sqlite = url.strip_prefix("sqlite:").is_some_and(|path| !path.trim_start_matches("//").is_empty());
    sqlite || url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// A database's address with `…` in place of its password, be it before the host or among the parameters.
pub(super) fn without_password<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let Some((scheme, rest)) = url.split_once("://") else { return serializer.serialize_str(url) };
    let (rest, parameters) = rest.split_once('?').map_or((rest, None), |(rest, all)| (rest, Some(all)));
    let (user, host) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
    let mut shown = format!("{scheme}://");
    if let Some(user) = user {
        let hidden = user.split_once(':').map_or_else(|| user.to_owned(), |(name, _)| format!("{name}:…"));
        shown.push_str(&format!("{hidden}@"));
    }
    shown.push_str(host);
    if let Some(parameters) = parameters {
        let hide = |pair: &str| {
            if pair.starts_with("password=") { "password=…".to_owned() } else { pair.to_owned() }
        };
        let parameters: Vec<String> = parameters.split('&').map(hide).collect();
        shown.push_str(&format!("?{}", parameters.join("&")));
    }
    serializer.serialize_str(&shown)
}
