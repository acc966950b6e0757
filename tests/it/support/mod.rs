//! The harness: a server of its own for each test, on a database of its own, with a clock that only the test moves.
//!
//! How to write a test:
//!
//! ```ignore
//! use super::support::*;
//!
//! both_databases! {
//!     /// Why this matters, if the name does not say it.
//!     async fn refuses_an_expired_charge(app: SmallCatalog) {
//!         let partner = app.partner().await;                       // signed in, wallets funded
//!         let quoted = partner.graphql(CREATE_CHARGE, json!({ "input": { "productId": STEAM_50 } })).await;
//!         let charge = quoted.text("createCharge.charge.id").to_owned();
//!         app.advance_secs(660);
//!         let refused = partner.graphql(CREATE_ORDER, json!({ "input": { "reference": "r1", "chargeId": charge } })).await;
//!         refused.expect_user_errors("createOrder", &[("CHARGE_EXPIRED", "chargeId")]);
//!         assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 0);
//!     }
//! }
//! ```
//!
//! This makes two tests, `refuses_an_expired_charge::sqlite` and `::postgres`. The word after the colon says what the
//! database holds: `SmallCatalog`, `FullCatalog`, `Tables`.
//!
//! What is always true: two runs give the same ids and times; the server is the one that `octopus serve` runs, on a
//! port of its own; at the end of every test the books are verified (`app.books_are_broken()` says that the test broke
//! them on purpose), and the database is removed. What is not here: anything about one feature.
#![allow(dead_code, reason = "the harness is whole, whichever of its parts today's tests use")]

pub mod answer;
pub mod app;
pub mod catalog;
pub mod client;
pub mod database;
pub mod listings;
pub mod poll;
pub mod process;
pub mod seed;
pub mod soak;
pub mod socket;
pub mod statements;
pub mod vendor;
pub mod wire;

/// Makes two tests of one body: the same calls, on SQLite and on PostgreSQL. The server has two threads; `threads: 1;` before
/// the first test gives those that count what it does only one, so that nothing depends on which of them goes on first.
#[macro_export]
macro_rules! both_databases {
    (threads: $threads:literal; $(
        $(#[doc = $doc:literal])*
        async fn $name:ident($app:ident : $contents:ident) $body:block
    )+) => {$(
        mod $name {
            #[allow(unused_imports, clippy::wildcard_imports, reason = "the body is written one level up")]
            use super::*;

            $(#[doc = $doc])*
            async fn body($app: $crate::support::app::TestApp) $body

            #[test]
            fn sqlite() {
                use $crate::support::database::{Contents, Dialect};
                $crate::support::app::run($threads, Dialect::Sqlite, Contents::$contents, body);
            }

            #[test]
            fn postgres() {
                use $crate::support::database::{Contents, Dialect};
                $crate::support::app::run($threads, Dialect::Postgres, Contents::$contents, body);
            }
        }
    )+};
    ($($tests:tt)+) => { $crate::both_databases! { threads: 2; $($tests)+ } };
}
