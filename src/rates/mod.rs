//! Adapters: how each provider of exchange rates is asked.
//!
//! What lives here: the one that is set, and what all share: the call, and decimals from JSON.
//! What is always true: an adapter knows the `RateProvider` trait of pricing, calls through `outgoing`, and nothing else of the
//! product; a number is read as the text that stands in the answer, never as a binary fraction; what is no currency of ISO 4217
//! is passed over.
//! What is not here: when a provider is asked, and what of its answer is believed (`domain/pricing/poll.rs`).

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;

use crate::config::{Config, RateSource};
use crate::domain::pricing::{NoQuotation, Provider, RateProvider};
use crate::outgoing::{Answer, Call, Caller, Limits};

mod currency_api;
mod ecb;
mod numbers;
mod open_exchange_rates;

/// An answer of any of them holds some thousand bytes, currency-api's with its coins some ten thousand; and none is urgent.
const LIMITS: Limits = Limits { bytes: 1_048_576, time: Duration::from_secs(10) };

/// The provider that is set, if any.
pub fn provider(config: &Config) -> Provider {
    let address =
        |public: &str| Web { address: config.rate_provider_url.clone().unwrap_or_else(|| public.to_owned()) };
    let provider: Arc<dyn RateProvider> = match config.rate_provider {
        None => return Provider::default(),
        Some(RateSource::Ecb) => Arc::new(ecb::Ecb { web: address(ecb::ADDRESS) }),
        Some(RateSource::CurrencyApi) => {
            Arc::new(currency_api::CurrencyApi { web: address(currency_api::ADDRESS) })
        }
        Some(RateSource::OpenExchangeRates) => Arc::new(open_exchange_rates::OpenExchangeRates {
            web: address(open_exchange_rates::ADDRESS),
            key: config.rate_provider_key.clone(),
        }),
    };
    Provider(Some(provider))
}

/// Where a provider is.
#[derive(Debug)]
struct Web {
    address: String,
}

impl Web {
    /// Gets what is at a path, which may carry a key: neither it nor the address is in a failure. Polls are so rare that each
    /// has a connection of its own.
    async fn get(&self, path: &str) -> Result<Answer, NoQuotation> {
        let caller = Caller::of(&self.address).map_err(|error| NoQuotation::Unanswered(error.to_string()))?;
        let call = Call { method: Method::GET, path, headers: &[], json: None };
        caller.call(call, LIMITS).await.map_err(|error| NoQuotation::Unanswered(error.to_string()))
    }

    /// The same, if it is a success.
    async fn get_found(&self, path: &str) -> Result<Answer, NoQuotation> {
        let answer = self.get(path).await?;
        if answer.status == 200 { Ok(answer) } else { Err(refused(&answer, String::new())) }
    }
}

fn refused(answer: &Answer, reason: String) -> NoQuotation {
    NoQuotation::Refused { status: answer.status, reason, retry_after_secs: answer.retry_after_secs }
}

fn unusable(reason: impl Into<String>) -> NoQuotation {
    NoQuotation::Unusable(reason.into())
}
