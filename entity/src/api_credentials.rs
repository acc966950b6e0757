//! A key and a secret with which a partner's program signs in.

use sea_orm::entity::prelude::*;

use crate::ids::{CredentialId, PartnerId};
use crate::timestamp::Timestamp;

/// A key and a secret with which a partner's program signs in.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_credentials")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CredentialId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// What it is for, in the partner's words.
    pub name: String,
    /// The key, unique.
    pub username: String,
    /// Argon2id of the secret, in PHC form.
    pub secret_hash: String,
    /// What it may do: scopes joined by spaces.
    pub scopes: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last signed in.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The rows of a partner: where every read on its behalf begins.
pub fn owned_by(partner: PartnerId) -> Select<Entity> {
    Entity::find().filter(Column::PartnerId.eq(partner))
}
