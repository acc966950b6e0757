//! Messages that Reloadly sends of its own accord.
//!
//! What lives here: who sent one, and which purchase it is about.
//! What is always true: it is signed with the webhook's secret, compared in constant time, and sent within the last five minutes;
//! nothing of it is taken but the reference, wherever in its many shapes that stands.
//! What is not here: what became of the purchase; it is asked again.

use entity::timestamp::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::Sha256;

use super::Reloadly;
use super::number::Id;
use crate::domain::fulfillment::{BadHint, Hint, HintedPurchase};

/// How far the time at which a message says that it was sent may lie from ours, on either side.
const WINDOW_SECS: i64 = 300;
/// From here on a time is one in milliseconds.
const LEAST_MILLIS: i64 = 100_000_000_000;
/// How deep a transaction may lie in a message.
const DEPTH: usize = 3;

/// Where a transaction, or a message around one, has its reference. Others are of no interest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer<'a> {
    #[serde(borrow)]
    custom_identifier: Option<&'a RawValue>,
    #[serde(borrow)]
    transaction_id: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    transaction: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

impl Reloadly {
    /// Which purchase a message is about.
    pub(super) fn hinted(&self, hint: &Hint<'_>, now: Timestamp) -> Result<HintedPurchase, BadHint> {
        let secret = self.webhook_secret.as_ref().ok_or(BadHint::Unsupported)?;
        let header = |name: &str| hint.headers.get(name).map(|value| value.trim());
        let signature = header("x-reloadly-signature").and_then(bytes).ok_or(BadHint::NotSigned)?;
        let sent = header("x-reloadly-request-timestamp").ok_or(BadHint::NotSigned)?;
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose().as_bytes())
            .expect("HMAC takes keys of any length");
        for part in [hint.body, b":", sent.as_bytes()] {
            mac.update(part);
        }
        mac.verify_slice(&signature).map_err(|_| BadHint::NotSigned)?;
        let sent = seconds(sent).ok_or(BadHint::NotSigned)?;
        if now.seconds().abs_diff(sent) > WINDOW_SECS.unsigned_abs() {
            return Err(BadHint::NotSigned);
        }
        let body = serde_json::from_slice(hint.body).map_err(|_| BadHint::Unreadable)?;
        named(body, DEPTH).ok_or(BadHint::Unreadable)
    }
}

/// The purchase that a layer names, or else one of the layers in it.
fn named(layer: &RawValue, depth: usize) -> Option<HintedPurchase> {
    let layer: Layer<'_> = serde_json::from_str(layer.get()).ok()?;
    let ours = layer.custom_identifier.and_then(|told| serde_json::from_str::<String>(told.get()).ok());
    if let Some(our_ref) = ours.filter(|told| !told.is_empty()) {
        return Some(HintedPurchase::OurRef(our_ref));
    }
    let deeper = depth.checked_sub(1)?;
    let inner = [layer.data, layer.transaction, layer.event];
    let inner = inner.into_iter().flatten().find_map(|inner| named(inner, deeper));
    let own = || {
        let id: Id = serde_json::from_str(layer.transaction_id?.get()).ok()?;
        Some(HintedPurchase::VendorRef(id.0))
    };
    inner.or_else(own)
}

/// Seconds since 1970, out of seconds or milliseconds.
fn seconds(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    Some(if number >= LEAST_MILLIS { number.div_euclid(1_000) } else { number })
}

/// The bytes that hexadecimal digits stand for.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digit = |letter: u8| char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}
