//! API credentials.
//!
//! What lives here: making and revoking them.
//! What is always true: a secret is answered once, when it is made, and is nowhere but in its hash; revoking a credential ends
//! its sessions in the same transaction; a partner has at most 100 that work.
//! What is not here: listing them (`queries.rs`).

use entity::api_credentials::{self, Column, Entity};
use entity::ids::{CredentialId, PartnerId};
use entity::partners;
use entity::state::Scope;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect, prelude::*};
use serde_json::json;

use super::authenticate::require_live_session;
use super::model::{CREDENTIAL_PREFIX, MOST_CREDENTIALS, SECRET_PREFIX, checked_name, granted, join_scopes};
use super::secrets::{Secret, random_text};
use super::store::{self, Which};
use super::{Identity, IdentityRefusal};
use crate::ctx::{Actor, Ctx};
use crate::domain::audit;
use crate::problem::{Failure, Problem};
use crate::store::{Transaction, write};

/// Digits of 5 bits in a username.
const USERNAME_DIGITS: usize = 20;

/// What a new credential is for and may do.
#[derive(Debug, Clone)]
pub struct CreateCredential {
    /// What it is for, 1 to 100 characters.
    pub name: String,
    /// What it may do; everything but account:write if absent.
    pub scopes: Option<Vec<Scope>>,
}

/// A credential with its secret, which is never shown again.
#[derive(Debug, Clone)]
pub struct NewCredential {
    /// The credential.
    pub credential: api_credentials::Model,
    /// Its secret.
    pub secret: Secret,
}

/// Makes a credential of the calling partner, which may do at most what the caller may.
///
/// # Errors
/// FORBIDDEN without account:write; INVALID_INPUT, SCOPE_NOT_GRANTED as refusals.
pub async fn create_credential(
    ctx: &Ctx,
    command: CreateCredential,
) -> Result<NewCredential, Failure<IdentityRefusal>> {
    let actor = ctx.require(Scope::AccountWrite)?;
    create(ctx, actor.partner, &actor.scopes, command).await
}

/// Makes a credential of a partner, on the command line.
///
/// # Errors
/// FORBIDDEN for anybody but the system; INVALID_INPUT, NOT_FOUND as refusals.
pub async fn create_credential_for(
    ctx: &Ctx,
    partner: PartnerId,
    command: CreateCredential,
) -> Result<NewCredential, Failure<IdentityRefusal>> {
    require_system(ctx)?;
    create(ctx, partner, Scope::ALL, command).await
}

/// Only the command line and background work may go on.
pub(super) fn require_system(ctx: &Ctx) -> Result<(), Problem> {
    if ctx.actor == Actor::System { Ok(()) } else { Err(Problem::forbidden("the command line")) }
}

async fn create(
    ctx: &Ctx,
    partner: PartnerId,
    maker: &[Scope],
    command: CreateCredential,
) -> Result<NewCredential, Failure<IdentityRefusal>> {
    let name = checked_name(&command.name).map_err(Failure::Refused)?;
    let scopes = granted(maker, command.scopes).map_err(Failure::Refused)?;
    let ids = &*ctx.deps.ids;
    let secret = Secret::random(ids, SECRET_PREFIX);
    let credential = api_credentials::Model {
        id: CredentialId::from_uuid(ctx.uuid()),
        partner_id: partner,
        name,
        username: random_text(ids, CREDENTIAL_PREFIX, USERNAME_DIGITS),
        secret_hash: ctx.feature::<Identity>().hash(ids, secret.clone()).await?,
        scopes: join_scopes(&scopes),
        created_at: ctx.now,
        last_used_at: None,
        revoked_at: None,
    };
    let (own_ctx, row) = (ctx.clone(), credential.clone());
    write(&ctx.deps, move |transaction| {
        let (ctx, row) = (own_ctx.clone(), row.clone());
        Box::pin(async move { insert(transaction, &ctx, row).await })
    })
    .await?;
    Ok(NewCredential { credential, secret })
}

async fn insert(
    transaction: &Transaction,
    ctx: &Ctx,
    row: api_credentials::Model,
) -> Result<(), Failure<IdentityRefusal>> {
    require_live_session(transaction, ctx).await?;
    // Two at once must not both be the hundredth. This lock lets rows that only refer to the partner pass.
    let partner = partners::Entity::find_by_id(row.partner_id).lock(LockType::NoKeyUpdate);
    if partner.one(transaction).await?.is_none() {
        return Err(Failure::Refused(IdentityRefusal::NotFound));
    }
    let working = api_credentials::owned_by(row.partner_id).filter(Column::RevokedAt.is_null());
    if working.count(transaction).await? >= MOST_CREDENTIALS {
        return Err(Failure::Refused(IdentityRefusal::TooManyCredentials));
    }
    let facts = json!({ "name": row.name, "username": row.username, "scopes": row.scopes });
    let entry = audit::Entry::new(ctx, "credential.created", row.id, &facts).about(row.partner_id);
    Entity::insert(row.into_active_model()).exec_without_returning(transaction).await?;
    audit::record(transaction, &[entry]).await?;
    Ok(())
}

/// Revokes a credential of the calling partner and ends its sessions; one that is revoked stays as it is.
///
/// # Errors
/// FORBIDDEN without account:write; NOT_FOUND as a refusal.
pub async fn revoke_credential(
    ctx: &Ctx,
    credential: &str,
) -> Result<api_credentials::Model, Failure<IdentityRefusal>> {
    let partner = ctx.require(Scope::AccountWrite)?.partner;
    // Text that is no credential's id names nothing, as does the id of another partner's.
    let credential = credential.parse().map_err(|_| Failure::Refused(IdentityRefusal::NotFound))?;
    revoke(ctx, Some(partner), credential).await
}

/// Revokes any partner's credential, on the command line.
///
/// # Errors
/// FORBIDDEN for anybody but the system; NOT_FOUND as a refusal.
pub async fn revoke_credential_of(
    ctx: &Ctx,
    credential: CredentialId,
) -> Result<api_credentials::Model, Failure<IdentityRefusal>> {
    require_system(ctx)?;
    revoke(ctx, None, credential).await
}

async fn revoke(
    ctx: &Ctx,
    partner: Option<PartnerId>,
    id: CredentialId,
) -> Result<api_credentials::Model, Failure<IdentityRefusal>> {
    let own_ctx = ctx.clone();
    let (credential, ended) = write(&ctx.deps, move |transaction| {
        let ctx = own_ctx.clone();
        Box::pin(async move {
            require_live_session(transaction, &ctx).await?;
            let found = match partner {
                Some(partner) => api_credentials::owned_by(partner),
                None => Entity::find(),
            };
            let Some(mut credential) = found.filter(Column::Id.eq(id)).one(transaction).await? else {
                return Err(Failure::Refused(IdentityRefusal::NotFound));
            };
            let changed = Entity::update_many()
                .col_expr(Column::RevokedAt, Expr::value(ctx.now))
                .filter(Column::Id.eq(id))
                .filter(Column::RevokedAt.is_null())
                .exec(transaction)
                .await?;
            if changed.rows_affected == 0 {
                return Ok((credential, Vec::new()));
            }
            credential.revoked_at = Some(ctx.now);
            let which = Which::OfCredential(id);
            let ended = store::end_sessions(transaction, ctx.now, which, "credential revoked").await?;
            let facts = json!({ "username": credential.username, "sessions": ended.len() });
            let entry = audit::Entry::new(&ctx, "credential.revoked", id, &facts);
            audit::record(transaction, &[entry.about(credential.partner_id)]).await?;
            Ok((credential, ended))
        })
    })
    .await?;
    for session in ended {
        ctx.feature::<Identity>().sessions.invalidate(&session);
    }
    Ok(credential)
}
