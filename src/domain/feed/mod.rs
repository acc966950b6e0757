//! Reading the event feed.
//!
//! What lives here: who waits for a partner's events and the task that wakes them (`watch`), the reads (`queries`), and both
//! together, a reader that goes along a feed and waits at its end (`follow`).
//! What is always true: a reader goes by (partner, sequence), which has no gaps, so that replay and live are one loop with
//! neither gap nor duplicate; what a sweep took ahead of a reader is never passed over in silence; a wake-up is only a hint, the
//! database is the truth.
//! What is not here: writing events (`events.rs`), and what sockets make of them.

mod follow;
mod queries;
mod watch;

pub use follow::{Following, follow};
pub use queries::{
    FeedPage, Interest, Place, count, cursor_of, find_end, find_events, has_step_behind, list_page,
    order_facts, wallet_facts,
};
pub use watch::{Feed, Watch, run, wake, watch};
