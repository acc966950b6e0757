//! How many codes of each product are in stock.
//!
//! What lives here: a counter a product, counted at the start and moved on by what desks, workers and imports write.
//! What is always true: a count and the moves that it includes are read in one transaction, so that no move is applied twice
//! or left out; a look reads the writers that moved lately, and all of them only where it counts; a code counts while it is
//! good for longer than the shortest validity that is sold.
//! What is not here: allocation; the order's transaction asks the database and never these counters.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use entity::ids::StockWriterId;
use entity::state::StockMoveKind;
use entity::stock_writers;
use entity::timestamp::Timestamp;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, Select};
use serde::Serialize;

use super::availability::Supply;
use crate::ctx::Database;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{begin_snapshot, engine_clock, json, rowset, statement};

/// After a code's time has come, its product is counted once more so much later: an order placed just before may have taken
/// the code and be seen only after.
const SECOND_LOOK_SECS: i64 = 5;
/// How far back from the last look a writer has to have moved to be read, in microseconds. Longer than any transaction takes from
/// its move to its commit, and than `moved_at` lies behind. A move that is missed all the same is applied with its writer's
/// next one, since moves number without gaps, or with the next count.
const LATELY: i64 = 600_000_000;

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Stock {
    supplies: Mutex<HashMap<String, Arc<Supply>>>,
    seen: tokio::sync::Mutex<Seen>,
}

/// Up to where the counters are true.
#[derive(Debug, Default)]
struct Seen {
    heads: HashMap<StockWriterId, i64>,
    /// When the heads were last looked at, by the database's clock, in microseconds.
    looked_at: i64,
    due: Due,
}

/// When products have to be counted again, by the instant until which a code must be good.
#[derive(Debug, Default, PartialEq, Eq)]
struct Due {
    /// When the first of each product's codes runs out of time.
    expiries: HashMap<String, Timestamp>,
    /// The second looks that are still to come.
    second_looks: HashMap<String, Timestamp>,
}

impl Due {
    /// The products that have to be counted now.
    fn products(&self, usable_after: Timestamp) -> HashSet<&str> {
        let all = self.expiries.iter().chain(&self.second_looks);
        all.filter(|(_, due)| **due <= usable_after).map(|(product, _)| product.as_str()).collect()
    }

    /// A product was counted. An expiry earns it one second look, and a second look none.
    fn counted(&mut self, product: &str, usable_after: Timestamp, soonest: Option<Timestamp>) {
        let is_due =
            |due: &HashMap<String, Timestamp>| due.get(product).is_some_and(|due| *due <= usable_after);
        if is_due(&self.second_looks) {
            self.second_looks.remove(product);
        }
        if is_due(&self.expiries) {
            self.second_looks.insert(product.to_owned(), usable_after.plus_seconds(SECOND_LOOK_SECS));
        }
        match soonest {
            Some(soonest) => self.expiries.insert(product.to_owned(), soonest),
            None => self.expiries.remove(product),
        };
    }
}

#[derive(FromQueryResult)]
struct Count {
    product_id: String,
    available: i64,
    soonest: Timestamp,
}

#[derive(FromQueryResult)]
struct Moved {
    product_id: String,
    kind: StockMoveKind,
    delta: i64,
}

#[derive(Serialize)]
struct WriterRow {
    writer: StockWriterId,
    seen: i64,
    head: i64,
}

#[derive(Serialize)]
struct ProductRow<'a> {
    product_id: &'a str,
}

impl Stock {
    /// Counts everything; `usable_after` is the instant until which a code must be good at least.
    pub(super) async fn count(
        transaction: &impl ConnectionTrait,
        usable_after: Timestamp,
    ) -> Result<Self, DbErr> {
        // Before the heads: what commits in between is read again by the first look.
        let looked_at = read_clock(transaction).await?;
        let heads = read_all_heads(transaction).await?;
        let counts = count_all(transaction, usable_after).await?;
        let stock = Self::default();
        for count in &counts {
            stock.supply(&count.product_id).count(count.available);
        }
        let expiries = counts.into_iter().map(|count| (count.product_id, count.soonest)).collect();
        *stock.seen.lock().await = Seen { heads, looked_at, due: Due { expiries, ..Due::default() } };
        Ok(stock)
    }

    /// What is known of a product's sources; it stays the same for the life of the process.
    pub(super) fn supply(&self, product: &str) -> Arc<Supply> {
        let mut supplies = self.supplies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(supply) = supplies.get(product) {
            return Arc::clone(supply);
        }
        let supply = Arc::<Supply>::default();
        supplies.insert(product.to_owned(), Arc::clone(&supply));
        supply
    }

    /// Marks the products that vendors deliver on demand, and no others.
    pub(super) fn mark_on_demand(&self, products: &HashSet<String>) {
        let supplies = self.supplies.lock().unwrap_or_else(PoisonError::into_inner);
        for (product, supply) in &*supplies {
            supply.mark(products.contains(product));
        }
    }

    /// Applies what was written since the last look, and counts again where codes have run out of time. Tells whether any
    /// counter may have changed.
    pub(super) async fn refresh(&self, database: &Database, usable_after: Timestamp) -> Result<bool, DbErr> {
        let mut seen = self.seen.lock().await;
        let seen = &mut *seen;
        let looked_at = read_clock(&database.reader).await?;
        let since = seen.looked_at.min(looked_at).saturating_sub(LATELY);
        let heads = read_late_heads(&database.reader, since).await?;
        let expired = seen.due.products(usable_after);
        if expired.is_empty() && heads.iter().all(|(writer, head)| seen.heads.get(writer) == Some(head)) {
            seen.looked_at = looked_at;
            return Ok(false);
        }
        let transaction = begin_snapshot(database).await?;
        let mut heads = read_late_heads(&transaction, since).await?;
        let mut moves = read_moves(&transaction, &seen.heads, &heads).await?;
        if !expired.is_empty() || moves.iter().any(asks_for_a_count) {
            // A count includes the moves of every writer, so that none may be left to be applied later.
            heads = read_all_heads(&transaction).await?;
            moves = read_moves(&transaction, &seen.heads, &heads).await?;
        }
        let mut recount = expired;
        recount.extend(
            moves.iter().filter(|moved| asks_for_a_count(moved)).map(|moved| moved.product_id.as_str()),
        );
        let counts = count_some(&transaction, usable_after, &recount).await?;
        transaction.rollback().await?;

        for moved in moves.iter().filter(|moved| !recount.contains(moved.product_id.as_str())) {
            self.supply(&moved.product_id).move_by(moved.delta);
        }
        let mut found: HashMap<String, Count> =
            counts.into_iter().map(|count| (count.product_id.clone(), count)).collect();
        let recount: Vec<String> = recount.into_iter().map(str::to_owned).collect();
        for product in recount {
            let count = found.remove(&product);
            let available = count.as_ref().map_or(0, |count| count.available);
            self.supply(&product).count(available);
            seen.due.counted(&product, usable_after, count.map(|count| count.soonest));
        }
        seen.heads.extend(heads);
        seen.looked_at = looked_at;
        Ok(true)
    }
}

/// Codes that come or are voided may be past their time already, and bring a new time to look again.
fn asks_for_a_count(moved: &Moved) -> bool {
    moved.kind != StockMoveKind::Allocated
}

async fn read_clock(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let backend = connection.get_database_backend();
    let sql = format!("SELECT {} AS now", engine_clock(backend));
    let row = connection.query_one_raw(statement(backend, sql, [])).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the database's clock".to_owned()))?.try_get("", "now")
}

async fn read_all_heads(connection: &impl ConnectionTrait) -> Result<HashMap<StockWriterId, i64>, DbErr> {
    heads_of(stock_writers::Entity::find(), connection).await
}

/// The heads of the writers that moved since an instant of the database's clock.
async fn read_late_heads(
    connection: &impl ConnectionTrait,
    since: i64,
) -> Result<HashMap<StockWriterId, i64>, DbErr> {
    heads_of(stock_writers::Entity::find().filter(stock_writers::Column::MovedAt.gte(since)), connection)
        .await
}

async fn heads_of(
    writers: Select<stock_writers::Entity>,
    connection: &impl ConnectionTrait,
) -> Result<HashMap<StockWriterId, i64>, DbErr> {
    let rows = writers.all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.writer, row.n)).collect())
}

/// The moves that each writer wrote since it was last seen, summed by product and kind.
async fn read_moves(
    connection: &impl ConnectionTrait,
    seen: &HashMap<StockWriterId, i64>,
    heads: &HashMap<StockWriterId, i64>,
) -> Result<Vec<Moved>, DbErr> {
    let rows: Vec<WriterRow> = heads
        .iter()
        .map(|(writer, head)| WriterRow {
            writer: *writer,
            seen: seen.get(writer).copied().unwrap_or(0),
            head: *head,
        })
        .filter(|row| row.head > row.seen)
        .collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT m.product_id, m.kind, CAST(sum(m.delta) AS BIGINT) AS delta
         FROM {} JOIN stock_moves m ON m.writer = r.writer AND m.n > r.seen AND m.n <= r.head
         GROUP BY m.product_id, m.kind",
        rowset(backend, 1, "r", &[("writer", Text), ("seen", Integer), ("head", Integer)])
    );
    Moved::find_by_statement(statement(backend, sql, [json(&rows)])).all(connection).await
}

const COUNT: &str =
    "SELECT v.product_id, count(*) AS available, min(v.usable_until) AS soonest FROM vouchers v
    WHERE v.state = 'AVAILABLE' AND v.usable_until > $1";

async fn count_all(connection: &impl ConnectionTrait, usable_after: Timestamp) -> Result<Vec<Count>, DbErr> {
    let backend = connection.get_database_backend();
    let sql = format!("{COUNT} GROUP BY v.product_id");
    Count::find_by_statement(statement(backend, sql, [usable_after.into()])).all(connection).await
}

async fn count_some(
    connection: &impl ConnectionTrait,
    usable_after: Timestamp,
    products: &HashSet<&str>,
) -> Result<Vec<Count>, DbErr> {
    if products.is_empty() {
        return Ok(Vec::new());
    }
    let backend = connection.get_database_backend();
    let rows: Vec<ProductRow<'_>> = products.iter().map(|product_id| ProductRow { product_id }).collect();
    let sql = format!(
        "{COUNT} AND v.product_id IN (SELECT r.product_id FROM {}) GROUP BY v.product_id",
        rowset(backend, 2, "r", &[("product_id", Text)])
    );
    Count::find_by_statement(statement(backend, sql, [usable_after.into(), json(&rows)]))
        .all(connection)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts what is due at a second; `soonest` is when the next code of `p` runs out of time.
    fn look(due: &mut Due, at: i64, soonest: Option<i64>) -> bool {
        let instant = |secs: i64| Timestamp::from_micros(secs * 1_000_000);
        let is_due = due.products(instant(at)).contains("p");
        if is_due {
            due.counted("p", instant(at), soonest.map(instant));
        }
        is_due
    }

    fn expiring_at(secs: i64) -> Due {
        let expiries = HashMap::from([("p".to_owned(), Timestamp::from_micros(secs * 1_000_000))]);
        Due { expiries, ..Due::default() }
    }

    #[test]
    fn an_expiry_earns_one_second_look() {
        let mut due = expiring_at(10);
        let looks: Vec<i64> = (0..100).filter(|at| look(&mut due, *at, None)).collect();
        assert_eq!(looks, [10, 15]);
        assert_eq!(due, Due::default(), "nothing is left to look at");
    }

    #[test]
    fn each_of_several_expiries_is_followed_by_a_second_look() {
        let mut due = expiring_at(10);
        let next = |at: i64| [12, 40].into_iter().find(|expiry| *expiry > at);
        let looks: Vec<i64> = (0..100).filter(|at| look(&mut due, *at, next(*at))).collect();
        assert_eq!(looks, [10, 12, 17, 40, 45]);
    }

    #[test]
    fn a_count_for_another_reason_leaves_the_second_look_to_come() {
        let mut due = expiring_at(10);
        assert!(look(&mut due, 10, None));
        due.counted("p", Timestamp::from_micros(12_000_000), Some(Timestamp::from_micros(90_000_000)));
        assert!(!look(&mut due, 14, Some(90)) && look(&mut due, 15, Some(90)));
        assert!(!look(&mut due, 89, Some(90)) && look(&mut due, 90, None) && look(&mut due, 95, None));
        assert!(!look(&mut due, 1_000, None));
    }
}
