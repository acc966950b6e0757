//! A person who runs the system.

use sea_orm::entity::prelude::*;

use crate::ids::AdminId;
use crate::timestamp::Timestamp;

/// A person who runs the system.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "admins")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AdminId,
    /// The name used to sign in, unique among admins.
    pub username: String,
    /// Argon2id, in PHC form.
    pub password_hash: String,
    /// When the account was opened.
    pub created_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
