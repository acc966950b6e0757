//! The rules of fulfillment, pure.
//!
//! What lives here: what a unit costs at a vendor, from which sources units come, when a vendor is asked what became of a
//! purchase, when it is believed not to know it, and when a vendor that fails is left alone.
//! What is always true: own stock goes first, then vendors by what they cost in one currency, by health and by priority; nothing
//! is bought for more than it is sold for; a refusal for good excludes a vendor for the unit that it refused.
//! What is not here: the database, the clock, and calls.

use entity::decimal::Decimal;
use entity::ids::{PartnerId, VendorId};
use entity::money::Money;
use entity::timestamp::Timestamp;
use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::ToPrimitive;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::listing::CostRule;
use super::vendor::TooMany;
use crate::domain::vouchers::{Cost, MOST_COST_MICROS};

/// Digits behind the point of costs.
const COST_SCALE: u32 = 6;
/// The most units of a purchase.
const MOST_UNITS: i64 = 1_000;
/// Failures in a row after which a vendor is left alone.
pub const CIRCUIT_OPENS_AT: i32 = 5;
/// How long it is left alone first, and at most, in seconds.
const CIRCUIT_OPEN_SECS: (i64, i64) = (5, 300);
/// How many seconds lie between looks: the last one repeats.
const LOOK_AFTER_SECS: [i64; 7] = [2, 5, 15, 40, 120, 600, 3_600];
/// How often a vendor has to say that it does not know a purchase.
const LEAST_NOT_FOUND: i32 = 3;
/// After how many seconds a unit that found no source now looks again, by how often it has tried.
const RETRY_AFTER_SECS: [i64; 7] = [1, 2, 5, 10, 30, 60, 120];
/// How often a purchase that a vendor never knew is sent again under its reference before another vendor is tried.
const MOST_SENDS: i32 = 2;
/// How long, beyond a vendor's settle window, a purchase may be in doubt before a person has to decide.
const PATIENCE_SECS: i64 = 600;
/// For how many seconds a vendor is left alone that says only that it is asked too often.
const REST_SECS: i64 = 1;
/// The longest that a vendor may ask to be left alone, in seconds.
const LONGEST_REST_SECS: i64 = 300;

/// The most that so many units may cost, at scale 6: each of them as much as a code may.
pub fn most_cost_micros(units: usize) -> i64 {
    let units = i64::try_from(units).unwrap_or(MOST_UNITS).clamp(1, MOST_UNITS);
    MOST_COST_MICROS.saturating_mul(units)
}

impl CostRule {
    /// What a unit of a face value costs, rounded half up at scale 6; `None` if that is beyond what anything costs.
    pub fn unit_cost(&self, face: Money) -> Option<Cost> {
        let face_digits = face.currency.minor_units();
        let exact = BigInt::from(face.minor) * BigInt::from(self.factor.mantissa());
        let digits = face_digits.checked_add(self.factor.scale())?;
        let micros = at_scale(&exact, digits, COST_SCALE)?.checked_add(self.fee_micros)?;
        (0..=MOST_COST_MICROS).contains(&micros).then_some(Cost { micros, currency: self.currency })
    }
}

/// An amount of so many digits behind the point, in another currency by a rate, at scale 6 and rounded half up; `None` if that is
/// beyond what can be counted.
pub fn converted(amount: i64, digits: u32, rate: Decimal) -> Option<i64> {
    let exact = BigInt::from(amount) * BigInt::from(rate.mantissa());
    at_scale(&exact, digits.checked_add(rate.scale())?, COST_SCALE)
}

/// A number of so many digits behind the point at another scale, rounded half up.
fn at_scale(number: &BigInt, digits: u32, scale: u32) -> Option<i64> {
    if digits <= scale {
        return (number * BigInt::from(10).pow(scale - digits)).to_i64();
    }
    let divisor = BigInt::from(10).pow(digits - scale);
    let half: BigInt = &divisor / 2;
    (number + half).div_floor(&divisor).to_i64()
}

/// A vendor that sells what is wanted, as it stands now.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The vendor.
    pub vendor: VendorId,
    /// What a unit costs; `None` if that cannot be counted.
    pub cost: Option<Cost>,
    /// The same in the base currency, at scale 6; `None` without a rate.
    pub cost_base: Option<i64>,
    /// Among equals, the lowest goes first.
    pub priority: i32,
    /// What stands in its way by itself: it is paused, has none left, does not sell this face value.
    pub obstacle: Option<Skip>,
    /// Failures in a row.
    pub failures: i32,
    /// Until when it is left alone.
    pub open_until: Timestamp,
    /// How many units it takes right now, by its limits.
    pub capacity: i32,
    /// Whether it has refused these units for good.
    pub refused: bool,
    /// Whether a purchase of these units was lost on the way to it: others are tried before it is tried again.
    pub lost: bool,
}

/// Why a vendor is not bought from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Skip {
    /// The operator paused it, or its offer.
    Paused,
    /// It does not list the product any more.
    Vanished,
    /// It does not sell this face value, or not to such a recipient.
    NotSold,
    /// It says that it has none left.
    SoldOut,
    /// There is no rate for its currency, so that it cannot be compared.
    NoRate,
    /// It costs more than the unit is sold for.
    BelowCost,
    /// It has refused these units for good.
    Refused,
    /// It fails, and is left alone for a while.
    CircuitOpen,
    /// Its limits are used up for the moment.
    AtCapacity,
}

impl Skip {
    /// Whether it is in vain to wait for anything else. What is sold out, or without a rate, may not be so a little later.
    const fn leaves_no_hope(self) -> bool {
        matches!(self, Self::Refused | Self::Paused | Self::Vanished | Self::NotSold | Self::BelowCost)
    }
}

/// What was thought of a vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// The vendor.
    pub vendor: String,
    /// What a unit costs in the base currency, at scale 6.
    pub cost_base_micros: Option<i64>,
    /// How many units it gets.
    pub units: i32,
    /// Why it gets none; absent if it gets some, or is not needed.
    pub skipped: Option<Skip>,
}

/// Where units come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// So many from own stock.
    pub from_stock: i32,
    /// So many from vendors, by their place among the candidates, in the order in which they are preferred.
    pub from_vendors: Vec<(usize, i32)>,
    /// So many have no source now.
    pub unsourced: i32,
    /// Whether those may have one later without anything being changed.
    pub prospect: Prospect,
    /// What was thought of each vendor, in the order in which they are preferred.
    pub considered: Vec<Considered>,
}

/// What units without a source can hope for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    /// A vendor is busy for the moment.
    Busy,
    /// A vendor fails, and is tried again later.
    Failing,
    /// Every vendor that sells it, and could, has refused these units for good.
    Refused,
    /// No vendor sells it now, or none at such a cost: stock may arrive, or a vendor change.
    Stock,
}

/// What a unit may cost at most at a vendor, in the vendor's currency at scale 6: what it is sold for, by the rate between the
/// vendor's cost and the same in the base currency.
pub fn highest_cost(cost: Cost, cost_base: i64, price_base: i64) -> i64 {
    let sold_for = (i128::from(cost.micros) * i128::from(price_base)).checked_div(i128::from(cost_base));
    sold_for.and_then(|micros| i64::try_from(micros).ok()).unwrap_or(cost.micros).max(cost.micros)
}

/// Plans from where so many units come: own stock first, then vendors by cost, health and priority, each as far as its limits
/// reach. `price_base` is what a unit is sold for in the base currency, at scale 6.
pub fn plan(
    wanted: i32,
    in_stock: i32,
    price_base: Option<i64>,
    candidates: &[Candidate],
    now: Timestamp,
) -> Plan {
    let from_stock = wanted.min(in_stock).max(0);
    let mut rest = wanted - from_stock;
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|place| rank(&candidates[*place]));
    let (mut from_vendors, mut considered) = (Vec::new(), Vec::with_capacity(order.len()));
    for place in order {
        let candidate = &candidates[place];
        let verdict = judge(candidate, price_base, now);
        let units = if verdict.is_none() { rest.min(candidate.capacity).max(0) } else { 0 };
        if units > 0 {
            from_vendors.push((place, units));
            rest -= units;
        }
        considered.push(Considered {
            vendor: candidate.vendor.to_string(),
            cost_base_micros: candidate.cost_base,
            units,
            skipped: verdict,
        });
    }
    let prospect = prospect(&considered, rest);
    Plan { from_stock, from_vendors, unsourced: rest, prospect, considered }
}

/// By cost, then health, then priority; the id settles the rest, so that a plan repeats.
fn rank(candidate: &Candidate) -> (bool, bool, i64, i32, i32, VendorId) {
    let cost = candidate.cost_base.unwrap_or(i64::MAX);
    (
        candidate.cost_base.is_none(),
        candidate.lost,
        cost,
        candidate.failures,
        candidate.priority,
        candidate.vendor,
    )
}

fn judge(candidate: &Candidate, price_base: Option<i64>, now: Timestamp) -> Option<Skip> {
    if let Some(obstacle) = candidate.obstacle {
        return Some(obstacle);
    }
    let (Some(cost), Some(price)) = (candidate.cost_base, price_base) else { return Some(Skip::NoRate) };
    if cost > price {
        Some(Skip::BelowCost)
    } else if candidate.refused {
        Some(Skip::Refused)
    } else if now < candidate.open_until {
        Some(Skip::CircuitOpen)
    } else if candidate.capacity < 1 {
        Some(Skip::AtCapacity)
    } else {
        None
    }
}

fn prospect(considered: &[Considered], rest: i32) -> Prospect {
    let is_skipped = |why: Skip| considered.iter().any(|one| one.skipped == Some(why));
    let is_partly_had = rest > 0 && considered.iter().any(|one| one.units > 0);
    if is_partly_had || is_skipped(Skip::AtCapacity) {
        Prospect::Busy
    } else if is_skipped(Skip::CircuitOpen) {
        Prospect::Failing
    } else if is_skipped(Skip::Refused)
        && considered.iter().all(|one| one.skipped.is_some_and(Skip::leaves_no_hope))
    {
        Prospect::Refused
    } else {
        Prospect::Stock
    }
}

/// Our name for a purchase at its vendor: the same after a restore from a backup, so that the same purchase is asked for again
/// and not made twice.
pub fn our_ref(partner: PartnerId, order_reference: &str, first_unit: i32, number: i32) -> String {
    let mut hash = Sha256::new();
    for part in [&partner.to_string(), order_reference, &first_unit.to_string(), &number.to_string()] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let hex: String = hash.finalize().iter().take(18).map(|byte| format!("{byte:02x}")).collect();
    format!("oc-{hex}")
}

/// For how long a vendor is left alone after so many failures in a row, in seconds.
pub fn circuit_open_secs(failures: i32) -> i64 {
    let (first, most) = CIRCUIT_OPEN_SECS;
    let Ok(beyond) = u32::try_from(failures - CIRCUIT_OPENS_AT) else { return 0 };
    2_i64.checked_pow(beyond).and_then(|times| first.checked_mul(times)).map_or(most, |secs| secs.min(most))
}

/// For how long a vendor is left alone that was asked too often, in seconds.
pub fn rest_secs(too_many: TooMany) -> i64 {
    let told = too_many.retry_after_secs.map(|secs| i64::try_from(secs).unwrap_or(i64::MAX));
    told.map_or(REST_SECS, |secs| secs.min(LONGEST_REST_SECS))
}

/// When a vendor is asked next about a purchase in doubt, after so many looks.
pub fn next_look(now: Timestamp, looks: i32) -> Timestamp {
    now.plus_seconds(step(&LOOK_AFTER_SECS, looks))
}

/// When a unit that found no source looks for one again, after so many tries.
pub fn next_try(now: Timestamp, tries: i32) -> Timestamp {
    now.plus_seconds(step(&RETRY_AFTER_SECS, tries))
}

fn step(schedule: &[i64], taken: i32) -> i64 {
    let place = usize::try_from(taken).unwrap_or(0).min(schedule.len() - 1);
    schedule[place]
}

/// By when a person has to decide about a purchase that is sent now.
pub fn resolves_by(now: Timestamp, settle_window_secs: i32) -> Timestamp {
    now.plus_seconds(i64::from(settle_window_secs) * 2 + PATIENCE_SECS)
}

/// A purchase that its vendor does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfound {
    /// How often it did not, in a row, this time included.
    pub times: i32,
    /// Since when it does not.
    pub since: Timestamp,
    /// When it was last sent.
    pub sent_at: Timestamp,
    /// For how many seconds the vendor may not know what comes to be all the same.
    pub settle_window_secs: i32,
    /// How long sending it could take at most, in milliseconds.
    pub timeout_ms: i32,
}

impl Unfound {
    /// Whether a look counts at all: while the request may be on its way, not knowing it means nothing.
    pub fn counts(sent_at: Timestamp, timeout_ms: i32, now: Timestamp) -> bool {
        now >= sent_at.plus_millis(i64::from(timeout_ms))
    }

    /// Whether it was not executed: said three times at least, over the vendor's settle window at least.
    pub fn was_not_executed(&self, now: Timestamp) -> bool {
        let window = i64::from(self.settle_window_secs);
        self.times >= LEAST_NOT_FOUND
            && now >= self.since.plus_seconds(window)
            && now >= self.sent_at.plus_millis(i64::from(self.timeout_ms)).plus_seconds(window)
    }
}

/// What follows for a purchase that was not executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotExecuted {
    /// It is sent again under the same reference.
    SendAgain,
    /// It has ended, and its units look for another source.
    End,
}

/// Whether a purchase that was not executed is sent again: while its units are wanted and it was not sent too often.
pub const fn after_not_executed(sends: i32, is_wanted: bool) -> NotExecuted {
    if is_wanted && sends < MOST_SENDS { NotExecuted::SendAgain } else { NotExecuted::End }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
