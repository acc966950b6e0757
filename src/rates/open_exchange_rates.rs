//! Open Exchange Rates.
//!
//! What lives here: `latest.json`, dollars as the base unless the account has another, once an hour or more often.
//! What is always true: the key goes out in the address and nowhere else; of a refusal only its one word is told.
//! What is not here: conversions, history, and rates of black markets.
//!
//! Source: the interface's documentation, "/latest.json" and "Errors".

use entity::currency::Currency;
use entity::timestamp::Timestamp;
use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::numbers::{Members, rates_of};
use super::{Web, refused, unusable};
use crate::config::Key;
use crate::domain::pricing::{NoQuotation, Quotation, RateProvider};
use crate::outgoing::Answer;

/// Where the public finds it.
pub(super) const ADDRESS: &str = "https://openexchangerates.org/api";
/// Its slowest accounts are updated hourly; what is older than this shows that it has stopped.
const MAX_AGE_SECS: u32 = 86_400;
/// What a word of a refusal, such as `invalid_app_id`, has at most.
const LONGEST_WORD: usize = 40;

/// An account there.
#[derive(Debug)]
pub(super) struct OpenExchangeRates {
    pub(super) web: Web,
    pub(super) key: Option<Key>,
}

/// What it tells.
#[derive(Deserialize)]
struct Latest<'a> {
    timestamp: i64,
    base: Currency,
    #[serde(borrow)]
    rates: Members<'a>,
}

/// What it tells instead.
#[derive(Deserialize)]
struct Fault {
    message: String,
}

impl RateProvider for OpenExchangeRates {
    fn name(&self) -> &'static str {
        "open-exchange-rates"
    }

    fn max_age_secs(&self) -> u32 {
        MAX_AGE_SECS
    }

    fn quote(&self) -> BoxFuture<'_, Result<Quotation, NoQuotation>> {
        Box::pin(async {
            let key = self.key.as_ref().map_or("", Key::expose);
            let answer = self.web.get(&format!("/latest.json?app_id={key}")).await?;
            if answer.status != 200 {
                return Err(refused(&answer, reason(&answer)));
            }
            let latest: Latest<'_> =
                serde_json::from_slice(&answer.body).map_err(|error| unusable(error.to_string()))?;
            let micros =
                latest.timestamp.checked_mul(1_000_000).ok_or_else(|| unusable("its instant is none"))?;
            let (rates, unreadable) = rates_of(latest.rates, |name| name.parse().ok());
            Ok(Quotation {
                base: latest.base,
                observed_at: Timestamp::from_micros(micros),
                rates,
                unreadable,
            })
        })
    }
}

/// The word of a refusal, behind a blank. The sentence beside it is left out: it might repeat the address, and with it the key.
fn reason(answer: &Answer) -> String {
    let word = serde_json::from_slice::<Fault>(&answer.body).map(|fault| fault.message).unwrap_or_default();
    let is_word = !word.is_empty()
        && word.len() <= LONGEST_WORD
        && word.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_');
    if is_word { format!(" {word}") } else { String::new() }
}
