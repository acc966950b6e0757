//! Orders: the one feature that orchestrates the others.
//!
//! What lives here: placing, settling, cancelling and reading orders.
//! What is always true: one reference makes one order, for ever; every charged unit ends delivered or refunded, never both;
//! orders are written by desks alone, and open units settled by the worker and by cancelling alone; terminal states never
//! change.
//! What is not here: prices (pricing), money (wallet), codes (vouchers).

mod acceptance;
mod accounting;
mod admission;
mod batch;
mod cancel;
mod conclude;
mod delivered_file;
mod desk;
mod goods;
mod goodwill;
mod hinted;
mod input;
pub mod jobs;
mod line;
pub mod model;
mod named;
mod news;
mod opening;
mod parts_store;
mod place;
mod pulse;
pub mod queries;
mod recipient;
mod refusal;
mod replace;
mod resolve;
mod reveal;
mod settle;
mod snapshot;
mod sold;
mod store;
mod supply;
mod telling;
mod ticket;
mod turns;
mod verdict;
mod work;
mod worker;

pub use cancel::{OrderName, cancel};
pub use delivered_file::{BadDelivered, BadDeliveredLine, read_delivered};
pub use desk::{Desks, work as work_desks};
pub use goodwill::{GoodwillRefusal, RefundUnit, Refunded, refund_unit};
pub use hinted::take_hint;
pub use input::{PlaceOrder, Recipient, Reveals};
pub use named::{NamedRefusal, find_named, get_named};
pub use opening::{Reading, Recalled, open, purchases_to_recall, recall};
pub use place::{Placed, place};
pub use refusal::{OrderRefusal, QUANTITY_NULL, field_of};
pub use replace::{ReplaceRefusal, ReplaceVoucher, Replaced, find_replacements, replace_voucher};
pub use resolve::{Resolve, ResolveRefusal, Verdict, resolve};
pub use reveal::{CodesWanted, MOST_CODES, find_units_of_codes, reveal};
pub use snapshot::OrderedProduct;
pub use supply::{tell as tell_supply, watch as watch_supply};
pub use worker::{Bell, Worker, run as work_orders};
