//! A refresh token, by its hash.

use sea_orm::entity::prelude::*;

use crate::ids::SessionId;
use crate::secret::{Digest, Sealed};
use crate::timestamp::Timestamp;

/// A refresh token, by its hash.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_tokens")]
pub struct Model {
    /// SHA-256 of the token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: Digest,
    /// The session that it renews.
    pub session_id: SessionId,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was exchanged.
    pub used_at: Option<Timestamp>,
    /// The hash of the token that it was exchanged for.
    pub successor_hash: Option<Digest>,
    /// That token, sealed, until it is used: a retry within 10 s gets the same one.
    pub successor_sealed: Option<Sealed>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
