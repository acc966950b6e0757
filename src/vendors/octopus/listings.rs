//! What our account at another Octopus has bought, and what it still has.
//!
//! What lives here: the statement, which is the list of our orders, and the balance, which is a wallet.
//! What is always true: an order that cannot be read makes its part fail, since a statement that lacks a purchase is wrong.
//! What is not here: what is sold (`catalog.rs`).

use entity::timestamp::Timestamp;
use serde::Deserialize;

use super::Octopus;
use super::calls::escaped;
use super::money::Money;
use super::order::Order;
use crate::domain::fulfillment::{Cost, Part, StatementLine, Trouble};
use crate::outgoing::Answer;
use crate::vendors::reply::decode;

/// Items of a part: as many as the facade gives.
pub(super) const PART_SIZE: u32 = 100;
/// Pages of wallets at most; there are fewer than two hundred currencies.
const MOST_PAGES: u32 = 10;

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    pub(super) next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Wallet {
    available: Money,
}

impl Octopus {
    /// Our orders since an instant of which something was delivered.
    pub(super) async fn list(
        &self,
        since: Timestamp,
        from: Option<String>,
    ) -> Result<Part<StatementLine>, Trouble> {
        let path = format!(
            "/api/v1/orders?sort=oldest_first&limit={PART_SIZE}&created_since={}",
            escaped(&since.to_string())
        );
        let answer = self.ask_listing(&behind(path, from.as_deref())).await?;
        let page: Page<Order> = read(&answer)?;
        let delivered = page.data.into_iter().filter(|order| order.delivered_quantity != 0);
        let items = delivered.map(line).collect::<Option<Vec<_>>>();
        let items =
            items.ok_or_else(|| Trouble::Failed("an order of the statement cannot be counted".to_owned()))?;
        Ok(Part { items, next: page.next_cursor, total: None, bytes: answer.body.len() })
    }

    /// What is available in the wallet of our account's currency; nothing is known without one.
    pub(super) async fn funds(&self) -> Result<Option<Cost>, Trouble> {
        let mut from = None;
        for _ in 0..MOST_PAGES {
            let path = behind(format!("/api/v1/wallets?limit={PART_SIZE}"), from.as_deref());
            let answer = self.ask_listing(&path).await?;
            let page: Page<Wallet> = read(&answer)?;
            let own =
                page.data.iter().map(|wallet| wallet.available).find(|money| money.currency == self.currency);
            if let Some(available) = own {
                let cost = available
                    .cost()
                    .ok_or_else(|| Trouble::Failed("the balance cannot be counted".to_owned()))?;
                return Ok(Some(cost));
            }
            from = page.next_cursor;
            if from.is_none() {
                return Ok(None);
            }
        }
        Err(Trouble::Failed("the list of wallets has no end".to_owned()))
    }
}

/// The address of the part behind a cursor.
pub(super) fn behind(path: String, cursor: Option<&str>) -> String {
    match cursor {
        Some(cursor) => format!("{path}&cursor={}", escaped(cursor)),
        None => path,
    }
}

/// Reads a part of a listing.
pub(super) fn read<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<T, Trouble> {
    decode(answer).map_err(|doubt| Trouble::Failed(doubt.message))
}

fn line(order: Order) -> Option<StatementLine> {
    let (cost, vendor_ref) = (order.cost()?, order.vendor_ref()?);
    let quantity = Some(order.delivered_quantity).filter(|quantity| *quantity > 0)?;
    let (our_ref, vendor_sku) = (Some(order.reference), Some(order.product.id));
    Some(StatementLine { our_ref, vendor_ref, vendor_sku, quantity, cost, at: order.created_at })
}
