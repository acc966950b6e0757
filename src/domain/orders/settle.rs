//! Settling open units.
//!
//! What lives here: what the worker and a cancelling partner share: delivering codes to held units, refunding held units, and
//! bringing the order to where its units stand.
//! What is always true: the order's row is locked first, then codes, then the wallet, then the feed's heads: the order in which
//! desks lock too; everything commits together; a unit ends once.
//! What is not here: why a unit is delivered or refunded.

use std::collections::BTreeMap;

use entity::ids::{EventId, OrderId, StockWriterId, TransactionId};
use entity::state::{OrderFailureCode, OrderStatus, SettlementOutcome, StockMoveKind};
use entity::timestamp::Timestamp;
use entity::{order_units, orders, vouchers};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder};

use super::accounting::{self, count};
use super::model::{Tally, is_terminal, status_of};
use super::parts_store::{self, TransitionRow, UnitSettlement};
use super::store;
use super::telling;
use crate::ctx::Deps;
use crate::domain::events::{self, NewEvent};
use crate::domain::vouchers::{Handover, StockMove, deliver, record_moves};
use crate::domain::wallet::{self, NewTransaction};
use crate::store::{Transaction, statement};

/// An order whose row this transaction has locked, with its open units.
pub struct Locked {
    /// The order.
    pub order: orders::Model,
    /// The indices of its open units, in order.
    pub open: Vec<i32>,
}

/// What becomes of a locked order's open units: the first get the codes, then so many are refunded.
pub struct Outcome {
    /// Codes to deliver.
    pub codes: Vec<vouchers::Model>,
    /// How many of the units that remain to refund.
    pub refunds: usize,
    /// Why units are refunded.
    pub failure: Option<OrderFailureCode>,
    /// Why the order's state changes, for its history.
    pub reason: &'static str,
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
        .filter(order_units::Column::Status.eq(entity::state::UnitStatus::Pending))
        .order_by_asc(order_units::Column::UnitIndex)
        .all(transaction)
        .await?;
    Ok(Some(Locked { order, open: open.into_iter().map(|unit| unit.unit_index).collect() }))
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
        let delivered: Vec<i32> = locked.open.iter().copied().take(outcome.codes.len()).collect();
        let refunded: Vec<i32> =
            locked.open.iter().copied().skip(outcome.codes.len()).take(outcome.refunds).collect();
        let mut order = locked.order;
        self.advance(&mut order, &delivered, &refunded, &outcome);
        let entries = self.entries(&order, &outcome.codes, &refunded);
        store::update(self.transaction, &[&order]).await?;
        let steps = self.steps(&order, before, outcome.reason);
        let beside = vec![parts_store::transitions(&steps)?];
        self.hand_over(&order, &delivered, &outcome.codes).await?;
        let mut wallets = wallet::lock(self.transaction, &[order.wallet_id]).await?;
        let changes = wallet::post(self.transaction, self.now, &mut wallets, &entries, beside).await?;
        let settlements = settlements(&order, &entries, &delivered, &refunded);
        parts_store::settle_units(self.transaction, self.now, &settlements).await?;
        let mut told = self.told(&order, before, &steps, &refunded);
        told.extend(telling::of_wallets(|| self.event_id(), &changes));
        events::record(self.transaction, self.now, told).await?;
        Ok(order)
    }

    fn event_id(&self) -> EventId {
        EventId::from_uuid(self.deps.ids.uuid(self.now))
    }

    fn advance(&self, order: &mut orders::Model, delivered: &[i32], refunded: &[i32], outcome: &Outcome) {
        order.delivered_quantity += count(delivered.len());
        order.refunded_quantity += count(refunded.len());
        if !refunded.is_empty() {
            order.failure_code = outcome.failure;
        }
        let tally = Tally {
            quantity: order.quantity,
            delivered: order.delivered_quantity,
            refunded: order.refunded_quantity,
        };
        let status = status_of(tally, order.failure_code);
        if status != order.status {
            order.status = status;
            order.version += 1;
        }
        if is_terminal(status) {
            order.completed_at = Some(self.now);
        }
    }

    fn entries(
        &self,
        order: &orders::Model,
        codes: &[vouchers::Model],
        refunded: &[i32],
    ) -> Vec<NewTransaction> {
        let id = || TransactionId::from_uuid(self.deps.ids.uuid(self.now));
        let capture = (!codes.is_empty()).then(|| accounting::capture(id(), order, codes));
        let release = (!refunded.is_empty()).then(|| accounting::release(id(), order, count(refunded.len())));
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

    async fn hand_over(
        &self,
        order: &orders::Model,
        units: &[i32],
        codes: &[vouchers::Model],
    ) -> Result<(), DbErr> {
        let handovers: Vec<Handover> = codes
            .iter()
            .zip(units)
            .map(|(code, unit)| Handover {
                id: code.id,
                order_id: order.id,
                unit_index: *unit,
                partner_id: order.partner_id,
            })
            .collect();
        deliver(self.transaction, self.now, &handovers).await?;
        let left = StockMove {
            product_id: order.product_id.clone(),
            face_minor: order.face_minor,
            kind: StockMoveKind::Allocated,
            delta: -count(codes.len()),
        };
        let moves: Vec<StockMove> = (!codes.is_empty()).then_some(left).into_iter().collect();
        record_moves(self.transaction, self.now, self.writer, &moves).await
    }

    /// The refund first: it happens in the state that the step leaves, and the step of a terminal state is an order's last event.
    fn told(
        &self,
        order: &orders::Model,
        before: OrderStatus,
        steps: &[TransitionRow],
        refunded: &[i32],
    ) -> Vec<NewEvent> {
        let progress = |kind| telling::of_progress(self.event_id(), order, before, kind);
        let mut told = Vec::new();
        if !refunded.is_empty() {
            told.push(progress("order.unit_refunded"));
        }
        match steps.first() {
            Some(step) => told.push(telling::of_step(self.event_id(), order, step)),
            None if refunded.is_empty() => told.push(progress("order.progressed")),
            None => {}
        }
        told
    }
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
