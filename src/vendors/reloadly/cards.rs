//! The codes of a purchase.
//!
//! What lives here: how they are read, in every shape in which they come.
//! What is always true: a code goes from the answer into `Secret`; a number stays as it was written.
//! What is not here: for how many units codes are due (`lookup.rs`).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Reloadly;
use super::calls::{Question, VERSION_2};
use super::refusals::answered;
use crate::domain::fulfillment::{Contents, Doubt, Secret};
use crate::outgoing::Answer;
use crate::vendors::reply::{Hidden, Reply, decode, doubt};

/// A card. Version 2 has links in a place of their own; version 1 put them where the number is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Card<'a> {
    #[serde(borrow)]
    card_number: Option<&'a RawValue>,
    #[serde(borrow)]
    pin_code: Option<&'a RawValue>,
    #[serde(borrow)]
    redemption_url: Option<&'a RawValue>,
}

impl Reloadly {
    /// The codes of a transaction; none while it has none yet.
    pub(super) async fn codes(&self, transaction: &str) -> Result<Vec<Contents>, Doubt> {
        let path = format!("/orders/transactions/{transaction}/cards");
        match self.ask(&Question::about_purchase(&path, VERSION_2)).await {
            Reply::Rejected(answer) if answer.status == 404 => Ok(Vec::new()),
            other => read(&answered(other)?),
        }
    }
}

/// A list of cards, or one card alone.
fn read(answer: &Answer) -> Result<Vec<Contents>, Doubt> {
    let is_one = answer.body.trim_ascii_start().first() == Some(&b'{');
    let cards: Vec<Card<'_>> = if is_one { vec![decode(answer)?] } else { decode(answer)? };
    cards
        .into_iter()
        .map(|card| contents(&card).ok_or_else(|| doubt(answer, "a card has neither a code nor a link")))
        .collect()
}

fn contents(card: &Card<'_>) -> Option<Contents> {
    let (number, pin, url) =
        (secret(card.card_number)?, secret(card.pin_code)?, secret(card.redemption_url)?);
    let (number, url) = match (number, url) {
        (Some(number), None) if is_link(number.expose()) => (None, Some(number)),
        // The link twice, as version 1 and version 2 have it.
        (Some(number), Some(url)) if number.expose() == url.expose() => (None, Some(url)),
        as_told => as_told,
    };
    // Where there is no number, the pin is what is redeemed.
    let (code, pin) = match number {
        Some(number) => (Some(number), pin),
        None => (pin, None),
    };
    (code.is_some() || url.is_some()).then_some(Contents { code, pin, serial: None, redemption_url: url })
}

/// A text or a number as a secret, `Some(None)` if it is absent or empty, `None` if it is something else.
fn secret(literal: Option<&RawValue>) -> Option<Option<Secret>> {
    let Some(literal) = literal else { return Some(None) };
    let written = literal.get();
    let secret = match written.as_bytes().first()? {
        b'"' => serde_json::from_str::<Hidden>(written).ok()?.0,
        // As digits alone: what was written as 6.03e15 was another number before somebody rounded it.
        b'0'..=b'9' if written.bytes().all(|digit| digit.is_ascii_digit()) => Secret::new(written.to_owned()),
        _ => return None,
    };
    let trimmed = secret.expose().trim();
    Some(match trimmed.len() {
        0 => None,
        same if same == secret.expose().len() => Some(secret),
        _ => Some(Secret::new(trimmed.to_owned())),
    })
}

fn is_link(text: &str) -> bool {
    ["https://", "http://"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}
