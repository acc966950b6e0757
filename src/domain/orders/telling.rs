//! What events say of orders and of their wallets, pure.
//!
//! What lives here: the events of a step, of progress, and of changes of available money.
//! What is always true: one event a step; an event tells the state as of itself, so that the states of an order's events, read in
//! their order, are its history: what happens on the way to a step is told ahead of it, in the state that the step leaves; one
//! event a wallet and transaction, with its first and last entry.
//! What is not here: writing them.

use std::collections::BTreeMap;

use entity::ids::{EventId, VoucherId, WalletId};
use entity::orders;
use entity::state::OrderStatus;

use super::parts_store::TransitionRow;
use crate::domain::events::{NewEvent, OrderFacts, Subject, WalletFacts, kind_of};
use crate::domain::wallet::WalletChange;

/// The event of a step in an order's life.
pub fn of_step(id: EventId, order: &orders::Model, step: &TransitionRow) -> NewEvent {
    let first = step.to_status == OrderStatus::Pending;
    let facts = OrderFacts {
        reference: order.reference.clone(),
        status: step.to_status,
        previous_status: step.from_status,
        delivered_quantity: if first { 0 } else { order.delivered_quantity },
        refunded_quantity: if first { 0 } else { order.refunded_quantity },
        quantity: order.quantity,
        voucher_id: None,
    };
    let subject = Subject::Order { id: order.id, version: Some(step.version), facts };
    NewEvent { id, partner: order.partner_id, kind: kind_of(step.to_status), subject }
}

/// The event of something that happened to an order while it was in a state, and left that as it was.
pub fn of_progress(id: EventId, order: &orders::Model, status: OrderStatus, kind: &'static str) -> NewEvent {
    while_in(id, order, kind, facts_in(order, status))
}

/// The event of a voucher that stands in the place of another one now.
pub fn of_replacement(id: EventId, order: &orders::Model, voucher: VoucherId) -> NewEvent {
    let facts = OrderFacts { voucher_id: Some(voucher), ..facts_in(order, order.status) };
    while_in(id, order, "order.voucher_replaced", facts)
}

fn facts_in(order: &orders::Model, status: OrderStatus) -> OrderFacts {
    OrderFacts {
        reference: order.reference.clone(),
        status,
        previous_status: Some(status),
        delivered_quantity: order.delivered_quantity,
        refunded_quantity: order.refunded_quantity,
        quantity: order.quantity,
        voucher_id: None,
    }
}

fn while_in(id: EventId, order: &orders::Model, kind: &'static str, facts: OrderFacts) -> NewEvent {
    let subject = Subject::Order { id: order.id, version: None, facts };
    NewEvent { id, partner: order.partner_id, kind, subject }
}

/// The events of what a transaction did to wallets' available money.
pub fn of_wallets(mut id: impl FnMut() -> EventId, changes: &[WalletChange]) -> Vec<NewEvent> {
    let mut wallets: BTreeMap<WalletId, (WalletFacts, &WalletChange)> = BTreeMap::new();
    for change in changes {
        let (facts, _) = wallets.entry(change.wallet).or_insert_with(|| {
            let facts = WalletFacts {
                currency: change.currency,
                amount_minor: 0,
                available_minor: 0,
                first_entry: change.sequence,
                last_entry: change.sequence,
            };
            (facts, change)
        });
        facts.amount_minor = facts.amount_minor.saturating_add(change.amount);
        facts.available_minor = change.available;
        facts.last_entry = change.sequence;
    }
    wallets
        .into_iter()
        .map(|(wallet, (facts, change))| NewEvent {
            id: id(),
            partner: change.partner,
            kind: if facts.amount_minor < 0 { "wallet.debited" } else { "wallet.credited" },
            subject: Subject::Wallet { id: wallet, facts },
        })
        .collect()
}
