//! What a batch may sell: the codes within its reach, and what is left of its balances.
//!
//! What lives here: locking the codes that a batch could need, and admitting one order after the other.
//! What is always true: who waits for codes holds none of that product or of a later one, so that batches never wait for each
//! other in a circle; what an order is refused for, it took nothing of.
//! What is not here: which orders there are (`batch.rs`).

use std::collections::{BTreeMap, HashMap, VecDeque};

use entity::ids::WalletId;
use entity::money::Money;
use entity::state::{DeliveryKind, FailurePolicy};
use entity::timestamp::Timestamp;
use entity::{orders, vouchers};
use sea_orm::DbErr;

use super::model::{Terms, needed_at_once};
use super::refusal::OrderRefusal;
use crate::domain::vouchers::{Demand, count_with_locked, lock_free, lock_waiting};
use crate::domain::wallet::LockedWallet;
use crate::store::Transaction;

/// What a batch does about codes that another transaction has locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Passes them over, and gives up when they would have been needed.
    PassOver,
    /// Waits for them.
    Wait,
}

/// Codes that this batch has locked, by product and face value, the first to go first.
#[derive(Debug, Default)]
pub struct Stock(HashMap<(String, i64), VecDeque<vouchers::Model>>);

impl Stock {
    /// Locks the codes that orders on these terms could need, in the order of the products; `None` if others have locked some of
    /// them and the batch does not wait: it has to let go of everything before it does.
    ///
    /// # Errors
    /// What the database says.
    pub async fn lock(
        transaction: &Transaction,
        terms: &[(usize, Terms)],
        good_until: Timestamp,
        patience: Patience,
    ) -> Result<Option<Self>, DbErr> {
        let mut stock = Self::default();
        for demand in demands(terms) {
            let codes = match patience {
                Patience::Wait => lock_waiting(transaction, &demand, good_until).await?,
                Patience::PassOver => {
                    let codes = lock_free(transaction, &demand, good_until).await?;
                    let is_short = i32::try_from(codes.len()).is_ok_and(|found| found < demand.count);
                    if is_short && count_with_locked(transaction, &demand, good_until).await? > codes.len() {
                        return Ok(None);
                    }
                    codes
                }
            };
            stock.0.insert((demand.product_id, demand.face_minor), codes.into());
        }
        Ok(Some(stock))
    }

    fn of(&mut self, order: &orders::Model) -> Option<&mut VecDeque<vouchers::Model>> {
        self.0.get_mut(&(order.product_id.clone(), order.face_minor))
    }
}

/// How many codes of each product and face value are asked for, in the order of the products.
fn demands(terms: &[(usize, Terms)]) -> impl Iterator<Item = Demand> {
    let mut counts: BTreeMap<(String, i64), i32> = BTreeMap::new();
    let all = terms.iter().map(|(_, terms)| terms);
    for terms in all.filter(|terms| terms.product.delivery == DeliveryKind::Code) {
        let count = counts.entry((terms.product.id.clone(), terms.face.minor)).or_default();
        *count = count.saturating_add(terms.quantity);
    }
    counts.into_iter().map(|((product_id, face_minor), count)| Demand { product_id, face_minor, count })
}

/// What the wallets of a batch still have, in minor units.
#[derive(Debug)]
pub struct Balances(BTreeMap<WalletId, i64>);

impl Balances {
    /// Those of locked wallets.
    pub fn of(wallets: &BTreeMap<WalletId, LockedWallet>) -> Self {
        Self(wallets.iter().map(|(id, wallet)| (*id, wallet.available)).collect())
    }
}

/// What an admitted order gets at once, and how many of its other units a vendor sells.
#[derive(Debug)]
pub struct Admission {
    /// Codes for its first units.
    pub codes: Vec<vouchers::Model>,
    /// Units that vendors could deliver.
    pub covered: i32,
}

/// Takes an order's money and the codes that it gets at once; nothing of either if it is refused. `cover` tells how many units
/// vendors could deliver of so many; it is asked only where stock does not reach.
///
/// # Errors
/// OUT_OF_STOCK, INSUFFICIENT_FUNDS.
pub fn admit(
    order: &orders::Model,
    cover: impl FnOnce(i32) -> i32,
    stock: &mut Stock,
    balances: &mut Balances,
) -> Result<Admission, OrderRefusal> {
    let codes = stock.of(order);
    let in_stock = codes.as_ref().map_or(0, |codes| codes.len());
    let at_hand = i32::try_from(in_stock).unwrap_or(i32::MAX).min(order.quantity);
    let missing = order.quantity - at_hand;
    let covered = if missing > 0 { cover(missing) } else { 0 };
    if at_hand + covered < needed_at_once(order.failure_policy, order.quantity) {
        return Err(OrderRefusal::OutOfStock { available: at_hand + covered });
    }
    let balance = balances.0.entry(order.wallet_id).or_default();
    let money = |minor| Money::from_minor(minor, order.currency);
    if *balance < order.total_minor {
        return Err(OrderRefusal::InsufficientFunds {
            required: money(order.total_minor),
            available: money(*balance),
        });
    }
    *balance -= order.total_minor;
    // Where all are wanted or none, the worker sets codes aside until vendors have delivered the others.
    let is_whole = missing == 0 || order.failure_policy == FailurePolicy::BestEffort;
    let taken = if is_whole { usize::try_from(at_hand).unwrap_or(0) } else { 0 };
    let codes = codes.map(|codes| codes.drain(..taken).collect()).unwrap_or_default();
    Ok(Admission { codes, covered })
}

/// Takes back what an admitted order was given: its codes are again the first to go.
pub fn give_back(
    order: &orders::Model,
    codes: Vec<vouchers::Model>,
    stock: &mut Stock,
    balances: &mut Balances,
) {
    if let Some(left) = stock.of(order) {
        codes.into_iter().rev().for_each(|code| left.push_front(code));
    }
    *balances.0.entry(order.wallet_id).or_default() += order.total_minor;
}
