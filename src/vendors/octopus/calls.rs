//! Calls to another Octopus.
//!
//! What lives here: the one way to call it, with a token.
//! What is always true: a call that was answered 401 ran nothing; it is repeated once with another token, and never otherwise.
//! What is not here: what an answer means.

use reqwest::Method;
use zeroize::Zeroizing;

use super::Octopus;
use super::session::Bearer;
use crate::domain::fulfillment::{Trouble, VendorRefusal};
use crate::outgoing::{Answer, Call, CallFailure, Limits};
use crate::vendors::reply::{LISTING_BYTES, Reply, listing, sort, told};

/// Bytes of an order with a thousand codes.
const ORDER_BYTES: usize = 4 * 1024 * 1024;

/// What is asked.
pub(super) struct Question<'a> {
    method: Method,
    path: &'a str,
    json: Option<Zeroizing<Vec<u8>>>,
    bytes: usize,
}

impl<'a> Question<'a> {
    /// To place an order.
    pub(super) const fn place(json: Zeroizing<Vec<u8>>) -> Self {
        Self { method: Method::POST, path: "/api/v1/orders", json: Some(json), bytes: ORDER_BYTES }
    }

    /// About one order.
    pub(super) const fn about_order(path: &'a str) -> Self {
        Self { method: Method::GET, path, json: None, bytes: ORDER_BYTES }
    }

    const fn for_listing(path: &'a str) -> Self {
        Self { method: Method::GET, path, json: None, bytes: LISTING_BYTES }
    }
}

impl Octopus {
    /// Asks, and sorts what comes back.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Reply {
        match self.call(question).await {
            Ok(end) => sort(end),
            Err(refusal) => Reply::TurnedAway(refusal),
        }
    }

    /// Asks for a part of a listing.
    pub(super) async fn ask_listing(&self, path: &str) -> Result<Answer, Trouble> {
        match self.call(&Question::for_listing(path)).await {
            Ok(end) => listing(end),
            Err(refusal) => told(Reply::TurnedAway(refusal)),
        }
    }

    async fn call(&self, question: &Question<'_>) -> Result<Result<Answer, CallFailure>, VendorRefusal> {
        let bearer = self.session.bearer(self.clock.now()).await?;
        let first = self.send(question, &bearer).await;
        if !matches!(&first, Ok(answer) if answer.status == 401) {
            return Ok(first);
        }
        let bearer = self.session.other_than(&bearer, self.clock.now()).await?;
        Ok(self.send(question, &bearer).await)
    }

    async fn send(&self, question: &Question<'_>, bearer: &Bearer) -> Result<Answer, CallFailure> {
        let call = Call {
            method: question.method.clone(),
            path: question.path,
            headers: &[("authorization", bearer.as_str())],
            json: question.json.clone(),
        };
        self.caller.call(call, Limits { bytes: question.bytes, time: self.time }).await
    }
}

/// A text as a part of an address.
pub(super) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
