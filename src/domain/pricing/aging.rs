//! The alarm before rates are too old.
//!
//! What lives here: one look at the ages of all rates, and what is told of them.
//! What is always true: a currency is told once when it begins to age and once when that has ended, whichever process notices;
//! in a sandbox nothing ages.
//! What is not here: what a rate that is too old is refused for (`quote.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use entity::currency::Currency;
use entity::state::RateTroubleKind;
use entity::timestamp::Timestamp;
use sea_orm::DbErr;

use super::live::{Ages, Live};
use super::model::BASE;
use super::poll_store::{TroubleRow, end_troubles, list_troubles, raise};
use super::store::lock_rates;
use crate::ctx::Deps;
use crate::problem::Problem;
use crate::store::{Transaction, write};

/// Counts rates by age, and raises or ends the alarms of their currencies.
pub(super) async fn watch_ages(deps: &Arc<Deps>, present: Timestamp) -> Result<(), Problem> {
    let live = deps.feature::<Live>();
    let ages = live.ages(present, deps.config.rate_stale_alarm_secs);
    count(&ages);
    let told = list_troubles(&deps.database.reader, RateTroubleKind::Aging).await?;
    if told.into_iter().map(|trouble| trouble.quote).collect::<BTreeSet<_>>() == ages.alarming() {
        return Ok(());
    }
    let (max_age_secs, alarm_secs) = (live.max_age_secs(), deps.config.rate_stale_alarm_secs);
    let (begun, over) = write::<_, Problem, _>(deps, move |transaction| {
        Box::pin(async move {
            // What is in memory may lag behind what another process has just polled.
            let rates = lock_rates(transaction).await?.into_iter().filter(|row| row.quote != BASE);
            let observed = rates.map(|row| (row.quote, row.as_of));
            let alarming = Ages::of(observed, max_age_secs, alarm_secs, present).alarming();
            Ok(tell(transaction, &alarming, present).await?)
        })
    })
    .await?;
    if !begun.is_empty() {
        tracing::warn!(currencies = ?begun, "rates are too old, or will be within {alarm_secs} seconds: conversions of \
            these currencies will be refused");
    }
    if !over.is_empty() {
        tracing::info!(currencies = ?over, "rates that were about to be too old are fresh again");
    }
    Ok(())
}

/// Writes which currencies the alarm is of; answers for which it has begun, and for which it is over.
async fn tell(
    transaction: &Transaction,
    alarming: &BTreeSet<Currency>,
    present: Timestamp,
) -> Result<(Vec<Currency>, Vec<Currency>), DbErr> {
    let told = list_troubles(transaction, RateTroubleKind::Aging).await?;
    let told: BTreeSet<Currency> = told.into_iter().map(|trouble| trouble.quote).collect();
    let rows: Vec<TroubleRow<'_>> = alarming.difference(&told).map(|quote| row(*quote, present)).collect();
    let begun = raise(transaction, RateTroubleKind::Aging, &rows).await?;
    let over = end_troubles(transaction, RateTroubleKind::Aging, told.difference(alarming).copied()).await?;
    Ok((begun, over))
}

fn row(quote: Currency, since: Timestamp) -> TroubleRow<'static> {
    let kind = RateTroubleKind::Aging;
    TroubleRow { quote, kind, since: since.micros(), rate: None, source: None, as_of: None }
}

fn count(ages: &Ages) {
    for (state, currencies) in [("fresh", &ages.fresh), ("aging", &ages.aging), ("stale", &ages.stale)] {
        let number = u32::try_from(currencies.len()).unwrap_or(u32::MAX);
        metrics::gauge!("octopus_rates", "state" => state).set(f64::from(number));
    }
}
