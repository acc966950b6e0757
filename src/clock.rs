//! Time and ids as parameters.
//!
//! What lives here: the two sources of what no input determines, the system's and a fixed pair for tests.
//! What is always true: nothing else in the crate reads the clock or a random source (clippy.toml bans it), so that a test
//! with a fixed clock and seeded ids repeats exactly.
//! What is not here: waiting. Timers of tokio wait; they never decide a business time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use entity::timestamp::Timestamp;
use rand::rngs::{ChaCha20Rng, SysRng};
use rand::{Rng, SeedableRng, TryRng};
use uuid::Uuid;

/// Tells the present.
pub trait Clock: Send + Sync + 'static {
    /// The present.
    fn now(&self) -> Timestamp;

    /// What the database's own clock is taken to show, where a test stands for it; `None`: what it shows.
    fn of_database(&self) -> Option<Timestamp> {
        None
    }
}

/// Makes what must not repeat or be guessed.
pub trait Ids: Send + Sync + 'static {
    /// A UUID of version 7 whose time is `now`: ids made later sort later.
    fn uuid(&self, now: Timestamp) -> Uuid;

    /// Fills a buffer with bytes that nobody can guess.
    fn fill(&self, buffer: &mut [u8]);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
    }
}

/// The operating system's random source.
#[derive(Debug, Default)]
pub struct SystemIds {
    counter: Mutex<(u64, u32)>,
}

impl Ids for SystemIds {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        uuid_v7(now, &self.counter, random)
    }

    fn fill(&self, buffer: &mut [u8]) {
        SysRng
            .try_fill_bytes(buffer)
            .expect("the operating system's random source works, or nothing can be kept secret");
    }
}

/// A clock that stands still until a test moves it; the database's stands for one with it.
#[derive(Debug)]
pub struct FixedClock {
    present: AtomicI64,
    wrong_by: AtomicI64,
}

impl FixedClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { present: AtomicI64::new(now.micros()), wrong_by: AtomicI64::new(0) }
    }

    /// Moves the clock by this many milliseconds; back if negative.
    pub fn advance_millis(&self, millis: i64) {
        self.present.fetch_add(millis.saturating_mul(1_000), Ordering::SeqCst);
    }

    /// From here on the process's clock is ahead of the database's by this many milliseconds; behind if negative.
    pub fn put_ahead_millis(&self, millis: i64) {
        self.wrong_by.store(millis.saturating_mul(1_000), Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        let present = self.present.load(Ordering::SeqCst);
        Timestamp::from_micros(present.saturating_add(self.wrong_by.load(Ordering::SeqCst)))
    }

    fn of_database(&self) -> Option<Timestamp> {
        Some(Timestamp::from_micros(self.present.load(Ordering::SeqCst)))
    }
}

/// Ids and bytes that repeat exactly for one seed.
#[derive(Debug)]
pub struct SeededIds {
    random: Mutex<ChaCha20Rng>,
    counter: Mutex<(u64, u32)>,
}

impl SeededIds {
    /// The source of a seed.
    pub fn new(seed: u64) -> Self {
        Self { random: Mutex::new(ChaCha20Rng::seed_from_u64(seed)), counter: Mutex::default() }
    }
}

impl Ids for SeededIds {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        uuid_v7(now, &self.counter, random)
    }

    fn fill(&self, buffer: &mut [u8]) {
        self.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(buffer);
    }
}

/// A UUID of version 7 (RFC 9562, 6.2, method 1): the milliseconds, then a counter that grows within one millisecond, so that
/// ids of one process sort in the order in which they were made.
fn uuid_v7(now: Timestamp, counter: &Mutex<(u64, u32)>, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(now.micros().div_euclid(1_000)).unwrap_or(0);
    let (millis, count) = {
        let mut last = counter.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *last = if millis > last.0 { (millis, 0) } else { (last.0, last.1.saturating_add(1)) };
        *last
    };
    let [_, c1, c2, c3] = count.to_be_bytes();
    let mut bytes = random;
    bytes[0] = c1 >> 4;
    bytes[1] = (c1 << 4) | (c2 >> 4);
    bytes[2] = c2 & 0x0f;
    bytes[3] = c3;
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_in_the_order_in_which_they_were_made() {
        let ids = SeededIds::new(7);
        let now = Timestamp::from_micros(1_795_373_640_000_000);
        let made: Vec<Uuid> = (0..70_000).map(|_| ids.uuid(now)).collect();
        assert!(made.is_sorted_by(|left, right| left < right));
    }
}
