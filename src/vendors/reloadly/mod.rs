//! Reloadly's gift cards.
//!
//! What lives here: the adapter and what an operator sets for it; a file each for the token, orders, look-ups, codes, the report,
//! the catalog, what things cost, and the messages that it sends.
//! What is always true: it follows what Reloadly documents, and where that is silent, what was measured at its sandbox; whatever
//! neither says is a doubt. Amounts are decimal text, never floats.
//! What is not here: goods without a code, and the company's other services (airtime, bills).

use std::sync::Arc;
use std::time::Duration;

use entity::currency::Currency;
use entity::state::DeliveryKind;
use entity::timestamp::Timestamp;
use futures_util::future::BoxFuture;

use self::session::{Login, Session};
use crate::clock::Clock;
use crate::domain::fulfillment::{
    Adapter, BadAccount, BadHint, Capabilities, Cost, Hint, HintedPurchase, Listed, Outcome, Part,
    PurchaseRequest, Requests, Secret, Sighting, StatementLine, Trouble, Vendor, VendorAccount,
};
use crate::outgoing::{Caller, Limits};

mod balance;
mod calls;
mod cards;
mod catalog;
mod cost_rule;
mod hint;
mod lookup;
mod number;
mod order;
mod page;
mod refusals;
mod session;
mod statement;
mod transaction;

/// Reloadly's gift cards.
pub(super) const ADAPTER: Adapter = Adapter {
    name: "reloadly",
    options: &[
        ("auth_url", "The address of the token service; https://auth.reloadly.com if absent."),
        ("audience", "What tokens are asked for; the vendor's address if absent."),
        ("sender_name", "The sender's name on the vendor's receipts; Octopus Cards if absent."),
    ],
    credentials: &[
        ("client_id", "The client id of the account's API key."),
        ("client_secret", "The client secret of the account's API key."),
        ("webhook_secret", "The signing secret of the webhook; without it messages are not taken."),
    ],
    is_simulator: false,
    open,
};

const AUTH_URL: &str = "https://auth.reloadly.com";
const SENDER_NAME: &str = "Octopus Cards";
/// Bytes of an answer of the token service.
const TOKEN_BYTES: usize = 64 * 1024;
/// How many cards an order may have: no limit is documented, but the codes of an order come in one answer, a doubt about it holds
/// all its units, and fees are taken for each card, so that large orders save calls alone.
const LARGEST_BATCH: i32 = 10;
/// A purchase may take 90 seconds, which is how long a timed-out one is waited out before it is sent again; twice that, since the
/// figure was measured and not promised, and because two orders that meet under one identifier are both made.
const SETTLE_WINDOW_SECS: u32 = 180;

/// An account at Reloadly.
struct Reloadly {
    caller: Caller,
    session: Session,
    clock: Arc<dyn Clock>,
    time: Duration,
    currency: Currency,
    sender_name: String,
    webhook_secret: Option<Secret>,
}

fn open(mut account: VendorAccount, clock: Arc<dyn Clock>) -> Result<Arc<dyn Vendor>, BadAccount> {
    let bad = |field: &str, reason: &str| BadAccount { field: field.to_owned(), reason: reason.to_owned() };
    let time = Duration::from_millis(u64::from(account.timeout_ms));
    let mut needed = |name: &str| {
        let told = account.credentials.remove(name).filter(|told| !told.expose().is_empty());
        told.ok_or_else(|| bad(name, "is missing"))
    };
    let (client_id, client_secret) = (needed("client_id")?, needed("client_secret")?);
    let webhook_secret = needed("webhook_secret").ok();
    let mut option = |name: &str| account.options.remove(name).filter(|told| !told.trim().is_empty());
    let auth_url = option("auth_url").unwrap_or_else(|| AUTH_URL.to_owned());
    let audience = option("audience").unwrap_or_else(|| account.base_url.trim_end_matches('/').to_owned());
    let sender_name = option("sender_name").unwrap_or_else(|| SENDER_NAME.to_owned());
    let caller = Caller::of(&account.base_url).map_err(|error| bad("base_url", &error.to_string()))?;
    let auth = Caller::of(&auth_url).map_err(|error| bad("auth_url", &error.to_string()))?;
    let limits = Limits { bytes: TOKEN_BYTES, time };
    let session = Session::new(Login { auth, client_id, client_secret, audience, limits });
    let currency = account.currency;
    Ok(Arc::new(Reloadly { caller, session, clock, time, currency, sender_name, webhook_secret }))
}

impl Vendor for Reloadly {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            query_by_reference: true,
            idempotent_create: false,
            statement: true,
            catalog: true,
            tells_codes_again: true,
            shares_skus: false,
            settle_window_secs: SETTLE_WINDOW_SECS,
            largest_batch: LARGEST_BATCH,
            // None is documented; 80 reads at once met none.
            requests_per_second: 10,
            concurrent_requests: 8,
            // Of what was made, the codes are asked for by themselves.
            requests: Requests { purchase: 2, recipient: 0, look: 2 },
            delivers: &[DeliveryKind::Code],
        }
    }

    fn purchase<'a>(&'a self, request: &'a PurchaseRequest) -> BoxFuture<'a, Outcome> {
        Box::pin(self.order(request))
    }

    fn find<'a>(&'a self, request: &'a PurchaseRequest) -> BoxFuture<'a, Sighting> {
        Box::pin(self.look_up(request))
    }

    fn statement(
        &self,
        since: Timestamp,
        from: Option<String>,
    ) -> BoxFuture<'_, Result<Part<StatementLine>, Trouble>> {
        Box::pin(self.list(since, from))
    }

    fn catalog(&self, from: Option<String>) -> BoxFuture<'_, Result<Part<Listed>, Trouble>> {
        Box::pin(self.products(from))
    }

    fn balance(&self) -> BoxFuture<'_, Result<Option<Cost>, Trouble>> {
        Box::pin(self.funds())
    }

    fn read_hint(&self, hint: &Hint<'_>, now: Timestamp) -> Result<HintedPurchase, BadHint> {
        self.hinted(hint, now)
    }
}
