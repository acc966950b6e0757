//! Another Octopus Cards, over its REST facade.
//!
//! What lives here: the adapter and what an operator sets for it; a file each for the token, calls, orders, refusals and
//! listings.
//! What is always true: it follows what the facade's `openapi.json` says. A purchase is one order under our reference, which
//! holds one order for ever: sent again, it is answered with that order. Amounts are decimal text, never floats.
//! What is not here: cancelling, charges and events; a purchase needs none of them.
//!
//! The credential there needs the scopes catalog:read, orders:read, orders:write, vouchers:reveal and wallet:read, and a wallet
//! in the currency of our account.

use std::sync::Arc;
use std::time::Duration;

use entity::currency::Currency;
use entity::state::DeliveryKind;
use entity::timestamp::Timestamp;
use futures_util::future::BoxFuture;

use self::session::{Login, Session};
use crate::clock::Clock;
use crate::domain::fulfillment::{
    Adapter, BadAccount, Capabilities, Cost, Listed, Outcome, Part, PurchaseRequest, Requests, Sighting,
    StatementLine, Trouble, Vendor, VendorAccount,
};
use crate::outgoing::{Caller, Limits};

mod calls;
mod catalog;
mod listings;
mod money;
mod order;
mod purchase;
mod refusals;
mod session;

/// Another Octopus Cards.
pub(super) const ADAPTER: Adapter = Adapter {
    name: "octopus",
    options: &[],
    credentials: &[
        ("username", "The username of a credential of our account there."),
        ("password", "Its password."),
    ],
    is_simulator: false,
    open,
};

/// Bytes of an answer with tokens.
const TOKEN_BYTES: usize = 64 * 1024;
/// A call there ends ten seconds after it has arrived, waiting apart, and with it whatever it could still place; what was sent may
/// wait for a proxy on its way in. Two minutes are many times that, and cost nothing but patience: an order that comes late all
/// the same is met by its reference.
const SETTLE_WINDOW_SECS: u32 = 120;
/// How long an order is had to wait for its end at most: what is in stock there is delivered at once, and the rest is asked for.
const LONGEST_WAIT_MS: u32 = 2_000;

/// An account at another Octopus Cards.
struct Octopus {
    caller: Caller,
    session: Session,
    clock: Arc<dyn Clock>,
    time: Duration,
    wait_ms: u32,
    currency: Currency,
}

fn open(mut account: VendorAccount, clock: Arc<dyn Clock>) -> Result<Arc<dyn Vendor>, BadAccount> {
    let bad = |field: &str, reason: &str| BadAccount { field: field.to_owned(), reason: reason.to_owned() };
    let time = Duration::from_millis(u64::from(account.timeout_ms));
    let mut needed = |name: &str| {
        let told = account.credentials.remove(name).filter(|told| !told.expose().is_empty());
        told.ok_or_else(|| bad(name, "is missing"))
    };
    let (username, password) = (needed("username")?, needed("password")?);
    let caller = Caller::of(&account.base_url).map_err(|error| bad("base_url", &error.to_string()))?;
    let limits = Limits { bytes: TOKEN_BYTES, time };
    let session = Session::new(Login { caller: caller.clone(), username, password, limits });
    // Half of the time is left for the way there and back.
    let wait_ms = account.timeout_ms.div_euclid(2).min(LONGEST_WAIT_MS);
    Ok(Arc::new(Octopus { caller, session, clock, time, wait_ms, currency: account.currency }))
}

impl Vendor for Octopus {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            query_by_reference: true,
            idempotent_create: true,
            statement: true,
            catalog: true,
            tells_codes_again: true,
            shares_skus: true,
            settle_window_secs: SETTLE_WINDOW_SECS,
            largest_batch: 1_000,
            // It takes 5,000 a second from an address, and an order is one; other partners may share ours.
            requests_per_second: 500,
            concurrent_requests: 32,
            requests: Requests { purchase: 1, recipient: 0, look: 1 },
            delivers: DeliveryKind::ALL,
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
}
