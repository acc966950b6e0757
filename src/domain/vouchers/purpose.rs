//! What a data key is for.
//!
//! What lives here: the purposes of data keys, how long one seals, and when it is destroyed.
//! What is always true: what may be kept for a time alone is sealed by keys of that time, which seal nothing else; a key's end is
//! said when it is made, and never put off.
//! What is not here: making keys (`vault.rs`), and destroying them (`forget.rs`).

use std::borrow::Cow;

use entity::timestamp::Timestamp;

use super::model::{KEY_SEALS_SECS, TIMED_KEY_SEALS_SECS};

/// What a data key seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// Codes.
    Stock,
    /// Codes that may be kept for so many hours.
    StockForHours(i32),
    /// Other secrets, in rows of their own: recipients, and what signs in to vendors.
    Secrets,
}

impl Purpose {
    /// The text in the table.
    pub(super) fn text(self) -> Cow<'static, str> {
        match self {
            Self::Stock => "stock".into(),
            Self::StockForHours(hours) => format!("stock for {hours} hours").into(),
            Self::Secrets => "secrets".into(),
        }
    }

    /// Until when a key seals that was made then.
    pub(super) fn seals_until(self, made: Timestamp) -> Timestamp {
        made.plus_seconds(match self {
            Self::Stock | Self::Secrets => KEY_SEALS_SECS,
            Self::StockForHours(_) => TIMED_KEY_SEALS_SECS,
        })
    }

    /// When a key is destroyed that is made now; `None` if never.
    pub(super) fn expires_at(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Stock | Self::Secrets => None,
            Self::StockForHours(hours) => Some(now.plus_seconds(i64::from(hours) * 3_600)),
        }
    }
}
