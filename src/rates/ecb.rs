//! The European Central Bank's reference rates.
//!
//! What lives here: `eurofxref-daily.xml`, euros as the base, some 30 currencies.
//! What is always true: an observation belongs to a day, and was published in the afternoon of it; a document type is refused, so
//! that none can grow or fetch anything.
//! What is not here: rates of other days.
//!
//! Source: the bank's page on its reference rates: updated around 16:00 CET on every working day, except on closing days of
//! TARGET.

use std::collections::BTreeMap;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::timestamp::Timestamp;
use futures_util::future::BoxFuture;
use roxmltree::{Document, Node, ParsingOptions};

use super::numbers::rate;
use super::{Web, unusable};
use crate::domain::pricing::{NoQuotation, Quotation, RateProvider};

/// Where the public finds it.
pub(super) const ADDRESS: &str = "https://www.ecb.europa.eu/stats/eurofxref";
const NAMESPACE: &str = "http://www.ecb.int/vocabulary/2002-08-01/eurofxref";
/// Elements and texts that a document may have; the real one has some two hundred.
const MOST_NODES: u32 = 10_000;
/// From the Thursday before Easter to the Tuesday after it five days pass, and an hour more in the spring.
const MAX_AGE_SECS: u32 = 6 * 86_400;

/// The bank.
#[derive(Debug)]
pub(super) struct Ecb {
    pub(super) web: Web,
}

impl RateProvider for Ecb {
    fn name(&self) -> &'static str {
        "ecb"
    }

    fn max_age_secs(&self) -> u32 {
        MAX_AGE_SECS
    }

    fn quote(&self) -> BoxFuture<'_, Result<Quotation, NoQuotation>> {
        Box::pin(async {
            let answer = self.web.get_found("/eurofxref-daily.xml").await?;
            let text = std::str::from_utf8(&answer.body).map_err(|_| unusable("it is not UTF-8"))?;
            read(text)
        })
    }
}

fn read(text: &str) -> Result<Quotation, NoQuotation> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| unusable(format!("it is no XML: {error}")))?;
    let cubes = || document.descendants().filter(|node| node.has_tag_name((NAMESPACE, "Cube")));
    let mut days = cubes().filter_map(|cube| Some((cube, cube.attribute("time")?)));
    let (Some((day, date)), None) = (days.next(), days.next()) else {
        return Err(unusable("it has not the rates of one day"));
    };
    let (mut rates, mut unreadable) = (BTreeMap::new(), Vec::new());
    for cube in day.children().filter(Node::is_element) {
        let (Some(code), Some(value)) = (cube.attribute("currency"), cube.attribute("rate")) else {
            return Err(unusable("a rate has no currency, or a currency no rate"));
        };
        let Ok(currency) = code.parse::<Currency>() else { continue };
        let told: Option<Decimal> = rate(value);
        match told {
            Some(rate) if rates.insert(currency, rate).is_some() => {
                return Err(unusable(format!("{currency} has two rates")));
            }
            Some(_) => {}
            None => unreadable.push(currency),
        }
    }
    let base = "EUR".parse().expect("the euro is a currency");
    Ok(Quotation { base, observed_at: published(date)?, rates, unreadable })
}

/// When the rates of a day were there at the earliest: at four in the afternoon in Frankfurt, in the summer.
fn published(date: &str) -> Result<Timestamp, NoQuotation> {
    format!("{date}T14:00:00Z").parse().map_err(|_| unusable("its day is none"))
}
