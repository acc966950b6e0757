//! Partners and admins as accounts.
//!
//! What lives here: opening them, and stopping a partner.
//! What is always true: only the command line opens or stops accounts; suspending a partner ends its sessions in the same
//! transaction; an admin's name is never one that a credential could have.
//! What is not here: wallets.

use entity::currency::Currency;
use entity::ids::{AdminId, PartnerId};
use entity::state::PartnerStatus;
use entity::{admins, partners};
use sea_orm::sea_query::Expr;
use sea_orm::{EntityTrait, IntoActiveModel, TryInsertResult, prelude::*};
use serde_json::json;

use super::credentials::require_system;
use super::model::{checked_admin_name, checked_name, checked_password};
use super::secrets::Secret;
use super::store::{self, Which};
use super::{Identity, IdentityRefusal};
use crate::ctx::Ctx;
use crate::domain::audit;
use crate::problem::Failure;
use crate::store::write;

/// A partner to be opened.
#[derive(Debug, Clone)]
pub struct CreatePartner {
    /// Its name, 1 to 100 characters.
    pub name: String,
    /// The settlement currency used where none is named.
    pub default_currency: Currency,
}

/// An admin to be opened.
#[derive(Debug, Clone)]
pub struct CreateAdmin {
    /// The name to sign in with: 3 to 64 of `a-z0-9._-`.
    pub username: String,
    /// The password, of at least 12 characters; a random one if absent.
    pub password: Option<Secret>,
}

/// An admin with its password, which is never shown again.
#[derive(Debug, Clone)]
pub struct NewAdmin {
    /// The admin.
    pub admin: admins::Model,
    /// Its password.
    pub password: Secret,
}

/// Opens a partner's account.
///
/// # Errors
/// FORBIDDEN for anybody but the system; INVALID_INPUT as a refusal, of a name that a partner has too.
pub async fn create_partner(
    ctx: &Ctx,
    command: CreatePartner,
) -> Result<partners::Model, Failure<IdentityRefusal>> {
    require_system(ctx)?;
    let partner = partners::Model {
        id: PartnerId::from_uuid(ctx.uuid()),
        name: checked_name(&command.name).map_err(Failure::Refused)?,
        status: PartnerStatus::Active,
        default_currency: command.default_currency,
        created_at: ctx.now,
    };
    let facts = json!({ "name": partner.name, "default_currency": partner.default_currency.code() });
    let entry = audit::Entry::new(ctx, "partner.created", partner.id, &facts).about(partner.id);
    let row = partner.clone();
    write(&ctx.deps, move |transaction| {
        let (row, entry) = (row.clone(), entry.clone());
        Box::pin(async move {
            let inserted = partners::Entity::insert(row.clone().into_active_model())
                .on_conflict_do_nothing_on([partners::Column::Name])
                .exec_without_returning(transaction)
                .await?;
            if !matches!(inserted, TryInsertResult::Inserted(1)) {
                return Err(Failure::Refused(IdentityRefusal::PartnerNameTaken));
            }
            Ok(audit::record(transaction, &[entry]).await?)
        })
    })
    .await?;
    Ok(partner)
}

/// Stops a partner: its sessions end, and it cannot sign in.
///
/// # Errors
/// FORBIDDEN for anybody but the system; NOT_FOUND as a refusal.
pub async fn suspend_partner(
    ctx: &Ctx,
    partner: PartnerId,
) -> Result<partners::Model, Failure<IdentityRefusal>> {
    change_status(ctx, partner, PartnerStatus::Suspended, "partner.suspended").await
}

/// Lets a partner act again; it has to sign in anew.
///
/// # Errors
/// FORBIDDEN for anybody but the system; NOT_FOUND as a refusal.
pub async fn resume_partner(
    ctx: &Ctx,
    partner: PartnerId,
) -> Result<partners::Model, Failure<IdentityRefusal>> {
    change_status(ctx, partner, PartnerStatus::Active, "partner.resumed").await
}

async fn change_status(
    ctx: &Ctx,
    id: PartnerId,
    status: PartnerStatus,
    action: &'static str,
) -> Result<partners::Model, Failure<IdentityRefusal>> {
    require_system(ctx)?;
    let own_ctx = ctx.clone();
    let (partner, ended) = write(&ctx.deps, move |transaction| {
        let ctx = own_ctx.clone();
        Box::pin(async move {
            let changed = partners::Entity::update_many()
                .col_expr(partners::Column::Status, Expr::value(status))
                .filter(partners::Column::Id.eq(id))
                .filter(partners::Column::Status.ne(status))
                .exec(transaction)
                .await?;
            let partner = partners::Entity::find_by_id(id).one(transaction).await?;
            let partner = partner.ok_or(Failure::Refused(IdentityRefusal::NotFound))?;
            let mut ended = Vec::new();
            if changed.rows_affected > 0 {
                if status == PartnerStatus::Suspended {
                    let which = Which::OfPartner(id);
                    ended = store::end_sessions(transaction, ctx.now, which, "partner suspended").await?;
                }
                let facts = json!({ "sessions": ended.len() });
                let entry = audit::Entry::new(&ctx, action, id, &facts).about(id);
                audit::record(transaction, &[entry]).await?;
            }
            Ok::<_, Failure<IdentityRefusal>>((partner, ended))
        })
    })
    .await?;
    for session in ended {
        ctx.feature::<Identity>().sessions.invalidate(&session);
    }
    Ok(partner)
}

/// Opens an admin's account.
///
/// # Errors
/// FORBIDDEN for anybody but the system; INVALID_INPUT as a refusal.
pub async fn create_admin(ctx: &Ctx, command: CreateAdmin) -> Result<NewAdmin, Failure<IdentityRefusal>> {
    require_system(ctx)?;
    checked_admin_name(&command.username).map_err(Failure::Refused)?;
    let ids = &*ctx.deps.ids;
    let password = command.password.unwrap_or_else(|| Secret::random(ids, ""));
    checked_password(&command.username, password.expose()).map_err(Failure::Refused)?;
    let admin = admins::Model {
        id: AdminId::from_uuid(ctx.uuid()),
        username: command.username,
        password_hash: ctx.feature::<Identity>().hash(ids, password.clone()).await?,
        created_at: ctx.now,
    };
    let entry = audit::Entry::new(ctx, "admin.created", admin.id, &json!({ "username": admin.username }));
    let row = admin.clone();
    write(&ctx.deps, move |transaction| {
        let (row, entry) = (row.clone(), entry.clone());
        Box::pin(async move {
            let inserted = admins::Entity::insert(row.into_active_model())
                .on_conflict_do_nothing_on([admins::Column::Username])
                .exec_without_returning(transaction)
                .await?;
            if !matches!(inserted, TryInsertResult::Inserted(1)) {
                return Err(Failure::Refused(IdentityRefusal::NameTaken));
            }
            audit::record(transaction, &[entry]).await?;
            Ok(())
        })
    })
    .await?;
    Ok(NewAdmin { admin, password })
}
