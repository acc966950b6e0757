//! What a provider of rates is to us.
//!
//! What lives here: the trait that every adapter implements, and what it may answer.
//! What is always true: a rate is the decimal that the provider wrote, never a binary fraction; a key to a provider stands in no
//! answer and no failure.
//! What is not here: when a provider is asked and what of it is believed (`poll.rs`); adapters (`src/rates`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::timestamp::Timestamp;
use futures_util::future::BoxFuture;

/// What a provider tells at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotation {
    /// What the rates are against.
    pub base: Currency,
    /// When they were observed.
    pub observed_at: Timestamp,
    /// Units of each currency for one of the base: positive numbers of at most 24 digits.
    pub rates: BTreeMap<Currency, Decimal>,
    /// Currencies that it tells something else for than such a number.
    pub unreadable: Vec<Currency>,
}

/// Why a provider has told nothing. Nothing is changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoQuotation {
    /// There was no answer.
    #[error("{0}")]
    Unanswered(String),
    /// The answer was none of success.
    #[error("it answered HTTP {status}{reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it says of it, behind a blank; empty if nothing.
        reason: String,
        /// After how many seconds to ask again, if it says so.
        retry_after_secs: Option<u64>,
    },
    /// The answer is not what it should be.
    #[error("its answer is unusable: {0}")]
    Unusable(String),
}

/// A provider of rates. It keeps no facts.
pub trait RateProvider: Send + Sync + 'static {
    /// Its name, which is the source of its rates.
    fn name(&self) -> &'static str;

    /// How old its observations may be, in seconds, before it counts as having stopped.
    fn max_age_secs(&self) -> u32;

    /// Asks for its latest rates.
    fn quote(&self) -> BoxFuture<'_, Result<Quotation, NoQuotation>>;
}

/// The provider that is set, if any: `app.rs` registers it.
#[derive(Clone, Default)]
pub struct Provider(pub Option<Arc<dyn RateProvider>>);

impl fmt::Debug for Provider {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Provider").field(&self.0.as_ref().map(|provider| provider.name())).finish()
    }
}
