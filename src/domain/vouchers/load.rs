//! Taking sealed codes into stock.
//!
//! What lives here: the command that writes vouchers, their stock moves, what they cost, and the audit's row.
//! What is always true: a transaction has at most 500 codes, so that orders beside it wait for no longer than that takes, and
//! holds all four for them.
//! What is not here: where codes come from (`import`, `generate`).

use std::collections::BTreeMap;
use std::sync::Arc;

use entity::currency::Currency;
use entity::ids::{DataKeyId, PurchaseId, StockWriterId, TransactionId, VoucherId};
use entity::secret::{Digest, Sealed};
use entity::state::{Account, StockMoveKind, TransactionKind};
use entity::timestamp::Timestamp;
use sea_orm::SqlErr;
use serde_json::json;

use super::load_store;
use super::store::{StockMove, record_moves};
use crate::ctx::Ctx;
use crate::domain::audit::{self, Entry};
use crate::domain::wallet::{self, COST_SCALE, Line, NewTransaction};
use crate::problem::Problem;
use crate::store::{Repeatable, Transaction, write};

/// How many codes one transaction takes in.
const LARGEST_BATCH: usize = 500;

/// What a code cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// At scale 6 of the currency.
    pub micros: i64,
    /// The currency.
    pub currency: Currency,
}

/// A code on its way in, sealed already.
#[derive(Debug, Clone)]
pub struct NewVoucher {
    /// The id, to which it is bound.
    pub id: VoucherId,
    /// The product, to which it is bound.
    pub product: String,
    /// The face value in minor units of the product's face currency, to which it is bound.
    pub face_minor: i64,
    /// Code, pin, serial and link, sealed together, with the key that sealed them; `None` if the vendor alone keeps them.
    pub sealed: Option<(DataKeyId, Sealed)>,
    /// For how many seconds from its delivery on it can be read; `None` if for ever.
    pub retention_secs: Option<i64>,
    /// The keyed digest that tells a code loaded twice.
    pub blind_index: Digest,
    /// When it expires; `None` if never.
    pub expires_at: Option<Timestamp>,
    /// What it cost, if that is known.
    pub cost: Option<Cost>,
    /// The lot that it came in.
    pub lot: String,
    /// The purchase that it came of; `None` if it is loaded.
    pub purchase: Option<PurchaseId>,
}

/// What was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// The writer of the stock moves: the name of this load in the audit log and in the ledger's notes.
    pub writer: StockWriterId,
    /// How many codes.
    pub codes: usize,
}

/// Why codes were not all taken in.
#[derive(Debug)]
pub enum LoadError {
    /// Some of the codes were loaded by another at the same moment; the batches before are in.
    LoadedMeanwhile {
        /// How many codes are in.
        codes: usize,
    },
    /// It could not be done; the batches before are in.
    Problem(Problem),
}

impl From<Problem> for LoadError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<sea_orm::DbErr> for LoadError {
    fn from(error: sea_orm::DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::LoadedMeanwhile { codes: 0 },
            _ => Self::Problem(error.into()),
        }
    }
}

impl Repeatable for LoadError {
    fn is_repeatable(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.is_repeatable())
    }
}

/// Takes codes into stock, at most 500 a transaction; `loaded` is told how many are in after each.
///
/// # Errors
/// See `LoadError`; what was committed stays, so that the rest can be loaded later.
pub async fn load(
    ctx: &Ctx,
    vouchers: Vec<NewVoucher>,
    loaded: &(dyn Fn(usize) + Send + Sync),
) -> Result<Loaded, LoadError> {
    let writer = StockWriterId::from_uuid(ctx.uuid());
    let mut codes = 0;
    let mut rest = vouchers.into_iter();
    loop {
        let batch: Arc<[NewVoucher]> = rest.by_ref().take(LARGEST_BATCH).collect();
        if batch.is_empty() {
            return Ok(Loaded { writer, codes });
        }
        let size = batch.len();
        let task = ctx.clone();
        let written = write::<_, LoadError, _>(&ctx.deps, move |transaction| {
            let (ctx, batch) = (task.clone(), Arc::clone(&batch));
            Box::pin(async move { load_batch(&ctx, transaction, writer, &batch).await })
        });
        written.await.map_err(|error| match error {
            LoadError::LoadedMeanwhile { .. } => LoadError::LoadedMeanwhile { codes },
            other @ LoadError::Problem(_) => other,
        })?;
        codes += size;
        loaded(codes);
    }
}

async fn load_batch(
    ctx: &Ctx,
    transaction: &Transaction,
    writer: StockWriterId,
    batch: &[NewVoucher],
) -> Result<(), LoadError> {
    load_store::insert_vouchers(transaction, ctx.now, batch).await?;
    let moves = moves(batch);
    record_moves(transaction, ctx.now, writer, &moves).await?;
    let cost = cost_of(ctx, writer, batch)?;
    let detail = json!({ "codes": batch.len(), "products": moves.len(), "lot": batch.first().map(|first| &first.lot) });
    let audited = audit::rows(&[Entry::new(ctx, "stock.loaded", writer, &detail)]);
    wallet::post(transaction, ctx.now, &mut BTreeMap::new(), cost.as_slice(), vec![audited]).await?;
    Ok(())
}

fn moves(batch: &[NewVoucher]) -> Vec<StockMove> {
    let mut counts: BTreeMap<(&str, i64), i32> = BTreeMap::new();
    for voucher in batch {
        *counts.entry((&voucher.product, voucher.face_minor)).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|((product, face_minor), delta)| StockMove {
            product_id: product.to_owned(),
            face_minor,
            kind: StockMoveKind::Loaded,
            delta,
        })
        .collect()
}

/// The posting of what a batch cost; `None` if it cost nothing.
fn cost_of(
    ctx: &Ctx,
    writer: StockWriterId,
    batch: &[NewVoucher],
) -> Result<Option<NewTransaction>, Problem> {
    let mut sums: BTreeMap<Currency, i64> = BTreeMap::new();
    for cost in batch.iter().filter_map(|voucher| voucher.cost) {
        let sum = sums.entry(cost.currency).or_default();
        *sum = sum
            .checked_add(cost.micros)
            .ok_or_else(|| Problem::internal("a batch cost more than can be counted"))?;
    }
    let line =
        |account, currency, amount| Line { account, wallet: None, currency, scale: COST_SCALE, amount };
    let lines: Vec<Line> = sums
        .into_iter()
        .filter(|(_, sum)| *sum > 0)
        .flat_map(|(currency, sum)| {
            [line(Account::Inventory, currency, sum), line(Account::Payable, currency, -sum)]
        })
        .collect();
    Ok((!lines.is_empty()).then(|| NewTransaction {
        id: TransactionId::from_uuid(ctx.uuid()),
        kind: TransactionKind::StockLoad,
        partner: None,
        order: None,
        reference: None,
        note: Some(format!("stock load {writer}")),
        lines,
    }))
}
