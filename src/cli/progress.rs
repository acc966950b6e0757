//! How far long work is.
//!
//! What lives here: the bar that every long command shows.
//! What is always true: it is drawn on the standard error, and only where somebody watches.
//! What is not here: what is counted.

use std::borrow::Cow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over so many steps; `move_to` sets both numbers where the total is only known later.
pub(super) fn bar(words: impl Into<Cow<'static, str>>, total: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(words);
    bar
}

/// A sign of life during work that is one statement.
pub(super) fn spinner(words: impl Into<Cow<'static, str>>) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_message(words);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Moves a bar: so many steps of so many.
pub(super) fn move_to(bar: &ProgressBar, done: usize, total: usize) {
    bar.set_length(u64::try_from(total).unwrap_or(u64::MAX));
    bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
}
