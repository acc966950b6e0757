//! Settling open units.
//!
//! What lives here: what the worker and a cancelling partner share: delivering held units, refunding them, moving those that
//! go on waiting, and bringing the order to where its units stand.
//! What is always true: the order's row is locked first, then purchases, then codes, then the wallet, then the feed's heads: the
//! order in which desks lock too; everything commits together; a unit ends once.
//! What is not here: why a unit is delivered or refunded.

use std::collections::BTreeMap;

use entity::ids::{EventId, OrderId, PurchaseId, StockWriterId, TransactionId};
use entity::state::{
    FailurePolicy, OrderFailureCode, OrderStatus, SettlementOutcome, StockMoveKind, UnitStatus,
};
use entity::timestamp::Timestamp;
use entity::{order_units, orders, vouchers};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder};

use super::accounting::{self, count};
use super::model::{Tally, Work, is_terminal, status_of};
use super::parts_store::{self, ReceiptRow, TransitionRow, UnitSettlement, UnitStep};
use super::store;
use super::telling;
use crate::ctx::Deps;
use crate::domain::events::{self, NewEvent};
use crate::domain::vouchers::{
    Cost, Handover, StockMove, deliver, deliver_reserved, give_back, record_moves,
};
use crate::domain::wallet::{self, NewTransaction};
use crate::store::{Transaction, statement};

/// An order whose row this transaction has locked, with its open units.
pub struct Locked {
    /// The order.
    pub order: orders::Model,
    /// Its open units, by index.
    pub open: Vec<order_units::Model>,
}

impl Locked {
    /// The open units without an open purchase, by index: those that can be refunded.
    pub fn pending(&self) -> impl Iterator<Item = &order_units::Model> {
        self.open.iter().filter(|unit| unit.status == UnitStatus::Pending)
    }

    /// Whether open units are not wanted any more once nothing is on its way for them: cancelled, past the deadline, or short
    /// of one where all were asked for.
    pub fn is_given_up(&self, now: Timestamp) -> bool {
        let is_over = self.order.deadline_at.is_some_and(|deadline| deadline <= now);
        let is_short =
            self.order.failure_policy == FailurePolicy::AllOrNothing && self.order.refunded_quantity > 0;
        is_over || is_short || self.order.cancel_requested_at.is_some()
    }

    /// Why they are not.
    pub fn failure(&self, now: Timestamp) -> OrderFailureCode {
        let is_over = self.order.deadline_at.is_some_and(|deadline| deadline <= now);
        match self.order.failure_code {
            _ if self.order.cancel_requested_at.is_some() => OrderFailureCode::Cancelled,
            Some(known) => known,
            None if is_over => OrderFailureCode::DeadlinePassed,
            None => OrderFailureCode::NotAllAvailable,
        }
    }
}

/// A vendor's receipt for a unit.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The unit.
    pub unit_index: i32,
    /// The purchase.
    pub purchase: PurchaseId,
    /// The receipt's number.
    pub number: String,
    /// What it cost.
    pub cost: Cost,
}

/// What becomes of a locked order's open units.
#[derive(Default)]
pub struct Outcome {
    /// Codes in stock that go to units.
    pub codes: Vec<(i32, vouchers::Model)>,
    /// The codes that are set aside for the order, if all of them are delivered now.
    pub reserved: Vec<vouchers::Model>,
    /// Receipts of units that were delivered without a code.
    pub receipts: Vec<Receipt>,
    /// Units that are refunded.
    pub refunds: Vec<i32>,
    /// Why they are.
    pub failure: Option<OrderFailureCode>,
    /// The codes that are set aside for the order, if all of them go back to stock.
    pub returned: Vec<vouchers::Model>,
    /// Units that go on waiting, where they stand from here on.
    pub moved: Vec<UnitStep>,
    /// What a vendor delivered, for the ledger.
    pub booked: Option<NewTransaction>,
    /// Why the order's state changes, for its history.
    pub reason: &'static str,
}

impl Outcome {
    fn delivered(&self) -> Vec<i32> {
        let coded = self.codes.iter().map(|(unit, _)| *unit);
        let reserved = self.reserved.iter().filter_map(|code| code.unit_index);
        coded.chain(reserved).chain(self.receipts.iter().map(|receipt| receipt.unit_index)).collect()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.is_silent() && self.returned.is_empty() && self.moved.is_empty() && self.booked.is_none()
    }

    /// Whether nothing of the order changes that its partner could see.
    fn is_silent(&self) -> bool {
        self.codes.is_empty()
            && self.reserved.is_empty()
            && self.receipts.is_empty()
            && self.refunds.is_empty()
    }

    fn costs(&self) -> impl Iterator<Item = Cost> {
        let coded = self.codes.iter().map(|(_, code)| code).chain(&self.reserved);
        let of_codes = coded.flat_map(|code| accounting::costs_of(std::slice::from_ref(code)));
        of_codes.chain(self.receipts.iter().map(|receipt| receipt.cost))
    }
}

/// Locks an order's row and reads its open units.
///
/// # Errors
/// What the database says.
pub async fn lock(transaction: &Transaction, id: OrderId) -> Result<Option<Locked>, DbErr> {
    let backend = transaction.get_database_backend();
    let locking = if backend == DbBackend::Postgres { "FOR NO KEY UPDATE" } else { "" };
    let sql = format!("SELECT * FROM orders WHERE id = $1 {locking}");
    let select = statement(backend, sql, [id.to_string().into()]);
    let Some(order) = orders::Entity::find().from_raw_sql(select).one(transaction).await? else {
        return Ok(None);
    };
    let open = order_units::Entity::find()
        .filter(order_units::Column::OrderId.eq(id))
        .filter(order_units::Column::Status.is_in([UnitStatus::Pending, UnitStatus::AwaitingVendor]))
        .order_by_asc(order_units::Column::UnitIndex)
        .all(transaction)
        .await?;
    Ok(Some(Locked { order, open }))
}

/// Writes an outcome, events last, and tells the order as it is then.
///
/// # Errors
/// What the database says.
pub async fn settle(
    deps: &Deps,
    transaction: &Transaction,
    writer: StockWriterId,
    now: Timestamp,
    locked: Locked,
    outcome: Outcome,
) -> Result<orders::Model, DbErr> {
    let settling = Settling { deps, transaction, writer, now };
    settling.write(locked, outcome).await
}

struct Settling<'a> {
    deps: &'a Deps,
    transaction: &'a Transaction,
    writer: StockWriterId,
    now: Timestamp,
}

impl Settling<'_> {
    async fn write(&self, locked: Locked, outcome: Outcome) -> Result<orders::Model, DbErr> {
        let before = locked.order.status;
        if is_terminal(before) {
            return self.book_late(locked.order, outcome).await;
        }
        let delivered = outcome.delivered();
        let mut order = locked.order;
        self.advance(&mut order, &delivered, &outcome);
        parts_store::move_units(self.transaction, &outcome.moved).await?;
        let mut entries = self.entries(&order, &delivered, &outcome);
        let settlements = settlements(&order, &entries, &delivered, &outcome.refunds);
        entries.extend(outcome.booked.clone());
        store::update(self.transaction, &[&order]).await?;
        let steps = self.steps(&order, before, outcome.reason);
        let beside = vec![parts_store::transitions(&steps)?, self.receipts(&order, &outcome.receipts)];
        self.hand_over(&order, &outcome).await?;
        let mut wallets = match settlements.is_empty() {
            true => BTreeMap::new(),
            false => wallet::lock(self.transaction, &[order.wallet_id]).await?,
        };
        let changes = wallet::post(self.transaction, self.now, &mut wallets, &entries, beside).await?;
        parts_store::settle_units(self.transaction, self.now, &settlements).await?;
        let mut told = self.told(&order, before, &steps, &outcome);
        told.extend(telling::of_wallets(|| self.event_id(), &changes));
        events::record(self.transaction, self.now, told).await?;
        Ok(order)
    }

    /// What a vendor delivers behind an order's end is owed for, and changes nothing of the order.
    async fn book_late(&self, order: orders::Model, outcome: Outcome) -> Result<orders::Model, DbErr> {
        if !outcome.is_silent() || !outcome.moved.is_empty() || !outcome.returned.is_empty() {
            return Err(DbErr::Custom(format!("{} has ended, and its units do not move", order.id)));
        }
        let booked: Vec<NewTransaction> = outcome.booked.into_iter().collect();
        wallet::post(self.transaction, self.now, &mut BTreeMap::new(), &booked, Vec::new()).await?;
        Ok(order)
    }

    fn event_id(&self) -> EventId {
        EventId::from_uuid(self.deps.ids.uuid(self.now))
    }

    fn advance(&self, order: &mut orders::Model, delivered: &[i32], outcome: &Outcome) {
        order.delivered_quantity += count(delivered.len());
        order.refunded_quantity += count(outcome.refunds.len());
        if !outcome.refunds.is_empty() {
            order.failure_code = outcome.failure;
        }
        let tally = Tally {
            quantity: order.quantity,
            delivered: order.delivered_quantity,
            refunded: order.refunded_quantity,
        };
        let is_asked = outcome.moved.iter().any(|unit| unit.status == UnitStatus::AwaitingVendor);
        let has_begun = is_asked || order.status == OrderStatus::Processing;
        let work = if has_begun { Work::HasBegun } else { Work::IsAhead };
        let status = status_of(tally, work, order.failure_code);
        if status != order.status {
            order.status = status;
            order.version += 1;
        }
        if is_terminal(status) {
            order.completed_at = Some(self.now);
        }
    }

    fn entries(&self, order: &orders::Model, delivered: &[i32], outcome: &Outcome) -> Vec<NewTransaction> {
        let id = || TransactionId::from_uuid(self.deps.ids.uuid(self.now));
        let capture = (!delivered.is_empty())
            .then(|| accounting::capture(id(), order, count(delivered.len()), outcome.costs()));
        let release = (!outcome.refunds.is_empty())
            .then(|| accounting::release(id(), order, count(outcome.refunds.len())));
        capture.into_iter().chain(release).collect()
    }

    fn steps(&self, order: &orders::Model, before: OrderStatus, reason: &'static str) -> Vec<TransitionRow> {
        let step = TransitionRow {
            order_id: order.id,
            version: order.version,
            from_status: Some(before),
            to_status: order.status,
            reason,
            at: self.now.micros(),
        };
        (order.status != before).then_some(step).into_iter().collect()
    }

    fn receipts(&self, order: &orders::Model, receipts: &[Receipt]) -> crate::store::Rows {
        let row = |receipt: &Receipt| ReceiptRow {
            order_id: order.id,
            unit_index: receipt.unit_index,
            partner_id: order.partner_id,
            purchase_id: receipt.purchase,
            number: receipt.number.clone(),
            cost_micros: receipt.cost.micros,
            cost_currency: receipt.cost.currency,
            at: self.now.micros(),
        };
        parts_store::receipts(&receipts.iter().map(row).collect::<Vec<_>>())
    }

    async fn hand_over(&self, order: &orders::Model, outcome: &Outcome) -> Result<(), DbErr> {
        let handovers = handovers(order, &outcome.codes);
        deliver(self.transaction, self.now, &handovers).await?;
        deliver_reserved(self.deps, self.transaction, self.now, &outcome.reserved).await?;
        give_back(self.deps, self.transaction, self.now, self.writer, &outcome.returned).await?;
        let left = StockMove {
            product_id: order.product_id.clone(),
            face_minor: order.face_minor,
            kind: StockMoveKind::Allocated,
            delta: -count(outcome.codes.len()),
        };
        let moves: Vec<StockMove> = (!outcome.codes.is_empty()).then_some(left).into_iter().collect();
        record_moves(self.transaction, self.now, self.writer, &moves).await
    }

    /// The refund first: it happens in the state that the step leaves, and the step of a terminal state is an order's last event.
    fn told(
        &self,
        order: &orders::Model,
        before: OrderStatus,
        steps: &[TransitionRow],
        outcome: &Outcome,
    ) -> Vec<NewEvent> {
        let progress = |kind| telling::of_progress(self.event_id(), order, before, kind);
        let mut told = Vec::new();
        if !outcome.refunds.is_empty() {
            told.push(progress("order.unit_refunded"));
        }
        match steps.first() {
            Some(step) => told.push(telling::of_step(self.event_id(), order, step)),
            None if outcome.refunds.is_empty() && !outcome.is_silent() => {
                told.push(progress("order.progressed"));
            }
            None => {}
        }
        told
    }
}

/// Codes on their way to units of an order.
pub fn handovers(order: &orders::Model, given: &[(i32, vouchers::Model)]) -> Vec<Handover> {
    let handover = |(unit_index, code): &(i32, vouchers::Model)| Handover {
        id: code.id,
        order_id: order.id,
        unit_index: *unit_index,
        partner_id: order.partner_id,
    };
    given.iter().map(handover).collect()
}

fn settlements(
    order: &orders::Model,
    entries: &[NewTransaction],
    delivered: &[i32],
    refunded: &[i32],
) -> Vec<UnitSettlement> {
    use entity::state::TransactionKind::{Capture, Release};
    let by_kind: BTreeMap<_, _> = entries.iter().map(|entry| (entry.kind, entry.id)).collect();
    let settled = |units: &[i32], kind, outcome| -> Vec<UnitSettlement> {
        let settle = |transaction_id| {
            let settle_one = move |unit_index: &i32| UnitSettlement {
                order_id: order.id,
                unit_index: *unit_index,
                outcome,
                transaction_id,
            };
            units.iter().map(settle_one).collect()
        };
        by_kind.get(&kind).copied().map(settle).unwrap_or_default()
    };
    let mut all = settled(delivered, Capture, SettlementOutcome::Captured);
    all.extend(settled(refunded, Release, SettlementOutcome::Released));
    all
}
