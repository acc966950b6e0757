//! Pricing: what a unit costs whom, and charges, which bind it.
//!
//! What lives here: the formula, rates and price rules in memory, quotes, charges, the commands that set rates and rules, and
//! asking a provider for rates.
//! What is always true: a price is computed with whole numbers of any size and rounded once; every factor of it is kept and
//! shown; a charge is never changed, and removed only if nobody used it; whoever changes rates or rules bumps their version last, and servers follow within 100 ms.
//! What is not here: whether a charge may still be used (`domain/orders` knows which order has it), and money that moves
//! (`domain/wallet`).

mod aging;
mod create_charge;
mod import_rates;
mod jobs;
mod live;
mod model;
mod poll;
mod poll_model;
mod poll_store;
mod provider;
mod queries;
mod quote;
mod rate_status;
mod refusals;
mod rules;
mod store;
mod sweep;

pub use create_charge::{CreateCharge, create_charge};
pub use import_rates::{BadRate, RatesRefusal, RatesReport, import_rates, replace_rates};
pub use jobs::{PRICES_EVERY, tend, tend_once, watch};
pub use live::{ExchangeRate, Live, exchange_rate, load, refresh};
pub use model::{
    BASE, Factors, Found, PriceLine, Rule, Rules, Subjects, UnitPrice, cross, discount_amount, price_line,
    unit_price,
};
pub use poll::{PollRefusal, PollReport, poll_rates};
pub use poll_model::Jump;
pub use provider::{NoQuotation, Provider, Quotation, RateProvider};
pub use queries::{find_charge, find_charges, require_reader};
pub use quote::{Price, draft_charge, list_price, price};
pub use rate_status::{Age, PollStatus, RateStatus, RatesStatus, RefusedRate, rates_status};
pub use refusals::{ChargeRefusal, PriceRefusal};
pub use rules::{RuleRefusal, RuleTarget, RuleValue, list_rules, remove_rule, set_rule};
pub use store::insert_charges;
pub use sweep::{ChargeSweep, SweptCharges};
