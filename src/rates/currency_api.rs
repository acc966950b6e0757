//! The free currency-api, which is published as a package of files.
//!
//! What lives here: `v1/currencies/usd.min.json`, dollars as the base, once a day.
//! What is always true: names are in lower case, and among them are coins and currencies that are no more, which are passed over.
//! What is not here: the files of other bases and days.
//!
//! Source: the package `@fawazahmed0/currency-api` (CC0-1.0) and its description.

use entity::currency::Currency;
use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::numbers::{Members, rates_of};
use super::{Web, unusable};
use crate::domain::pricing::{NoQuotation, Quotation, RateProvider};

/// Where the public finds it.
pub(super) const ADDRESS: &str = "https://cdn.jsdelivr.net/npm/@fawazahmed0/currency-api@latest";
/// It appears daily; what is older than this shows that it has stopped.
const MAX_AGE_SECS: u32 = 3 * 86_400;

/// The package.
#[derive(Debug)]
pub(super) struct CurrencyApi {
    pub(super) web: Web,
}

/// The file.
#[derive(Deserialize)]
struct File<'a> {
    date: String,
    #[serde(borrow)]
    usd: Members<'a>,
}

impl RateProvider for CurrencyApi {
    fn name(&self) -> &'static str {
        "currency-api"
    }

    fn max_age_secs(&self) -> u32 {
        MAX_AGE_SECS
    }

    fn quote(&self) -> BoxFuture<'_, Result<Quotation, NoQuotation>> {
        Box::pin(async {
            let answer = self.web.get_found("/v1/currencies/usd.min.json").await?;
            let file: File<'_> =
                serde_json::from_slice(&answer.body).map_err(|error| unusable(error.to_string()))?;
            let observed_at =
                format!("{}T00:00:00Z", file.date).parse().map_err(|_| unusable("its day is none"))?;
            let (rates, unreadable) = rates_of(file.usd, in_lower_case);
            Ok(Quotation { base: Currency::USD, observed_at, rates, unreadable })
        })
    }
}

fn in_lower_case(name: &str) -> Option<Currency> {
    let is_lower = name.bytes().all(|letter| letter.is_ascii_lowercase());
    if is_lower { name.to_ascii_uppercase().parse().ok() } else { None }
}
