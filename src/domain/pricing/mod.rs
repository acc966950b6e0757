//! Pricing: what a unit costs whom, and charges, which bind it.
//!
//! What lives here: the formula, rates and price rules in memory, quotes, charges, and the commands that set rates and rules.
//! What is always true: a price is computed with whole numbers of any size and rounded once; every factor of it is kept and
//! shown; a charge is never changed, and removed only if nobody used it; whoever changes rates or rules bumps their version last, and servers follow within 100 ms.
//! What is not here: whether a charge may still be used (`domain/orders` knows which order has it), and money that moves
//! (`domain/wallet`).

mod create_charge;
mod import_rates;
mod jobs;
mod live;
mod model;
mod queries;
mod quote;
mod refusals;
mod rules;
mod store;
mod sweep;

pub use create_charge::{CreateCharge, create_charge};
pub use import_rates::{BadRate, RatesRefusal, RatesReport, import_rates};
pub use jobs::{PRICES_EVERY, watch};
pub use live::{ExchangeRate, Live, exchange_rate, load, refresh};
pub use model::{BASE, Factors, Found, Rule, Rules, Subjects, UnitPrice, cross, discount_amount, unit_price};
pub use queries::{find_charge, find_charges, require_reader};
pub use quote::{Price, draft_charge, price};
pub use refusals::{ChargeRefusal, PriceRefusal};
pub use rules::{RuleRefusal, RuleTarget, RuleValue, list_rules, remove_rule, set_rule};
pub use store::insert_charges;
pub use sweep::{ChargeSweep, SweptCharges};
