//! Keeping to vendors' rates.
//!
//! What lives here: taking over purchases that have to be asked about, as far as their vendors' rates reach, and waiting for a
//! turn where something is asked that can neither wait in the database nor be left out.
//! What is always true: what is due beyond a vendor's rate stays due, for whichever process comes next; a vendor that wants to be
//! left alone is, by all of them.
//! What is not here: the rates (`allowance.rs`), purchases that are sent for the first time (`sourcing.rs`), and calls (`calls.rs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use entity::ids::{VendorId, WorkerId};
use entity::purchases;
use sea_orm::DbErr;

use super::allowance::{self, Allowance};
use super::live::{KnownVendor, Live};
use super::model::rest_secs;
use super::store;
use super::vendor::{Recipient, TooMany};
use crate::ctx::Deps;
use crate::problem::Problem;
use crate::store::{Transaction, write};

/// After how long a reader who found a vendor busy tries again.
const READ_AGAIN: Duration = Duration::from_millis(200);

/// Takes over purchases that have to be asked about, at most so many.
///
/// # Errors
/// What the database says.
pub async fn claim(deps: &Arc<Deps>, worker: WorkerId, most: i32) -> Result<Vec<purchases::Model>, Problem> {
    let vendors = store::find_vendors_to_ask(deps, worker).await?;
    if vendors.is_empty() {
        return Ok(Vec::new());
    }
    let task = Arc::clone(deps);
    write::<_, Problem, _>(deps, move |transaction| {
        let (deps, vendors) = (Arc::clone(&task), vendors.clone());
        Box::pin(async move {
            let mut taken = Vec::new();
            let mut room = most;
            for vendor in vendors {
                let of_vendor = claim_of(&deps, transaction, vendor, worker, room).await?;
                room -= i32::try_from(of_vendor.len()).unwrap_or(room);
                taken.extend(of_vendor);
            }
            Ok(taken)
        })
    })
    .await
}

async fn claim_of(
    deps: &Arc<Deps>,
    transaction: &Transaction,
    vendor: VendorId,
    worker: WorkerId,
    most: i32,
) -> Result<Vec<purchases::Model>, DbErr> {
    let known = deps.feature::<Live>().vendor(vendor);
    let asked = known.as_deref().map(|known| (known, known.requests_of_look())).filter(|(_, cost)| *cost > 0);
    // What cannot be asked is only put off.
    let Some((known, cost)) = asked else {
        return store::claim_due(deps, transaction, (vendor, worker), most).await;
    };
    let allowance = Allowance::lock(deps, transaction, known).await?;
    let most = most.min(allowance.look_ups(cost));
    if most < 1 {
        return Ok(Vec::new());
    }
    let taken = store::claim_due(deps, transaction, (vendor, worker), most).await?;
    if !taken.is_empty() {
        let requests = i32::try_from(taken.len()).unwrap_or(i32::MAX).saturating_mul(cost);
        allowance.take_for_looks(transaction, known, requests).await?;
    }
    Ok(taken)
}

/// Waits until a purchase may be sent again, to its recipient where it has one.
///
/// # Errors
/// What the database says.
pub async fn take_turn_again(
    deps: &Arc<Deps>,
    purchase: &purchases::Model,
    recipient: Option<&Recipient>,
) -> Result<(), Problem> {
    match deps.feature::<Live>().vendor(purchase.vendor_id) {
        Some(known) => {
            let requests = known.capabilities.requests;
            let more = recipient.map_or(0, |_| requests.recipient);
            take_turn(deps, &known, requests.purchase + more).await
        }
        None => Ok(()),
    }
}

/// Takes so many requests off a vendor's rate, and waits until they may be made.
pub(super) async fn take_turn(
    deps: &Arc<Deps>,
    known: &Arc<KnownVendor>,
    requests: i32,
) -> Result<(), Problem> {
    take_turn_within(deps, known, requests, Duration::MAX).await.map(drop)
}

/// The same, but takes nothing and tells no if they may not be made within a time: who waits no longer keeps nobody else waiting.
pub(super) async fn take_turn_within(
    deps: &Arc<Deps>,
    known: &Arc<KnownVendor>,
    requests: i32,
    patience: Duration,
) -> Result<bool, Problem> {
    let task = (Arc::clone(deps), Arc::clone(known));
    let wait = write::<_, Problem, _>(deps, move |transaction| {
        let (deps, known) = task.clone();
        Box::pin(async move {
            let allowance = Allowance::lock(&deps, transaction, &known).await?;
            if allowance.wait() > patience {
                return Ok(None);
            }
            allowance.take(transaction, &known, requests).await?;
            Ok(Some(allowance.wait()))
        })
    })
    .await?;
    if let Some(wait) = wait {
        tokio::time::sleep(wait).await;
    }
    Ok(wait.is_some())
}

/// Waits until a reader of codes that a vendor keeps may ask it, and tells whether, which is no if that takes too long. Readers
/// have the share of look-ups and take it as it comes, never ahead of time: whatever waits with them finds the rest of the rate.
pub(super) async fn take_reading_turn(
    deps: &Arc<Deps>,
    known: &Arc<KnownVendor>,
    patience: Duration,
) -> Result<bool, Problem> {
    let begun = Instant::now();
    while !try_to_read(deps, known).await? {
        if begun.elapsed() + READ_AGAIN > patience {
            return Ok(false);
        }
        tokio::time::sleep(READ_AGAIN).await;
    }
    Ok(true)
}

async fn try_to_read(deps: &Arc<Deps>, known: &Arc<KnownVendor>) -> Result<bool, Problem> {
    let (task, in_transaction) = (Arc::clone(known), Arc::clone(deps));
    let requests = known.capabilities.requests.look;
    write::<_, Problem, _>(deps, move |transaction| {
        let (known, deps) = (Arc::clone(&task), Arc::clone(&in_transaction));
        Box::pin(async move {
            let allowance = Allowance::lock(&deps, transaction, &known).await?;
            let may_read = allowance.look_ups(requests) > 0;
            if may_read {
                allowance.take_for_looks(transaction, &known, requests).await?;
            }
            Ok(may_read)
        })
    })
    .await
}

/// Has every process leave a vendor alone that was asked too often.
pub(super) async fn leave_alone(
    deps: &Arc<Deps>,
    vendor: VendorId,
    too_many: TooMany,
) -> Result<(), Problem> {
    write::<_, Problem, _>(deps, move |transaction| {
        Box::pin(async move { Ok(allowance::rest(transaction, vendor, rest_secs(too_many)).await?) })
    })
    .await
}
