//! What makes two codes the same, and how long keys live.
//!
//! What lives here: the normal form of a code, the words of the blind index, what a code may cost, what data keys seal, and when
//! one has sealed enough.
//! What is always true: words are joined with their lengths, so that no two lists of words give the same bytes.
//! What is not here: keys and ciphers.

use entity::timestamp::Timestamp;
use zeroize::Zeroizing;

use super::secret::{Contents, Secret};

/// A code shorter than this is told from others only with its pin.
const SHORT_CODE: usize = 10;
/// How many texts a data key seals at most.
pub const MOST_USES: i64 = 1 << 20;
/// What a code costs at most, at scale 6: a billion. The database says the same, and the sums of an order rest on it.
pub const MOST_COST_MICROS: i64 = 1_000_000_000_000_000;
/// How long a data key seals, in seconds.
const KEY_LIFE_SECS: i64 = 30 * 86_400;
const HOUR_SECS: i64 = 3_600;
const DAY_SECS: i64 = 86_400;

/// What a data key seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Codes that are kept.
    Stock,
    /// Codes that are kept for so many seconds from their delivery on.
    KeptFor(i64),
    /// Other secrets, in rows of their own: recipients, and what signs in to vendors.
    Secrets,
}

impl Purpose {
    /// The text in the table.
    pub fn text(self) -> String {
        match self {
            Self::Stock => "stock".to_owned(),
            Self::KeptFor(secs) => format!("kept for {secs} s"),
            Self::Secrets => "secrets".to_owned(),
        }
    }

    /// Until when a key that was made at an instant seals. What is kept for a time shares its key with what is delivered in the
    /// same hour (in the same day, where it is kept for a week or longer): so long, at most, a key outlives what it sealed.
    pub fn seals_until(self, made_at: Timestamp) -> Timestamp {
        match self {
            Self::Stock | Self::Secrets => made_at.plus_seconds(KEY_LIFE_SECS),
            Self::KeptFor(secs) => {
                let length = if secs < 7 * DAY_SECS { HOUR_SECS } else { DAY_SECS };
                made_at.plus_seconds(length - made_at.seconds().rem_euclid(length))
            }
        }
    }

    /// When a key that was made at an instant is destroyed: when the time of the last thing that it may have sealed has passed.
    pub fn expires_at(self, made_at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Stock | Self::Secrets => None,
            Self::KeptFor(secs) => Some(self.seals_until(made_at).plus_seconds(secs)),
        }
    }
}

/// Words as bytes, each after its length.
pub fn join(words: &[&str]) -> Zeroizing<Vec<u8>> {
    let length = words.iter().map(|word| word.len().saturating_add(4)).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    for word in words {
        bytes.extend_from_slice(&u32::try_from(word.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(word.as_bytes());
    }
    bytes
}

/// A code as it is compared: without blanks and dashes, in capitals.
pub fn normalise(code: &str) -> Zeroizing<String> {
    let mut normal = Zeroizing::new(String::with_capacity(code.len().saturating_mul(2)));
    for character in code.chars().filter(|character| !character.is_whitespace() && *character != '-') {
        normal.extend(character.to_uppercase());
    }
    normal
}

/// What the blind index is computed from: brand and code; with the pin where the code is short; the link where there is no
/// code. `None` if there is neither, for then there is nothing to sell.
pub fn identity(brand: &str, contents: &Contents) -> Option<Zeroizing<Vec<u8>>> {
    let shown = |secret: &Option<Secret>| secret.as_ref().map(|secret| normalise(secret.expose()));
    match (shown(&contents.code), &contents.redemption_url) {
        (Some(code), _) if code.chars().count() >= SHORT_CODE => Some(join(&["code", brand, &code])),
        (Some(code), _) => {
            let pin = shown(&contents.pin).unwrap_or_default();
            Some(join(&["code and pin", brand, &code, &pin]))
        }
        (None, Some(url)) => Some(join(&["url", brand, url.expose().trim()])),
        (None, None) => None,
    }
}

/// Whether a data key may seal `more` texts after the `used` that are reserved already.
pub fn may_seal(seals_until: Timestamp, used: i64, more: i64, now: Timestamp) -> bool {
    now < seals_until && used.saturating_add(more) <= MOST_USES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(code: Option<&str>, pin: Option<&str>, url: Option<&str>) -> Contents {
        let secret = |text: Option<&str>| text.map(|text| Secret::new(text.to_owned()));
        Contents { code: secret(code), pin: secret(pin), serial: None, redemption_url: secret(url) }
    }

    #[test]
    fn a_code_is_the_same_however_it_is_written() {
        let same = identity("steam", &contents(Some("ABCDE-12345"), None, None));
        assert_eq!(same, identity("steam", &contents(Some(" abcde 12345"), Some("99"), None)));
        assert_ne!(same, identity("netflix", &contents(Some("ABCDE-12345"), None, None)));
    }

    #[test]
    fn a_short_code_is_told_from_another_by_its_pin_and_no_code_by_its_link() {
        let with = |pin| identity("b", &contents(Some("1234"), Some(pin), None));
        assert_ne!(with("1"), with("2"));
        assert_eq!(identity("b", &contents(None, Some("1"), None)), None);
        assert!(identity("b", &contents(None, None, Some("https://a.example/x"))).is_some());
    }

    #[test]
    fn a_data_key_rests_after_a_month_or_a_million_uses() {
        let made = Timestamp::from_micros(0);
        let until = Purpose::Stock.seals_until(made);
        assert!(may_seal(until, 0, MOST_USES, made));
        assert!(!may_seal(until, 1, MOST_USES, made));
        assert!(!may_seal(until, 0, 1, made.plus_seconds(30 * 86_400)));
        assert_eq!(Purpose::Stock.expires_at(made), None);
    }

    #[test]
    fn a_key_with_an_end_outlives_all_that_it_seals_by_an_hour_or_a_day_at_most() {
        for (days, length) in [(1, HOUR_SECS), (6, HOUR_SECS), (7, DAY_SECS), (3_650, DAY_SECS)] {
            let secs = days * DAY_SECS;
            let kept = Purpose::KeptFor(secs);
            let begin = Timestamp::from_micros(0).plus_seconds(length * 1_000);
            for into in [0, 1, length - 1] {
                let made = begin.plus_seconds(into);
                assert_eq!(kept.seals_until(made), begin.plus_seconds(length), "{days} days, {into} s");
                assert_eq!(
                    kept.expires_at(made),
                    Some(begin.plus_seconds(length + secs)),
                    "{days} days, {into} s"
                );
            }
        }
    }
}
