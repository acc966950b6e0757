//! What came back from a vendor, and what it is worth.
//!
//! What lives here: how large an answer may be, how a call's end is sorted, and readers of JSON that holds codes.
//! What is always true: `Success` is the only end that can say that something was bought, and `Rejected` and `TurnedAway` the
//! only ones that can say that nothing was; a message repeats nothing of an answer that may hold codes; a code goes from the
//! answer's bytes, which are wiped, into `Secret` without a copy in between.
//! What is not here: the JSON of a vendor, and which of its errors is which refusal; its adapter says that.

use entity::currency::Currency;
use entity::decimal::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::domain::fulfillment::{
    Blame, Cost, Doubt, RefusalKind, Secret, TooMany, Trouble, VendorRefusal, plain_words,
};
use crate::outgoing::{Answer, CallFailure};

/// Bytes of an answer about one purchase.
pub(super) const PURCHASE_BYTES: usize = 256 * 1024;
/// Bytes of a part of a listing.
pub(super) const LISTING_BYTES: usize = 8 * 1024 * 1024;

/// How a call ended.
#[derive(Debug)]
pub(super) enum Reply {
    /// 2xx with JSON. A fact if it decodes, and is about what was asked.
    Success(Answer),
    /// 4xx with JSON. A fact if it decodes as the vendor's own error.
    Rejected(Answer),
    /// A fact: what was asked was not looked at, since nothing was sent, or our key or our pace was not accepted.
    TurnedAway(VendorRefusal),
    /// No fact.
    Doubtful(Doubt),
}

/// Sorts the end of a call.
pub(super) fn sort(end: Result<Answer, CallFailure>) -> Reply {
    let answer = match end {
        Ok(answer) => answer,
        Err(CallFailure::NotSent(reason)) => {
            return Reply::TurnedAway(refusal(RefusalKind::Unreachable, &reason, None));
        }
        Err(failure) => {
            // Where no answer came, it is not for what was asked.
            let blame = match failure {
                CallFailure::TooLarge(_) => Blame::Product,
                _ => Blame::Vendor,
            };
            return Reply::Doubtful(Doubt { blame, ..unclear(None, failure.to_string()) });
        }
    };
    let after = answer.retry_after_secs;
    match answer.status {
        401 => {
            let message = "the vendor does not accept our credentials";
            Reply::TurnedAway(refusal(RefusalKind::NotAuthorized, message, after))
        }
        429 => Reply::TurnedAway(refusal(RefusalKind::TooMany, "the vendor asks us to slow down", after)),
        200..=299 if answer.is_json => Reply::Success(answer),
        // 408 is told by whoever gave up waiting, which need not be the one that sells.
        400..=499 if answer.is_json && answer.status != 408 => Reply::Rejected(answer),
        status => {
            let kind = if answer.is_json { "JSON" } else { "no JSON" };
            Reply::Doubtful(unclear(Some(status), format!("the vendor answered {status} with {kind}")))
        }
    }
}

/// The answer of a question that buys nothing.
///
/// # Errors
/// `TooMany`; `Failed`, saying what came instead.
pub(super) fn listing(end: Result<Answer, CallFailure>) -> Result<Answer, Trouble> {
    told(sort(end))
}

/// The answer of a question that buys nothing, once its end is sorted.
///
/// # Errors
/// `TooMany`; `Failed`, saying what came instead.
pub(super) fn told(reply: Reply) -> Result<Answer, Trouble> {
    match reply {
        Reply::Success(answer) => Ok(answer),
        Reply::Rejected(answer) => Err(Trouble::Failed(format!("the vendor answered {}", answer.status))),
        Reply::TurnedAway(refusal) => match too_many(&refusal) {
            Some(too_many) => Err(Trouble::TooMany(too_many)),
            None => Err(Trouble::Failed(refusal.message)),
        },
        Reply::Doubtful(doubt) => Err(Trouble::Failed(doubt.message)),
    }
}

/// Reads the JSON of an answer.
///
/// # Errors
/// What is wrong with it and where, without a word of what stands there.
pub(super) fn decode<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<T, Doubt> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        let kind = match error.classify() {
            Category::Eof => "ends too early",
            Category::Data => "is not of the form that was agreed",
            Category::Syntax | Category::Io => "is no JSON",
        };
        let (line, column) = (error.line(), error.column());
        doubt(answer, format!("the answer {kind}, at line {line}, column {column}"))
    })
}

/// Why an answer is no fact.
pub(super) fn doubt(answer: &Answer, message: impl Into<String>) -> Doubt {
    unclear(Some(answer.status), message)
}

fn unclear(http_status: Option<u16>, message: impl Into<String>) -> Doubt {
    Doubt { http_status, ..Doubt::saying(message) }
}

/// What is known of a purchase when the question about it was turned away: nothing.
pub(super) fn not_looked_at(refusal: VendorRefusal) -> Doubt {
    let (too_many, blame) = (too_many(&refusal), refusal.kind.blame());
    Doubt { too_many, blame, ..Doubt::saying(refusal.message) }
}

fn too_many(refusal: &VendorRefusal) -> Option<TooMany> {
    let retry_after_secs = refusal.retry_after_secs;
    (refusal.kind == RefusalKind::TooMany).then_some(TooMany { retry_after_secs })
}

/// A refusal in the vendor's words.
pub(super) fn refusal(kind: RefusalKind, words: &str, retry_after_secs: Option<u64>) -> VendorRefusal {
    VendorRefusal { kind, message: plain_words(words), retry_after_secs }
}

/// An amount as a cost; `None` if it is negative, finer than costs are kept, or too large.
pub(super) fn cost(amount: Decimal, currency: Currency) -> Option<Cost> {
    let missing = 6_u32.checked_sub(amount.scale())?;
    let micros = amount.mantissa().checked_mul(10_i128.checked_pow(missing)?)?;
    let micros = i64::try_from(micros).ok().filter(|micros| *micros >= 0)?;
    Some(Cost { micros, currency })
}

/// A text of an answer that is a secret. The reader of JSON would leave a copy of an escaped one in memory that nobody wipes, so
/// that it is handed the raw text only.
#[derive(Debug)]
pub(super) struct Hidden(pub(super) Secret);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(input)?;
        unescaped(raw.get()).map(Self).ok_or_else(|| D::Error::custom("not a text"))
    }
}

/// The text that a JSON string stands for; `None` if it is no string, or holds half a character.
fn unescaped(json: &str) -> Option<Secret> {
    let mut rest = json.strip_prefix('"')?.strip_suffix('"')?;
    // No text is longer than what stands for it: the buffer never grows, and leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(rest.len()));
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut letters = escaped.chars();
        let (letter, taken) = match letters.next()? {
            'b' => ('\u{8}', 1),
            'f' => ('\u{c}', 1),
            'n' => ('\n', 1),
            'r' => ('\r', 1),
            't' => ('\t', 1),
            'u' => unicode(&escaped[1..])?,
            same => (same, 1),
        };
        text.push(letter);
        rest = &escaped[taken..];
    }
    text.push_str(rest);
    Some(Secret::new(std::mem::take(&mut *text)))
}

/// The character of `XXXX`, or of `XXXX\uXXXX` where it takes two, and how many bytes that took with the `u` ahead of it.
fn unicode(digits: &str) -> Option<(char, usize)> {
    let unit = |from: usize| u16::from_str_radix(digits.get(from..from.checked_add(4)?)?, 16).ok();
    let first = unit(0)?;
    let second = (digits.get(4..6) == Some("\\u")).then(|| unit(6)).flatten();
    let mut decoded = char::decode_utf16([first].into_iter().chain(second));
    let letter = decoded.next()?.ok()?;
    Some((letter, if letter.len_utf16() == 2 { 11 } else { 5 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, is_json: bool, body: &str) -> Answer {
        Answer { status, is_json, retry_after_secs: None, body: Zeroizing::new(body.as_bytes().to_vec()) }
    }

    #[test]
    fn only_whole_json_answers_and_closed_doors_are_facts() {
        for (status, is_json, expected) in [
            (200, true, "Success"),
            (201, true, "Success"),
            (200, false, "Doubtful"),
            (302, true, "Doubtful"),
            (400, true, "Rejected"),
            (404, false, "Doubtful"),
            (401, false, "TurnedAway"),
            (408, true, "Doubtful"),
            (429, false, "TurnedAway"),
            (500, true, "Doubtful"),
            (503, false, "Doubtful"),
        ] {
            let sorted = format!("{:?}", sort(Ok(answer(status, is_json, "{}"))));
            assert!(sorted.starts_with(expected), "{status} {is_json}: {sorted}");
        }
        let failures = [CallFailure::TimedOut, CallFailure::TooLarge(9), CallFailure::Broken("b".to_owned())];
        for failure in failures {
            assert!(matches!(sort(Err(failure.clone())), Reply::Doubtful(_)), "{failure}");
        }
        let closed = sort(Err(CallFailure::NotSent("connection refused".to_owned())));
        let Reply::TurnedAway(refusal) = closed else { panic!("{closed:?}") };
        assert_eq!(
            (refusal.kind, refusal.message.as_str()),
            (RefusalKind::Unreachable, "connection refused")
        );
    }

    #[test]
    fn a_secret_is_read_as_json_has_it() {
        for (json, text) in [
            (r#""AAAA-1""#, "AAAA-1"),
            (r#""https:\/\/a.b\/c""#, "https://a.b/c"),
            (r#""a\"b\\c\n\t\r\b\f""#, "a\"b\\c\n\t\r\u{8}\u{c}"),
            (r#""\u0041\u00e9""#, "Aé"),
            (r#""x\ud83d\ude00y""#, "x😀y"),
            (r#""""#, ""),
        ] {
            let read: Hidden = serde_json::from_str(json).unwrap();
            assert_eq!(read.0.expose(), text);
            assert_eq!(serde_json::from_str::<String>(json).unwrap(), text);
        }
        for json in [r#""\ud83d""#, r#""\ud83dx""#, r#""\ude00""#, "7", "[]", "{\"a\":1}", "true", "\"a"] {
            assert!(serde_json::from_str::<Hidden>(json).is_err(), "{json}");
        }
        let none: Option<Hidden> = serde_json::from_str("null").unwrap();
        assert!(none.is_none());
    }

    #[test]
    fn a_complaint_about_an_answer_repeats_nothing_of_it() {
        let told = decode::<u32>(&answer(200, true, r#""SECRET-CODE""#)).unwrap_err();
        assert_eq!(told.message, "the answer is not of the form that was agreed, at line 1, column 13");
        let told = decode::<Vec<u32>>(&answer(200, true, "[1, 2")).unwrap_err();
        assert_eq!(told.message, "the answer ends too early, at line 1, column 5");
        assert_eq!(decode::<u32>(&answer(200, true, "1 2")).unwrap_err().http_status, Some(200));
    }

    #[test]
    fn a_cost_is_exact_or_none() {
        let usd = Currency::USD;
        let read = |text: &str| cost(text.parse().unwrap(), usd).map(|cost| cost.micros);
        assert_eq!(read("47.5"), Some(47_500_000));
        assert_eq!(read("0.000001"), Some(1));
        assert_eq!(read("0.0000001"), None);
        assert_eq!(read("-1"), None);
        assert_eq!(read("99999999999999999"), None);
    }
}
