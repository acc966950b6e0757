//! The desks: the one place that commits orders.
//!
//! What lives here: the queue in front of each desk, and the loop that takes what waits and commits it together.
//! What is always true: a partner has one desk, so that its orders do not wait for each other's locks; a desk starts the next
//! batch as soon as the last has committed, without a timer; a batch that fails is run order by order, so that a poison order
//! harms nobody else; more than the queue holds are told to come back.
//! What is not here: what a batch does (`batch.rs`).

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use entity::ids::{ChargeId, PartnerId, StockWriterId};
use futures_util::FutureExt;
use sea_orm::{DbBackend, DbErr};
use tokio::sync::{mpsc, oneshot};

use super::batch::{self, Ticket};
use super::place::Placed;
use super::refusal::OrderRefusal;
use super::store::Reference;
use super::verdict::Verdict;
use crate::ctx::Deps;
use crate::domain::feed;
use crate::problem::{Failure, Problem, Refusal};

/// The most orders that share a commit.
const MOST_ORDERS: usize = 64;
/// The most units that share a commit, unless one order has more.
const MOST_UNITS: i32 = 1_000;
/// How often an order that runs alone is tried.
const MOST_TRIES: u32 = 3;
/// When a full queue is worth another try.
const RETRY_AFTER_MS: u64 = 250;

/// What a caller waits for.
pub type Answer = Result<Placed, Failure<OrderRefusal>>;

struct Waiting {
    ticket: Ticket,
    reply: oneshot::Sender<Answer>,
}

/// The desks and the doors to them: the feature's state.
#[derive(Debug)]
pub struct Desks {
    doors: Vec<mpsc::UnboundedSender<Waiting>>,
    /// The other ends of the doors, until the desks are started.
    queues: Mutex<Vec<mpsc::UnboundedReceiver<Waiting>>>,
    waiting: Arc<AtomicU32>,
    room: u32,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Waiting").finish_non_exhaustive()
    }
}

impl Desks {
    /// The desks of an engine: two on PostgreSQL, one on SQLite, which has one writer. `room` is how many orders may wait.
    pub fn new(backend: DbBackend, room: u32) -> Self {
        let count = if backend == DbBackend::Postgres { 2 } else { 1 };
        let (doors, queues) = (0..count).map(|_| mpsc::unbounded_channel()).unzip();
        Self { doors, queues: Mutex::new(queues), waiting: Arc::default(), room }
    }

    /// Hands a ticket to its partner's desk and waits for the answer. The desk goes on when the caller hangs up.
    ///
    /// # Errors
    /// The refusal; RATE_LIMITED when the queue is full; SERVICE_UNAVAILABLE when the process ends.
    pub async fn take(&self, ticket: Ticket) -> Answer {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.room {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Problem::rate_limited(RETRY_AFTER_MS).into());
        }
        let gone = || Failure::Problem(Problem::unavailable("the desks are closed"));
        let (reply, answer) = oneshot::channel();
        let door = self.door_of(ticket.actor.partner);
        door.send(Waiting { ticket, reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Whether every desk is at work: one that has ended has left its door closed.
    pub fn are_open(&self) -> bool {
        self.doors.iter().all(|door| !door.is_closed())
    }

    fn door_of(&self, partner: PartnerId) -> &mpsc::UnboundedSender<Waiting> {
        let doors = u128::try_from(self.doors.len()).unwrap_or(1);
        let index = partner.uuid().as_u128().checked_rem(doors).and_then(|index| usize::try_from(index).ok());
        &self.doors[index.unwrap_or(0)]
    }
}

/// The work of the desks, one future each; nothing the second time.
pub fn work(deps: &Arc<Deps>) -> Vec<impl Future<Output = ()> + Send + 'static> {
    let desks = deps.feature::<Desks>();
    let queues = std::mem::take(&mut *desks.queues.lock().unwrap_or_else(PoisonError::into_inner));
    let desk = |queue| Desk {
        deps: Arc::clone(deps),
        writer: StockWriterId::from_uuid(deps.ids.uuid(deps.clock.now())),
        queue,
        waiting: Arc::clone(&desks.waiting),
        line: Line::default(),
    };
    queues.into_iter().map(|queue| desk(queue).work()).collect()
}

/// Who waits, fairly: partners take turns.
#[derive(Debug, Default)]
struct Line {
    partners: VecDeque<PartnerId>,
    waiting: HashMap<PartnerId, VecDeque<Waiting>>,
}

impl Line {
    fn join(&mut self, waiting: Waiting) {
        let partner = waiting.ticket.actor.partner;
        let queue = self.waiting.entry(partner).or_default();
        if queue.is_empty() {
            self.partners.push_back(partner);
        }
        queue.push_back(waiting);
    }

    fn is_empty(&self) -> bool {
        self.partners.is_empty()
    }

    /// Takes a batch: round robin by partner, no reference and no charge twice, within the limits. The first partner whose
    /// order does not fit leads the next batch, so that small orders never keep a large one waiting for ever.
    fn take(&mut self) -> Vec<Waiting> {
        let mut batch = Vec::new();
        let mut units = 0_i32;
        let mut taken = Taken::default();
        let mut left_out = VecDeque::new();
        while batch.len() < MOST_ORDERS
            && let Some(partner) = self.partners.pop_front()
        {
            let queue = self.waiting.entry(partner).or_default();
            let fits = queue.front().is_some_and(|next| {
                let within = units.saturating_add(next.ticket.units()) <= MOST_UNITS;
                batch.is_empty() || (within && taken.has_none_of(&next.ticket))
            });
            match if fits { queue.pop_front() } else { None } {
                Some(next) => {
                    units = units.saturating_add(next.ticket.units());
                    taken.add(&next.ticket);
                    batch.push(next);
                    if queue.is_empty() {
                        self.waiting.remove(&partner);
                    } else {
                        self.partners.push_back(partner);
                    }
                }
                None => left_out.push_back(partner),
            }
        }
        left_out.append(&mut self.partners);
        self.partners = left_out;
        batch
    }
}

/// The references and charges of a batch.
#[derive(Debug, Default)]
struct Taken {
    references: HashSet<Reference>,
    charges: HashSet<ChargeId>,
}

impl Taken {
    fn has_none_of(&self, ticket: &Ticket) -> bool {
        let charge = charge_of(ticket);
        !self.references.contains(&ticket.reference())
            && !charge.is_some_and(|charge| self.charges.contains(&charge))
    }

    fn add(&mut self, ticket: &Ticket) {
        self.references.insert(ticket.reference());
        self.charges.extend(charge_of(ticket));
    }
}

fn charge_of(ticket: &Ticket) -> Option<ChargeId> {
    match &ticket.verdict {
        Verdict::OnCharge(charge) => Some(*charge),
        Verdict::Sell(_) | Verdict::Refuse(_) => None,
    }
}

/// Tells the operator how many orders share a commit, and what becomes of them.
fn count(answers: &[Answer]) {
    metrics::histogram!("octopus_orders_per_commit")
        .record(f64::from(u32::try_from(answers.len()).unwrap_or(0)));
    for answer in answers {
        let outcome = match answer {
            Ok(placed) if placed.replayed => "replayed",
            Ok(_) => "accepted",
            Err(Failure::Refused(refusal)) => refusal.code().as_str(),
            Err(Failure::Problem(problem)) => problem.code.as_str(),
        };
        metrics::counter!("octopus_orders_total", "outcome" => outcome).increment(1);
    }
}

/// Whether no connection could be had.
fn is_away(error: &DbErr) -> bool {
    matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_))
}

struct Desk {
    deps: Arc<Deps>,
    writer: StockWriterId,
    queue: mpsc::UnboundedReceiver<Waiting>,
    waiting: Arc<AtomicU32>,
    line: Line,
}

impl Desk {
    async fn work(mut self) {
        loop {
            if self.line.is_empty() {
                match self.queue.recv().await {
                    Some(waiting) => self.line.join(waiting),
                    None => return,
                }
            }
            while let Ok(waiting) = self.queue.try_recv() {
                self.line.join(waiting);
            }
            let batch = self.line.take();
            self.commit(batch).await;
        }
    }

    async fn commit(&self, batch: Vec<Waiting>) {
        self.waiting.fetch_sub(u32::try_from(batch.len()).unwrap_or(0), Ordering::Relaxed);
        let (tickets, replies): (Vec<Ticket>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.ticket, waiting.reply)).unzip();
        let answers = match self.run(&tickets).await {
            Ok(answers) => answers,
            Err(error) if is_away(&error) => self.commit_none(&tickets, error),
            Err(error) => {
                tracing::warn!(%error, orders = tickets.len(), "a batch failed; its orders run singly");
                self.commit_singly(&tickets).await
            }
        };
        feed::wake(&self.deps);
        count(&answers);
        for (reply, answer) in replies.into_iter().zip(answers) {
            // A caller that hung up changes nothing about what is committed.
            reply.send(answer).ok();
        }
    }

    /// Runs a batch; a panic in it is a failure like any other, so that the desk goes on.
    async fn run(&self, tickets: &[Ticket]) -> Result<Vec<Answer>, DbErr> {
        let run = AssertUnwindSafe(batch::run(&self.deps, self.writer, tickets)).catch_unwind();
        run.await.unwrap_or_else(|_| Err(DbErr::Custom("a batch panicked".to_owned())))
    }

    /// The database is away: to try each order singly would only keep all of them waiting.
    fn commit_none(&self, tickets: &[Ticket], error: DbErr) -> Vec<Answer> {
        let problem = Problem::from(error);
        tickets.iter().map(|_| Err(problem.clone().into())).collect()
    }

    async fn commit_singly(&self, tickets: &[Ticket]) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(tickets.len());
        for (place, ticket) in tickets.iter().enumerate() {
            match self.commit_one(ticket).await {
                Ok(answer) => answers.push(answer),
                Err(error) if is_away(&error) => {
                    answers.extend(self.commit_none(&tickets[place..], error));
                    break;
                }
                Err(error) => answers.push(Err(Problem::from(error).into())),
            }
        }
        answers
    }

    async fn commit_one(&self, ticket: &Ticket) -> Result<Answer, DbErr> {
        let mut tries = 1;
        loop {
            match self.run(std::slice::from_ref(ticket)).await {
                Ok(mut answers) => {
                    return Ok(answers.pop().unwrap_or_else(|| Err(Problem::internal("no answer").into())));
                }
                Err(error) if tries < MOST_TRIES && crate::store::is_repeatable(&error) => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}
