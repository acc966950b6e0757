//! Waiting for something that another task or process does: look, and look again, until a deadline.
//! Always true: a test that passes never waits longer than what it waits for takes. Not here: business time, which
//! only `TestApp::advance` moves.

use std::time::{Duration, Instant};

/// What a test waits at most. Generous, because two cores may run four servers.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Looks until `look` finds something, and returns that.
///
/// # Panics
/// After [`PATIENCE`], naming `what` was awaited.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look).await
}

/// As [`until`], for what takes longer than anything else, such as filling a sandbox.
///
/// # Panics
/// After `patience`, naming `what` was awaited.
pub async fn until_within<T>(patience: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {patience:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Looks until `look` says yes.
///
/// # Panics
/// After [`PATIENCE`], naming `what` was awaited.
pub async fn until_true(what: &str, mut look: impl AsyncFnMut() -> bool) {
    until(what, async || look().await.then_some(())).await;
}
