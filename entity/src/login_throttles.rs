//! How often somebody has tried to sign in.

use sea_orm::entity::prelude::*;

use crate::timestamp::Timestamp;

/// How often somebody has tried to sign in.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "login_throttles")]
pub struct Model {
    /// A keyed digest of the account or the address, in hexadecimal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// The generic cell rate algorithm's one number.
    pub theoretical_arrival_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
