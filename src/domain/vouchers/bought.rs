//! Codes that came of a purchase.
//!
//! What lives here: sealing what a vendor delivered, and taking it into stock.
//! What is always true: they come in like loaded ones, with their moves; a code that is in the vault already does not come in
//! again, whoever delivers it.
//! What is not here: whom they go to, and what they cost in the ledger; that is orders.

use std::collections::BTreeMap;
use std::sync::Arc;

use entity::ids::{PurchaseId, StockWriterId, VoucherId};
use entity::state::{StockMoveKind, VoucherState};
use entity::timestamp::Timestamp;
use entity::vouchers;
use sea_orm::DbErr;

use super::load::{Cost, NewVoucher};
use super::load_store::insert_new_vouchers;
use super::model::Purpose;
use super::retention::Retention;
use super::secret::Contents;
use super::store::{StockMove, record_moves};
use super::vault::{DataKey, Vault, vault};
use crate::ctx::Ctx;
use crate::problem::Problem;
use crate::store::Transaction;

/// Of what codes are.
#[derive(Debug, Clone, Copy)]
pub struct BoughtOf<'a> {
    /// The product.
    pub product: &'a str,
    /// Its brand, within which a code is unique.
    pub brand: &'a str,
    /// The face value, in minor units of the product's face currency.
    pub face_minor: i64,
    /// The purchase.
    pub purchase: PurchaseId,
    /// How they are kept.
    pub retention: Retention,
}

/// A code that was bought, in the clear.
#[derive(Debug)]
pub struct Bought {
    /// Code, pin, serial and link.
    pub contents: Contents,
    /// When it expires; `None` if never.
    pub expires_at: Option<Timestamp>,
    /// What it cost.
    pub cost: Cost,
}

/// Seals codes as they are kept; `None` in the place of one that has neither code nor link, and so is none.
///
/// # Errors
/// What the database says.
pub async fn seal_bought(
    ctx: &Ctx,
    of: BoughtOf<'_>,
    bought: &[Bought],
) -> Result<Vec<Option<NewVoucher>>, Problem> {
    if bought.is_empty() {
        return Ok(Vec::new());
    }
    let purpose = match of.retention {
        Retention::Store => Some(Purpose::Stock),
        Retention::KeptFor(secs) => Some(Purpose::KeptFor(secs)),
        Retention::PassThrough => None,
    };
    let key = match purpose {
        Some(purpose) => {
            let uses = i64::try_from(bought.len()).map_err(Problem::internal)?;
            Some(vault(ctx).reserve(ctx, purpose, uses).await?)
        }
        None => None,
    };
    let (_, retention_secs) = of.retention.columns();
    let seal = |one: &Bought| {
        let id = VoucherId::from_uuid(ctx.uuid());
        let bound_to = (id, of.product, of.face_minor);
        let sealed = |key: &Arc<DataKey>| {
            (key.id, Vault::seal_voucher(key, ctx.deps.ids.as_ref(), bound_to, &one.contents))
        };
        Some(NewVoucher {
            id,
            product: of.product.to_owned(),
            face_minor: of.face_minor,
            blind_index: vault(ctx).blind_index(of.brand, &one.contents)?,
            sealed: key.as_ref().map(sealed),
            retention_secs,
            expires_at: one.expires_at,
            cost: Some(one.cost),
            lot: of.purchase.to_string(),
            purchase: Some(of.purchase),
        })
    };
    Ok(bought.iter().map(seal).collect())
}

/// Takes codes into stock, and tells each as it lies there; `None` in the place of one that is in the vault already.
///
/// # Errors
/// What the database says.
pub async fn take_in(
    transaction: &Transaction,
    now: Timestamp,
    writer: StockWriterId,
    bought: &[NewVoucher],
) -> Result<Vec<Option<vouchers::Model>>, DbErr> {
    if bought.is_empty() {
        return Ok(Vec::new());
    }
    let inserted = insert_new_vouchers(transaction, now, bought).await?;
    let mut counts: BTreeMap<(&str, i64), i32> = BTreeMap::new();
    for voucher in bought.iter().filter(|voucher| inserted.contains(&voucher.id)) {
        *counts.entry((&voucher.product, voucher.face_minor)).or_default() += 1;
    }
    let moves: Vec<StockMove> = counts
        .into_iter()
        .map(|((product, face_minor), delta)| StockMove {
            product_id: product.to_owned(),
            face_minor,
            kind: StockMoveKind::Loaded,
            delta,
        })
        .collect();
    record_moves(transaction, now, writer, &moves).await?;
    Ok(bought.iter().map(|voucher| inserted.contains(&voucher.id).then(|| row(voucher, now))).collect())
}

fn row(voucher: &NewVoucher, now: Timestamp) -> vouchers::Model {
    vouchers::Model {
        id: voucher.id,
        product_id: voucher.product.clone(),
        face_minor: voucher.face_minor,
        state: VoucherState::Available,
        order_id: None,
        unit_index: None,
        partner_id: None,
        replaces: None,
        data_key_id: voucher.sealed.as_ref().map(|(key, _)| *key),
        sealed: voucher.sealed.as_ref().map(|(_, sealed)| sealed.clone()),
        retention_secs: voucher.retention_secs,
        blind_index: voucher.blind_index.clone(),
        expires_at: voucher.expires_at,
        usable_until: voucher.expires_at.unwrap_or(Timestamp::NEVER),
        cost_micros: voucher.cost.map(|cost| cost.micros),
        cost_currency: voucher.cost.map(|cost| cost.currency),
        lot: voucher.lot.clone(),
        purchase_id: voucher.purchase,
        loaded_at: now,
        delivered_at: None,
    }
}
