//! A worker's signs of life.
//!
//! What lives here: telling the database that a worker lives, and whether that is so fresh that nobody can have taken it for dead.
//! What is always true: time is this process's own, which no clock that is set changes; whoever lets a lease run out has another
//! one afterwards, and knows it.
//! What is not here: what a worker does with it (`worker.rs`), and the leases themselves (fulfillment).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use entity::ids::WorkerId;

use crate::ctx::Deps;
use crate::domain::fulfillment;
use crate::problem::Problem;

/// How often a worker tells that it lives.
pub const BEAT: Duration = Duration::from_secs(3);
/// How long after its last sign of life it still sends: shorter than its lease, which others wait for.
const FRESH: Duration = Duration::from_secs(7);

/// The signs of life of one worker.
#[derive(Debug)]
pub struct Pulse {
    deps: Arc<Deps>,
    worker: WorkerId,
    begun: Instant,
    /// When the last one was written, in milliseconds since it began.
    beaten: AtomicU64,
    /// How many leases it has had: one that may have run out is followed by another one.
    leases: AtomicU64,
}

impl Pulse {
    /// None yet.
    pub fn new(deps: Arc<Deps>, worker: WorkerId) -> Self {
        Self { deps, worker, begun: Instant::now(), beaten: AtomicU64::new(0), leases: AtomicU64::new(0) }
    }

    /// Whether the last one is so fresh that nobody takes the worker for dead.
    pub fn is_fresh(&self) -> bool {
        let beaten = self.beaten.load(Ordering::Relaxed);
        beaten > 0 && self.begun.elapsed().saturating_sub(Duration::from_millis(beaten)) < FRESH
    }

    /// How many leases there were. As long as it is the same and the last sign is fresh, nobody has taken over what was held.
    pub fn leases(&self) -> u64 {
        self.leases.load(Ordering::Acquire)
    }

    /// Tells the database.
    ///
    /// # Errors
    /// What the database says.
    pub async fn beat(&self) -> Result<(), Problem> {
        // Taken before the write: the lease lasts from when the database wrote, which is later.
        let at = self.begun.elapsed().as_millis();
        fulfillment::beat(&self.deps, self.worker).await?;
        // What was not told for so long may have cost it what it held, also if it was told just in time.
        if !self.is_fresh() {
            self.leases.fetch_add(1, Ordering::AcqRel);
        }
        // Of two that are told at once, the later one may come first.
        self.beaten.fetch_max(u64::try_from(at).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
        Ok(())
    }

    /// Tells it again and again, until the task is dropped.
    pub async fn keep_beating(self: Arc<Self>) {
        loop {
            tokio::time::sleep(BEAT).await;
            if let Err(problem) = self.beat().await {
                tracing::warn!(%problem, "a worker's sign of life could not be written");
            }
        }
    }
}
