//! A sign-in and the refreshes that follow from it.

use sea_orm::entity::prelude::*;

use crate::ids::{AdminId, CredentialId, PartnerId, SessionId};
use crate::timestamp::Timestamp;

/// A sign-in and the refreshes that follow from it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// The partner; null for an admin.
    pub partner_id: Option<PartnerId>,
    /// The credential that signed in; null for an admin.
    pub credential_id: Option<CredentialId>,
    /// The admin; null for a partner.
    pub admin_id: Option<AdminId>,
    /// What it may do: scopes joined by spaces.
    pub scopes: String,
    /// The client address that signed in.
    pub address: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// When it ends unless it is refreshed.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
    /// Why it was ended.
    pub revoked_reason: Option<String>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
