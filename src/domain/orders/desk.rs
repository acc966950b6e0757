//! The desks: the one place that commits orders.
//!
//! What lives here: the queue in front of each desk, and the loop that takes what waits and commits it together.
//! What is always true: a partner has one desk, so that its orders do not wait for each other's locks; a desk starts the next
//! batch as soon as the last has committed, without a timer; a batch that fails is run order by order, so that a poison order
//! harms nobody else; more than the queue holds are told to come back.
//! What is not here: who is next (`line.rs`), what a batch does (`batch.rs`).

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entity::ids::{PartnerId, StockWriterId};
use futures_util::FutureExt;
use sea_orm::{DbBackend, DbErr};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::batch;
use super::line::{Line, Room, Standing};
use super::model::is_terminal;
use super::place::Placed;
use super::refusal::OrderRefusal;
use super::ticket::Ticket;
use super::worker::Bell;
use crate::ctx::Deps;
use crate::domain::feed;
use crate::problem::{Failure, Problem, Refusal};

/// How often an order that runs alone is tried.
const MOST_TRIES: u32 = 3;
/// How long the orders of a failed batch are tried one by one before the others are told to come back: each may wait for a lock.
const SINGLY_AT_MOST: Duration = Duration::from_secs(10);
/// When a full queue is worth another try.
const RETRY_AFTER_MS: u64 = 250;

/// What a caller waits for.
pub type Answer = Result<Placed, Failure<OrderRefusal>>;

struct Waiting {
    ticket: Ticket,
    reply: oneshot::Sender<Answer>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Waiting").finish_non_exhaustive()
    }
}

impl From<Waiting> for Standing<Waiting> {
    fn from(waiting: Waiting) -> Self {
        let ticket = &waiting.ticket;
        Self { reference: ticket.reference(), charge: ticket.charge(), units: ticket.units(), what: waiting }
    }
}

/// The way to a desk: its queue, and how many wait in it.
#[derive(Debug)]
struct Door {
    queue: mpsc::UnboundedSender<Waiting>,
    room: Arc<Mutex<Room>>,
}

/// The desks and the doors to them: the feature's state.
#[derive(Debug)]
pub struct Desks {
    doors: Vec<Door>,
    /// The other ends of the queues, until the desks are started.
    queues: Mutex<Vec<mpsc::UnboundedReceiver<Waiting>>>,
    /// How many orders may wait for each desk.
    size: u32,
}

impl Desks {
    /// The desks of an engine: two on PostgreSQL, one on SQLite, which has one writer. `size` is how many orders may wait for
    /// each.
    pub fn new(backend: DbBackend, size: u32) -> Self {
        let count = if backend == DbBackend::Postgres { 2 } else { 1 };
        let (doors, queues) = (0..count)
            .map(|_| {
                let (queue, other_end) = mpsc::unbounded_channel();
                (Door { queue, room: Arc::default() }, other_end)
            })
            .unzip();
        Self { doors, queues: Mutex::new(queues), size }
    }

    /// Hands a ticket to its partner's desk and waits for the answer. The desk goes on when the caller hangs up.
    ///
    /// # Errors
    /// The refusal; RATE_LIMITED when the queue is full; SERVICE_UNAVAILABLE when the process ends.
    pub async fn take(&self, ticket: Ticket) -> Answer {
        let partner = ticket.actor.partner;
        let door = self.door_of(partner);
        if !lock(&door.room).enter(partner, self.size) {
            return Err(Problem::rate_limited(RETRY_AFTER_MS).into());
        }
        let gone = || Failure::Problem(Problem::unavailable("the desks are closed"));
        let (reply, answer) = oneshot::channel();
        if door.queue.send(Waiting { ticket, reply }).is_err() {
            lock(&door.room).leave(partner);
            return Err(gone());
        }
        answer.await.map_err(|_| gone())?
    }

    /// Whether every desk is at work: one that has ended has left its door closed.
    pub fn are_open(&self) -> bool {
        self.doors.iter().all(|door| !door.queue.is_closed())
    }

    fn door_of(&self, partner: PartnerId) -> &Door {
        let doors = u128::try_from(self.doors.len()).unwrap_or(1);
        let index = partner.uuid().as_u128().checked_rem(doors).and_then(|index| usize::try_from(index).ok());
        &self.doors[index.unwrap_or(0)]
    }
}

fn lock(room: &Mutex<Room>) -> std::sync::MutexGuard<'_, Room> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The work of the desks, one future each; nothing the second time.
pub fn work(deps: &Arc<Deps>) -> Vec<impl Future<Output = ()> + Send + 'static> {
    let desks = deps.feature::<Desks>();
    let queues = std::mem::take(&mut *desks.queues.lock().unwrap_or_else(PoisonError::into_inner));
    let desk = |(door, queue): (&Door, mpsc::UnboundedReceiver<Waiting>)| Desk {
        deps: Arc::clone(deps),
        writer: StockWriterId::from_uuid(deps.ids.uuid(deps.clock.now())),
        queue,
        room: Arc::clone(&door.room),
        line: Line::default(),
    };
    desks.doors.iter().zip(queues).map(|pair| desk(pair).work()).collect()
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

/// One answer for all: come back later.
fn put_off<'a>(tickets: &'a [Ticket], problem: &'a Problem) -> impl Iterator<Item = Answer> + 'a {
    tickets.iter().map(|_| Err(problem.clone().into()))
}

struct Desk {
    deps: Arc<Deps>,
    writer: StockWriterId,
    queue: mpsc::UnboundedReceiver<Waiting>,
    room: Arc<Mutex<Room>>,
    line: Line<Waiting>,
}

impl Desk {
    async fn work(mut self) {
        loop {
            if self.line.is_empty() {
                match self.queue.recv().await {
                    Some(waiting) => self.line.join(waiting.into()),
                    None => return,
                }
            }
            while let Ok(waiting) = self.queue.try_recv() {
                self.line.join(waiting.into());
            }
            let batch = self.line.take().into_iter().map(|standing| standing.what).collect();
            self.commit(batch).await;
        }
    }

    async fn commit(&self, batch: Vec<Waiting>) {
        batch.iter().for_each(|waiting| lock(&self.room).leave(waiting.ticket.actor.partner));
        let (tickets, replies): (Vec<Ticket>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.ticket, waiting.reply)).unzip();
        let answers = match self.run(&tickets).await {
            Ok(answers) => answers,
            // To try each order singly would only keep all of them waiting.
            Err(error) if is_away(&error) => put_off(&tickets, &error.into()).collect(),
            Err(error) => {
                tracing::warn!(%error, orders = tickets.len(), "a batch failed; its orders run singly");
                self.commit_singly(&tickets).await
            }
        };
        feed::wake(&self.deps);
        if answers.iter().flatten().any(|placed| !placed.replayed && !is_terminal(placed.order.status)) {
            self.deps.feature::<Bell>().ring();
        }
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

    async fn commit_singly(&self, tickets: &[Ticket]) -> Vec<Answer> {
        let until = Instant::now() + SINGLY_AT_MOST;
        let mut answers = Vec::with_capacity(tickets.len());
        for (place, ticket) in tickets.iter().enumerate() {
            match self.commit_one(ticket).await {
                Ok(answer) => answers.push(answer),
                Err(error) if is_away(&error) => {
                    answers.extend(put_off(&tickets[place..], &error.into()));
                    break;
                }
                Err(error) => answers.push(Err(Problem::from(error).into())),
            }
            if Instant::now() >= until {
                let late = Problem::unavailable("a batch that failed took too long to be run order by order");
                answers.extend(put_off(&tickets[place + 1..], &late));
                break;
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
