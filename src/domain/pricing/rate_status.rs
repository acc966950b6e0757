//! How rates stand, for an operator.
//!
//! What lives here: every rate with its age and what is wrong with it, and how the last poll went.
//! What is always true: it tells what prices would be made with now.
//! What is not here: rates as partners see them (`live.rs`).

use std::collections::HashMap;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::rate_troubles;
use entity::state::RateTroubleKind;
use entity::timestamp::Timestamp;
use sea_orm::EntityTrait;
use serde::Serialize;

use super::live::Live;
use super::poll_store::list_troubles;
use super::provider::Provider;
use crate::ctx::Ctx;
use crate::problem::Problem;

/// How old a rate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Age {
    /// It may be used for a while.
    Fresh,
    /// It will soon be too old.
    Aging,
    /// It is too old: conversions are refused.
    Stale,
}

impl Age {
    /// The word that a person reads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Aging => "aging",
            Self::Stale => "stale",
        }
    }
}

/// A rate of the provider that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedRate {
    /// What was told last.
    pub rate: Option<Decimal>,
    /// When that was observed.
    pub as_of: Option<Timestamp>,
    /// By whom.
    pub source: Option<String>,
    /// Since when such rates are refused.
    pub since: Timestamp,
}

impl From<rate_troubles::Model> for RefusedRate {
    fn from(row: rate_troubles::Model) -> Self {
        Self { rate: row.rate, as_of: row.as_of, source: row.source, since: row.since }
    }
}

/// How a rate stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateStatus {
    /// The currency.
    pub currency: Currency,
    /// Units of it for one dollar.
    pub rate: Decimal,
    /// Where it comes from.
    pub source: String,
    /// When it was observed.
    pub as_of: Timestamp,
    /// How old that is.
    pub age: Age,
    /// What the provider tells instead, where that is refused.
    pub refused: Option<RefusedRate>,
}

/// How polls stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PollStatus {
    /// When one last began.
    pub tried_at: Option<Timestamp>,
    /// When one last ended well.
    pub succeeded_at: Option<Timestamp>,
    /// When the next is due.
    pub due_at: Timestamp,
    /// How many have failed since one ended well.
    pub failures: i32,
    /// Why the last one failed.
    pub failure: Option<String>,
}

/// How rates stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RatesStatus {
    /// Who is asked, if anybody.
    pub provider: Option<&'static str>,
    /// How old a rate may be, in seconds; without limit in a sandbox.
    pub max_age_secs: Option<u32>,
    /// How the polls go; nothing before the first.
    pub polls: Option<PollStatus>,
    /// Every rate against the dollar, by currency.
    pub rates: Vec<RateStatus>,
}

/// How rates stand now.
///
/// # Errors
/// What the database says.
pub async fn rates_status(ctx: &Ctx) -> Result<RatesStatus, Problem> {
    let reader = &ctx.database().reader;
    let poll = entity::rate_polls::Entity::find().one(reader).await?.filter(|poll| poll.tried_at.is_some());
    let troubles = list_troubles(reader, RateTroubleKind::Jump).await?;
    let mut refused: HashMap<Currency, RefusedRate> =
        troubles.into_iter().map(|row| (row.quote, row.into())).collect();
    let live = ctx.feature::<Live>();
    let ages = live.ages(ctx.now, ctx.config().rate_stale_alarm_secs);
    let age = |currency: &Currency| match (ages.stale.contains(currency), ages.aging.contains(currency)) {
        (true, _) => Age::Stale,
        (false, true) => Age::Aging,
        (false, false) => Age::Fresh,
    };
    let all = live.list().into_iter().map(|(currency, found)| RateStatus {
        currency,
        rate: found.rate,
        source: found.source,
        as_of: found.as_of,
        age: age(&currency),
        refused: refused.remove(&currency),
    });
    Ok(RatesStatus {
        provider: ctx.feature::<Provider>().0.as_ref().map(|provider| provider.name()),
        max_age_secs: live.max_age_secs(),
        polls: poll.map(|poll| PollStatus {
            tried_at: poll.tried_at,
            succeeded_at: poll.succeeded_at,
            due_at: poll.due_at,
            failures: poll.failures,
            failure: poll.failure,
        }),
        rates: all.collect(),
    })
}
