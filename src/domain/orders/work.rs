//! Work on one open order.
//!
//! What lives here: what a worker does with an order that it has leased: codes from stock, purchases for what stock does not
//! have, refunds of what is not wanted any more.
//! What is always true: purchases go on record here and are sent only when that is committed; units with an open purchase are
//! left alone; an order that delivers all or nothing delivers when it has all.
//! What is not here: finding and leasing orders (`jobs.rs`); what follows from a vendor's answer (`conclude.rs`).

use std::sync::Arc;

use entity::ids::{StockWriterId, WorkerId};
use entity::state::{DeliveryKind, FailurePolicy, OrderFailureCode, UnitStatus};
use entity::timestamp::Timestamp;
use entity::{order_units, orders, purchases, vouchers};
use sea_orm::DbErr;

use super::parts_store::UnitStep;
use super::settle::{self, Locked, Outcome, handovers};
use super::snapshot::OrderedProduct;
use super::sold::{cost_in_base, sold};
use super::turns::Busy;
use crate::ctx::{Ctx, Deps};
use crate::domain::fulfillment::{Cost, Prospect, Sourced, Sourcing, WantedUnit};
use crate::domain::vouchers::{Demand, find_reserved, lock_free, reserve};
use crate::store::Transaction;

/// After how many seconds units look again for a vendor that fails.
const AFTER_FAILURE_SECS: i64 = 5;

/// Who works on an order.
#[derive(Clone, Copy)]
pub struct Hand<'a> {
    /// The process.
    pub deps: &'a Arc<Deps>,
    /// The transaction.
    pub transaction: &'a Transaction,
    /// Who tells the moves of stock.
    pub writer: StockWriterId,
    /// The worker, which sends what goes on record.
    pub worker: WorkerId,
    /// The present.
    pub now: Timestamp,
}

/// What was done for an order.
#[derive(Debug, Default)]
pub struct Done {
    /// Purchases on record, to be sent.
    pub purchases: Vec<purchases::Model>,
    /// Whether anything was written.
    pub something: bool,
    /// The vendors that were busy, if units wait for one.
    pub busy: Busy,
}

impl Hand<'_> {
    /// Works on an order whose row this transaction has locked.
    ///
    /// # Errors
    /// What the database says.
    pub async fn work_on(self, locked: Locked) -> Result<Done, DbErr> {
        let mut done = Done::default();
        let outcome = if locked.is_given_up(self.now) {
            self.give_up(&locked).await?
        } else {
            self.find_sources(&locked, &mut done).await?
        };
        done.something = !outcome.is_empty();
        if done.something {
            settle::settle(self.deps, self.transaction, self.writer, self.now, locked, outcome).await?;
        }
        Ok(done)
    }

    /// Refunds what can be refunded; what is set aside goes back to stock.
    async fn give_up(self, locked: &Locked) -> Result<Outcome, DbErr> {
        let failure = locked.failure(self.now);
        Ok(Outcome {
            refunds: locked.pending().map(|unit| unit.unit_index).collect(),
            returned: self.set_aside(&locked.order).await?,
            failure: Some(failure),
            reason: reason_of(failure),
            ..Outcome::default()
        })
    }

    async fn set_aside(self, order: &orders::Model) -> Result<Vec<vouchers::Model>, DbErr> {
        match order.failure_policy {
            FailurePolicy::AllOrNothing => find_reserved(self.transaction, order.id).await,
            FailurePolicy::BestEffort => Ok(Vec::new()),
        }
    }

    async fn find_sources(self, locked: &Locked, done: &mut Done) -> Result<Outcome, DbErr> {
        let order = &locked.order;
        let delivery = OrderedProduct::from_json(&order.product_snapshot)
            .map_err(|error| DbErr::Custom(format!("{} has no product: {error}", order.id)))?
            .delivery;
        let waiting: Vec<&order_units::Model> =
            locked.pending().filter(|unit| unit.sourced_at.is_none()).collect();
        let codes = self.codes_for(order, delivery, waiting.len()).await?;
        let (supplied, unsupplied) = waiting.split_at(codes.len());
        let mut outcome = Outcome { reason: "stock", ..Outcome::default() };
        let given = supplied.iter().map(|unit| unit.unit_index).zip(codes).collect();
        self.give(order, given, &mut outcome).await?;
        let is_due = |unit: &&&order_units::Model| unit.next_at.is_some_and(|at| at <= self.now);
        let wanted: Vec<WantedUnit> = unsupplied
            .iter()
            .filter(is_due)
            .map(|unit| WantedUnit { index: unit.unit_index, tries: unit.tries })
            .collect();
        if !wanted.is_empty() {
            let sourced = self.ask_vendors(order, delivery, &wanted).await?;
            self.take(order, sourced, &mut outcome, done);
        }
        if outcome.failure == Some(OrderFailureCode::NotAllAvailable) {
            return self.give_up(locked).await;
        }
        self.complete(locked, &mut outcome).await?;
        Ok(outcome)
    }

    async fn codes_for(
        self,
        order: &orders::Model,
        delivery: DeliveryKind,
        wanted: usize,
    ) -> Result<Vec<vouchers::Model>, DbErr> {
        if delivery != DeliveryKind::Code || wanted == 0 {
            return Ok(Vec::new());
        }
        let demand = Demand {
            product_id: order.product_id.clone(),
            face_minor: order.face_minor,
            count: i32::try_from(wanted).unwrap_or(i32::MAX),
        };
        let good_until = self.now.plus_seconds(i64::from(self.deps.config.min_validity_secs));
        lock_free(self.transaction, &demand, good_until).await
    }

    /// Codes go to their units, or are set aside for them where all are wanted or none.
    async fn give(
        self,
        order: &orders::Model,
        given: Vec<(i32, vouchers::Model)>,
        outcome: &mut Outcome,
    ) -> Result<(), DbErr> {
        if order.failure_policy == FailurePolicy::BestEffort {
            outcome.codes = given;
            return Ok(());
        }
        let units: Vec<(i32, i32)> = given.iter().map(|(unit, _)| (*unit, 0)).collect();
        set_aside(self, order, &given).await?;
        outcome
            .moved
            .extend(units.into_iter().map(|(unit, tries)| sourced_step(order, unit, tries, self.now)));
        Ok(())
    }

    async fn ask_vendors(
        self,
        order: &orders::Model,
        delivery: DeliveryKind,
        wanted: &[WantedUnit],
    ) -> Result<Sourced, DbErr> {
        let ctx = Ctx::system(Arc::clone(self.deps));
        let sold_in = order.currency;
        let to_base = move |cost: Cost| cost_in_base(&ctx, cost, sold_in);
        let ctx = Ctx::system(Arc::clone(self.deps));
        let sourcing = Sourcing {
            deps: self.deps,
            transaction: self.transaction,
            worker: self.worker,
            now: self.now,
            order,
            sold: sold(&ctx, order, delivery),
            to_base: &to_base,
        };
        sourcing.source(wanted).await
    }

    fn take(self, order: &orders::Model, sourced: Sourced, outcome: &mut Outcome, done: &mut Done) {
        let step = |unit_index, status, tries, next_at: Option<Timestamp>, resolves_by: Option<Timestamp>| {
            UnitStep {
                order_id: order.id,
                unit_index,
                status,
                tries,
                next_at: next_at.map(Timestamp::micros),
                sourced_at: None,
                resolves_by: resolves_by.map(Timestamp::micros),
            }
        };
        for (unit, tries, resolves_by) in sourced.awaiting {
            outcome.moved.push(step(unit, UnitStatus::AwaitingVendor, tries, None, Some(resolves_by)));
        }
        for (unit, prospect) in sourced.unsourced {
            let waits = |next_at| step(unit.index, UnitStatus::Pending, unit.tries, next_at, None);
            match prospect {
                Prospect::Busy => {}
                Prospect::Failing => {
                    outcome.moved.push(waits(Some(self.now.plus_seconds(AFTER_FAILURE_SECS))));
                }
                Prospect::Stock => outcome.moved.push(waits(None)),
                Prospect::Refused if order.failure_policy == FailurePolicy::AllOrNothing => {
                    outcome.failure = Some(OrderFailureCode::NotAllAvailable);
                }
                Prospect::Refused => {
                    outcome.refunds.push(unit.index);
                    outcome.failure = Some(OrderFailureCode::SourcesRefused);
                }
            }
        }
        if !sourced.purchases.is_empty() {
            outcome.reason = "vendor";
        } else if outcome.failure.is_some() {
            outcome.reason = "refused";
        }
        done.purchases = sourced.purchases;
        done.busy = sourced.busy;
    }

    /// Delivers everything that is set aside, if that is everything.
    async fn complete(self, locked: &Locked, outcome: &mut Outcome) -> Result<(), DbErr> {
        complete(self, locked, outcome).await
    }
}

/// Sets codes aside for units of an order that delivers all or nothing.
///
/// # Errors
/// What the database says.
pub async fn set_aside(
    hand: Hand<'_>,
    order: &orders::Model,
    given: &[(i32, vouchers::Model)],
) -> Result<(), DbErr> {
    let of = (order.product_id.as_str(), order.face_minor);
    reserve(hand.transaction, hand.now, hand.writer, of, &handovers(order, given)).await
}

/// A unit whose code is set aside.
pub fn sourced_step(order: &orders::Model, unit_index: i32, tries: i32, now: Timestamp) -> UnitStep {
    UnitStep {
        order_id: order.id,
        unit_index,
        status: UnitStatus::Pending,
        tries,
        next_at: None,
        sourced_at: Some(now.micros()),
        resolves_by: None,
    }
}

/// Delivers everything that is set aside for an order, if with what is set aside just now that is everything.
///
/// # Errors
/// What the database says.
pub async fn complete(hand: Hand<'_>, locked: &Locked, outcome: &mut Outcome) -> Result<(), DbErr> {
    let order = &locked.order;
    if order.failure_policy == FailurePolicy::BestEffort {
        return Ok(());
    }
    let before = locked.open.iter().filter(|unit| unit.sourced_at.is_some()).count();
    let now = outcome.moved.iter().filter(|unit| unit.sourced_at.is_some()).count();
    if usize::try_from(order.quantity) != Ok(before + now) {
        return Ok(());
    }
    outcome.reserved = find_reserved(hand.transaction, order.id).await?;
    Ok(())
}

/// The word in an order's history for why its units were refunded.
pub const fn reason_of(failure: OrderFailureCode) -> &'static str {
    match failure {
        OrderFailureCode::DeadlinePassed => "deadline",
        OrderFailureCode::Cancelled => "cancelled",
        OrderFailureCode::NotAllAvailable | OrderFailureCode::SourcesRefused => "refused",
    }
}
