//! How a vendor's codes are kept.
//!
//! What lives here: the operator's command that changes it, and what a delivery goes by.
//! What is always true: it is about what is delivered from then on; what was delivered before stays as it is kept.
//! What is not here: what each way of keeping means (vouchers); the choice when a vendor is added (`vendors.rs`).

use entity::ids::VendorId;
use entity::vendors;
use sea_orm::{ActiveModelTrait, EntityTrait, Set};
use serde_json::json;

use super::adapter::BadAccount;
use super::live::Live;
use super::vendors::{VendorRefusedReason, check_retention, get};
use crate::ctx::{Ctx, Deps};
use crate::domain::audit::{self, Entry};
use crate::domain::vouchers::Retention;
use crate::problem::{Failure, Problem};
use crate::store::{Subject, bump, write};

/// Changes how the codes are kept that a vendor delivers from now on.
///
/// # Errors
/// `Unknown`, `TellsNoCodesAgain`, and `BadAccount` where that cannot be asked; what the database says.
pub async fn set_retention(
    ctx: &Ctx,
    named: &str,
    retention: Retention,
) -> Result<vendors::Model, Failure<VendorRefusedReason>> {
    let row = get(ctx, named).await?;
    if retention == Retention::PassThrough {
        let live = ctx.feature::<Live>();
        let known = live.vendor(row.id).ok_or_else(|| {
            let reason = live.broken(row.id).unwrap_or_else(|| "it is not open yet".to_owned());
            Failure::Refused(VendorRefusedReason::BadAccount(BadAccount {
                field: "vendor".to_owned(),
                reason,
            }))
        })?;
        check_retention(retention, known.capabilities).map_err(Failure::Refused)?;
    }
    let before = of_row(&row)?;
    let facts = json!({ "name": row.name, "before": before.to_string(), "after": retention.to_string() });
    let entry = Entry::new(ctx, "vendors.retention_changed", row.id, &facts);
    let (kind, secs) = retention.columns();
    let changed = vendors::ActiveModel {
        id: Set(row.id),
        retention: Set(kind),
        retention_secs: Set(secs),
        updated_at: Set(ctx.now),
        ..Default::default()
    };
    let row = write::<_, Problem, _>(&ctx.deps, move |transaction| {
        let (changed, entry) = (changed.clone(), entry.clone());
        Box::pin(async move {
            let row = changed.update(transaction).await?;
            audit::record(transaction, &[entry]).await?;
            bump(transaction, Subject::Vendors).await?;
            Ok(row)
        })
    })
    .await?;
    Ok(row)
}

/// How what a vendor delivers now is kept: asked of the database, since another process may have changed it a moment ago.
///
/// # Errors
/// What the database says.
pub async fn retention_of(deps: &Deps, vendor: VendorId) -> Result<Retention, Problem> {
    let row = vendors::Entity::find_by_id(vendor).one(&deps.database.reader).await?;
    of_row(&row.ok_or_else(|| Problem::internal(format!("there is no vendor {vendor}")))?)
}

fn of_row(row: &vendors::Model) -> Result<Retention, Problem> {
    let retention = Retention::of(row.retention, row.retention_secs);
    retention.ok_or_else(|| Problem::internal(format!("{} keeps codes in no known way", row.id)))
}
