//! How long codes are kept.
//!
//! What lives here: the three ways in which a vendor's codes are kept, as an operator writes them, and until when a code can be
//! read.
//! What is always true: pure; a time is counted from a code's delivery on, so that what lies in stock has none.
//! What is not here: the keys that end with it (`model.rs`), and their destruction (`destroying.rs`).

use std::fmt;
use std::str::FromStr;

use entity::state::RetentionKind;
use entity::timestamp::Timestamp;
use entity::vouchers;

const HOUR_SECS: i64 = 3_600;
const DAY_SECS: i64 = 86_400;
/// For how long codes are kept at most, in seconds, where they are kept for a time: the database says the same.
const MOST_SECS: i64 = 3_650 * DAY_SECS;

/// How the codes that a vendor delivers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Sealed, for as long as anybody may read them.
    Store,
    /// Sealed under keys that are destroyed so many seconds after the delivery, and with them what they sealed.
    KeptFor(i64),
    /// Not at all: the vendor is asked each time.
    PassThrough,
}

impl Retention {
    /// What the two columns of a row say; `None` if they contradict each other.
    pub fn of(kind: RetentionKind, secs: Option<i64>) -> Option<Self> {
        match (kind, secs) {
            (RetentionKind::Store, None) => Some(Self::Store),
            (RetentionKind::Ttl, Some(secs)) => Some(Self::KeptFor(secs)),
            (RetentionKind::PassThrough, None) => Some(Self::PassThrough),
            _ => None,
        }
    }

    /// The columns of a row.
    pub const fn columns(self) -> (RetentionKind, Option<i64>) {
        match self {
            Self::Store => (RetentionKind::Store, None),
            Self::KeptFor(secs) => (RetentionKind::Ttl, Some(secs)),
            Self::PassThrough => (RetentionKind::PassThrough, None),
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store => out.write_str("store"),
            Self::KeptFor(secs) => write!(out, "ttl={}h", secs.div_euclid(HOUR_SECS)),
            Self::PassThrough => out.write_str("pass-through"),
        }
    }
}

/// Text that names no retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be store, pass-through, or ttl= with 24h to 87600h (or 1d to 3650d)")]
pub struct BadRetention;

impl FromStr for Retention {
    type Err = BadRetention;

    fn from_str(text: &str) -> Result<Self, BadRetention> {
        match text {
            "store" => return Ok(Self::Store),
            "pass-through" => return Ok(Self::PassThrough),
            _ => {}
        }
        let length = text.strip_prefix("ttl=").ok_or(BadRetention)?;
        let (number, unit) = match (length.strip_suffix('h'), length.strip_suffix('d')) {
            (Some(hours), _) => (hours, HOUR_SECS),
            (None, Some(days)) => (days, DAY_SECS),
            (None, None) => return Err(BadRetention),
        };
        let number = number.parse::<u32>().map_err(|_| BadRetention)?;
        let secs = i64::from(number).checked_mul(unit).ok_or(BadRetention)?;
        (DAY_SECS..=MOST_SECS).contains(&secs).then_some(Self::KeptFor(secs)).ok_or(BadRetention)
    }
}

/// When a delivered code can no longer be read; `None` if it is kept for good, or its time has not begun.
pub fn readable_until(voucher: &vouchers::Model) -> Option<Timestamp> {
    Some(voucher.delivered_at?.plus_seconds(voucher.retention_secs?))
}

/// Whether a code's time has passed. From then on it is not shown, whether or not its key is still there.
pub fn is_over(voucher: &vouchers::Model, now: Timestamp) -> bool {
    readable_until(voucher).is_some_and(|until| until <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_written_as_it_is_read() {
        for (text, retention) in [
            ("store", Retention::Store),
            ("pass-through", Retention::PassThrough),
            ("ttl=24h", Retention::KeptFor(86_400)),
            ("ttl=87600h", Retention::KeptFor(MOST_SECS)),
        ] {
            assert_eq!(text.parse(), Ok(retention), "{text}");
            assert_eq!(retention.to_string(), text);
            let (kind, secs) = retention.columns();
            assert_eq!(Retention::of(kind, secs), Some(retention), "{text}");
        }
        assert_eq!("ttl=2d".parse(), Ok(Retention::KeptFor(172_800)));
        for text in
            ["", "ttl", "ttl=", "ttl=23h", "ttl=0d", "ttl=3651d", "ttl=-24h", "ttl=48", "ttl=48m", "STORE"]
        {
            assert_eq!(text.parse::<Retention>(), Err(BadRetention), "{text}");
        }
    }
}
