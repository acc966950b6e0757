//! Which lines a movement of an order's money has, pure.
//!
//! What lives here: the ledger transactions of a sale, a hold, a capture, a release, a later refund and a replaced code, and of
//! what a vendor delivered.
//! What is always true: the lines of one currency and scale sum to nought; revenue is split per unit, so that refunding units is
//! exact; what codes cost is at scale 6 of its own currency.
//! What is not here: writing them; that is the wallet's store.

use std::collections::BTreeMap;

use entity::currency::Currency;
use entity::ids::{PurchaseId, TransactionId};
use entity::state::{Account, TransactionKind};
use entity::{orders, vouchers};

use crate::domain::vouchers::Cost;
use crate::domain::wallet::{COST_SCALE, Line, NewTransaction};

/// Units delivered at acceptance: available → revenue.
pub fn sale(id: TransactionId, order: &orders::Model, codes: &[vouchers::Model]) -> NewTransaction {
    let units = count(codes.len());
    let mut lines = vec![wallet_line(order, Account::WalletAvailable, -times(order.unit_price_minor, units))];
    lines.extend(revenue(order, units));
    lines.extend(cost_of_goods(costs_of(codes)));
    transaction(id, TransactionKind::Sale, order, lines)
}

/// Open units set aside: available → held.
pub fn hold(id: TransactionId, order: &orders::Model, units: i32) -> NewTransaction {
    let amount = times(order.unit_price_minor, units);
    let lines = vec![
        wallet_line(order, Account::WalletAvailable, -amount),
        wallet_line(order, Account::WalletHeld, amount),
    ];
    transaction(id, TransactionKind::Hold, order, lines)
}

/// Held units delivered, which cost so much: held → revenue.
pub fn capture(
    id: TransactionId,
    order: &orders::Model,
    units: i32,
    costs: impl Iterator<Item = Cost>,
) -> NewTransaction {
    let mut lines = vec![wallet_line(order, Account::WalletHeld, -times(order.unit_price_minor, units))];
    lines.extend(revenue(order, units));
    lines.extend(cost_of_goods(costs));
    transaction(id, TransactionKind::Capture, order, lines)
}

/// What a vendor delivered, and what it delivered that cannot be used: payable, once for each purchase.
pub fn purchase(
    id: TransactionId,
    order: &orders::Model,
    (purchase, currency): (PurchaseId, Currency),
    good_micros: i64,
    disputed_micros: i64,
) -> Option<NewTransaction> {
    let owed = good_micros.checked_add(disputed_micros)?;
    let all =
        [(Account::Inventory, good_micros), (Account::Disputed, disputed_micros), (Account::Payable, -owed)];
    let line = |(account, amount)| Line { account, wallet: None, currency, scale: COST_SCALE, amount };
    let lines = all.into_iter().filter(|(_, amount)| *amount != 0).map(line).collect();
    let booked = transaction(id, TransactionKind::Purchase, order, lines);
    (owed != 0).then(|| NewTransaction { reference: Some(purchase.to_string()), ..booked })
}

/// A delivered unit's money given back: revenue → available. What its goods cost stays spent.
pub fn refund(id: TransactionId, order: &orders::Model, reference: String, note: String) -> NewTransaction {
    let mut lines = vec![wallet_line(order, Account::WalletAvailable, order.unit_price_minor)];
    lines.extend(revenue(order, -1));
    let entry = transaction(id, TransactionKind::Refund, order, lines);
    NewTransaction { reference: Some(reference), note: Some(note), ..entry }
}

/// What a code given in another's place cost: inventory → cost of goods, and nobody pays again. `None` if it cost nothing.
pub fn replacement(
    id: TransactionId,
    order: &orders::Model,
    code: &vouchers::Model,
    note: String,
) -> Option<NewTransaction> {
    let lines: Vec<Line> = cost_of_goods(costs_of(std::slice::from_ref(code))).collect();
    let entry = transaction(id, TransactionKind::Replacement, order, lines);
    let entry = NewTransaction { reference: Some(code.id.to_string()), note: Some(note), ..entry };
    (!entry.lines.is_empty()).then_some(entry)
}

/// Held units refunded: held → available.
pub fn release(id: TransactionId, order: &orders::Model, units: i32) -> NewTransaction {
    let amount = times(order.unit_price_minor, units);
    let lines = vec![
        wallet_line(order, Account::WalletHeld, -amount),
        wallet_line(order, Account::WalletAvailable, amount),
    ];
    transaction(id, TransactionKind::Release, order, lines)
}

fn transaction(
    id: TransactionId,
    kind: TransactionKind,
    order: &orders::Model,
    lines: Vec<Line>,
) -> NewTransaction {
    NewTransaction {
        id,
        kind,
        partner: Some(order.partner_id),
        order: Some(order.id),
        reference: None,
        note: None,
        lines,
    }
}

fn wallet_line(order: &orders::Model, account: Account, amount: i64) -> Line {
    Line {
        account,
        wallet: Some(order.wallet_id),
        currency: order.currency,
        scale: order.currency.minor_units(),
        amount,
    }
}

fn revenue(order: &orders::Model, units: i32) -> impl Iterator<Item = Line> {
    let (currency, scale) = (order.currency, order.currency.minor_units());
    let parts = [
        (Account::RevenueSales, order.unit_sales_minor),
        (Account::RevenueFxMargin, order.unit_fx_minor),
        (Account::RevenueFees, order.unit_fee_minor),
        (Account::RevenueRounding, order.unit_rounding_minor),
    ];
    parts.into_iter().filter(|(_, part)| *part != 0).map(move |(account, part)| Line {
        account,
        wallet: None,
        currency,
        scale,
        amount: times(part, units),
    })
}

/// What codes cost, where that is known.
pub fn costs_of(codes: &[vouchers::Model]) -> impl Iterator<Item = Cost> {
    codes.iter().filter_map(|code| {
        let (micros, currency) = code.cost_micros.zip(code.cost_currency)?;
        Some(Cost { micros, currency })
    })
}

fn cost_of_goods(costs: impl Iterator<Item = Cost>) -> impl Iterator<Item = Line> {
    let mut sums: BTreeMap<Currency, i64> = BTreeMap::new();
    for cost in costs {
        let sum = sums.entry(cost.currency).or_default();
        *sum = sum
            .checked_add(cost.micros)
            .expect("the database lets a code cost at most a billion, and an order have at most 1,000");
    }
    sums.into_iter().filter(|(_, cost)| *cost != 0).flat_map(|(currency, cost)| {
        let line = |account, amount| Line { account, wallet: None, currency, scale: COST_SCALE, amount };
        [line(Account::Inventory, -cost), line(Account::CostOfGoods, cost)]
    })
}

/// The units of an order, of which there are at most 1,000.
pub fn count(length: usize) -> i32 {
    i32::try_from(length).expect("an order has at most 1,000 units")
}

/// An amount of so many units. `orders.total_minor` was checked to fit, and no order has more units than it.
fn times(unit: i64, units: i32) -> i64 {
    unit.checked_mul(i64::from(units)).expect("the total of an order was checked when it was priced")
}
