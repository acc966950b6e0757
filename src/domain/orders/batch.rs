//! One batch: many orders, one transaction.
//!
//! What lives here: the order of the steps, and what each order of the batch is answered.
//! What is always true: every step is one statement for the whole batch; orders are admitted in the order of their arrival, each
//! only as far as stock and balance reach once all codes and wallets in question are locked, so that an order that is refused
//! takes nothing from the others and writes nothing; an order's row is written once, as it stands at the commit; events come last.
//! What is not here: who is in a batch (`desk.rs`), whom stock and balances reach (`admission.rs`), the rows of what was
//! accepted (`acceptance.rs`), what follows from an order alone (`ticket.rs`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use entity::currency::Currency;
use entity::ids::{ChargeId, PartnerId, StockWriterId, WalletId};
use entity::orders;
use entity::state::DeliveryKind;
use entity::timestamp::Timestamp;
use sea_orm::DbErr;

use super::acceptance::{Acceptance, Accepted, settle};
use super::admission::{Admission, Balances, Patience, Stock, admit, give_back};
use super::desk::Answer;
use super::model::Terms;
use super::refusal::OrderRefusal;
use super::sold::{cost_in_base, sold};
use super::store::{self, Reference};
use super::ticket::Ticket;
use super::verdict::Verdict;
use crate::crash::{self, Place};
use crate::ctx::Deps;
use crate::domain::wallet::{self, LockedWallet};
use crate::domain::{fulfillment, identity, pricing};
use crate::problem::{Failure, Problem};
use crate::store::{Transaction, begin};

/// How often an order is inserted again when what it collided with has gone.
const MOST_INSERTIONS: u32 = 3;

/// Runs a batch and tells the answer of each ticket, in their order.
///
/// # Errors
/// What the database says; then nothing was committed, or the commit's outcome is unknown.
pub async fn run(deps: &Arc<Deps>, writer: StockWriterId, tickets: &[Ticket]) -> Result<Vec<Answer>, DbErr> {
    if let Some(answers) = attempt(deps, writer, tickets, Patience::PassOver).await? {
        return Ok(answers);
    }
    // Short of codes that others have locked: before it waits for them, the batch lets go of its own.
    let answers = attempt(deps, writer, tickets, Patience::Wait).await?;
    answers.ok_or_else(|| DbErr::Custom("a batch that waits for codes gave up".to_owned()))
}

/// Runs a batch once; `None` if it gave up for want of codes that others have locked.
async fn attempt(
    deps: &Arc<Deps>,
    writer: StockWriterId,
    tickets: &[Ticket],
    patience: Patience,
) -> Result<Option<Vec<Answer>>, DbErr> {
    let transaction = begin(&deps.database).await?;
    let mut batch = Batch {
        deps,
        transaction: &transaction,
        now: deps.clock.now(),
        tickets,
        answers: tickets.iter().map(|_| None).collect(),
    };
    let outcome = batch.work(writer, patience).await;
    let answers = batch.answers;
    match outcome {
        Ok(Worked::Done) => {
            crash::pass(Place::OrdersWritten);
            transaction.commit().await?;
            crash::pass(Place::OrdersCommitted);
            Ok(Some(answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()))
        }
        Ok(Worked::GaveUp) => {
            transaction.rollback().await?;
            Ok(None)
        }
        Err(error) => {
            transaction.rollback().await.ok();
            Err(error)
        }
    }
}

/// How the work on a batch ended.
enum Worked {
    Done,
    GaveUp,
}

fn unanswered() -> Answer {
    Err(Problem::internal("a batch left an order without an answer").into())
}

struct Batch<'a> {
    deps: &'a Arc<Deps>,
    transaction: &'a Transaction,
    now: Timestamp,
    tickets: &'a [Ticket],
    answers: Vec<Option<Answer>>,
}

/// An order of the batch that may be sold: its ticket's place, the charge that it would use, and its row so far.
struct Candidate {
    index: usize,
    charge: Option<ChargeId>,
    delivery: DeliveryKind,
    order: orders::Model,
}

/// An order that stock and balances reach for, and what it gets at once.
struct Admitted {
    candidate: Candidate,
    admission: Admission,
}

impl Admitted {
    fn give_back(self, stock: &mut Stock, balances: &mut Balances) -> Candidate {
        give_back(&self.candidate.order, self.admission.codes, stock, balances);
        self.candidate
    }
}

impl Batch<'_> {
    async fn work(&mut self, writer: StockWriterId, patience: Patience) -> Result<Worked, DbErr> {
        self.answer_known_references().await?;
        self.answer_dead_sessions().await?;
        let terms = self.terms().await?;
        if terms.is_empty() {
            return Ok(Worked::Done);
        }
        let good_until = self.now.plus_seconds(i64::from(self.deps.config.min_validity_secs));
        let Some(mut stock) = Stock::lock(self.transaction, &terms, good_until, patience).await? else {
            return Ok(Worked::GaveUp);
        };
        let owners = terms.iter().map(|(index, terms)| self.owner(*index, terms)).collect();
        let mut wallets = wallet::lock_of(self.transaction, &owners).await?;
        let candidates = self.candidates(terms, &wallets);
        let accepted = self.accept(candidates, &mut stock, &mut Balances::of(&wallets)).await?;
        let acceptance = Acceptance { deps: self.deps, transaction: self.transaction, now: self.now, writer };
        for (ticket, placed) in acceptance.write(accepted, &mut wallets).await? {
            self.answers[ticket] = Some(Ok(placed));
        }
        Ok(Worked::Done)
    }

    fn refuse(&mut self, index: usize, refusal: OrderRefusal) {
        self.answers[index] = Some(Err(Failure::Refused(refusal)));
    }

    fn unanswered(&self) -> impl Iterator<Item = (usize, &Ticket)> {
        self.tickets.iter().enumerate().filter(|(index, _)| self.answers[*index].is_none())
    }

    async fn answer_known_references(&mut self) -> Result<(), DbErr> {
        let wanted: Vec<Reference> = self.unanswered().map(|(_, ticket)| ticket.reference()).collect();
        let known = store::find_by_references(self.transaction, &wanted).await?;
        for (index, ticket) in self.tickets.iter().enumerate() {
            if let (None, Some(order)) = (&self.answers[index], known.get(&ticket.reference())) {
                self.answers[index] = Some(ticket.answer_of(order));
            }
        }
        Ok(())
    }

    /// A session that has ended is told so whatever the order says, even where one exists.
    async fn answer_dead_sessions(&mut self) -> Result<(), DbErr> {
        let sessions: Vec<_> = self.tickets.iter().map(|ticket| ticket.actor.session).collect();
        let dead = identity::dead_sessions(self.transaction, self.now, &sessions).await?;
        for (index, ticket) in self.tickets.iter().enumerate() {
            if dead.contains(&ticket.actor.session) {
                self.answers[index] = Some(Err(Problem::unauthenticated().into()));
            }
        }
        Ok(())
    }

    /// The terms of each order that is still to be answered; those that are refused are answered here.
    async fn terms(&mut self) -> Result<Vec<(usize, Terms)>, DbErr> {
        let charges = self.find_charges().await?;
        let (mut terms, mut refused) = (Vec::new(), Vec::new());
        for (index, ticket) in self.unanswered() {
            let decided = match &ticket.verdict {
                Verdict::Sell(terms) => Ok(terms.as_ref().clone()),
                Verdict::Refuse(refusal) => Err(refusal.clone()),
                Verdict::OnCharge(id, _) => {
                    ticket.terms_on(charges.get(&(ticket.actor.partner, *id)), self.now)
                }
            };
            match decided {
                Ok(decided) => terms.push((index, decided)),
                Err(refusal) => refused.push((index, refusal)),
            }
        }
        self.keep_fresh_charges(&refused).await?;
        refused.into_iter().for_each(|(index, refusal)| self.refuse(index, refusal));
        Ok(terms)
    }

    async fn find_charges(&self) -> Result<HashMap<(PartnerId, ChargeId), entity::charges::Model>, DbErr> {
        let mut found = HashMap::new();
        let mut wanted: BTreeMap<PartnerId, Vec<ChargeId>> = BTreeMap::new();
        for (_, ticket) in self.unanswered() {
            if let Verdict::OnCharge(charge, _) = &ticket.verdict {
                wanted.entry(ticket.actor.partner).or_default().push(*charge);
            }
        }
        for (partner, charges) in wanted {
            let charges = pricing::find_charges(self.transaction, partner, &charges).await?;
            found.extend(charges.into_iter().map(|charge| ((partner, charge.id), charge)));
        }
        Ok(found)
    }

    /// A price that has changed is bound for the caller to accept.
    async fn keep_fresh_charges(&self, refused: &[(usize, OrderRefusal)]) -> Result<(), DbErr> {
        let fresh: Vec<entity::charges::Model> = refused
            .iter()
            .filter_map(|(_, refusal)| match refusal {
                OrderRefusal::PriceChanged { charge } => Some(charge.as_ref().clone()),
                _ => None,
            })
            .collect();
        if fresh.is_empty() { Ok(()) } else { pricing::insert_charges(self.transaction, &fresh).await }
    }

    fn owner(&self, index: usize, terms: &Terms) -> (PartnerId, Currency) {
        (self.tickets[index].actor.partner, terms.currency)
    }

    fn candidates(
        &mut self,
        terms: Vec<(usize, Terms)>,
        wallets: &BTreeMap<WalletId, LockedWallet>,
    ) -> Vec<Candidate> {
        let of_owner: HashMap<(PartnerId, Currency), WalletId> =
            wallets.values().map(|wallet| ((wallet.partner_id, wallet.currency), wallet.id)).collect();
        let mut candidates = Vec::with_capacity(terms.len());
        for (index, terms) in terms {
            match (of_owner.get(&self.owner(index, &terms)), terms.total()) {
                (Some(wallet), Some(total)) => {
                    let order = self.tickets[index].order(&terms, *wallet, total.minor, self.now);
                    let delivery = terms.product.delivery;
                    candidates.push(Candidate { index, charge: terms.charge, delivery, order });
                }
                _ => self.refuse(index, OrderRefusal::NoWallet { currency: terms.currency }),
            }
        }
        candidates
    }

    /// Admits in the order of arrival what stock and balances reach for, and inserts it in the state that it ends in. What
    /// collides with another order gives back what it took; it is answered with what it collided with, or tried again where
    /// that has gone, as are those that were refused while it held what they asked for.
    ///
    /// Nobody is refused before references and charges are looked up again: while this batch waited for codes and wallets,
    /// another process may have committed the very order, and with it taken what is now short.
    async fn accept(
        &mut self,
        mut waiting: Vec<Candidate>,
        stock: &mut Stock,
        balances: &mut Balances,
    ) -> Result<Vec<Accepted>, DbErr> {
        let mut accepted = Vec::with_capacity(waiting.len());
        for _ in 0..MOST_INSERTIONS {
            let (admitted, refused) = self.admit(waiting, stock, balances);
            let (inserted, collided) = insert(self.transaction, admitted).await?;
            accepted.extend(inserted.into_iter().map(|one| self.accepted(one)));
            if !(collided.is_empty() && refused.is_empty()) {
                let left_out = collided.iter().map(|one| &one.candidate);
                self.answer_what_exists(left_out.chain(refused.iter().map(|(candidate, _)| candidate)))
                    .await?;
            }
            let are_final = collided.is_empty();
            // The first that collided gets its codes back last, and so is the first to have them again.
            waiting = collided.into_iter().rev().map(|one| one.give_back(stock, balances)).collect();
            for (candidate, refusal) in refused {
                if self.answers[candidate.index].is_none() && are_final {
                    self.refuse(candidate.index, refusal);
                }
                waiting.push(candidate);
            }
            waiting.retain(|candidate| self.answers[candidate.index].is_none());
            waiting.sort_by_key(|candidate| candidate.index);
            if waiting.is_empty() {
                accepted.sort_by_key(|one| one.ticket);
                return Ok(accepted);
            }
        }
        Err(DbErr::Custom("orders kept colliding".to_owned()))
    }

    async fn answer_what_exists(
        &mut self,
        candidates: impl Iterator<Item = &Candidate> + Clone,
    ) -> Result<(), DbErr> {
        self.answer_known_references().await?;
        let charges: Vec<ChargeId> = candidates.clone().filter_map(|candidate| candidate.charge).collect();
        let used = store::find_used_charges(self.transaction, &charges).await?;
        for candidate in candidates {
            let is_used = candidate.charge.is_some_and(|charge| used.contains(&charge));
            if is_used && self.answers[candidate.index].is_none() {
                self.refuse(candidate.index, OrderRefusal::ChargeUsed);
            }
        }
        Ok(())
    }

    fn admit(
        &self,
        candidates: Vec<Candidate>,
        stock: &mut Stock,
        balances: &mut Balances,
    ) -> (Vec<Admitted>, Vec<(Candidate, OrderRefusal)>) {
        let deadline = self.now.plus_seconds(i64::from(self.deps.config.unit_deadline_secs));
        let (mut admitted, mut refused) = (Vec::with_capacity(candidates.len()), Vec::new());
        for mut candidate in candidates {
            let cover = |missing| self.cover(&candidate, missing);
            match admit(&candidate.order, cover, stock, balances) {
                Ok(admission) => {
                    settle(&mut candidate.order, admission.codes.len(), self.now, deadline);
                    admitted.push(Admitted { candidate, admission });
                }
                Err(refusal) => refused.push((candidate, refusal)),
            }
        }
        (admitted, refused)
    }

    /// How many units vendors could deliver of so many.
    fn cover(&self, candidate: &Candidate, missing: i32) -> i32 {
        let ctx = &self.tickets[candidate.index].ctx;
        let sold = sold(ctx, &candidate.order, candidate.delivery);
        let to_base = |cost| cost_in_base(ctx, cost, candidate.order.currency);
        fulfillment::cover(self.deps, sold, &to_base, missing)
    }

    fn accepted(
        &self,
        Admitted { candidate: Candidate { index, order, .. }, admission }: Admitted,
    ) -> Accepted {
        let reveal = self.tickets[index].reveal.clone();
        let next_at = (admission.covered > 0).then_some(self.now);
        Accepted { ticket: index, order, codes: admission.codes, next_at, reveal }
    }
}

/// Inserts what was admitted; tells which went in, and which collided with an order that has its reference or its charge.
async fn insert(
    transaction: &Transaction,
    admitted: Vec<Admitted>,
) -> Result<(Vec<Admitted>, Vec<Admitted>), DbErr> {
    let rows: Vec<&orders::Model> = admitted.iter().map(|one| &one.candidate.order).collect();
    let inserted = store::insert(transaction, &rows).await?;
    Ok(admitted.into_iter().partition(|one| inserted.contains(&one.candidate.order.id)))
}
