//! The rates and rules that a process prices by.
//!
//! What lives here: rates against the base and price rules in memory, how they are loaded, follow the database and age.
//! What is always true: each is replaced whole; rows and version are read in one transaction; in a sandbox rates never age.
//! What is not here: the timer (`jobs.rs`) and the formula (`model.rs`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::state::Environment;
use entity::timestamp::Timestamp;

use super::model::{BASE, Rule, Rules, cross};
use super::store::{read_rates, read_rules};
use crate::config::Config;
use crate::ctx::{Ctx, Database, Deps};
use crate::problem::Problem;
use crate::store::{Subject, begin_snapshot, read_environment, versions};

/// The source of the rate of a currency to itself.
const OF_ITSELF: &str = "the same currency";

/// How much of a currency one unit of the base buys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BaseRate {
    pub(super) rate: Decimal,
    pub(super) source: String,
    pub(super) as_of: Timestamp,
}

/// The currencies by the age of their rates.
#[derive(Debug, Default)]
pub(super) struct Ages {
    pub(super) fresh: BTreeSet<Currency>,
    /// Those that will be too old before long.
    pub(super) aging: BTreeSet<Currency>,
    pub(super) stale: BTreeSet<Currency>,
}

impl Ages {
    /// Sorts rates by when they were observed; one begins to age so many seconds before it is too old.
    pub(super) fn of(
        rates: impl Iterator<Item = (Currency, Timestamp)>,
        max_age_secs: Option<u32>,
        alarm_secs: u32,
        now: Timestamp,
    ) -> Self {
        let mut ages = Self::default();
        for (currency, as_of) in rates {
            let group = match max_age_secs {
                Some(limit) if is_older(as_of, limit, now) => &mut ages.stale,
                Some(limit) if is_older(as_of, limit.saturating_sub(alarm_secs), now) => &mut ages.aging,
                _ => &mut ages.fresh,
            };
            group.insert(currency);
        }
        ages
    }

    /// The currencies to raise an alarm of.
    pub(super) fn alarming(&self) -> BTreeSet<Currency> {
        self.aging.union(&self.stale).copied().collect()
    }
}

#[derive(Debug, Default)]
struct Rates {
    version: i64,
    /// Of every currency but the base itself.
    of_base: HashMap<Currency, BaseRate>,
    /// How old a rate may be; `None` without limit.
    max_age_secs: Option<u32>,
}

#[derive(Debug, Default)]
struct VersionedRules {
    version: i64,
    rules: Rules,
}

/// Rates and rules in memory: the state of this feature.
#[derive(Debug)]
pub struct Live {
    rates: ArcSwap<Rates>,
    rules: ArcSwap<VersionedRules>,
}

/// A rate between two currencies, as prices use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeRate {
    /// Units of the one for one unit of the other, 18 significant digits.
    pub rate: Decimal,
    /// Where it comes from.
    pub source: String,
    /// When it was observed: the older of those that it is crossed from; now where nothing is converted.
    pub as_of: Timestamp,
    /// Whether it is too old for new orders and charges.
    pub stale: bool,
}

impl Live {
    pub(super) fn with_rules<T>(&self, read: impl FnOnce(&Rules) -> T) -> T {
        read(&self.rules.load().rules)
    }

    /// The rate from one currency to another; `None` if either has none.
    pub(super) fn exchange_rate(&self, from: Currency, to: Currency, now: Timestamp) -> Option<ExchangeRate> {
        let rates = self.rates.load();
        let of_base = |currency| match rates.of_base.get(&currency) {
            Some(found) => Some(found.rate),
            None => (currency == BASE).then_some(Decimal::new(1, 0)),
        };
        let rate = cross(of_base(from)?, of_base(to)?)?;
        // Nothing was observed for a currency in itself: neither has the base an age, nor any that is not converted.
        let pair = if from == to { [None, None] } else { [from, to].map(|side| rates.of_base.get(&side)) };
        let used: Vec<&BaseRate> = pair.into_iter().flatten().collect();
        let as_of = used.iter().map(|found| found.as_of).min().unwrap_or(now);
        let source = match used.as_slice() {
            [] => OF_ITSELF.to_owned(),
            [first, second] if first.source != second.source => {
                format!("{}, {}", first.source, second.source)
            }
            [first, ..] => first.source.clone(),
        };
        let stale = rates.max_age_secs.is_some_and(|secs| is_older(as_of, secs, now));
        Some(ExchangeRate { rate, source, as_of, stale })
    }

    /// The versions of the rates and of the rules.
    pub fn versions(&self) -> (i64, i64) {
        (self.rates.load().version, self.rules.load().version)
    }

    /// How old a rate may be, in seconds; `None` without limit.
    pub(super) fn max_age_secs(&self) -> Option<u32> {
        self.rates.load().max_age_secs
    }

    /// Every rate against the base, by currency.
    pub(super) fn list(&self) -> BTreeMap<Currency, BaseRate> {
        self.rates.load().of_base.iter().map(|(currency, found)| (*currency, found.clone())).collect()
    }

    /// The currencies by the age of their rates; one begins to age this long before it is too old.
    pub(super) fn ages(&self, now: Timestamp, alarm_secs: u32) -> Ages {
        let rates = self.rates.load();
        let observed = rates.of_base.iter().map(|(currency, found)| (*currency, found.as_of));
        Ages::of(observed, rates.max_age_secs, alarm_secs, now)
    }
}

fn is_older(as_of: Timestamp, secs: u32, now: Timestamp) -> bool {
    now > as_of.plus_seconds(i64::from(secs))
}

/// The rate from one currency to another as orders would use it now; `None` if either has none.
pub fn exchange_rate(ctx: &Ctx, from: Currency, to: Currency) -> Option<ExchangeRate> {
    ctx.feature::<Live>().exchange_rate(from, to, ctx.now)
}

/// Loads rates and rules.
///
/// # Errors
/// What the database says.
pub async fn load(database: &Database, config: &Config) -> Result<Live, Problem> {
    let transaction = begin_snapshot(database).await?;
    let versions = versions(&transaction).await?;
    let version = |subject: Subject| versions.get(subject.as_str()).copied().unwrap_or(0);
    let rows = read_rates(&transaction).await?;
    let rules = rules(version(Subject::PriceRules), read_rules(&transaction).await?);
    let stored = read_environment(&transaction).await?;
    transaction.rollback().await?;
    let environment = stored.or(config.environment).unwrap_or(Environment::Production);
    let max_age_secs = (environment == Environment::Production).then_some(config.rate_max_age_secs);
    let rates = Rates { version: version(Subject::Rates), of_base: of_base(rows), max_age_secs };
    Ok(Live { rates: ArcSwap::from_pointee(rates), rules: ArcSwap::from_pointee(rules) })
}

fn of_base(rows: Vec<entity::exchange_rates::Model>) -> HashMap<Currency, BaseRate> {
    rows.into_iter()
        .filter(|row| row.base == BASE && row.quote != BASE)
        .map(|row| (row.quote, BaseRate { rate: row.rate, source: row.source, as_of: row.as_of }))
        .collect()
}

fn rules(version: i64, rows: Vec<entity::price_rules::Model>) -> VersionedRules {
    let rule = |row: entity::price_rules::Model| Rule {
        kind: row.kind,
        partner: row.partner_id,
        subject_kind: row.subject_kind,
        subject: row.subject,
        value: row.value,
        currency: row.currency,
    };
    VersionedRules { version, rules: Rules::new(rows.into_iter().map(rule)) }
}

/// Replaces rates and rules if they have changed.
///
/// # Errors
/// What the database says; the present ones stay.
pub async fn refresh(deps: &Deps) -> Result<(), Problem> {
    let live = deps.feature::<Live>();
    let present = versions(&deps.database.reader).await?;
    let version = |subject: Subject| present.get(subject.as_str()).copied().unwrap_or(0);
    if version(Subject::Rates) == live.rates.load().version
        && version(Subject::PriceRules) == live.rules.load().version
    {
        return Ok(());
    }
    let fresh = load(&deps.database, &deps.config).await?;
    live.rates.store(fresh.rates.load_full());
    live.rules.store(Arc::clone(&fresh.rules.load()));
    Ok(())
}
