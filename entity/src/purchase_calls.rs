//! What was done about a purchase: each call, and each decision.

use sea_orm::entity::prelude::*;

use crate::ids::PurchaseId;
use crate::state::PurchaseCallKind;
use crate::timestamp::Timestamp;

/// What was done about a purchase: each call, and each decision.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "purchase_calls")]
pub struct Model {
    /// The purchase.
    #[sea_orm(primary_key, auto_increment = false)]
    pub purchase_id: PurchaseId,
    /// From 1 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub n: i32,
    /// What was done.
    pub kind: PurchaseCallKind,
    /// What came of it.
    pub outcome: String,
    /// In words.
    pub message: String,
    /// The HTTP status, if there was one.
    pub http_status: Option<i32>,
    /// How long it took.
    pub duration_micros: i64,
    /// Who did it: a worker, or a person.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
