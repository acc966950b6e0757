//! Opening codes.
//!
//! What lives here: the way from the rows of codes to what they hold, or to why it cannot be told.
//! What is always true: whoever calls it has checked who may see them, and has left the audit's row; a code whose time has passed
//! is not opened; where a vendor keeps the codes it is asked once for a purchase, with no transaction open, and what it tells
//! is a code of the purchase only if its blind index is the one that was delivered: no other is ever shown.
//! What is not here: reading the rows (`reveal.rs`); keys (vouchers).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use entity::ids::PurchaseId;
use entity::secret::Digest;
use entity::{purchases, vouchers};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::ctx::Ctx;
use crate::domain::vouchers::{Contents, is_over, vault};
use crate::domain::{catalog, fulfillment};
use crate::problem::{ErrorCode, Problem};

/// How many vendors' answers one request waits for at once.
const ASKED_AT_ONCE: usize = 8;
/// How long it waits for all of them at most: shorter than a request may take, so that it tells what has come by then.
const MOST_TIME: Duration = Duration::from_secs(8);

/// What a code's row comes to when it is read.
#[derive(Debug, Clone)]
pub enum Reading {
    /// What it holds.
    Told(Arc<Contents>),
    /// Nothing any more: its time has passed.
    Destroyed,
    /// Nothing now: the vendor that keeps it does not tell it.
    Unreachable,
}

impl Reading {
    /// What it holds; `None` if that is no more.
    ///
    /// # Errors
    /// SERVICE_UNAVAILABLE if it cannot be told now.
    pub fn into_contents(self) -> Result<Option<Arc<Contents>>, Problem> {
        match self {
            Self::Told(contents) => Ok(Some(contents)),
            Self::Destroyed => Ok(None),
            Self::Unreachable => {
                let message = "the vendor that keeps this code cannot tell it just now; try again";
                let problem = Problem::new(ErrorCode::ServiceUnavailable, message);
                Err(Problem { retry_after_ms: Some(1_000), ..problem })
            }
        }
    }
}

/// What a vendor told of a purchase, by blind index.
pub type Recalled = Arc<HashMap<Digest, Arc<Contents>>>;

/// The purchases whose vendors have to be asked for codes among these.
pub fn purchases_to_recall<'c>(codes: impl IntoIterator<Item = &'c vouchers::Model>) -> Vec<PurchaseId> {
    let kept_there = codes.into_iter().filter(|code| code.sealed.is_none());
    kept_there.filter_map(|code| code.purchase_id).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Asks vendors for the codes of purchases; one that cannot tell them now is absent.
///
/// # Errors
/// What the database says.
pub async fn recall(ctx: &Ctx, ids: Vec<PurchaseId>) -> Result<HashMap<PurchaseId, Recalled>, Problem> {
    let found = purchases::Entity::find().filter(purchases::Column::Id.is_in(ids));
    let mut waiting = found.all(&ctx.database().reader).await?.into_iter();
    let ask = |asked: &mut JoinSet<_>, purchase: purchases::Model| {
        let deps = Arc::clone(&ctx.deps);
        asked.spawn(async move {
            let told = fulfillment::recall(&deps, &purchase).await;
            (purchase, told)
        });
    };
    let mut asked = JoinSet::new();
    waiting.by_ref().take(ASKED_AT_ONCE).for_each(|purchase| ask(&mut asked, purchase));
    let mut recalled = HashMap::new();
    let deadline = Instant::now() + MOST_TIME;
    while let Ok(Some(answer)) = timeout_at(deadline, asked.join_next()).await {
        if let Some(next) = waiting.next() {
            ask(&mut asked, next);
        }
        let (purchase, told) = answer.map_err(Problem::internal)?;
        match told {
            Ok(contents) => drop(recalled.insert(purchase.id, indexed(ctx, &purchase, contents)?)),
            Err(reason) => {
                tracing::warn!(purchase = %purchase.id, %reason, "a vendor does not tell the codes that it keeps");
            }
        }
    }
    Ok(recalled)
}

fn indexed(ctx: &Ctx, purchase: &purchases::Model, told: Vec<Contents>) -> Result<Recalled, Problem> {
    let snapshot = ctx.feature::<catalog::Live>().snapshot();
    let product = snapshot.product(&purchase.product_id);
    let brand =
        &product.ok_or_else(|| Problem::internal("a purchase of a product that is not there"))?.brand.slug;
    let by_index = |contents: Contents| Some((vault(ctx).blind_index(brand, &contents)?, Arc::new(contents)));
    Ok(Arc::new(told.into_iter().filter_map(by_index).collect()))
}

/// Opens codes, each beside its row, with what vendors told of those that are kept there.
///
/// # Errors
/// What the vault says.
pub async fn open<'c>(
    ctx: &Ctx,
    codes: &[&'c vouchers::Model],
    recalled: &HashMap<PurchaseId, Recalled>,
) -> Result<Vec<(&'c vouchers::Model, Reading)>, Problem> {
    vault(ctx).know(ctx, codes.iter().copied()).await?;
    codes.iter().map(|code| Ok((*code, read(ctx, code, recalled)?))).collect()
}

fn read(
    ctx: &Ctx,
    code: &vouchers::Model,
    recalled: &HashMap<PurchaseId, Recalled>,
) -> Result<Reading, Problem> {
    if is_over(code, ctx.now) {
        return Ok(Reading::Destroyed);
    }
    if code.sealed.is_some() {
        return Ok(Reading::Told(Arc::new(vault(ctx).open_voucher(code)?)));
    }
    let Some(told) = code.purchase_id.and_then(|purchase| recalled.get(&purchase)) else {
        return Ok(Reading::Unreachable);
    };
    if let Some(contents) = told.get(&code.blind_index) {
        return Ok(Reading::Told(Arc::clone(contents)));
    }
    tracing::error!(voucher = %code.id, purchase = ?code.purchase_id, "a vendor tells other codes than it delivered");
    Ok(Reading::Unreachable)
}
