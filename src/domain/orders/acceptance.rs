//! The rows of accepted orders.
//!
//! What lives here: units, codes, money, audit, stock moves and events of the orders that a batch accepted.
//! What is always true: what is had at once is delivered and paid to revenue; what is open is held; everything of an order
//! commits with it.
//! What is not here: who was accepted (`batch.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use entity::ids::{EventId, StockWriterId, TransactionId, WalletId};
use entity::state::{OrderStatus, StockMoveKind, UnitFunding, UnitStatus};
use entity::timestamp::Timestamp;
use entity::{orders, vouchers};
use sea_orm::DbErr;

use super::accounting::{self, count};
use super::model::{Tally, Work, status_of};
use super::parts_store::{self, TransitionRow, UnitRow};
use super::place::Placed;
use super::telling;
use crate::ctx::Deps;
use crate::domain::vouchers::{Handover, StockMove, deliver, record_moves};
use crate::domain::wallet::{self, LockedWallet, NewTransaction};
use crate::domain::{audit, events};
use crate::store::Transaction;

/// An order that stock and balance reach for.
pub struct Accepted {
    /// Its ticket's place in the batch.
    pub ticket: usize,
    /// Its row as it was inserted.
    pub order: orders::Model,
    /// The codes that go to it at once.
    pub codes: Vec<vouchers::Model>,
    /// From when on vendors are looked for, for the other units; `None` if none sells them.
    pub next_at: Option<Timestamp>,
    /// The audit row of the codes' reading, if the answer is to carry them.
    pub reveal: Option<audit::Entry>,
}

/// Writes what a batch accepted.
pub struct Acceptance<'a> {
    /// The process.
    pub deps: &'a Arc<Deps>,
    /// The batch's transaction.
    pub transaction: &'a Transaction,
    /// The batch's present.
    pub now: Timestamp,
    /// Who tells the moves of stock.
    pub writer: StockWriterId,
}

impl Acceptance<'_> {
    /// Writes everything of the accepted orders, events last, and tells the answers by the tickets' places.
    ///
    /// # Errors
    /// What the database says.
    pub async fn write(
        &self,
        accepted: Vec<Accepted>,
        wallets: &mut BTreeMap<WalletId, LockedWallet>,
    ) -> Result<Vec<(usize, Placed)>, DbErr> {
        let reveals: Vec<audit::Entry> = accepted.iter().filter_map(|one| one.reveal.clone()).collect();
        let beside = vec![
            parts_store::units(&accepted.iter().flat_map(|one| self.units(one)).collect::<Vec<_>>()),
            parts_store::transitions(&accepted.iter().flat_map(steps).collect::<Vec<_>>())?,
            audit::rows(&reveals),
        ];
        let entries: Vec<NewTransaction> = accepted.iter().flat_map(|one| self.entries(one)).collect();
        let changes = wallet::post(self.transaction, self.now, wallets, &entries, beside).await?;
        deliver(self.transaction, self.now, &accepted.iter().flat_map(handovers).collect::<Vec<_>>()).await?;
        record_moves(self.transaction, self.now, self.writer, &moves(&accepted)).await?;
        let mut told: Vec<events::NewEvent> = Vec::new();
        for one in &accepted {
            told.extend(steps(one).map(|step| telling::of_step(self.event_id(), &one.order, &step)));
        }
        told.extend(telling::of_wallets(|| self.event_id(), &changes));
        events::record(self.transaction, self.now, told).await?;
        Ok(accepted.into_iter().map(answer).collect())
    }

    fn event_id(&self) -> EventId {
        EventId::from_uuid(self.deps.ids.uuid(self.now))
    }

    fn transaction_id(&self) -> TransactionId {
        TransactionId::from_uuid(self.deps.ids.uuid(self.now))
    }

    fn units(&self, one: &Accepted) -> impl Iterator<Item = UnitRow> {
        let (order_id, partner_id) = (one.order.id, one.order.partner_id);
        let (price_minor, delivered, next_at, now) =
            (one.order.unit_price_minor, one.order.delivered_quantity, one.next_at, self.now);
        (1..=one.order.quantity).map(move |unit_index| {
            let is_delivered = unit_index <= delivered;
            let next_at = next_at.filter(|_| !is_delivered);
            UnitRow {
                order_id,
                unit_index,
                partner_id,
                status: if is_delivered { UnitStatus::Delivered } else { UnitStatus::Pending },
                funding: if is_delivered { UnitFunding::Sale } else { UnitFunding::Hold },
                price_minor,
                tries: 0,
                next_at: next_at.map(Timestamp::micros),
                sourced_at: None,
                delivered_at: is_delivered.then(|| now.micros()),
            }
        })
    }

    fn entries(&self, one: &Accepted) -> Vec<NewTransaction> {
        let open = one.order.quantity - one.order.delivered_quantity;
        let sale =
            (!one.codes.is_empty()).then(|| accounting::sale(self.transaction_id(), &one.order, &one.codes));
        let hold = (open > 0).then(|| accounting::hold(self.transaction_id(), &one.order, open));
        sale.into_iter().chain(hold).collect()
    }
}

/// Brings an order's row to where its units will stand, so many of them delivered at once.
pub fn settle(order: &mut orders::Model, delivered: usize, now: Timestamp, deadline: Timestamp) {
    order.delivered_quantity = count(delivered);
    let tally = Tally { quantity: order.quantity, delivered: order.delivered_quantity, refunded: 0 };
    let is_open = tally.open() > 0;
    order.status = status_of(tally, Work::IsAhead, None);
    order.version = if order.status == OrderStatus::Pending { 1 } else { 2 };
    order.deadline_at = is_open.then_some(deadline);
    order.completed_at = (!is_open).then_some(now);
}

/// The states that an accepted order has been in: PENDING first, then where it stands.
fn steps(one: &Accepted) -> impl Iterator<Item = TransitionRow> {
    let order = &one.order;
    let step = |version, from_status, to_status, reason| TransitionRow {
        order_id: order.id,
        version,
        from_status,
        to_status,
        reason,
        at: order.created_at.micros(),
    };
    let accepted = step(1, None, OrderStatus::Pending, "accepted");
    let went_on = order.version > 1;
    let stocked = went_on.then(|| step(2, Some(OrderStatus::Pending), order.status, "stock"));
    std::iter::once(accepted).chain(stocked)
}

fn handovers(one: &Accepted) -> impl Iterator<Item = Handover> {
    let (order_id, partner_id) = (one.order.id, one.order.partner_id);
    one.codes.iter().zip(1_i32..).map(move |(code, unit_index)| Handover {
        id: code.id,
        order_id,
        unit_index,
        partner_id,
    })
}

fn moves(accepted: &[Accepted]) -> Vec<StockMove> {
    let mut left: BTreeMap<(&str, i64), i32> = BTreeMap::new();
    for one in accepted.iter().filter(|one| !one.codes.is_empty()) {
        *left.entry((&one.order.product_id, one.order.face_minor)).or_default() += count(one.codes.len());
    }
    left.into_iter()
        .map(|((product_id, face_minor), units)| StockMove {
            product_id: product_id.to_owned(),
            face_minor,
            kind: StockMoveKind::Allocated,
            delta: -units,
        })
        .collect()
}

fn answer(one: Accepted) -> (usize, Placed) {
    let codes = one.reveal.is_some().then(|| {
        let (order_id, partner_id, at) = (one.order.id, one.order.partner_id, one.order.created_at);
        let hand_over = |(code, unit_index): (vouchers::Model, i32)| vouchers::Model {
            state: entity::state::VoucherState::Delivered,
            order_id: Some(order_id),
            unit_index: Some(unit_index),
            partner_id: Some(partner_id),
            delivered_at: Some(at),
            ..code
        };
        Arc::new(one.codes.into_iter().zip(1_i32..).map(hand_over).collect())
    });
    (one.ticket, Placed { order: Arc::new(one.order), codes, replayed: false })
}
