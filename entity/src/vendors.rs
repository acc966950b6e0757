//! A vendor: our account there, and how it is spoken to.

use sea_orm::entity::prelude::*;

use crate::currency::Currency;
use crate::ids::{DataKeyId, VendorId};
use crate::secret::Sealed;
use crate::state::{RetentionKind, VendorStatus};
use crate::timestamp::Timestamp;

/// A vendor: our account there, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "vendors")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: VendorId,
    /// Its name, unique.
    pub name: String,
    /// The adapter that speaks to it.
    pub adapter: String,
    /// Whether it is bought from.
    pub status: VendorStatus,
    /// Its address.
    pub base_url: String,
    /// What the operator set for the adapter, as JSON.
    pub options: String,
    /// Keys and passwords, sealed.
    pub credentials: Option<Sealed>,
    /// The key that seals them.
    pub credentials_key_id: Option<DataKeyId>,
    /// The currency of our account there.
    pub currency: Currency,
    /// Among equals, the lowest goes first.
    pub priority: i32,
    /// How long a call may take.
    pub timeout_ms: i32,
    /// How many requests a second it takes.
    pub requests_per_second: i32,
    /// How many requests at once it takes.
    pub concurrent_requests: i32,
    /// How many units a purchase may have.
    pub largest_batch: i32,
    /// For how long a purchase that it does not know may still come to be.
    pub settle_window_secs: i32,
    /// How the codes that it delivers are kept.
    pub retention: RetentionKind,
    /// For how many seconds, where they are kept for a time.
    pub retention_secs: Option<i64>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
