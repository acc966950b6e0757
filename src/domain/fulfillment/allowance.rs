//! How many requests a vendor takes.
//!
//! What lives here: a vendor's one row of limits, what it leaves at this moment, and taking off it what is sent.
//! What is always true: whatever is asked of a vendor is taken off its one rate under the lock of its row, whichever process
//! asks. Look-ups have at most half of the rate, and purchases leave them that half and a line while any is due, so that neither
//! keeps the other waiting for ever. A call of several requests begins when one may be made; the others are owed by what comes after.
//! The rate goes by the database engine's own clock, whatever a test makes of time: the vendor's does. Workers' leases go by theirs.
//! What is not here: what is asked (`sourcing.rs`, `turns.rs`).

use std::time::Duration;

use entity::ids::VendorId;
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};

use super::live::KnownVendor;
use super::store;
use crate::ctx::Deps;
use crate::store::{Transaction, engine_clock, statement};

/// How much slower than everything look-ups go.
const LOOKS_SLOWER: i64 = 2;

/// Nothing is owed, nor a vendor left alone, for longer than this, in microseconds: what lies farther ahead was written while the
/// clock was wrong.
pub(super) const FARTHEST_MICROS: i64 = 600_000_000;

/// A rate: one request an interval, and at most so many at once after a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    interval: i64,
    burst: i64,
}

/// What is left of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    rate: Rate,
    /// When the next request is due; the past where some are left.
    base: i64,
    present: i64,
}

impl Rate {
    /// All requests a second, rounded so that no second has more.
    fn of(per_second: i32) -> Self {
        let per_second = i64::from(per_second.max(1));
        let interval = 1_000_000_i64.div_euclid(per_second);
        let is_even = interval.saturating_mul(per_second) == 1_000_000;
        Self { interval: interval + i64::from(!is_even), burst: per_second.div_euclid(5).max(1) }
    }

    /// The share of look-ups.
    fn of_looks(self) -> Self {
        let burst = self.burst.div_euclid(LOOKS_SLOWER).max(1);
        Self { interval: self.interval.saturating_mul(LOOKS_SLOWER), burst }
    }

    fn left(self, free_at: i64, present: i64) -> Left {
        let free_at = if free_at > present.saturating_add(FARTHEST_MICROS) { 0 } else { free_at };
        let base = free_at.max(present.saturating_sub((self.burst - 1).saturating_mul(self.interval)));
        Left { rate: self, base, present }
    }
}

impl Left {
    /// How many requests may be made now.
    fn requests(self) -> i64 {
        (self.present.saturating_add(self.rate.interval) - self.base).div_euclid(self.rate.interval).max(0)
    }

    /// When the next one is due after so many.
    fn after(self, requests: i32) -> i64 {
        self.base.saturating_add(i64::from(requests).saturating_mul(self.rate.interval))
    }
}

/// A vendor's limits, its row locked until the transaction ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    all: Left,
    looks: Left,
    /// How many calls more it takes at once.
    free_lines: i64,
}

impl Allowance {
    /// Locks a vendor's limits.
    pub(super) async fn lock(
        deps: &Deps,
        transaction: &Transaction,
        known: &KnownVendor,
    ) -> Result<Self, DbErr> {
        #[derive(FromQueryResult)]
        struct Row {
            free_at: i64,
            looks_free_at: i64,
            present: i64,
        }
        let backend = transaction.get_database_backend();
        let locking = if backend == DbBackend::Postgres { "FOR UPDATE OF l" } else { "" };
        let lock = format!(
            "SELECT l.free_at, l.looks_free_at, {} AS present FROM vendor_limits l WHERE l.vendor_id = $1 {locking}",
            engine_clock(backend)
        );
        let vendor = known.row.id;
        let id: Value = vendor.to_string().into();
        let found = Row::find_by_statement(statement(backend, lock, [id])).one(transaction).await?;
        let row = found.ok_or_else(|| DbErr::RecordNotFound(format!("the limits of {vendor}")))?;
        let rate = Rate::of(known.row.requests_per_second);
        Ok(Self {
            all: rate.left(row.free_at, row.present),
            looks: rate.of_looks().left(row.looks_free_at, row.present),
            // After the lock: a subquery beside FOR UPDATE would see what was before it.
            free_lines: i64::from(known.row.concurrent_requests)
                - store::count_under_way(deps, transaction, vendor).await?,
        })
    }

    /// How many purchases of so many requests each may be sent now: what look-ups that are due have first is left to them.
    pub(super) async fn purchases(
        self,
        transaction: &Transaction,
        known: &KnownVendor,
        requests: i32,
        now: Timestamp,
    ) -> Result<i32, DbErr> {
        let left = self.all.requests();
        let is_owed = left > 0
            && self.looks.requests() > 0
            && known.requests_of_look() > 0
            && is_look_due(transaction, known.row.id, now).await?;
        let (owed, line) = if is_owed { (i64::from(known.requests_of_look()), 1) } else { (0, 0) };
        Ok(narrowed(calls(left - owed, requests).min(self.free_lines - line)))
    }

    /// How many look-ups of so many requests each may be made now.
    pub(super) fn look_ups(self, requests: i32) -> i32 {
        narrowed(calls(self.all.requests().min(self.looks.requests()), requests).min(self.free_lines))
    }

    /// How long it is until the next request may be made.
    pub(super) fn wait(self) -> Duration {
        self.wait_after(0)
    }

    /// How long it is until then once so many more are made.
    pub(super) fn wait_after(self, requests: i32) -> Duration {
        Duration::from_micros(u64::try_from(self.all.after(requests) - self.all.present).unwrap_or(0))
    }

    /// Takes requests off the rate that are not look-ups.
    pub(super) async fn take(
        self,
        transaction: &Transaction,
        known: &KnownVendor,
        requests: i32,
    ) -> Result<(), DbErr> {
        let sql = "UPDATE vendor_limits SET free_at = $2 WHERE vendor_id = $1";
        let values = [known.row.id.to_string().into(), self.all.after(requests).into()];
        transaction.execute_raw(statement(transaction.get_database_backend(), sql, values)).await.map(drop)
    }

    /// Takes requests of look-ups off the rate, and off their share.
    pub(super) async fn take_for_looks(
        self,
        transaction: &Transaction,
        known: &KnownVendor,
        requests: i32,
    ) -> Result<(), DbErr> {
        let sql = "UPDATE vendor_limits SET free_at = $2, looks_free_at = $3 WHERE vendor_id = $1";
        let id = known.row.id.to_string().into();
        let values = [id, self.all.after(requests).into(), self.looks.after(requests).into()];
        transaction.execute_raw(statement(transaction.get_database_backend(), sql, values)).await.map(drop)
    }
}

/// How many calls may begin of so many requests each, the last of them while one request is left.
fn calls(left: i64, requests: i32) -> i64 {
    let requests = i64::from(requests.max(1));
    left.max(0).saturating_add(requests - 1).div_euclid(requests)
}

fn narrowed(calls: i64) -> i32 {
    i32::try_from(calls.max(0)).unwrap_or(i32::MAX)
}

async fn is_look_due(transaction: &Transaction, vendor: VendorId, now: Timestamp) -> Result<bool, DbErr> {
    let sql = "SELECT 1 AS one FROM purchases WHERE vendor_id = $1 AND next_at <= $2 LIMIT 1";
    let values = [vendor.to_string().into(), now.micros().into()];
    let select = statement(transaction.get_database_backend(), sql, values);
    Ok(transaction.query_one_raw(select).await?.is_some())
}

/// Leaves a vendor alone for so many seconds, because it asked for it.
pub(super) async fn rest(transaction: &Transaction, vendor: VendorId, secs: i64) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    let clock = engine_clock(backend);
    let until = format!("{clock} + $2");
    let sql = format!(
        "UPDATE vendor_limits SET free_at = {until}
         WHERE vendor_id = $1 AND (free_at < {until} OR free_at > {clock} + {FARTHEST_MICROS})"
    );
    let values = [vendor.to_string().into(), secs.saturating_mul(1_000_000).into()];
    transaction.execute_raw(statement(backend, sql, values)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_requests_than_the_rate_but_for_a_burst() {
        for (per_second, interval, burst) in
            [(1, 1_000_000, 1), (3, 333_334, 1), (10, 100_000, 2), (1_000, 1_000, 200)]
        {
            let rate = Rate::of(per_second);
            assert_eq!((rate.interval, rate.burst), (interval, burst));
            let rested = rate.left(0, 5_000_000);
            assert_eq!(rested.requests(), burst);
            let after = rated(rate, rested.after(narrowed(burst)), 5_000_000);
            assert_eq!(after, 0);
            assert_eq!(rated(rate, rested.after(narrowed(burst)), 5_000_000 + interval), 1);
        }
    }

    fn rated(rate: Rate, free_at: i64, present: i64) -> i64 {
        rate.left(free_at, present).requests()
    }

    #[test]
    fn what_was_written_while_the_clock_was_wrong_keeps_nobody_waiting() {
        let rate = Rate::of(10);
        assert_eq!(rated(rate, 5_000_000 + FARTHEST_MICROS, 5_000_000), 0);
        assert_eq!(rated(rate, 5_000_001 + FARTHEST_MICROS, 5_000_000), 2);
        assert_eq!(rated(rate, i64::MAX, 5_000_000), 2);
    }

    #[test]
    fn look_ups_have_half_of_the_rate() {
        let looks = Rate::of(10).of_looks();
        assert_eq!((looks.interval, looks.burst), (200_000, 1));
    }

    #[test]
    fn a_call_begins_while_a_request_is_left_and_owes_the_others() {
        for (left, requests, expected) in [(0, 2, 0), (1, 2, 1), (2, 2, 1), (3, 2, 2), (-1, 1, 0), (5, 1, 5)]
        {
            assert_eq!(calls(left, requests), expected, "{left} by {requests}");
        }
    }
}
