//! Writing charges, rates and rules.
//!
//! What lives here: the statements, in sets where there are many.
//! What is always true: a rule is one row for its kind, partner, subject and currency.
//! What is not here: what may be written; the commands say that.

use entity::charges;
use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::ids::{ChargeId, OrderId, PartnerId};
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryOrder, QuerySelect};
use serde::Serialize;

use crate::store::ColumnKind::{Integer, Text};
use crate::store::{Transaction, json, rowset, statement};

pub(super) async fn read_rates(
    connection: &impl ConnectionTrait,
) -> Result<Vec<entity::exchange_rates::Model>, DbErr> {
    entity::exchange_rates::Entity::find().all(connection).await
}

/// The same, locked against others who would write them. SQLite has one writer, and locks nothing.
pub(super) async fn lock_rates(
    transaction: &Transaction,
) -> Result<Vec<entity::exchange_rates::Model>, DbErr> {
    entity::exchange_rates::Entity::find()
        .order_by_asc(entity::exchange_rates::Column::Quote)
        .lock_exclusive()
        .all(transaction)
        .await
}

pub(super) async fn read_rules(
    connection: &impl ConnectionTrait,
) -> Result<Vec<entity::price_rules::Model>, DbErr> {
    entity::price_rules::Entity::find().all(connection).await
}

#[derive(Serialize)]
struct ChargeRow<'a> {
    id: ChargeId,
    partner_id: PartnerId,
    product_id: &'a str,
    quantity: i32,
    face_minor: i64,
    face_currency: Currency,
    currency: Currency,
    discount: Decimal,
    discount_rule: &'a str,
    fee_minor: i64,
    fee_rule: &'a str,
    rate: Decimal,
    rate_source: Option<&'a str>,
    rate_as_of: Option<i64>,
    margin_bps: i32,
    margin_rule: Option<&'a str>,
    unit_price_minor: i64,
    unit_sales_minor: i64,
    unit_fx_minor: i64,
    unit_fee_minor: i64,
    unit_rounding_minor: i64,
    total_minor: i64,
    created_at: i64,
    expires_at: i64,
}

fn charge_row(charge: &charges::Model) -> ChargeRow<'_> {
    ChargeRow {
        id: charge.id,
        partner_id: charge.partner_id,
        product_id: &charge.product_id,
        quantity: charge.quantity,
        face_minor: charge.face_minor,
        face_currency: charge.face_currency,
        currency: charge.currency,
        discount: charge.discount,
        discount_rule: &charge.discount_rule,
        fee_minor: charge.fee_minor,
        fee_rule: &charge.fee_rule,
        rate: charge.rate,
        rate_source: charge.rate_source.as_deref(),
        rate_as_of: charge.rate_as_of.map(Timestamp::micros),
        margin_bps: charge.margin_bps,
        margin_rule: charge.margin_rule.as_deref(),
        unit_price_minor: charge.unit_price_minor,
        unit_sales_minor: charge.unit_sales_minor,
        unit_fx_minor: charge.unit_fx_minor,
        unit_fee_minor: charge.unit_fee_minor,
        unit_rounding_minor: charge.unit_rounding_minor,
        total_minor: charge.total_minor,
        created_at: charge.created_at.micros(),
        expires_at: charge.expires_at.micros(),
    }
}

/// Writes charges.
///
/// # Errors
/// What the database says.
pub async fn insert_charges(
    connection: &impl ConnectionTrait,
    charges: &[charges::Model],
) -> Result<(), DbErr> {
    if charges.is_empty() {
        return Ok(());
    }
    let columns = [
        ("id", Text),
        ("partner_id", Text),
        ("product_id", Text),
        ("quantity", Integer),
        ("face_minor", Integer),
        ("face_currency", Text),
        ("currency", Text),
        ("discount", Text),
        ("discount_rule", Text),
        ("fee_minor", Integer),
        ("fee_rule", Text),
        ("rate", Text),
        ("rate_source", Text),
        ("rate_as_of", Integer),
        ("margin_bps", Integer),
        ("margin_rule", Text),
        ("unit_price_minor", Integer),
        ("unit_sales_minor", Integer),
        ("unit_fx_minor", Integer),
        ("unit_fee_minor", Integer),
        ("unit_rounding_minor", Integer),
        ("total_minor", Integer),
        ("created_at", Integer),
        ("expires_at", Integer),
    ];
    let names = columns.map(|(name, _)| name).join(", ");
    let backend = connection.get_database_backend();
    // A batch whose commit went unanswered is run again with the same charges.
    let sql = format!(
        "INSERT INTO charges ({names}) SELECT {names} FROM {} WHERE true ON CONFLICT (id) DO NOTHING",
        rowset(backend, 1, "r", &columns)
    );
    let rows: Vec<ChargeRow<'_>> = charges.iter().map(charge_row).collect();
    connection.execute_raw(statement(backend, sql, [json(&rows)])).await.map(drop)
}

/// A charge that has expired.
#[derive(Debug, FromQueryResult)]
pub(super) struct ExpiredCharge {
    pub(super) id: ChargeId,
    pub(super) expires_at: Timestamp,
    /// The order that has it; `None` if nobody used it.
    pub(super) order_id: Option<OrderId>,
}

/// A place in the order in which charges expire: behind which charge.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    expires_at: i64,
    id: String,
}

impl Place {
    pub(super) fn behind(charge: &ExpiredCharge) -> Self {
        Self { expires_at: charge.expires_at.micros(), id: charge.id.to_string() }
    }
}

/// The next charges behind a place that expired before an instant, used or not, the oldest first. The limit comes before the
/// question who has them, so that a page costs the same however many in a row were used.
pub(super) async fn list_expired(
    connection: &impl ConnectionTrait,
    behind: &Place,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<ExpiredCharge>, DbErr> {
    let sql = "SELECT p.id, p.expires_at, (SELECT o.id FROM orders o WHERE o.charge_id = p.id) AS order_id
         FROM (SELECT c.id, c.expires_at FROM charges c
             WHERE (c.expires_at, c.id) > ($1, $2) AND c.expires_at < $3 ORDER BY c.expires_at, c.id LIMIT $4) AS p
         ORDER BY p.expires_at, p.id";
    let values = [
        behind.expires_at.into(),
        behind.id.as_str().into(),
        before.into(),
        i64::try_from(limit).unwrap_or(i64::MAX).into(),
    ];
    let select = statement(connection.get_database_backend(), sql, values);
    ExpiredCharge::find_by_statement(select).all(connection).await
}

/// Removes charges; a foreign key and a trigger refuse where an order has one.
pub(super) async fn remove_charges(transaction: &Transaction, ids: &[ChargeId]) -> Result<u64, DbErr> {
    #[derive(Serialize)]
    struct Row {
        id: ChargeId,
    }
    let rows: Vec<Row> = ids.iter().map(|id| Row { id: *id }).collect();
    let backend = transaction.get_database_backend();
    let sql = format!(
        "DELETE FROM charges WHERE id IN (SELECT r.id FROM {})",
        rowset(backend, 1, "r", &[("id", Text)])
    );
    Ok(transaction.execute_raw(statement(backend, sql, [json(&rows)])).await?.rows_affected())
}

/// A rate to be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct RateRow {
    pub(super) base: Currency,
    pub(super) quote: Currency,
    pub(super) rate: Decimal,
    pub(super) source: String,
    pub(super) as_of: i64,
    pub(super) imported_at: i64,
}

/// Which rates that are there give way to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overwrite {
    /// Those that were not observed later.
    NotNewer,
    /// All.
    Any,
}

pub(super) async fn upsert_rates(
    transaction: &Transaction,
    rows: &[RateRow],
    overwrite: Overwrite,
) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let backend = transaction.get_database_backend();
    let guard = match overwrite {
        Overwrite::NotNewer => "WHERE exchange_rates.as_of <= excluded.as_of",
        Overwrite::Any => "",
    };
    let columns = [
        ("base", Text),
        ("quote", Text),
        ("rate", Text),
        ("source", Text),
        ("as_of", Integer),
        ("imported_at", Integer),
    ];
    let names = columns.map(|(name, _)| name).join(", ");
    let sql = format!(
        "INSERT INTO exchange_rates ({names}) SELECT {names} FROM {} WHERE true
         ON CONFLICT (base, quote) DO UPDATE SET rate = excluded.rate, source = excluded.source,
           as_of = excluded.as_of, imported_at = excluded.imported_at {guard}",
        rowset(backend, 1, "r", &columns)
    );
    transaction.execute_raw(statement(backend, sql, [json(rows)])).await.map(drop)
}

/// Sets a rule: a new row, or the new value of the one that is there. Answers the row as it is now.
pub(super) async fn upsert_rule(
    connection: &impl ConnectionTrait,
    rule: &entity::price_rules::Model,
) -> Result<entity::price_rules::Model, DbErr> {
    let backend = connection.get_database_backend();
    let sql = "INSERT INTO price_rules
           (id, kind, partner_id, subject_kind, subject, value, currency, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (kind, coalesce(partner_id, ''), subject_kind, subject, coalesce(currency, ''))
         DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
         RETURNING id, kind, partner_id, subject_kind, subject, value, currency, created_at, updated_at";
    let values = [
        rule.id.into(),
        rule.kind.as_str().into(),
        rule.partner_id.map(|partner| partner.to_string()).into(),
        rule.subject_kind.as_str().into(),
        rule.subject.clone().into(),
        rule.value.into(),
        rule.currency.map(|currency| currency.code().to_owned()).into(),
        rule.created_at.into(),
        rule.updated_at.into(),
    ];
    entity::price_rules::Model::find_by_statement(statement(backend, sql, values))
        .one(connection)
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("the rule that was just written".to_owned()))
}
