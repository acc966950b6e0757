//! Step 9, second half: who may spend how many points.
//!
//! Lives here: [`Throttle`], a leaky bucket for each principal.
//! Always true: what an operation may cost at most is taken before it runs, and what it did not cost is given back after.
//! Not here: prices (cost.rs), and the buckets themselves, which the limit by address shares (transport/limits.rs).

use std::sync::Arc;

use serde::Serialize;

use super::refusal::Refusal;
use crate::problem::ErrorCode;
use crate::transport::limits::{Allowance, Buckets};

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
    buckets: Buckets<Arc<str>>,
}

impl Throttle {
    /// Buckets of one size.
    #[must_use]
    pub fn new(allowance: Allowance) -> Self {
        Self { buckets: Buckets::new(allowance) }
    }

    /// Takes points from a principal's bucket.
    ///
    /// # Errors
    ///
    /// RATE_LIMITED with the time after which they will be there; QUERY_TOO_COMPLEX if they never will.
    pub fn take(&self, principal: &Arc<str>, points: u64, now_ms: u64) -> Result<ThrottleStatus, Refusal> {
        let taken = self.buckets.take(principal, points, now_ms);
        taken.map(|left| self.status(left)).map_err(|short| match short.wait_ms {
            Some(wait_ms) => {
                let available = short.available_points;
                let message = format!("The operation may cost {points} points; {available} are left.");
                Refusal::new(ErrorCode::RateLimited, message).retry_after_ms(wait_ms)
            }
            None => {
                let maximum = self.buckets.allowance().maximum_points;
                let message = format!("The operation may cost {points} points; at most {maximum} are taken.");
                Refusal::new(ErrorCode::QueryTooComplex, message)
            }
        })
    }

    /// Gives points back that were taken and not spent.
    pub fn give_back(&self, principal: &Arc<str>, points: u64, now_ms: u64) -> ThrottleStatus {
        self.status(self.buckets.give_back(principal, points, now_ms))
    }

    fn status(&self, points: u64) -> ThrottleStatus {
        let allowance = self.buckets.allowance();
        ThrottleStatus {
            maximum_available: allowance.maximum_points,
            currently_available: points,
            restore_rate: allowance.restore_points_per_second,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_for_now_or_for_good() {
        let throttle = Throttle::new(Allowance { maximum_points: 100, restore_points_per_second: 10 });
        let me: Arc<str> = Arc::from("me");
        assert_eq!(throttle.take(&me, 60, 0).unwrap().currently_available, 40);
        let refusal = throttle.take(&me, 60, 0).unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_ms), (ErrorCode::RateLimited, Some(2_000)));
        assert_eq!(throttle.take(&me, 101, 0).unwrap_err().code, ErrorCode::QueryTooComplex);
        assert_eq!(throttle.give_back(&me, 10, 0).currently_available, 50);
    }
}
