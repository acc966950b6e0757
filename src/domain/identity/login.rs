//! Signing in.
//!
//! What lives here: from a name and a password to a session and its first two tokens.
//! What is always true: an attempt is counted, and the count committed, before anything is compared; each attempt that is
//! admitted compares exactly one hash; every reason to refuse reads the same.
//! What is not here: how attempts are counted (`throttle.rs`); second factors.

use entity::currency::Currency;
use entity::ids::{AdminId, CredentialId, PartnerId, SessionId};
use entity::state::PartnerStatus;
use entity::{admins, api_credentials, partners, refresh_tokens, sessions};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::json;

use super::model::{CREDENTIAL_PREFIX, REFRESH_PREFIX, parse_scopes};
use super::secrets::{Secret, digest};
use super::throttle::Attempt;
use super::tokens::{self, Bearer, Tokens};
use super::{Identity, IdentityRefusal};
use crate::ctx::{Actor, AdminActor, Ctx, PartnerActor};
use crate::domain::audit;
use crate::problem::{Failure, Problem};
use crate::store::{Transaction, can_hold, write};

/// Who signs in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The key of a credential, or an admin's name.
    pub username: String,
    /// The secret, or the admin's password.
    pub password: Secret,
}

/// Signs in.
///
/// # Errors
/// RATE_LIMITED beyond the limit of the account or of the address; INVALID_CREDENTIALS as a refusal, for every reason.
pub async fn login(ctx: &Ctx, command: Login) -> Result<Tokens, Failure<IdentityRefusal>> {
    let identity: &Identity = ctx.feature();
    let account_digest = identity.keys()?.account_digest(&command.username);
    let attempt = Attempt::to_sign_in(ctx, &account_digest).await?;
    attempt.look(ctx).await?;
    attempt.count(ctx).await?;
    let account = find_account(&ctx.database().reader, &command.username).await?;
    let hash = account.as_ref().map(|account| account.hash.clone());
    let proven = identity.passwords.check(command.password, hash).await?;
    match account {
        Some(account) if proven && account.may_act => open_session(ctx, identity, account).await,
        known => refuse(ctx, known.map_or(account_digest, |account| account.owner.name())).await,
    }
}

#[derive(Debug, Clone, Copy)]
enum Owner {
    Credential { id: CredentialId, partner: PartnerId, default_currency: Currency },
    Admin(AdminId),
}

impl Owner {
    /// As the audit log names it.
    fn name(self) -> String {
        match self {
            Self::Credential { id, .. } => id.to_string(),
            Self::Admin(id) => id.to_string(),
        }
    }

    /// As the access token names it.
    fn subject(self) -> String {
        match self {
            Self::Credential { partner, .. } => partner.to_string(),
            Self::Admin(id) => id.to_string(),
        }
    }
}

struct Account {
    owner: Owner,
    hash: String,
    scopes: String,
    may_act: bool,
}

async fn find_account(reader: &DatabaseConnection, username: &str) -> Result<Option<Account>, DbErr> {
    if !can_hold(username) {
        return Ok(None);
    }
    if !username.starts_with(CREDENTIAL_PREFIX) {
        let admin = admins::Entity::find().filter(admins::Column::Username.eq(username)).one(reader).await?;
        return Ok(admin.map(|admin| Account {
            owner: Owner::Admin(admin.id),
            hash: admin.password_hash,
            scopes: String::new(),
            may_act: true,
        }));
    }
    let by_name = api_credentials::Column::Username.eq(username);
    let Some(credential) = api_credentials::Entity::find().filter(by_name).one(reader).await? else {
        return Ok(None);
    };
    let partner = partners::Entity::find_by_id(credential.partner_id).one(reader).await?;
    Ok(partner.map(|partner| Account {
        owner: Owner::Credential {
            id: credential.id,
            partner: partner.id,
            default_currency: partner.default_currency,
        },
        hash: credential.secret_hash,
        scopes: credential.scopes,
        may_act: credential.revoked_at.is_none() && partner.status == PartnerStatus::Active,
    }))
}

async fn refuse(ctx: &Ctx, subject: String) -> Result<Tokens, Failure<IdentityRefusal>> {
    let entry = audit::Entry::new(ctx, "session.refused", subject, &json!({}));
    write(&ctx.deps, move |transaction| {
        let entry = entry.clone();
        Box::pin(async move { audit::record(transaction, &[entry]).await.map_err(Problem::from) })
    })
    .await?;
    Err(Failure::Refused(IdentityRefusal::InvalidCredentials))
}

async fn open_session(
    ctx: &Ctx,
    identity: &Identity,
    account: Account,
) -> Result<Tokens, Failure<IdentityRefusal>> {
    let session = new_session(ctx, &account);
    let bearer =
        Bearer { subject: account.owner.subject(), session: session.id, scope: session.scopes.clone() };
    let access = tokens::issue(identity.keys()?, ctx.config(), ctx.now, &bearer)?;
    let refresh = Secret::random(&*ctx.deps.ids, REFRESH_PREFIX);
    let token = refresh_tokens::Model {
        hash: digest(refresh.expose()),
        session_id: session.id,
        issued_at: ctx.now,
        expires_at: session.expires_at,
        used_at: None,
        successor_hash: None,
        successor_sealed: None,
    };
    let (owner, own_ctx) = (account.owner, ctx.clone());
    write(&ctx.deps, move |transaction| {
        let (ctx, session, token) = (own_ctx.clone(), session.clone(), token.clone());
        Box::pin(async move { insert_session(transaction, &ctx, owner, session, token).await })
    })
    .await?;
    Ok(Tokens { access, expires_in_secs: ctx.config().access_token_secs, refresh })
}

fn new_session(ctx: &Ctx, account: &Account) -> sessions::Model {
    let (partner_id, credential_id, admin_id) = match account.owner {
        Owner::Credential { id, partner, .. } => (Some(partner), Some(id), None),
        Owner::Admin(id) => (None, None, Some(id)),
    };
    sessions::Model {
        id: SessionId::from_uuid(ctx.uuid()),
        partner_id,
        credential_id,
        admin_id,
        scopes: account.scopes.clone(),
        address: ctx.address.map(|address| address.to_string()),
        created_at: ctx.now,
        expires_at: ctx.now.plus_seconds(i64::from(ctx.config().refresh_token_secs)),
        revoked_at: None,
        revoked_reason: None,
    }
}

async fn insert_session(
    transaction: &Transaction,
    ctx: &Ctx,
    owner: Owner,
    session: sessions::Model,
    token: refresh_tokens::Model,
) -> Result<(), Failure<IdentityRefusal>> {
    if let Owner::Credential { id, .. } = owner {
        // The guard is asked again here: the credential may have been revoked while its secret was compared.
        let used = api_credentials::Entity::update_many()
            .col_expr(api_credentials::Column::LastUsedAt, Expr::value(ctx.now))
            .filter(api_credentials::Column::Id.eq(id))
            .filter(api_credentials::Column::RevokedAt.is_null())
            .exec(transaction)
            .await?;
        if used.rows_affected == 0 {
            return Err(Failure::Refused(IdentityRefusal::InvalidCredentials));
        }
    }
    let entry = opened_entry(ctx, owner, &session);
    sessions::Entity::insert(session.into_active_model()).exec_without_returning(transaction).await?;
    refresh_tokens::Entity::insert(token.into_active_model()).exec_without_returning(transaction).await?;
    audit::record(transaction, &[entry]).await?;
    Ok(())
}

/// The row of the audit log, in the name of the one who has just become known.
fn opened_entry(ctx: &Ctx, owner: Owner, session: &sessions::Model) -> audit::Entry {
    let token_expires_at = ctx.now.plus_seconds(i64::from(ctx.config().access_token_secs));
    let actor = match owner {
        Owner::Credential { id, partner, default_currency } => Actor::Partner(PartnerActor {
            partner,
            credential: id,
            session: session.id,
            scopes: parse_scopes(&session.scopes),
            default_currency,
            token_expires_at,
        }),
        Owner::Admin(admin) => Actor::Admin(AdminActor { admin, session: session.id, token_expires_at }),
    };
    let ctx = Ctx { actor, ..ctx.clone() };
    audit::Entry::new(&ctx, "session.opened", owner.name(), &json!({}))
}
