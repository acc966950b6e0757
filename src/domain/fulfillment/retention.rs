//! For how long the codes that a vendor sells may be kept.
//!
//! What lives here: the rule, as the operator writes it, and the command that changes it.
//! What is always true: a change is for what is bought from then on; a purchase keeps the rule under which it was opened.
//! What is not here: how codes are forgotten; that is the vault's (`vouchers/forget.rs`).

use std::fmt;
use std::str::FromStr;

use entity::vendors;
use sea_orm::{ActiveModelTrait, Set};
use serde_json::json;

use super::vendors::{VendorRefusedReason, get};
use crate::ctx::Ctx;
use crate::domain::audit::{self, Entry};
use crate::problem::{Failure, Problem};
use crate::store::{Subject, bump, write};

/// The fewest hours: a partner must have time to read what it bought.
const FEWEST_HOURS: i32 = 24;
/// The most: a year.
const MOST_HOURS: i32 = 8_760;

/// For how long codes may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// For good.
    Store,
    /// For so many hours, 24 to 8,760; then nobody can read them.
    Ttl(i32),
}

impl Retention {
    /// The rule of a vendor.
    pub const fn of(vendor: &vendors::Model) -> Self {
        match vendor.retention_hours {
            Some(hours) => Self::Ttl(hours),
            None => Self::Store,
        }
    }

    /// As tables have it.
    pub const fn hours(self) -> Option<i32> {
        match self {
            Self::Store => None,
            Self::Ttl(hours) => Some(hours),
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store => out.write_str("store"),
            Self::Ttl(hours) => write!(out, "ttl={hours}h"),
        }
    }
}

impl FromStr for Retention {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "store" {
            return Ok(Self::Store);
        }
        text.strip_prefix("ttl=")
            .and_then(|rest| rest.strip_suffix('h'))
            .and_then(|hours| hours.parse().ok())
            .filter(|hours| (FEWEST_HOURS..=MOST_HOURS).contains(hours))
            .map(Self::Ttl)
            .ok_or_else(|| format!("must be store, or ttl={FEWEST_HOURS}h to ttl={MOST_HOURS}h"))
    }
}

/// Changes for how long the codes are kept that are bought of a vendor from now on.
///
/// # Errors
/// `Unknown`; what the database says.
pub async fn set_vendor_retention(
    ctx: &Ctx,
    named: &str,
    retention: Retention,
) -> Result<vendors::Model, Failure<VendorRefusedReason>> {
    let row = get(ctx, named).await?;
    let facts = json!({
        "name": row.name, "before": Retention::of(&row).to_string(), "after": retention.to_string(),
    });
    let entry = Entry::new(ctx, "vendors.retention_changed", row.id, &facts);
    let changed = vendors::ActiveModel {
        id: Set(row.id),
        retention_hours: Set(retention.hours()),
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
