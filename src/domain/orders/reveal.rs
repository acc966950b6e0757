//! Reading codes.
//!
//! What lives here: the command that reads the codes of orders, sealed, and leaves the audit's rows.
//! What is always true: no more is read than is asked for; where a code was replaced, its unit's code is the one that stands; that
//! codes are read is on record before they are told, one row an order and answer, by the transaction that asks the database
//! whether the caller's session still lives.
//! What is not here: opening codes, which is the vault's; codes that an order is answered with at once (`acceptance.rs`).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use entity::ids::{OrderId, PartnerId, UnitId, VoucherId};
use entity::state::Scope;
use entity::vouchers;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect};
use serde::Serialize;
use serde_json::json;

use crate::ctx::Ctx;
use crate::domain::{audit, identity};
use crate::problem::Problem;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{self, rowset, statement};

/// The most codes that an answer carries.
pub const MOST_CODES: i32 = 1_000;

/// Which of an order's codes are wanted, by unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CodesWanted {
    /// The order.
    pub order_id: OrderId,
    /// Of units behind the one with this index; 0 for all.
    pub behind: i32,
    /// Of units up to the one with this index.
    pub until: i32,
    /// How many at most.
    pub most: i32,
    /// This very one, whether or not another stands in its place; `None` for those that stand.
    pub voucher: Option<VoucherId>,
}

impl CodesWanted {
    /// All codes of an order.
    pub const fn all_of(order_id: OrderId) -> Self {
        Self::page(order_id, 0, MOST_CODES)
    }

    /// The first `most` codes of an order behind a unit's.
    pub const fn page(order_id: OrderId, behind: i32, most: i32) -> Self {
        Self { order_id, behind, until: MOST_CODES, most, voucher: None }
    }

    /// One code of a unit.
    pub const fn of_unit(unit: UnitId, voucher: VoucherId) -> Self {
        let (behind, until) = (unit.index - 1, unit.index);
        Self { order_id: unit.order, behind, until, most: 1, voucher: Some(voucher) }
    }
}

/// Reads codes of the calling partner's orders, sealed, by unit.
///
/// # Errors
/// UNAUTHENTICATED once the session has ended; FORBIDDEN without vouchers:reveal; what the database says.
pub async fn reveal(
    ctx: &Ctx,
    wanted: Vec<CodesWanted>,
) -> Result<HashMap<CodesWanted, Arc<Vec<vouchers::Model>>>, Problem> {
    let actor = ctx.require(Scope::VouchersReveal)?;
    let (session, now) = (actor.session, ctx.now);
    let found = read(ctx, actor.partner, &wanted).await?;
    let mut told: BTreeMap<OrderId, HashSet<VoucherId>> = BTreeMap::new();
    for (wanted, codes) in &found {
        told.entry(wanted.order_id).or_default().extend(codes.iter().map(|code| code.id));
    }
    told.retain(|order, _| !ctx.revealed.has(*order));
    let entries: Vec<audit::Entry> = told
        .iter()
        .map(|(order, codes)| {
            audit::Entry::new(ctx, "vouchers.revealed", order, &json!({ "codes": codes.len() }))
        })
        .collect();
    if !entries.is_empty() {
        store::write::<_, Problem, _>(&ctx.deps, move |transaction| {
            let entries = entries.clone();
            Box::pin(async move {
                // The session was believed as it was up to 5 s ago: that will not do where secrets leave.
                if !identity::dead_sessions(transaction, now, &[session]).await?.is_empty() {
                    return Err(Problem::unauthenticated());
                }
                Ok(audit::record(transaction, &entries).await?)
            })
        })
        .await?;
        ctx.revealed.add(told.into_keys());
    }
    Ok(found.into_iter().map(|(wanted, codes)| (wanted, Arc::new(codes))).collect())
}

async fn read(
    ctx: &Ctx,
    partner: PartnerId,
    wanted: &[CodesWanted],
) -> Result<HashMap<CodesWanted, Vec<vouchers::Model>>, Problem> {
    #[derive(Serialize)]
    struct Row {
        n: usize,
        #[serde(flatten)]
        wanted: CodesWanted,
    }
    #[derive(FromQueryResult)]
    struct Found {
        n: i64,
        #[sea_orm(nested)]
        code: vouchers::Model,
    }
    let reader = &ctx.database().reader;
    let backend = reader.get_database_backend();
    let rows: Vec<Row> = wanted.iter().enumerate().map(|(n, wanted)| Row { n, wanted: *wanted }).collect();
    let columns = [
        ("n", Integer),
        ("order_id", Text),
        ("behind", Integer),
        ("until", Integer),
        ("most", Integer),
        ("voucher", Text),
    ];
    let sql = format!(
        "SELECT c.* FROM (
            SELECT v.*, r.n, r.most, row_number() OVER (PARTITION BY r.n ORDER BY v.unit_index) AS place
            FROM {} JOIN vouchers v ON v.order_id = r.order_id
                AND v.unit_index > r.behind AND v.unit_index <= r.until
            WHERE v.partner_id = $2 AND v.state = 'DELIVERED' AND (v.id = r.voucher OR (r.voucher IS NULL
                AND NOT EXISTS (SELECT 1 FROM vouchers s WHERE s.replaces = v.id)))) AS c
         WHERE c.place <= c.most ORDER BY c.n, c.place",
        rowset(backend, 1, "r", &columns)
    );
    let select = statement(backend, sql, [store::json(&rows), partner.into()]);
    let mut found: HashMap<CodesWanted, Vec<vouchers::Model>> = HashMap::new();
    for row in Found::find_by_statement(select).all(reader).await? {
        if let Some(wanted) = usize::try_from(row.n).ok().and_then(|n| wanted.get(n)) {
            found.entry(*wanted).or_default().push(row.code);
        }
    }
    Ok(found)
}

/// For which units of the calling partner's orders these codes were delivered; reads nothing secret.
///
/// # Errors
/// FORBIDDEN without vouchers:reveal; what the database says.
pub async fn find_units_of_codes(
    ctx: &Ctx,
    ids: Vec<VoucherId>,
) -> Result<HashMap<VoucherId, UnitId>, Problem> {
    let actor = ctx.require(Scope::VouchersReveal)?;
    let found: Vec<(VoucherId, Option<OrderId>, Option<i32>)> = vouchers::Entity::find()
        .select_only()
        .columns([vouchers::Column::Id, vouchers::Column::OrderId, vouchers::Column::UnitIndex])
        .filter(vouchers::Column::PartnerId.eq(actor.partner))
        .filter(vouchers::Column::Id.is_in(ids))
        .into_tuple()
        .all(&ctx.database().reader)
        .await?;
    let unit = |(id, order, index)| Some((id, UnitId { order: order?, index: index? }));
    Ok(found.into_iter().filter_map(unit).collect())
}
