//! The signal that this process is about to stop.
//!
//! What lives here: [`Drain`], which whoever waits for something long listens to: an order's `waitMs` ends early, a socket
//! closes with 1001, a worker takes no more work.
//! What is always true: it is given once and never taken back; who asks after it was given is answered at once.
//! What is not here: what stops and in which order; that is `transport::http` and `app`.

use tokio_util::sync::CancellationToken;

/// The signal; clones share it. `app.rs` registers it: `ctx.feature::<Drain>()`.
#[derive(Debug, Clone, Default)]
pub struct Drain(CancellationToken);

impl Drain {
    /// Gives the signal.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Whether it was given.
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits for it.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }
}
