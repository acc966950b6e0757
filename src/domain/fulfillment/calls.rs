//! Asking vendors.
//!
//! What lives here: sending a purchase that is on record, asking what became of one, and writing down that nothing is known.
//! What is always true: no transaction is open while a vendor is awaited; whatever is no fact leaves the purchase in doubt, with
//! the instant at which the vendor is asked next; in the end a person decides, and the vendor is asked on.
//! What is not here: what an answer is worth (`answers.rs`); what follows from a fact: that is orders', in the transaction that
//! settles the units.

use std::sync::Arc;
use std::time::{Duration, Instant};

use entity::money::Money;
use entity::state::{PurchaseCallKind, PurchaseState};
use entity::timestamp::Timestamp;
use entity::{purchase_calls, purchases};

use super::allowance;
use super::answers::{self, Finding};
use super::live::{KnownVendor, Live};
use super::model::{next_look, rest_secs};
use super::pace;
use super::store::{self, Suspension};
use super::vendor::{Blame, Doubt, Goods, PurchaseRequest, Recipient, Sighting, TooMany};
use super::vendor_store;
use crate::ctx::Deps;
use crate::domain::vouchers::{Contents, Cost};
use crate::problem::Problem;
use crate::store::write;

/// For how long a vendor is asked about a purchase that ended without its word, for a success after all, in seconds.
const WATCHED_SECS: i64 = 172_800;
/// The least between two such looks, in seconds.
const WATCH_EVERY_SECS: i64 = 60;

/// For how long who reads a code that a vendor keeps waits for its turn at most.
const READERS_WAIT: Duration = Duration::from_secs(8);

/// What was learnt of a purchase.
#[derive(Debug)]
pub struct Learnt {
    /// How: sent, or looked for.
    pub kind: PurchaseCallKind,
    /// What.
    pub finding: Finding,
    /// How long the call took, in microseconds.
    pub duration_micros: i64,
}

impl Learnt {
    /// That the vendor was asked too often, if that is what it said.
    const fn too_many(&self) -> Option<TooMany> {
        match &self.finding {
            Finding::Doubt(doubt) => doubt.too_many,
            _ => None,
        }
    }
}

/// Sends a purchase that is on record and committed.
pub async fn send(deps: &Arc<Deps>, purchase: &purchases::Model, recipient: Option<Recipient>) -> Learnt {
    let Some(known) = deps.feature::<Live>().vendor(purchase.vendor_id) else {
        return unsaid(PurchaseCallKind::Send, "the vendor is not open in this process");
    };
    let begin = Instant::now();
    let outcome = known.vendor.purchase(&request(purchase, recipient)).await;
    let finding = answers::of_sending(known.capabilities, purchase, outcome);
    Learnt { kind: PurchaseCallKind::Send, finding, duration_micros: micros_since(begin) }
}

/// Asks what became of a purchase: by its reference, or, where a vendor cannot be asked and makes no purchase twice, by sending
/// it once more.
pub async fn look(deps: &Arc<Deps>, purchase: &purchases::Model, recipient: Option<Recipient>) -> Learnt {
    let Some(known) = deps.feature::<Live>().vendor(purchase.vendor_id) else {
        return unsaid(PurchaseCallKind::Look, "the vendor is not open in this process");
    };
    if known.capabilities.query_by_reference {
        let begin = Instant::now();
        let sighting = known.vendor.find(&request(purchase, recipient)).await;
        let finding = answers::of_looking(&known, purchase, sighting, deps.clock.now());
        return Learnt { kind: PurchaseCallKind::Look, finding, duration_micros: micros_since(begin) };
    }
    if known.capabilities.idempotent_create && purchase.ended_at.is_none() {
        // It is asked all the same, and so less and less often.
        return Learnt { kind: PurchaseCallKind::Look, ..send(deps, purchase, recipient).await };
    }
    unsaid(PurchaseCallKind::Look, "the vendor cannot be asked: a person has to decide")
}

/// Asks for the codes of a purchase again, at the vendor's pace; the reason if they cannot be had now. It takes no longer than a
/// call to this vendor may, and the wait for its turn.
pub async fn recall(deps: &Arc<Deps>, purchase: &purchases::Model) -> Result<Vec<Contents>, String> {
    let Some(known) = deps.feature::<Live>().vendor(purchase.vendor_id) else {
        return Err("the vendor is not open in this process".to_owned());
    };
    let request = request(purchase, None);
    let timeout = Duration::from_millis(u64::try_from(known.row.timeout_ms).unwrap_or(0));
    let line = tokio::time::timeout(READERS_WAIT, known.readers.acquire()).await;
    let turn = pace::take_reading_turn(deps, &known, READERS_WAIT);
    if line.is_err() || !turn.await.map_err(|problem| problem.to_string())? {
        return Err("the vendor is asked for more than its rate takes".to_owned());
    }
    let sighting = tokio::time::timeout(timeout, known.vendor.find(&request)).await;
    match sighting.map_err(|_| "the vendor did not answer in time".to_owned())? {
        Sighting::Delivered(delivery) => {
            let contents = |goods| match goods {
                Goods::Code { contents, .. } => Some(contents),
                Goods::Receipt { .. } => None,
            };
            Ok(delivery.goods.into_iter().filter_map(contents).collect())
        }
        Sighting::Refused(refusal) => Err(format!("the vendor says that it refused: {}", refusal.message)),
        Sighting::Pending { .. } => Err("the vendor says that it works on it".to_owned()),
        Sighting::NotFound => Err("the vendor does not know the purchase".to_owned()),
        Sighting::Unclear(doubt) => {
            if let Some(too_many) = doubt.too_many {
                let left_alone = pace::leave_alone(deps, known.row.id, too_many).await;
                left_alone.map_err(|problem| problem.to_string())?;
            }
            Err(doubt.message)
        }
    }
}

fn unsaid(kind: PurchaseCallKind, message: &str) -> Learnt {
    let finding = Finding::Doubt(Doubt::of_our_making(message.to_owned()));
    Learnt { kind, finding, duration_micros: 0 }
}

fn micros_since(begin: Instant) -> i64 {
    i64::try_from(begin.elapsed().as_micros()).unwrap_or(i64::MAX)
}

fn request(purchase: &purchases::Model, recipient: Option<Recipient>) -> PurchaseRequest {
    PurchaseRequest {
        our_ref: purchase.our_ref.clone(),
        vendor_sku: purchase.vendor_sku.clone(),
        quantity: purchase.quantity,
        face: Money::from_minor(purchase.face_minor, purchase.face_currency),
        expected_cost: Cost { micros: purchase.expected_cost_micros, currency: purchase.cost_currency },
        highest_cost: purchase
            .highest_cost_micros
            .map(|micros| Cost { micros, currency: purchase.cost_currency }),
        recipient,
        vendor_ref: purchase.vendor_ref.clone(),
        created_at: purchase.created_at,
    }
}

/// Writes down that a call told no fact, and when the vendor is asked next; nothing if another worker has the purchase by now.
///
/// # Errors
/// What the database says.
pub async fn put_off(
    deps: &Arc<Deps>,
    purchase: &purchases::Model,
    learnt: &Learnt,
    actor: &str,
) -> Result<(), Problem> {
    let now = deps.clock.now();
    let known = deps.feature::<Live>().vendor(purchase.vendor_id);
    let suspension = suspension(known.as_deref(), purchase, learnt, now);
    let (outcome, http_status) = match &learnt.finding {
        Finding::Pending { .. } => ("PENDING", None),
        Finding::NotFound(..) => ("NOT_FOUND", None),
        Finding::Doubt(doubt) => ("UNKNOWN", doubt.http_status.map(i32::from)),
        Finding::Fact(_) => return Err(Problem::internal("a fact is not put off")),
    };
    let call = purchase_calls::Model {
        http_status,
        duration_micros: learnt.duration_micros,
        actor: actor.to_owned(),
        at: now,
        ..call_of(purchase, learnt.kind, outcome, &suspension.message)
    };
    let too_many = learnt.too_many();
    let blame = match &learnt.finding {
        Finding::Doubt(doubt) if too_many.is_none() && purchase.ended_at.is_none() => doubt.blame,
        _ => Blame::Nobody,
    };
    let task = purchase.clone();
    write::<_, Problem, _>(deps, move |transaction| {
        let (purchase, suspension, call) = (task.clone(), suspension.clone(), call.clone());
        Box::pin(async move {
            let Some(locked) = store::lock_purchase(transaction, purchase.id, purchase.epoch).await? else {
                return Ok(());
            };
            store::suspend(transaction, &locked, &suspension).await?;
            store::record_call(transaction, &call).await?;
            if let Some(too_many) = too_many {
                allowance::rest(transaction, purchase.vendor_id, rest_secs(too_many)).await?;
            }
            let subject = (purchase.vendor_id, purchase.product_id.as_str());
            Ok(vendor_store::count_failure(transaction, now, subject, (blame, &suspension.message)).await?)
        })
    })
    .await
}

fn suspension(
    known: Option<&KnownVendor>,
    purchase: &purchases::Model,
    learnt: &Learnt,
    now: Timestamp,
) -> Suspension {
    // A question that was turned away for its pace was none.
    let is_look = learnt.kind == PurchaseCallKind::Look && learnt.too_many().is_none();
    let looks = purchase.looks + i32::from(is_look);
    let (not_found, since, vendor_ref, message) = match &learnt.finding {
        Finding::NotFound(times, since) => {
            (*times, Some(*since), None, "the vendor does not know it yet".to_owned())
        }
        Finding::Pending { vendor_ref } => (0, None, vendor_ref.clone(), "the vendor works on it".to_owned()),
        Finding::Doubt(doubt) => {
            (purchase.not_found, purchase.not_found_since, doubt.vendor_ref.clone(), doubt.message.clone())
        }
        Finding::Fact(_) => (0, None, None, String::new()),
    };
    let is_told = known.is_none_or(|known| known.capabilities.query_by_reference);
    let can_be_asked = is_told || known.is_some_and(|known| known.capabilities.idempotent_create);
    let state = match purchase.state {
        ended if purchase.ended_at.is_some() => ended,
        _ if !can_be_asked || now >= purchase.resolves_by => PurchaseState::Review,
        _ => PurchaseState::Unknown,
    };
    let next_at = match purchase.ended_at {
        Some(ended_at) => watched_until(ended_at, now).filter(|_| is_told),
        None if !can_be_asked => None,
        None => Some(next_look(now, looks)),
    };
    if state == PurchaseState::Review && purchase.state != PurchaseState::Review {
        tracing::error!(purchase = %purchase.id, %message, "nobody knows what became of a purchase: a person has to decide");
    }
    Suspension {
        state,
        looks,
        not_found: if since.is_some() { not_found } else { 0 },
        not_found_since: if not_found > 0 { since } else { None },
        vendor_ref,
        message,
        next_at,
    }
}

/// When a vendor is asked next about a purchase that ended without its word: less and less often, and in the end never.
pub(super) fn watched_until(ended_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let age_secs = now.micros_since(ended_at).div_euclid(1_000_000);
    (age_secs < WATCHED_SECS).then(|| now.plus_seconds(age_secs.max(WATCH_EVERY_SECS)))
}

/// The record of a call, its time, its length and its actor left to be filled in.
pub fn call_of(
    purchase: &purchases::Model,
    kind: PurchaseCallKind,
    outcome: &str,
    message: &str,
) -> purchase_calls::Model {
    purchase_calls::Model {
        purchase_id: purchase.id,
        n: 0,
        kind,
        outcome: outcome.to_owned(),
        message: message.to_owned(),
        http_status: None,
        duration_micros: 0,
        actor: String::new(),
        at: purchase.created_at,
    }
}
