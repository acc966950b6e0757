//! The vocabulary of Octopus Cards and its tables.
//!
//! What lives here: typed ids, money, instants, states, secrets that do not print, and one SeaORM entity a table.
//! What is always true: amounts are `i64` minor units beside their currency, times are microseconds since 1970 in UTC,
//! ids are prefixed text that sorts by time, and nothing here reads a clock, a random source or a database.
//! What is not here: rules. They live in `src/domain`.

/// Tells SeaORM that a key of this type is never handed out by the database.
macro_rules! never_auto_incremented {
    ($name:ident) => {
        impl sea_orm::TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    };
}

pub mod currency;
pub mod decimal;
pub mod ids;
pub mod money;
pub mod secret;
pub mod state;
pub mod timestamp;

pub mod admins;
pub mod api_credentials;
pub mod attempts;
pub mod audit_log;
pub mod brands;
pub mod categories;
pub mod charges;
pub mod countries;
pub mod currencies;
pub mod data_keys;
pub mod event_heads;
pub mod events;
pub mod exchange_rates;
pub mod goodwill_refunds;
pub mod installation;
pub mod ledger_transactions;
pub mod login_throttles;
pub mod master_keys;
pub mod offer_costs;
pub mod offers;
pub mod order_transitions;
pub mod order_units;
pub mod orders;
pub mod partners;
pub mod postings;
pub mod price_rules;
pub mod products;
pub mod purchase_calls;
pub mod purchases;
pub mod rate_polls;
pub mod rate_troubles;
pub mod receipts;
pub mod refresh_tokens;
pub mod sessions;
pub mod statement_lines;
pub mod stock_moves;
pub mod stock_writers;
pub mod unit_settlements;
pub mod vendor_health;
pub mod vendors;
pub mod versions;
pub mod vouchers;
pub mod wallets;
pub mod workers;
