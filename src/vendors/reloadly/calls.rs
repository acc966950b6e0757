//! Calls to Reloadly's gift card service.
//!
//! What lives here: the one way to call it, with a token and its media types.
//! What is always true: a call that was answered 401 ran nothing; it is repeated once with another token, and never otherwise.
//! What is not here: what an answer means.

use entity::timestamp::Timestamp;
use reqwest::Method;
use zeroize::Zeroizing;

use super::Reloadly;
use super::session::Bearer;
use crate::outgoing::{Answer, Call, CallFailure, Limits};
use crate::vendors::reply::{LISTING_BYTES, PURCHASE_BYTES, Reply, sort};

/// What everything but codes is asked for as.
pub(super) const VERSION_1: &str = "application/com.reloadly.giftcards-v1+json";
/// What codes are asked for as: version 1 has no place for links, and plain JSON is refused.
pub(super) const VERSION_2: &str = "application/com.reloadly.giftcards-v2+json";

/// What is asked.
pub(super) struct Question<'a> {
    method: Method,
    path: &'a str,
    accept: &'static str,
    json: Option<Zeroizing<Vec<u8>>>,
    bytes: usize,
}

impl<'a> Question<'a> {
    /// About one purchase.
    pub(super) const fn about_purchase(path: &'a str, accept: &'static str) -> Self {
        Self { method: Method::GET, path, accept, json: None, bytes: PURCHASE_BYTES }
    }

    /// For a part of a listing.
    pub(super) const fn for_listing(path: &'a str) -> Self {
        Self { method: Method::GET, path, accept: VERSION_1, json: None, bytes: LISTING_BYTES }
    }

    /// To order.
    pub(super) const fn order(json: Zeroizing<Vec<u8>>) -> Self {
        let (method, path) = (Method::POST, "/orders");
        Self { method, path, accept: VERSION_1, json: Some(json), bytes: PURCHASE_BYTES }
    }
}

impl Reloadly {
    /// The present.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Asks, and sorts what comes back.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Reply {
        let bearer = match self.session.bearer(self.now()).await {
            Ok(bearer) => bearer,
            Err(refusal) => return Reply::TurnedAway(refusal),
        };
        let first = self.send(question, &bearer).await;
        if !matches!(&first, Ok(answer) if answer.status == 401) {
            return sort(first);
        }
        match self.session.other_than(&bearer, self.now()).await {
            Ok(bearer) => sort(self.send(question, &bearer).await),
            Err(refusal) => Reply::TurnedAway(refusal),
        }
    }

    async fn send(&self, question: &Question<'_>, bearer: &Bearer) -> Result<Answer, CallFailure> {
        let headers = [("authorization", bearer.as_str()), ("accept", question.accept)];
        let call = Call {
            method: question.method.clone(),
            path: question.path,
            headers: &headers,
            json: question.json.clone(),
        };
        self.caller.call(call, Limits { bytes: question.bytes, time: self.time }).await
    }
}
