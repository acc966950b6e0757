//! Instants.
//!
//! What lives here: the one type of business time, microseconds since 1970 in UTC.
//! What is always true: it prints as RFC 3339 with six digits and `Z`, and parses any RFC 3339 text.
//! What is not here: the clock; `ctx.now` is the only source of the present.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use sea_orm::DeriveValueType;

/// An instant in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct Timestamp(i64);

/// Text that is no RFC 3339 instant, or one beyond the years 0 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 instant")]
pub struct ParseTimestampError;

/// The library's own instants end some hours before the year 9999 does, so its days are counted from here.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
const DAY_SECONDS: u32 = 86_400;
const LATEST: i64 = 253_402_300_799_999_999;
const EARLIEST: i64 = -62_167_219_200_000_000;

impl Timestamp {
    /// The last instant that text can show, 9999-12-31: stands for "never" where a column must sort.
    pub const NEVER: Self = Self(LATEST);

    /// The instant this many microseconds after 1970, held within the years 0 to 9999.
    pub const fn from_micros(micros: i64) -> Self {
        if micros > LATEST {
            Self(LATEST)
        } else if micros < EARLIEST {
            Self(EARLIEST)
        } else {
            Self(micros)
        }
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The instant this many milliseconds later.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self::from_micros(self.0.saturating_add(millis.saturating_mul(1_000)))
    }

    /// The instant this many seconds later.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_micros(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Microseconds from `earlier` to this instant; negative if it lies behind.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = EPOCH.checked_add(SignedDuration::from_micros(self.0)).map_err(|_| fmt::Error)?;
        write!(out, "{civil:.6}Z")
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        let read = Pieces::parse(text).map_err(|_| ParseTimestampError)?;
        let (Some(time), Some(offset), None) =
            (read.time(), read.to_numeric_offset(), read.time_zone_annotation())
        else {
            return Err(ParseTimestampError);
        };
        if offset.seconds().unsigned_abs() >= DAY_SECONDS {
            return Err(ParseTimestampError);
        }
        let since = read.date().to_datetime(time).duration_since(EPOCH).as_micros();
        i64::try_from(since - i128::from(offset.seconds()) * 1_000_000)
            .ok()
            .filter(|micros| (EARLIEST..=LATEST).contains(micros))
            .map(Self)
            .ok_or(ParseTimestampError)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(input)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_prints_six_digits_and_parses_back() {
        let instant = Timestamp::from_micros(1_795_373_640_000_001);
        assert_eq!(instant.to_string(), "2026-11-22T18:54:00.000001Z");
        assert_eq!("2026-11-22T19:54:00.000001+01:00".parse(), Ok(instant));
        for text in [
            "yesterday",
            "2026-11-22",
            "2026-11-22T18:54:00",
            "2026-11-22T18:54:00+25:00",
            "2026-11-22T18:54:00Z[UTC]",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(ParseTimestampError), "{text}");
        }
    }

    #[test]
    fn the_first_and_the_last_instant_print_and_parse_back() {
        for (micros, text) in [
            (EARLIEST, "0000-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (LATEST, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Timestamp::from_micros(micros).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp(micros)));
        }
        for text in ["9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00"] {
            assert_eq!(text.parse::<Timestamp>(), Err(ParseTimestampError), "{text}");
        }
    }
}
