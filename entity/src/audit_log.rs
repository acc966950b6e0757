//! Who did what, for ever: rows are never changed or removed.

use sea_orm::entity::prelude::*;

use crate::ids::{AuditId, PartnerId, RequestId, SessionId};
use crate::timestamp::Timestamp;

/// Who did what, for ever: rows are never changed or removed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// partner, admin or system.
    pub actor_kind: String,
    /// The partner's or the admin's id.
    pub actor_id: Option<String>,
    /// The partner whom it concerns.
    pub partner_id: Option<PartnerId>,
    /// In which session.
    pub session_id: Option<SessionId>,
    /// What, such as vouchers.revealed.
    pub action: String,
    /// To what: an id.
    pub subject: String,
    /// In which request.
    pub request_id: Option<RequestId>,
    /// From which client address.
    pub address: Option<String>,
    /// Facts as a JSON object; never a secret.
    pub detail: String,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
