//! A key that seals secrets, itself sealed by a master key.

use sea_orm::entity::prelude::*;

use crate::ids::DataKeyId;
use crate::secret::Sealed;
use crate::timestamp::Timestamp;

/// A key that seals secrets, itself sealed by a master key.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "data_keys")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DataKeyId,
    /// Which master key wraps it.
    pub master_version: i32,
    /// The key, sealed; empty once it is destroyed.
    pub wrapped: Sealed,
    /// What it seals, such as stock.
    pub purpose: String,
    /// How many texts it may have sealed: uses are reserved before they are made.
    pub uses: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stopped sealing; it opens for as long as rows need it.
    pub retired_at: Option<Timestamp>,
    /// From when on it is to be destroyed; `None` if never.
    pub expires_at: Option<Timestamp>,
    /// When it was destroyed.
    pub destroyed_at: Option<Timestamp>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
