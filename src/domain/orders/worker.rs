//! The worker: open orders and open purchases, until the process drains.
//!
//! What lives here: the loop that leases orders and takes over purchases, and the calls that it has under way.
//! What is always true: a purchase is sent only while its worker's lease, the one under which it was taken, is fresh, and its row
//! says that it is this worker's: one that slept does not send what others have taken over; a call's outcome is written by who
//! holds its epoch, or by nobody; what the worker holds by its row and has not under way, since something could not be written, is
//! let go of; a process that drains takes nothing more, waits for what is under way, and hands the rest over at once.
//! What is not here: what is done for an order (`work.rs`), and what follows from a fact (`conclude.rs`).

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use entity::ids::{PurchaseId, StockWriterId, WorkerId};
use entity::purchases;
use entity::state::PurchaseCallKind;
use futures_util::FutureExt;
use tokio::sync::{Notify, Semaphore};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::conclude::{Next, conclude};
use super::jobs;
use super::news::Witness;
use super::pulse::{BEAT, Pulse};
use super::recipient;
use super::supply::Basis;
use super::turns::Turns;
use crate::crash::{self, Place};
use crate::ctx::Deps;
use crate::domain::feed;
use crate::domain::fulfillment::{self, Finding};
use crate::drain::Drain;
use crate::problem::Problem;

/// How often the worker looks for something to do, when nobody rings.
const POLL: Duration = Duration::from_millis(200);
/// How many purchases are taken over at once.
const MOST_CLAIMS: i32 = 32;
/// How many writers of stock moves a worker has: what is concluded side by side does not wait for one row.
const WRITERS: usize = 8;
/// How long a process that drains waits for calls under way.
const PATIENCE: Duration = Duration::from_secs(15);
/// How many outcomes are written at once: desks and signs of life, which share the connections, do not wait for them all.
const MOST_WRITING: usize = 4;

/// Rings when there may be something to do: the feature's state, as `feed::wake` is for readers.
#[derive(Debug, Default)]
pub struct Bell(Notify);

impl Bell {
    /// Wakes the worker of this process.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

/// A worker of this process.
pub struct Worker {
    deps: Arc<Deps>,
    id: WorkerId,
    writers: Vec<StockWriterId>,
    turn: AtomicUsize,
    /// Whose orders vendors were asked for.
    turns: Mutex<Turns>,
    pulse: Arc<Pulse>,
    calls: TaskTracker,
    /// The purchases that it has under way.
    held: Mutex<HashSet<PurchaseId>>,
    writing: Semaphore,
}

/// Works until the process drains.
pub async fn run(deps: Arc<Deps>) {
    let worker = Arc::new(Worker::new(deps));
    worker.work().await;
}

impl Worker {
    /// A worker that has not begun.
    pub fn new(deps: Arc<Deps>) -> Self {
        let uuid = || deps.ids.uuid(deps.clock.now());
        let writers = (0..WRITERS).map(|_| StockWriterId::from_uuid(uuid())).collect();
        let id = WorkerId::from_uuid(uuid());
        Self {
            id,
            writers,
            turn: AtomicUsize::new(0),
            turns: Mutex::default(),
            pulse: Arc::new(Pulse::new(Arc::clone(&deps), id)),
            calls: TaskTracker::new(),
            held: Mutex::default(),
            writing: Semaphore::new(MOST_WRITING),
            deps,
        }
    }

    async fn work(self: Arc<Self>) {
        let drain = self.deps.feature::<Drain>().clone();
        let beating = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&self.pulse).keep_beating()));
        // Units may wait for what has changed while nobody worked.
        let mut known = None;
        let mut looked = Instant::now();
        while !drain.has_begun() {
            self.follow_offers(&mut known).await;
            if looked.elapsed() >= BEAT {
                self.let_go_of_lost().await;
                looked = Instant::now();
            }
            let worked = self.work_once().await.unwrap_or_else(|problem| {
                tracing::warn!(%problem, "open orders cannot be worked on just now");
                0
            });
            if worked == 0 {
                tokio::select! {
                    () = tokio::time::sleep(POLL) => {}
                    () = self.deps.feature::<Bell>().0.notified() => {}
                    () = drain.begun() => {}
                }
            }
        }
        self.calls.close();
        if tokio::time::timeout(PATIENCE, self.calls.wait()).await.is_err() {
            tracing::warn!("some vendors did not answer before the end: others will ask them");
        }
        drop(beating);
        crash::pass(Place::WorkerLeaving);
        if let Err(problem) = fulfillment::leave(&self.deps, self.id).await {
            tracing::warn!(%problem, "the worker could not hand over; its lease will run out");
        }
    }

    /// Has units that wait look again when vendors, prices or rates have changed.
    async fn follow_offers(&self, known: &mut Option<Basis>) {
        let present = Basis::present(&self.deps);
        if *known == Some(present) {
            return;
        }
        match jobs::awaken(&self.deps).await {
            Ok(()) => {
                self.turns().awaken();
                *known = Some(present);
            }
            Err(problem) => {
                tracing::warn!(%problem, "waiting units could not be awakened; it is tried again")
            }
        }
    }

    /// Lets go of purchases of which something could not be written, not even that nothing is known.
    async fn let_go_of_lost(&self) {
        let let_go = async {
            let mut lost = fulfillment::find_held(&self.deps, self.id).await?;
            lost.retain(|id| !self.held().contains(id));
            if lost.is_empty() {
                return Ok(());
            }
            tracing::warn!(
                count = lost.len(),
                "purchases are held and not under way: they are asked about anew"
            );
            fulfillment::let_go(&self.deps, self.id, lost).await
        };
        let done: Result<(), Problem> = let_go.await;
        if let Err(problem) = done {
            tracing::warn!(%problem, "it could not be seen what is held; it is tried again");
        }
    }

    /// Does what there is to do once, and tells for how many orders and purchases: none of those that only wait.
    ///
    /// # Errors
    /// What the database says.
    pub async fn work_once(self: &Arc<Self>) -> Result<usize, Problem> {
        if !self.pulse.is_fresh() {
            self.pulse.beat().await?;
        }
        Ok(self.work_on_orders().await? + self.take_over().await?)
    }

    async fn work_on_orders(self: &Arc<Self>) -> Result<usize, Problem> {
        let (mut worked, leases) = (0, self.pulse.leases());
        let resting = self.turns().resting(Instant::now());
        let mut waiting = jobs::find_waiting(&self.deps, &resting).await?;
        self.turns().sort(&mut waiting);
        for lease in jobs::lease(&self.deps, waiting).await? {
            match jobs::work_on_leased(&self.deps, self.writer(), self.id, &lease).await {
                Ok(done) => {
                    worked += usize::from(done.something);
                    if !done.purchases.is_empty() {
                        crash::pass(Place::PurchasesRecorded);
                    }
                    self.turns().note(&lease.waiting, !done.purchases.is_empty(), &done.busy, Instant::now());
                    for purchase in done.purchases {
                        self.begin(purchase.clone(), Arc::clone(self).send(purchase, leases));
                    }
                }
                // An order that cannot be worked on keeps its lease, and so waits; the others do not wait with it.
                Err(problem) => {
                    tracing::error!(%problem, order = %lease.waiting.id, "an order cannot be worked on");
                }
            }
        }
        if worked > 0 {
            feed::wake(&self.deps);
        }
        Ok(worked)
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, HashSet<PurchaseId>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take_over(self: &Arc<Self>) -> Result<usize, Problem> {
        let leases = self.pulse.leases();
        let taken = fulfillment::claim(&self.deps, self.id, MOST_CLAIMS).await?;
        let count = taken.len();
        if count > 0 {
            crash::pass(Place::PurchasesTakenOver);
        }
        for purchase in taken {
            self.begin(purchase.clone(), Arc::clone(self).look(purchase, leases));
        }
        Ok(count)
    }

    /// Has a call under way beside the loop. A panic in it leaves the purchase in doubt, like any other answer that is none.
    fn begin(self: &Arc<Self>, purchase: purchases::Model, call: impl Future<Output = ()> + Send + 'static) {
        let worker = Arc::clone(self);
        worker.held().insert(purchase.id);
        self.calls.spawn(async move {
            if AssertUnwindSafe(call).catch_unwind().await.is_err() {
                worker.leave_in_doubt(&purchase, "the call panicked").await;
            }
            worker.held().remove(&purchase.id);
            worker.turns().free(purchase.vendor_id, Instant::now());
            worker.deps.feature::<Bell>().ring();
        });
    }

    fn writer(&self) -> StockWriterId {
        self.writers[self.turn.fetch_add(1, Ordering::Relaxed) % WRITERS]
    }

    /// Sends a purchase that was taken under so many leases, as often as it is to be sent.
    async fn send(self: Arc<Self>, purchase: purchases::Model, leases: u64) {
        let mut next = Some(purchase);
        while let Some(purchase) = next.take() {
            let recipient = match recipient::open(&self.deps, purchase.order_id).await {
                Ok(recipient) => recipient,
                Err(problem) => {
                    tracing::error!(%problem, purchase = %purchase.id, "a recipient cannot be opened");
                    return self
                        .leave_in_doubt(&purchase, "it was not sent: its recipient did not open")
                        .await;
                }
            };
            if purchase.sends > 1
                && let Err(problem) =
                    fulfillment::take_turn_again(&self.deps, &purchase, recipient.as_ref()).await
            {
                tracing::warn!(%problem, purchase = %purchase.id, "a purchase could not take its turn");
                return self.leave_in_doubt(&purchase, "it was not sent: it had no turn").await;
            }
            if let Err(reason) = self.may_send(&purchase, leases).await {
                return self.leave_in_doubt(&purchase, reason).await;
            }
            crash::pass(Place::PurchaseSending);
            let learnt = fulfillment::send(&self.deps, &purchase, recipient).await;
            crash::pass(Place::PurchaseAnswered);
            next = self.learn(&purchase, learnt).await;
        }
    }

    /// Whether a purchase is this worker's to send: the last thing that is asked before the call. Whoever slept may have lost it
    /// to others, who ask about it: so does this one.
    async fn may_send(&self, purchase: &purchases::Model, leases: u64) -> Result<(), &'static str> {
        match fulfillment::is_held(&self.deps, purchase).await {
            Ok(true) if self.pulse.leases() == leases && self.pulse.is_fresh() => Ok(()),
            Ok(true) => Err("it was not sent: its worker had slept"),
            Ok(false) => Err("it was not sent: another worker has it"),
            Err(problem) => {
                tracing::warn!(%problem, purchase = %purchase.id, "it could not be seen whose a purchase is");
                Err("it was not sent: it could not be seen whose it is")
            }
        }
    }

    async fn look(self: Arc<Self>, purchase: purchases::Model, leases: u64) {
        let recipient = match recipient::open(&self.deps, purchase.order_id).await {
            Ok(recipient) => recipient,
            Err(problem) => {
                tracing::error!(%problem, purchase = %purchase.id, "a recipient cannot be opened");
                return self.leave_in_doubt(&purchase, "it was not asked: its recipient did not open").await;
            }
        };
        let learnt = fulfillment::look(&self.deps, &purchase, recipient).await;
        crash::pass(Place::PurchaseLookedUp);
        if let Some(again) = self.learn(&purchase, learnt).await {
            crash::pass(Place::PurchaseSendingAgain);
            self.send(again, leases).await;
        }
    }

    /// Writes what was learnt; tells the purchase if it is to be sent again.
    async fn learn(
        &self,
        purchase: &purchases::Model,
        learnt: fulfillment::Learnt,
    ) -> Option<purchases::Model> {
        let actor = self.id.to_string();
        let (kind, duration_micros) = (learnt.kind, learnt.duration_micros);
        count_call(kind, &learnt.finding);
        let Finding::Fact(fact) = learnt.finding else {
            self.put_off(purchase, &learnt).await;
            return None;
        };
        let turn = self.writing.acquire().await;
        let witness = Witness {
            writer: self.writer(),
            worker: self.id,
            kind,
            duration_micros,
            actor: &actor,
            decision: None,
        };
        let concluded = conclude(&self.deps, purchase, witness, fact).await;
        drop(turn);
        match concluded {
            Ok(Next::SendAgain(again)) => Some(*again),
            Ok(Next::Ended) => None,
            Ok(Next::Lost) => {
                tracing::warn!(purchase = %purchase.id, "an answer came too late: another worker asks");
                None
            }
            Err(problem) => {
                tracing::error!(%problem, purchase = %purchase.id, "an answer could not be written: its vendor is asked again");
                self.leave_in_doubt(purchase, "the answer could not be written").await;
                None
            }
        }
    }

    /// What is not known here is got by asking, by this worker or by others.
    async fn leave_in_doubt(&self, purchase: &purchases::Model, message: &str) {
        let doubt = fulfillment::Doubt::of_our_making(message.to_owned());
        let learnt = fulfillment::Learnt {
            kind: PurchaseCallKind::Look,
            finding: Finding::Doubt(doubt),
            duration_micros: 0,
        };
        self.put_off(purchase, &learnt).await;
    }

    /// Writes down that nothing is known. Where not even that can be written, the purchase is let go of later.
    async fn put_off(&self, purchase: &purchases::Model, learnt: &fulfillment::Learnt) {
        let turn = self.writing.acquire().await;
        let written = fulfillment::put_off(&self.deps, purchase, learnt, &self.id.to_string()).await;
        drop(turn);
        match written {
            Ok(()) => crash::pass(Place::DoubtCommitted),
            Err(problem) => {
                tracing::warn!(%problem, purchase = %purchase.id, "a doubt could not be written");
            }
        }
    }
}

fn count_call(kind: PurchaseCallKind, finding: &Finding) {
    let outcome = match finding {
        Finding::Fact(fulfillment::Fact::Delivered(_)) => "delivered",
        Finding::Fact(fulfillment::Fact::Refused(_)) => "refused",
        Finding::Fact(fulfillment::Fact::NotExecuted) => "not_executed",
        Finding::Pending { .. } => "pending",
        Finding::NotFound(..) => "not_found",
        Finding::Doubt(_) => "unknown",
    };
    metrics::counter!("octopus_vendor_calls_total", "kind" => kind.as_str(), "outcome" => outcome)
        .increment(1);
}
