//! A replica of Reloadly's gift card service, for tests: what it sells, its books, and its HTTP interface with all its oddities.
//! Always true: it is written from the vendor's documentation and from measurements, not from the adapter.
//! Not here: what the adapter must make of it (`reloadly.rs`).

mod books;
mod faults;
mod products;
mod server;

pub use books::Ordered;
pub use products::{ANY_AMOUNT, APP_STORE_FR, DONG, FREE_FIRE, MASTERCARD, Product, XBOX_US, number, shown};
pub use server::{CLIENT_ID, CLIENT_SECRET, Canned, Replica, place};
