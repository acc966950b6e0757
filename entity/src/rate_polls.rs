//! Whose turn it is to ask the provider of rates, and how the last poll went: one row.

use sea_orm::entity::prelude::*;

use crate::timestamp::Timestamp;

/// Whose turn it is to ask the provider of rates, and how the last poll went: one row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rate_polls")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Until when one process polls and no other does; long ago if none does.
    pub lease_until: Timestamp,
    /// Grows with each lease.
    pub lease_epoch: i64,
    /// When the next poll is due.
    pub due_at: Timestamp,
    /// How many polls have failed since the last that did not.
    pub failures: i32,
    /// When a poll last began.
    pub tried_at: Option<Timestamp>,
    /// When a poll last ended well.
    pub succeeded_at: Option<Timestamp>,
    /// Whom it asked.
    pub source: Option<String>,
    /// Why the last poll failed; none if it did not.
    pub failure: Option<String>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
