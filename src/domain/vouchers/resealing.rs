//! Codes whose time begins, or will never begin.
//!
//! What lives here: sealing codes that were bought to be kept for a time anew: for good, once they are stock; for their time,
//! once what was set aside is delivered.
//! What is always true: a code's time is its own from its delivery on, however long it waited for it; stock never runs out by
//! a key; a code that is delivered is never sealed anew, so that its life is never made longer.
//! What is not here: what is sealed for the first time (`bought.rs`).

use std::collections::BTreeMap;

use entity::ids::{DataKeyId, VoucherId};
use entity::timestamp::Timestamp;
use entity::vouchers;
use sea_orm::{ConnectionTrait, DbErr};
use serde::Serialize;

use super::keys::to_hex;
use super::load_store::from_hex;
use super::model::Purpose;
use super::vault::Vault;
use crate::ctx::Deps;
use crate::problem::Problem;
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{Transaction, expect_all, json, rowset, statement};

/// Has codes that are stock from now on kept for good, however their vendor's are kept.
///
/// # Errors
/// What the database says; a code that is delivered already.
pub async fn keep_as_stock(
    deps: &Deps,
    transaction: &Transaction,
    now: Timestamp,
    codes: &[vouchers::Model],
) -> Result<(), DbErr> {
    let bounded: Vec<&vouchers::Model> = codes.iter().filter(|code| code.retention_secs.is_some()).collect();
    reseal(deps, (transaction, now), Purpose::Stock, &bounded).await
}

/// Seals codes that waited for their delivery with the keys of now, so that each has its whole time.
///
/// # Errors
/// As `keep_as_stock`.
pub(super) async fn begin_their_time(
    deps: &Deps,
    transaction: &Transaction,
    now: Timestamp,
    codes: &[vouchers::Model],
) -> Result<(), DbErr> {
    let mut by_length: BTreeMap<i64, Vec<&vouchers::Model>> = BTreeMap::new();
    for code in codes {
        if let Some(secs) = code.retention_secs {
            by_length.entry(secs).or_default().push(code);
        }
    }
    for (secs, codes) in by_length {
        reseal(deps, (transaction, now), Purpose::KeptFor(secs), &codes).await?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Resealed {
    id: VoucherId,
    data_key_id: DataKeyId,
    sealed: String,
    retention_secs: Option<i64>,
}

async fn reseal(
    deps: &Deps,
    (transaction, now): (&Transaction, Timestamp),
    purpose: Purpose,
    codes: &[&vouchers::Model],
) -> Result<(), DbErr> {
    if codes.is_empty() {
        return Ok(());
    }
    let rows = sealed_anew(deps, (transaction, now), purpose, codes)
        .await
        .map_err(|problem| DbErr::Custom(problem.to_string()))?;
    let backend = transaction.get_database_backend();
    let columns = [("id", Text), ("data_key_id", Text), ("sealed", Text), ("retention_secs", Integer)];
    let sql = format!(
        "UPDATE vouchers SET data_key_id = r.data_key_id, sealed = {}, retention_secs = r.retention_secs
         FROM {} WHERE vouchers.id = r.id AND vouchers.state IN ('AVAILABLE', 'RESERVED')",
        from_hex(backend, "r.sealed"),
        rowset(backend, 1, "r", &columns)
    );
    let changed = transaction.execute_raw(statement(backend, sql, [json(&rows)])).await?.rows_affected();
    expect_all(changed, rows.len(), "codes")
}

async fn sealed_anew(
    deps: &Deps,
    (transaction, now): (&Transaction, Timestamp),
    purpose: Purpose,
    codes: &[&vouchers::Model],
) -> Result<Vec<Resealed>, Problem> {
    let vault = deps.feature::<Vault>();
    let uses = i64::try_from(codes.len()).map_err(Problem::internal)?;
    let key = vault.reserve_within(deps, (transaction, now), purpose, uses).await?;
    let retention_secs = match purpose {
        Purpose::KeptFor(secs) => Some(secs),
        Purpose::Stock | Purpose::Secrets => None,
    };
    let mut rows = Vec::with_capacity(codes.len());
    for code in codes {
        if let Some(old) = code.data_key_id {
            vault.know_within(transaction, old).await?;
        }
        let contents = vault.open_voucher(code)?;
        let bound_to = (code.id, code.product_id.as_str(), code.face_minor);
        let sealed = Vault::seal_voucher(&key, deps.ids.as_ref(), bound_to, &contents);
        rows.push(Resealed { id: code.id, data_key_id: key.id, sealed: to_hex(&sealed.0), retention_secs });
    }
    Ok(rows)
}
