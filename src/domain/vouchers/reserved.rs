//! Codes set aside for units of orders that deliver all or nothing.
//!
//! What lives here: the statements that set codes aside, give them back, and deliver them together.
//! What is always true: a code that is set aside is no stock; its moves say so when it goes and when it comes back.
//! What is not here: when an order has all of its codes.

use entity::ids::{OrderId, StockWriterId};
use entity::state::{StockMoveKind, VoucherState};
use entity::timestamp::Timestamp;
use entity::vouchers;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};

use super::resealing::{begin_their_time, keep_as_stock};
use super::store::{Handover, StockMove, record_moves};
use crate::ctx::Deps;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{Transaction, expect_all, json, rowset, statement};

/// Sets codes of one product and face value that this transaction has locked, or made, aside for units.
///
/// # Errors
/// What the database says; a code that is not in stock any more.
pub async fn reserve(
    transaction: &Transaction,
    now: Timestamp,
    writer: StockWriterId,
    (product_id, face_minor): (&str, i64),
    handovers: &[Handover],
) -> Result<(), DbErr> {
    if handovers.is_empty() {
        return Ok(());
    }
    let backend = transaction.get_database_backend();
    let columns = [("id", Text), ("order_id", Text), ("unit_index", Integer), ("partner_id", Text)];
    let sql = format!(
        "UPDATE vouchers SET state = 'RESERVED', order_id = r.order_id, unit_index = r.unit_index,
         partner_id = r.partner_id FROM {} WHERE vouchers.id = r.id AND vouchers.state = 'AVAILABLE'",
        rowset(backend, 1, "r", &columns)
    );
    let changed = transaction.execute_raw(statement(backend, sql, [json(handovers)])).await?.rows_affected();
    expect_all(changed, handovers.len(), "codes")?;
    let gone = moved((product_id, face_minor), StockMoveKind::Allocated, handovers.len())?;
    record_moves(transaction, now, writer, &[StockMove { delta: -gone.delta, ..gone }]).await
}

/// The codes that are set aside for an order, by unit.
///
/// # Errors
/// What the database says.
pub async fn find_reserved(transaction: &Transaction, order: OrderId) -> Result<Vec<vouchers::Model>, DbErr> {
    vouchers::Entity::find()
        .filter(vouchers::Column::OrderId.eq(order))
        .filter(vouchers::Column::State.eq(VoucherState::Reserved))
        .order_by_asc(vouchers::Column::UnitIndex)
        .all(transaction)
        .await
}

/// Puts the codes that are set aside for an order back into stock, where they are kept for good.
///
/// # Errors
/// What the database says.
pub async fn give_back(
    deps: &Deps,
    transaction: &Transaction,
    now: Timestamp,
    writer: StockWriterId,
    reserved: &[vouchers::Model],
) -> Result<(), DbErr> {
    let Some(first) = reserved.first() else { return Ok(()) };
    keep_as_stock(deps, transaction, now, reserved).await?;
    let sql = "UPDATE vouchers SET state = 'AVAILABLE', order_id = NULL, unit_index = NULL, partner_id = NULL
         WHERE order_id = $1 AND state = 'RESERVED'";
    let order = first.order_id.map(|order| order.to_string());
    let update = statement(transaction.get_database_backend(), sql, [order.into()]);
    let changed = transaction.execute_raw(update).await?.rows_affected();
    expect_all(changed, reserved.len(), "reserved codes")?;
    let back = moved((&first.product_id, first.face_minor), StockMoveKind::Returned, reserved.len())?;
    record_moves(transaction, now, writer, &[back]).await
}

/// Delivers all codes that are set aside for an order; the time of those that are kept for a time begins.
///
/// # Errors
/// What the database says; another number of codes than is expected.
pub async fn deliver_reserved(
    deps: &Deps,
    transaction: &Transaction,
    now: Timestamp,
    reserved: &[vouchers::Model],
) -> Result<(), DbErr> {
    let Some(order) = reserved.first().and_then(|first| first.order_id) else { return Ok(()) };
    begin_their_time(deps, transaction, now, reserved).await?;
    let sql = "UPDATE vouchers SET state = 'DELIVERED', delivered_at = $2
         WHERE order_id = $1 AND state = 'RESERVED'";
    let values = [order.to_string().into(), now.micros().into()];
    let update = statement(transaction.get_database_backend(), sql, values);
    expect_all(transaction.execute_raw(update).await?.rows_affected(), reserved.len(), "reserved codes")
}

fn moved(of: (&str, i64), kind: StockMoveKind, codes: usize) -> Result<StockMove, DbErr> {
    let delta = i32::try_from(codes).map_err(|_| DbErr::Custom("too many codes".to_owned()))?;
    Ok(StockMove { product_id: of.0.to_owned(), face_minor: of.1, kind, delta })
}
