//! What of a provider's answer is believed: pure.
//!
//! What lives here: turning an answer to our base, comparing it with the rates that we have, how long to wait for the next.
//! What is always true: an older observation never takes the place of a newer one; a jump is measured the same way up and down.
//! What is not here: asking (`poll.rs`), writing (`poll_store.rs`).

use std::collections::{BTreeMap, BTreeSet};

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::timestamp::Timestamp;
use num_bigint::BigInt;
use serde::Serialize;

use super::model::{BASE, cross_guarded};
use super::provider::{NoQuotation, Quotation};

/// How far ahead an observation may lie: a day may have begun elsewhere.
const AHEAD_SECS: i64 = 86_400;
/// Hundredths of a per cent in the whole.
const WHOLE_BPS: u32 = 10_000;
/// Digits behind the point that a stored rate may have.
const MOST_SCALE: u32 = 34;
/// How long to wait after the first failure; each further one doubles it.
const FIRST_WAIT_SECS: u32 = 30;
/// What a provider may ask us to wait at most.
pub(super) const LONGEST_WAIT_SECS: u32 = 86_400;

/// A rate that we have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) rate: Decimal,
    pub(super) source: String,
    pub(super) as_of: Timestamp,
}

/// An observation: when, and by whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observation<'a> {
    pub(super) source: &'a str,
    pub(super) as_of: Timestamp,
}

/// A rate that is too far from the one that we have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jump {
    /// The currency.
    pub currency: Currency,
    /// What the provider tells.
    pub rate: Decimal,
    /// What we have, and keep.
    pub kept: Decimal,
}

/// What becomes of an answer's rates.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) taken: Vec<(Currency, Decimal)>,
    pub(super) unchanged: Vec<Currency>,
    pub(super) older: Vec<Currency>,
    pub(super) jumps: Vec<Jump>,
}

/// Refuses an answer as a whole that is too old or lies ahead.
///
/// # Errors
/// `Unusable`.
pub(super) fn check_age(
    observed_at: Timestamp,
    now: Timestamp,
    max_age_secs: u32,
) -> Result<(), NoQuotation> {
    if observed_at.plus_seconds(i64::from(max_age_secs)) < now {
        let told = format!("it was observed at {observed_at}, and may be {max_age_secs} seconds old");
        return Err(NoQuotation::Unusable(told));
    }
    if observed_at > now.plus_seconds(AHEAD_SECS) {
        let told = format!("it was observed at {observed_at}, more than a day ahead of now");
        return Err(NoQuotation::Unusable(told));
    }
    Ok(())
}

/// The rates against our base, without the base itself; those that cannot be stored are named apart.
///
/// # Errors
/// `Unusable` where the provider's base cannot be turned into ours.
pub(super) fn against_base(
    quotation: &Quotation,
) -> Result<(BTreeMap<Currency, Decimal>, Vec<Currency>), NoQuotation> {
    let mut rates = quotation.rates.clone();
    let mut unreadable = quotation.unreadable.clone();
    if quotation.base != BASE {
        let own = rates.remove(&BASE).ok_or_else(|| {
            NoQuotation::Unusable(format!("its base is {}, and it has no {BASE}", quotation.base))
        })?;
        rates.insert(quotation.base, Decimal::new(1, 0));
        rates =
            rates.into_iter().filter_map(|(quote, rate)| Some((quote, cross_guarded(own, rate)?))).collect();
    }
    rates.remove(&BASE);
    rates.retain(|quote, rate| {
        let fits = rate.scale() <= MOST_SCALE;
        if !fits {
            unreadable.push(*quote);
        }
        fits
    });
    if rates.is_empty() {
        return Err(NoQuotation::Unusable("it has no rate of a currency of ours".to_owned()));
    }
    Ok((rates, unreadable))
}

/// Compares the rates of an observation with those that we have.
pub(super) fn judge(
    rates: &BTreeMap<Currency, Decimal>,
    observation: Observation<'_>,
    ours: &BTreeSet<Currency>,
    known: &BTreeMap<Currency, Known>,
    max_jump_bps: u32,
) -> Verdict {
    let mut verdict = Verdict::default();
    for (currency, rate) in rates.iter().filter(|(currency, _)| ours.contains(currency)) {
        let Some(kept) = known.get(currency) else {
            verdict.taken.push((*currency, *rate));
            continue;
        };
        let is_its_own = kept.source == observation.source;
        // At one instant, only whoever told a rate may tell it anew.
        if observation.as_of < kept.as_of || (observation.as_of == kept.as_of && !is_its_own) {
            verdict.older.push(*currency);
        } else if observation.as_of == kept.as_of && kept.rate == *rate {
            verdict.unchanged.push(*currency);
        } else if is_jump(kept.rate, *rate, max_jump_bps) {
            verdict.jumps.push(Jump { currency: *currency, rate: *rate, kept: kept.rate });
        } else {
            verdict.taken.push((*currency, *rate));
        }
    }
    verdict
}

/// Whether the larger of two rates is more than this many hundredths of a per cent above the smaller.
fn is_jump(kept: Decimal, told: Decimal, max_jump_bps: u32) -> bool {
    let ten = BigInt::from(10);
    let kept_scaled = BigInt::from(kept.mantissa()) * ten.pow(told.scale());
    let told_scaled = BigInt::from(told.mantissa()) * ten.pow(kept.scale());
    let (smaller, larger) =
        if kept_scaled < told_scaled { (kept_scaled, told_scaled) } else { (told_scaled, kept_scaled) };
    larger * WHOLE_BPS > smaller * (BigInt::from(WHOLE_BPS) + max_jump_bps)
}

/// How long to wait after so many failures in a row: none, the whole interval; then half a minute, doubled each time, until it
/// is the interval again. What the provider asks for is kept, up to a day.
pub(super) fn wait_secs(failures: u32, interval_secs: u32, retry_after_secs: Option<u64>) -> u32 {
    let backed_off = match failures {
        0 => interval_secs,
        more => {
            FIRST_WAIT_SECS.saturating_mul(2_u32.saturating_pow(more.saturating_sub(1))).min(interval_secs)
        }
    };
    let asked =
        retry_after_secs.map_or(0, |secs| u32::try_from(secs).unwrap_or(u32::MAX).min(LONGEST_WAIT_SECS));
    backed_off.max(asked)
}

/// A wait in microseconds, up to a tenth longer as chance has it: processes of many installations should not ask at once.
pub(super) fn jittered_micros(wait_secs: u32, chance: u16) -> i64 {
    let micros = i64::from(wait_secs) * 1_000_000;
    micros + (micros.div_euclid(10) * i64::from(chance)).div_euclid(i64::from(u16::MAX))
}

#[cfg(test)]
#[path = "poll_model_tests.rs"]
mod tests;
