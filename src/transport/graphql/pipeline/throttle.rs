//! Step 9, second half: who may spend how many points.
//!
//! Lives here: [`Throttle`], a leaky bucket for each principal.
//! Always true: what an operation may cost at most is taken before it runs, and what it did not cost is given back
//! after; a bucket never holds more than its size. Buckets that are full again are forgotten.
//! Not here: prices (cost.rs), the limit of calls per address ahead of authentication (transport/limits.rs), and the
//! limits of orders, which their desks keep.

use std::sync::{Arc, Mutex, PoisonError};

use moka::sync::Cache;
use serde::Serialize;

use super::refusal::Refusal;
use crate::problem::ErrorCode;

/// How many principals are remembered at once.
const PRINCIPALS: u64 = 100_000;

/// The size of a bucket and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The most points that may be saved up.
    pub maximum_points: u64,
    /// How many points come back each second.
    pub restore_points_per_second: u64,
}

/// The state of a bucket, as `extensions.cost.throttleStatus` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThrottleStatus {
    /// The most points that may be saved up.
    pub maximum_available: u64,
    /// The points there are now.
    pub currently_available: u64,
    /// How many points come back each second.
    pub restore_rate: u64,
}

/// The buckets of all principals on this node.
pub struct Throttle {
    allowance: Allowance,
    buckets: Cache<Arc<str>, Arc<Mutex<Bucket>>>,
}

#[derive(Debug)]
struct Bucket {
    points: u64,
    filled_at_ms: i64,
}

impl Throttle {
    /// Buckets of one size.
    #[must_use]
    pub fn new(allowance: Allowance) -> Self {
        // An evicted bucket comes back full: eviction may only favour the caller.
        Self { allowance, buckets: Cache::new(PRINCIPALS) }
    }

    /// Takes points from a principal's bucket.
    ///
    /// # Errors
    ///
    /// RATE_LIMITED with the time after which they will be there; QUERY_TOO_COMPLEX if they never will.
    pub fn take(&self, principal: &Arc<str>, points: u64, now_ms: i64) -> Result<ThrottleStatus, Refusal> {
        let maximum = self.allowance.maximum_points;
        if points > maximum {
            let message = format!("The operation may cost {points} points; at most {maximum} are taken.");
            return Err(Refusal::new(ErrorCode::QueryTooComplex, message));
        }
        self.with_bucket(principal, now_ms, |bucket| match bucket.points.checked_sub(points) {
            Some(left) => {
                bucket.points = left;
                Ok(self.status(left))
            }
            None => {
                let missing = points - bucket.points;
                let wait_ms =
                    missing.saturating_mul(1_000).div_ceil(self.allowance.restore_points_per_second.max(1));
                let message = format!("The operation may cost {points} points; {} are left.", bucket.points);
                Err(Refusal::new(ErrorCode::RateLimited, message).retry_after_ms(wait_ms))
            }
        })
    }

    /// Gives points back that were taken and not spent.
    pub fn give_back(&self, principal: &Arc<str>, points: u64, now_ms: i64) -> ThrottleStatus {
        self.with_bucket(principal, now_ms, |bucket| {
            bucket.points = bucket.points.saturating_add(points).min(self.allowance.maximum_points);
            self.status(bucket.points)
        })
    }

    fn with_bucket<T>(&self, principal: &Arc<str>, now_ms: i64, act: impl FnOnce(&mut Bucket) -> T) -> T {
        let full =
            || Arc::new(Mutex::new(Bucket { points: self.allowance.maximum_points, filled_at_ms: now_ms }));
        let bucket = self.buckets.get_with(Arc::clone(principal), full);
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed_ms = u64::try_from(now_ms.saturating_sub(bucket.filled_at_ms)).unwrap_or_default();
        let restored = elapsed_ms.saturating_mul(self.allowance.restore_points_per_second).div_euclid(1_000);
        if restored > 0 {
            bucket.points = bucket.points.saturating_add(restored).min(self.allowance.maximum_points);
            bucket.filled_at_ms = now_ms;
        }
        act(&mut bucket)
    }

    fn status(&self, points: u64) -> ThrottleStatus {
        ThrottleStatus {
            maximum_available: self.allowance.maximum_points,
            currently_available: points,
            restore_rate: self.allowance.restore_points_per_second,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> (Throttle, Arc<str>) {
        (Throttle::new(Allowance { maximum_points: 100, restore_points_per_second: 10 }), Arc::from("me"))
    }

    #[test]
    fn takes_until_empty_and_says_when_to_return() {
        let (throttle, me) = throttle();
        assert_eq!(throttle.take(&me, 60, 0).unwrap().currently_available, 40);
        let refusal = throttle.take(&me, 60, 0).unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_ms), (ErrorCode::RateLimited, Some(2_000)));
        assert_eq!(throttle.take(&me, 60, 2_000).unwrap().currently_available, 0);
        assert!(throttle.take(&Arc::from("other"), 60, 2_000).is_ok(), "buckets are apart");
    }

    #[test]
    fn gives_back_and_never_overflows() {
        let (throttle, me) = throttle();
        throttle.take(&me, 60, 0).unwrap();
        assert_eq!(throttle.give_back(&me, 50, 0).currently_available, 90);
        assert_eq!(throttle.give_back(&me, 50, 0).currently_available, 100);
        assert_eq!(throttle.take(&me, 0, 1_000_000).unwrap().currently_available, 100);
    }

    #[test]
    fn small_steps_of_time_are_not_lost() {
        let (throttle, me) = throttle();
        throttle.take(&me, 100, 0).unwrap();
        for now_ms in 1..1_000 {
            throttle.take(&me, 0, now_ms).unwrap();
        }
        assert_eq!(throttle.take(&me, 0, 1_000).unwrap().currently_available, 10);
    }

    #[test]
    fn what_can_never_be_paid_is_refused_for_good() {
        let (throttle, me) = throttle();
        assert_eq!(throttle.take(&me, 101, 0).unwrap_err().code, ErrorCode::QueryTooComplex);
    }
}
