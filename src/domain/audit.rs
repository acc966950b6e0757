//! The audit log.
//!
//! What lives here: what writes it.
//! What is always true: what is audited and its row commit together; rows are never changed; no row carries a secret.
//! What is not here: the hash chain over it, which is written beside it.

use entity::ids::{AuditId, PartnerId, SessionId};
use sea_orm::{ConnectionTrait, DbErr};
use serde::Serialize;
use serde_json::Value;

use crate::ctx::{Actor, Ctx};
use crate::store::ColumnKind::{Integer, Text};
use crate::store::{ColumnKind, Rows, insert};

/// A row of the audit log.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    id: AuditId,
    at: i64,
    actor_kind: &'static str,
    actor_id: Option<String>,
    partner_id: Option<PartnerId>,
    session_id: Option<SessionId>,
    action: &'static str,
    subject: String,
    request_id: Option<String>,
    address: Option<String>,
    detail: String,
}

impl Entry {
    /// What the context's actor does now: the action, such as `vouchers.revealed`, on a subject (an id), with facts that are
    /// no secrets.
    pub fn new(ctx: &Ctx, action: &'static str, subject: impl ToString, detail: &Value) -> Self {
        let (actor_kind, actor_id, partner_id, session_id) = match &ctx.actor {
            Actor::Partner(actor) => {
                ("partner", Some(actor.partner.to_string()), Some(actor.partner), Some(actor.session))
            }
            Actor::Admin(actor) => ("admin", Some(actor.admin.to_string()), None, Some(actor.session)),
            Actor::System | Actor::Anonymous => ("system", None, None, None),
        };
        Self {
            id: AuditId::from_uuid(ctx.uuid()),
            at: ctx.now.micros(),
            actor_kind,
            actor_id,
            partner_id,
            session_id,
            action,
            subject: subject.to_string(),
            request_id: Some(ctx.request_id.to_string()),
            address: ctx.address.map(|address| address.to_string()),
            detail: detail.to_string(),
        }
    }

    /// The same, telling which partner it concerns where the actor is none.
    #[must_use]
    pub fn about(mut self, partner: PartnerId) -> Self {
        self.partner_id = Some(partner);
        self
    }
}

/// Rows of the audit log, to be inserted with what they tell.
pub fn rows(entries: &[Entry]) -> Rows {
    const COLUMNS: &[(&str, ColumnKind)] = &[
        ("id", Text),
        ("at", Integer),
        ("actor_kind", Text),
        ("actor_id", Text),
        ("partner_id", Text),
        ("session_id", Text),
        ("action", Text),
        ("subject", Text),
        ("request_id", Text),
        ("address", Text),
        ("detail", Text),
    ];
    Rows::of("audit_log", COLUMNS, entries)
}

/// Writes rows of the audit log.
///
/// # Errors
/// What the database says.
pub async fn record(connection: &impl ConnectionTrait, entries: &[Entry]) -> Result<(), DbErr> {
    insert(connection, vec![rows(entries)]).await
}
