//! What follows from a fact about a purchase.
//!
//! What lives here: taking in what a vendor delivered, and moving the units of a purchase to where the fact puts them.
//! What is always true: goods are sealed before the transaction and written in it, together with the purchase's end, the units,
//! the money and the events; a code that is here already, or is of another face value, or has expired, is never delivered: its
//! unit goes on elsewhere, and what it cost is disputed; what comes when it is not wanted any more becomes stock.
//! What is not here: asking vendors (fulfillment), and who asks when (`worker.rs`).

use std::sync::Arc;

use entity::ids::TransactionId;
use entity::state::{
    AttemptOutcome, FailurePolicy, OrderFailureCode, PurchaseCallKind, PurchaseState, UnitStatus,
};
use entity::timestamp::Timestamp;
use entity::{order_units, purchases};
use sea_orm::DbErr;

use super::accounting::{self, count};
use super::goods::{Item, Parcel, unpack};
use super::news::{Decision, News, Witness};
use super::parts_store::{self, UnitStep};
use super::settle::{self, Locked, Outcome, Receipt};
use super::work::{Hand, complete, reason_of, set_aside, sourced_step};
use crate::crash::{self, Place};
use crate::ctx::Deps;
use crate::domain::fulfillment::{
    self, Fact, Live, LockedPurchase, Made, NotExecuted, RefusalKind, Retention, Sign, VendorRefusal,
    after_not_executed, known_by, next_try,
};
use crate::domain::vouchers::{Cost, keep_as_stock, take_in};
use crate::domain::{audit, feed};
use crate::problem::Problem;
use crate::store;

/// What is to be done next about a purchase.
#[derive(Debug)]
pub enum Next {
    /// Nothing: it has ended.
    Ended,
    /// It is to be sent again, as it is on record now.
    SendAgain(Box<purchases::Model>),
    /// Nothing: another worker has taken it over, or it had ended before.
    Lost,
}

/// Writes what follows from a fact.
///
/// # Errors
/// What the database says.
pub async fn conclude(
    deps: &Arc<Deps>,
    purchase: &purchases::Model,
    witness: Witness<'_>,
    fact: Fact,
) -> Result<Next, Problem> {
    let now = deps.clock.now();
    let news = match fact {
        Fact::Delivered(delivery) => {
            let retention = retention(deps, purchase, witness.decision).await?;
            News::Parcel(Box::new(unpack(deps, purchase, (now, retention), delivery).await?))
        }
        Fact::Refused(refusal) => News::Refused(refusal),
        Fact::NotExecuted => News::NotExecuted,
    };
    let message = witness.message(&news);
    let call = fulfillment::call_of(purchase, witness.kind, news.outcome(), &message);
    let call = entity::purchase_calls::Model {
        duration_micros: witness.duration_micros,
        actor: witness.actor.to_owned(),
        at: now,
        ..call
    };
    let (task, id) = (Arc::clone(deps), purchase.clone());
    let (writer, worker, kind, news) = (witness.writer, witness.worker, witness.kind, Arc::new(news));
    let decision = witness.decision.cloned();
    let next = store::write::<_, Problem, _>(deps, move |transaction| {
        let (deps, purchase, news, call) = (Arc::clone(&task), id.clone(), Arc::clone(&news), call.clone());
        let decision = decision.clone();
        Box::pin(async move {
            let hand = Hand { deps: &deps, transaction, writer, worker, now };
            let Some(order) = settle::lock(transaction, purchase.order_id).await? else {
                return Ok(Next::Lost);
            };
            let Some(locked) = fulfillment::lock(transaction, purchase.id, purchase.epoch).await? else {
                return Ok(Next::Lost);
            };
            let mut concluding = Concluding { hand, kind, locked, call, decision };
            if !concluding.is_open_to(&news) {
                return Ok(Next::Lost);
            }
            concluding.take_over().await?;
            let next = concluding.write(order, &news).await?;
            crash::pass(Place::FactWritten);
            Ok(next)
        })
    })
    .await?;
    crash::pass(Place::FactCommitted);
    feed::wake(deps);
    Ok(next)
}

/// How the codes of a purchase are kept. What a person brought is kept in any case: the vendor, which could not tell what became
/// of the purchase, may never tell its codes.
async fn retention(
    deps: &Arc<Deps>,
    purchase: &purchases::Model,
    decision: Option<&Decision>,
) -> Result<Retention, Problem> {
    match (fulfillment::retention_of(deps, purchase.vendor_id).await?, decision) {
        (Retention::PassThrough, Some(_)) => Ok(Retention::Store),
        (retention, _) => Ok(retention),
    }
}

struct Concluding<'a> {
    hand: Hand<'a>,
    kind: PurchaseCallKind,
    locked: LockedPurchase,
    call: entity::purchase_calls::Model,
    decision: Option<Decision>,
}

impl Concluding<'_> {
    /// Whether the purchase, as it stands now, can still come to this.
    fn is_open_to(&self, news: &News) -> bool {
        let state = self.locked.purchase.state;
        match self.decision {
            Some(_) => news.may_be_decided(state),
            None => state != PurchaseState::Delivered,
        }
    }

    /// What a person decides, nobody who asks just now changes afterwards.
    async fn take_over(&mut self) -> Result<(), DbErr> {
        let Some(decision) = &self.decision else { return Ok(()) };
        audit::record(self.hand.transaction, std::slice::from_ref(&decision.audited)).await?;
        self.locked.take_over(self.hand.transaction).await
    }

    async fn write(self, order: Locked, news: &News) -> Result<Next, DbErr> {
        let Hand { transaction, now, deps, writer, .. } = self.hand;
        let purchase = &self.locked.purchase;
        // What a person says tells nothing of how the vendor is.
        let sign = if self.decision.is_some() { Sign::Silent } else { news.sign() };
        fulfillment::record_fact(transaction, now, purchase, &self.call, sign).await?;
        let by = known_by(self.kind);
        let outcome = match news {
            News::Parcel(parcel) => self.deliver(&order, parcel).await?,
            // It has ended so before, and its units have gone on.
            News::Refused(_) | News::NotExecuted if purchase.ended_at.is_some() => {
                self.locked.end_watch(transaction).await?;
                Outcome::default()
            }
            News::Refused(refusal) => {
                self.locked.end_refused(transaction, now, by, refusal).await?;
                self.let_go(&order, self.open_units(), Some(refusal)).await?
            }
            News::NotExecuted => {
                if let Some(again) = self.again(&order).await? {
                    return Ok(Next::SendAgain(Box::new(again)));
                }
                self.locked.end_not_executed(transaction, now, by, &self.call.message).await?;
                self.let_go(&order, self.open_units(), None).await?
            }
        };
        if !outcome.is_empty() {
            settle::settle(deps, transaction, writer, now, order, outcome).await?;
        }
        Ok(Next::Ended)
    }

    /// The units that still wait for this purchase.
    fn open_units(&self) -> Vec<i32> {
        let open = self.locked.attempts.iter().filter(|attempt| attempt.ended_at.is_none());
        open.map(|attempt| attempt.unit_index).collect()
    }

    /// Sends it again, while its units are wanted and its vendor is bought from. What a person ended is never sent again.
    async fn again(&self, order: &Locked) -> Result<Option<purchases::Model>, DbErr> {
        if self.decision.is_some() {
            return Ok(None);
        }
        let Hand { transaction, now, deps, .. } = self.hand;
        let Some(vendor) = deps.feature::<Live>().vendor(self.locked.purchase.vendor_id) else {
            return Ok(None);
        };
        let is_wanted = !order.is_given_up(now) && vendor.is_bought_from();
        match after_not_executed(self.locked.purchase.sends, is_wanted) {
            NotExecuted::End => Ok(None),
            NotExecuted::SendAgain => {
                let window = vendor.row.settle_window_secs;
                let again = self.locked.send_again(transaction, now, window).await?;
                let open = self.open_units();
                let awaits = |unit: &&order_units::Model| open.contains(&unit.unit_index);
                let later = |unit: &order_units::Model| UnitStep {
                    order_id: unit.order_id,
                    unit_index: unit.unit_index,
                    status: unit.status,
                    tries: unit.tries,
                    next_at: unit.next_at.map(Timestamp::micros),
                    sourced_at: unit.sourced_at.map(Timestamp::micros),
                    resolves_by: Some(again.resolves_by.micros()),
                };
                let later: Vec<UnitStep> = order.open.iter().filter(awaits).map(later).collect();
                parts_store::move_units(transaction, &later).await?;
                Ok(Some(again))
            }
        }
    }

    /// Units whose purchase brought them nothing: they look on, or are refunded where nobody wants them any more.
    async fn let_go(
        &self,
        order: &Locked,
        units: Vec<i32>,
        refusal: Option<&VendorRefusal>,
    ) -> Result<Outcome, DbErr> {
        let mut outcome = Outcome { reason: "vendor", ..Outcome::default() };
        self.put_back(order, &units, refusal, &mut outcome).await?;
        Ok(outcome)
    }

    async fn put_back(
        &self,
        order: &Locked,
        units: &[i32],
        refusal: Option<&VendorRefusal>,
        outcome: &mut Outcome,
    ) -> Result<(), DbErr> {
        let now = self.hand.now;
        if units.is_empty() {
            return Ok(());
        }
        if order.is_given_up(now) {
            let failure = order.failure(now);
            outcome.refunds.extend(units);
            outcome.failure = Some(failure);
            outcome.reason = reason_of(failure);
            return Ok(());
        }
        // Whom a recipient cannot be reached by, nobody reaches it.
        if refusal.is_some_and(|refusal| refusal.kind == RefusalKind::BadRecipient) {
            outcome.refunds.extend(units);
            outcome.failure = Some(OrderFailureCode::SourcesRefused);
            outcome.reason = "refused";
            return Ok(());
        }
        let later = refusal.is_some_and(|refusal| refusal.kind.is_passing());
        for unit in order.open.iter().filter(|unit| units.contains(&unit.unit_index)) {
            let next_at = if later { next_try(now, unit.tries) } else { now };
            outcome.moved.push(UnitStep {
                order_id: order.order.id,
                unit_index: unit.unit_index,
                status: UnitStatus::Pending,
                tries: unit.tries,
                next_at: Some(next_at.micros()),
                sourced_at: None,
                resolves_by: None,
            });
        }
        Ok(())
    }

    async fn deliver(&self, order: &Locked, parcel: &Parcel) -> Result<Outcome, DbErr> {
        let sorted = self.sort(order, parcel).await?;
        let Hand { transaction, now, deps, .. } = self.hand;
        let purchase = &self.locked.purchase;
        let made = Made {
            by: known_by(self.kind),
            vendor_ref: parcel.vendor_ref.clone(),
            delivered_quantity: count(parcel.items.len()),
            cost_micros: parcel.cost_micros,
            message: self.call.message.clone(),
        };
        self.locked.end_made(transaction, now, made, &sorted.outcomes).await?;
        let mut outcome = Outcome { reason: "vendor", receipts: sorted.receipts, ..Outcome::default() };
        let id = TransactionId::from_uuid(deps.ids.uuid(now));
        let of = (purchase.id, parcel.cost_currency);
        outcome.booked = accounting::purchase(
            id,
            &order.order,
            of,
            sorted.good_micros,
            parcel.cost_micros.saturating_sub(sorted.good_micros),
        );
        if order.order.failure_policy == FailurePolicy::AllOrNothing {
            set_aside(self.hand, &order.order, &sorted.codes).await?;
            let tries = |index: i32| {
                order.open.iter().find(|unit| unit.unit_index == index).map_or(0, |unit| unit.tries)
            };
            outcome.moved.extend(
                sorted.codes.iter().map(|(unit, _)| sourced_step(&order.order, *unit, tries(*unit), now)),
            );
            complete(self.hand, order, &mut outcome).await?;
        } else {
            outcome.codes = sorted.codes;
        }
        self.put_back(order, &sorted.without, None, &mut outcome).await?;
        if !sorted.unwanted.is_empty() {
            let failure = order.failure(now);
            outcome.refunds.extend(&sorted.unwanted);
            outcome.failure = Some(failure);
            outcome.reason = reason_of(failure);
        }
        Ok(outcome)
    }

    /// Takes codes in, and says what each unit's part in the purchase came to.
    async fn sort(&self, order: &Locked, parcel: &Parcel) -> Result<Sorted, DbErr> {
        let Hand { transaction, now, writer, .. } = self.hand;
        let sealed = parcel.codes();
        let mut taken = take_in(transaction, now, writer, &sealed).await?.into_iter();
        let is_late = self.locked.purchase.ended_at.is_some();
        let is_all_or_nothing = order.order.failure_policy == FailurePolicy::AllOrNothing;
        let mut sorted = Sorted::default();
        for (place, attempt) in self.locked.attempts.iter().enumerate() {
            let unit = attempt.unit_index;
            let Some((item, cost)) = parcel.items.get(place) else {
                if !is_late {
                    sorted.outcomes.push((unit, AttemptOutcome::Refused));
                    sorted.without.push(unit);
                }
                continue;
            };
            let came = match item {
                Item::Code(_) => match taken.next().flatten() {
                    Some(code) => Came::Code(Box::new(code)),
                    None => Came::Nothing("its code is here already"),
                },
                Item::Receipt(number) => Came::Receipt(number.clone()),
                Item::Anomaly(reason) => Came::Nothing(reason),
            };
            self.place(
                unit,
                came,
                *cost,
                (is_late, is_all_or_nothing && order.is_given_up(now)),
                &mut sorted,
            );
        }
        keep_as_stock(self.hand.deps, transaction, now, &sorted.surplus).await?;
        Ok(sorted)
    }

    fn place(
        &self,
        unit: i32,
        came: Came,
        cost: Cost,
        (is_late, is_given_up): (bool, bool),
        sorted: &mut Sorted,
    ) {
        let purchase = &self.locked.purchase;
        if let Came::Nothing(reason) = &came {
            tracing::error!(purchase = %purchase.id, unit, reason, "a vendor delivered what cannot be used");
            sorted.outcomes.push((unit, AttemptOutcome::Anomaly));
            if !is_late {
                sorted.without.push(unit);
            }
            return;
        }
        if is_late || is_given_up {
            // A code becomes stock; a credit that nobody waits for any more is claimed back.
            if let Came::Code(code) = came {
                sorted.good_micros = sorted.good_micros.saturating_add(cost.micros);
                sorted.surplus.push(*code);
            } else {
                tracing::error!(purchase = %purchase.id, unit, "a vendor credited what was given up");
            }
            sorted.outcomes.push((unit, AttemptOutcome::Surplus));
            if !is_late {
                sorted.unwanted.push(unit);
            }
            return;
        }
        sorted.good_micros = sorted.good_micros.saturating_add(cost.micros);
        sorted.outcomes.push((unit, AttemptOutcome::Delivered));
        match came {
            Came::Code(code) => sorted.codes.push((unit, *code)),
            Came::Receipt(number) => {
                sorted.receipts.push(Receipt { unit_index: unit, purchase: purchase.id, number, cost });
            }
            Came::Nothing(_) => {}
        }
    }
}

/// What a unit's part brought.
enum Came {
    Code(Box<entity::vouchers::Model>),
    Receipt(String),
    Nothing(&'static str),
}

/// A parcel, unit by unit.
#[derive(Default)]
struct Sorted {
    outcomes: Vec<(i32, AttemptOutcome)>,
    codes: Vec<(i32, entity::vouchers::Model)>,
    receipts: Vec<Receipt>,
    /// Codes that become stock.
    surplus: Vec<entity::vouchers::Model>,
    /// Units that got nothing, and look on.
    without: Vec<i32>,
    /// Units that are not wanted any more.
    unwanted: Vec<i32>,
    /// What can be used of the parcel did cost, at scale 6.
    good_micros: i64,
}
