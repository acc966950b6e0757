//! The adapter of the sandbox vendor, whose API `simulator/mod.rs` describes.
//!
//! What lives here: its calls, and what follows from how each ends; its JSON is in `wire.rs`.
//! What is always true: a purchase is a fact only if the answer is about this very purchase, to the face value and the number of
//! units; whatever else came with 2xx is a doubt.
//! What is not here: sizes, statuses and secrets, which all adapters sort alike (`reply.rs`).

use std::sync::Arc;
use std::time::Duration;

use entity::currency::Currency;
use entity::state::DeliveryKind;
use entity::timestamp::Timestamp;
use futures_util::future::BoxFuture;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

mod wire;

use super::reply::{self, LISTING_BYTES, PURCHASE_BYTES, Reply};
use crate::clock::Clock;
use crate::domain::fulfillment::{
    Adapter, BadAccount, Capabilities, Cost, Doubt, Listed, Outcome, Part, PurchaseRequest, Recipient,
    RefusalKind, Requests, Secret, Sighting, StatementLine, Trouble, Vendor, VendorAccount, VendorRefusal,
};
use crate::outgoing::{Answer, Call, CallFailure, Caller, Limits};
use wire::{
    Amount, Checked, Line, Products, Receives, Refused, Statement, Wanted, listed, named, refusal, sighting,
};

/// The adapter.
pub(super) const ADAPTER: Adapter = Adapter {
    name: "sandbox",
    options: &[
        (
            SETTLE_WINDOW,
            "for how many seconds a purchase may be unknown to look-ups and come to be [default: 30]",
        ),
        (TELLS_CODES_AGAIN, "whether it is taken for one that tells codes again: yes or no [default: yes]"),
    ],
    credentials: &[(API_KEY, "the key that vendor-sim demands")],
    is_simulator: true,
    open,
};

const SETTLE_WINDOW: &str = "settle_window_secs";
const TELLS_CODES_AGAIN: &str = "tells_codes_again";
const API_KEY: &str = "api_key";
const SETTLE_WINDOW_SECS: u32 = 30;
/// Room for a request, so that a recipient's name is not left behind in a buffer that was too small.
const REQUEST_BYTES: usize = 1_024;

/// An account at a sandbox vendor.
struct Sandbox {
    caller: Caller,
    authorization: Zeroizing<String>,
    time: Duration,
    settle_window_secs: u32,
    tells_codes_again: bool,
    currency: Currency,
}

fn open(account: VendorAccount, _: Arc<dyn Clock>) -> Result<Arc<dyn Vendor>, BadAccount> {
    let bad = |field: &str, reason: String| BadAccount { field: field.to_owned(), reason };
    let caller = Caller::of(&account.base_url).map_err(|error| bad("base_url", error.to_string()))?;
    let key = account.credentials.get(API_KEY).map(Secret::expose).unwrap_or_default();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad(API_KEY, "must be the key that vendor-sim printed".to_owned()));
    }
    let settle_window_secs = match account.options.get(SETTLE_WINDOW) {
        Some(text) => {
            text.parse().map_err(|_| bad(SETTLE_WINDOW, "must be a number of seconds".to_owned()))?
        }
        None => SETTLE_WINDOW_SECS,
    };
    let tells_codes_again = match account.options.get(TELLS_CODES_AGAIN).map(String::as_str) {
        None | Some("yes") => true,
        Some("no") => false,
        Some(_) => return Err(bad(TELLS_CODES_AGAIN, "must be yes or no".to_owned())),
    };
    Ok(Arc::new(Sandbox {
        caller,
        authorization: Zeroizing::new(["Bearer ", key].concat()),
        time: Duration::from_millis(account.timeout_ms.into()),
        settle_window_secs,
        tells_codes_again,
        currency: account.currency,
    }))
}

impl Vendor for Sandbox {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            query_by_reference: true,
            idempotent_create: true,
            statement: true,
            catalog: true,
            tells_codes_again: self.tells_codes_again,
            // Its catalog is such a file as ours comes from.
            shares_skus: true,
            settle_window_secs: self.settle_window_secs,
            largest_batch: 100,
            requests_per_second: 100,
            concurrent_requests: 16,
            requests: Requests { purchase: 1, recipient: 1, look: 1 },
            delivers: DeliveryKind::ALL,
        }
    }

    fn purchase<'a>(&'a self, request: &'a PurchaseRequest) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            if let Some(recipient) = &request.recipient
                && let Err(refusal) = self.check(&request.vendor_sku, recipient).await
            {
                return Outcome::Refused(refusal);
            }
            let wanted = Wanted {
                reference: &request.our_ref,
                sku: &request.vendor_sku,
                quantity: request.quantity,
                face_value: request.face.decimal(),
                currency: request.face.currency,
                recipient: request.recipient.as_ref().map(named),
            };
            match reply::sort(self.post("/purchases", &wanted).await) {
                Reply::Success(answer) => match sighting(&answer, request) {
                    Sighting::Delivered(delivery) => Outcome::Delivered(delivery),
                    Sighting::Refused(refusal) => Outcome::Refused(refusal),
                    Sighting::Pending { vendor_ref } => {
                        let doubt = reply::doubt(&answer, "the vendor has it under way");
                        Outcome::Unknown(Doubt { vendor_ref, ..doubt })
                    }
                    Sighting::Unclear(doubt) => Outcome::Unknown(doubt),
                    Sighting::NotFound => {
                        Outcome::Unknown(reply::doubt(&answer, "the vendor does not know it"))
                    }
                },
                Reply::Rejected(answer) => match refusal(&answer) {
                    Ok(refusal) => Outcome::Refused(refusal),
                    Err(doubt) => Outcome::Unknown(doubt),
                },
                Reply::TurnedAway(refusal) => Outcome::Refused(refusal),
                Reply::Doubtful(doubt) => Outcome::Unknown(doubt),
            }
        })
    }

    fn find<'a>(&'a self, request: &'a PurchaseRequest) -> BoxFuture<'a, Sighting> {
        Box::pin(async move {
            let path = format!("/purchases/{}", request.our_ref);
            match reply::sort(self.get(&path, PURCHASE_BYTES).await) {
                Reply::Success(answer) => sighting(&answer, request),
                Reply::Rejected(answer) => match reply::decode::<Refused>(&answer) {
                    Ok(told) if told.error.code == "unknown_reference" => Sighting::NotFound,
                    Ok(_) => {
                        Sighting::Unclear(reply::doubt(&answer, "the vendor does not answer the question"))
                    }
                    Err(doubt) => Sighting::Unclear(doubt),
                },
                // What was turned away is the question; that says nothing of the purchase.
                Reply::TurnedAway(refusal) => Sighting::Unclear(reply::not_looked_at(refusal)),
                Reply::Doubtful(doubt) => Sighting::Unclear(doubt),
            }
        })
    }

    fn statement(
        &self,
        since: Timestamp,
        from: Option<String>,
    ) -> BoxFuture<'_, Result<Part<StatementLine>, Trouble>> {
        Box::pin(async move {
            let path = format!("/statement?since={since}{}", cursor(from)?);
            let answer = reply::listing(self.get(&path, LISTING_BYTES).await)?;
            let told: Statement = decode(&answer)?;
            let items = told.purchases.into_iter().map(Line::read).collect::<Option<_>>();
            let items = items.ok_or_else(|| failed("a line of the statement is none that can be"))?;
            Ok(Part { items, next: told.next, total: None, bytes: answer.body.len() })
        })
    }

    fn catalog(&self, from: Option<String>) -> BoxFuture<'_, Result<Part<Listed>, Trouble>> {
        Box::pin(async move {
            let path = format!("/products?{}", cursor(from)?);
            let answer = reply::listing(self.get(&path, LISTING_BYTES).await)?;
            let told: Products<'_> = decode(&answer)?;
            let items = told.products.into_iter().map(listed).collect();
            Ok(Part { items, next: told.next, total: Some(told.total), bytes: answer.body.len() })
        })
    }

    fn balance(&self) -> BoxFuture<'_, Result<Option<Cost>, Trouble>> {
        Box::pin(async move {
            let path = format!("/balance?currency={}", self.currency);
            let answer = reply::listing(self.get(&path, PURCHASE_BYTES).await)?;
            let told: Amount = decode(&answer)?;
            let cost = told.read().filter(|cost| cost.currency == self.currency);
            Ok(Some(cost.ok_or_else(|| failed("the balance is no amount of our currency"))?))
        })
    }
}

impl Sandbox {
    async fn get(&self, path: &str, bytes: usize) -> Result<Answer, CallFailure> {
        let headers = [("authorization", self.authorization.as_str())];
        let call = Call { method: Method::GET, path, headers: &headers, json: None };
        self.caller.call(call, Limits { bytes, time: self.time }).await
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer, CallFailure> {
        let mut json = Zeroizing::new(Vec::with_capacity(REQUEST_BYTES));
        serde_json::to_writer(&mut *json, body).map_err(|error| CallFailure::NotSent(error.to_string()))?;
        let headers = [("authorization", self.authorization.as_str())];
        let call = Call { method: Method::POST, path, headers: &headers, json: Some(json) };
        self.caller.call(call, Limits { bytes: PURCHASE_BYTES, time: self.time }).await
    }

    /// Asks whether a recipient can receive; whatever stands in the way of an answer, nothing was bought.
    async fn check(&self, sku: &str, recipient: &Recipient) -> Result<(), VendorRefusal> {
        let unasked = |reason: &str| {
            let words = format!("the recipient could not be checked: {reason}");
            reply::refusal(RefusalKind::Unreachable, &words, None)
        };
        let checked = Checked { sku, recipient: named(recipient) };
        match reply::sort(self.post("/recipients/check", &checked).await) {
            Reply::Success(answer) => match reply::decode::<Receives>(&answer) {
                Ok(Receives { can_receive: true }) => Ok(()),
                Ok(Receives { can_receive: false }) => {
                    Err(reply::refusal(RefusalKind::BadRecipient, "the recipient cannot receive this", None))
                }
                Err(doubt) => Err(unasked(&doubt.message)),
            },
            Reply::Rejected(answer) => Err(unasked(&format!("the vendor answered {}", answer.status))),
            Reply::TurnedAway(refusal) => Err(refusal),
            Reply::Doubtful(doubt) => Err(unasked(&doubt.message)),
        }
    }
}

/// The part of a query that names where a listing goes on. Cursors are numbers, so that none can say more than that.
fn cursor(from: Option<String>) -> Result<String, Trouble> {
    match from {
        None => Ok(String::new()),
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(format!("&cursor={text}")),
        Some(_) => Err(failed("the vendor's cursor is none")),
    }
}

fn decode<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<T, Trouble> {
    reply::decode(answer).map_err(|doubt| Trouble::Failed(doubt.message))
}

fn failed(reason: &str) -> Trouble {
    Trouble::Failed(reason.to_owned())
}
