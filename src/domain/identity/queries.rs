//! Reads of identity.
//!
//! What lives here: who is calling, a partner's credentials, and the lists of the command line.
//! What is always true: what is not the caller's reads as missing; every list is bounded and sorted by id.
//! What is not here: sessions as the endpoint checks them (`authenticate.rs`).

use std::collections::HashMap;

use entity::ids::{CredentialId, PartnerId, SessionId};
use entity::state::Scope;
use entity::timestamp::Timestamp;
use entity::{admins, api_credentials, partners, sessions};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::credentials::require_system;
use crate::ctx::{Actor, Ctx};
use crate::problem::{ErrorCode, Failure, Problem, Refusal};
use crate::store::{Page, PageRequest, Slice};

/// Rows of a list on the command line.
const MOST_LISTED: u64 = 10_000;
/// Partners of a page on the command line.
const PARTNERS_A_PAGE: u64 = 1_000;

/// Who is calling.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The partner; `None` for an admin.
    pub partner: Option<partners::Model>,
    /// The credential; `None` for an admin.
    pub credential: Option<api_credentials::Model>,
    /// The admin; `None` for a partner.
    pub admin: Option<admins::Model>,
    /// What the session may do.
    pub scopes: Vec<Scope>,
    /// When the session ends unless it is refreshed.
    pub session_expires_at: Timestamp,
}

/// Who is calling.
///
/// # Errors
/// UNAUTHENTICATED for nobody.
pub async fn get_viewer(ctx: &Ctx) -> Result<Viewer, Problem> {
    let reader = &ctx.database().reader;
    match &ctx.actor {
        Actor::Partner(actor) => Ok(Viewer {
            partner: partners::Entity::find_by_id(actor.partner).one(reader).await?,
            credential: api_credentials::Entity::find_by_id(actor.credential).one(reader).await?,
            admin: None,
            scopes: actor.scopes.clone(),
            session_expires_at: session_expires_at(ctx, actor.session).await?,
        }),
        Actor::Admin(actor) => Ok(Viewer {
            partner: None,
            credential: None,
            admin: admins::Entity::find_by_id(actor.admin).one(reader).await?,
            scopes: Vec::new(),
            session_expires_at: session_expires_at(ctx, actor.session).await?,
        }),
        Actor::Anonymous | Actor::System => Err(Problem::unauthenticated()),
    }
}

async fn session_expires_at(ctx: &Ctx, session: SessionId) -> Result<Timestamp, Problem> {
    let session = sessions::Entity::find_by_id(session).one(&ctx.database().reader).await?;
    session.map(|session| session.expires_at).ok_or_else(Problem::unauthenticated)
}

/// The account of the calling admin, for the administrator's half of the contract. A password alone opens none of it, and there
/// is no second factor yet.
///
/// # Errors
/// UNAUTHENTICATED for nobody, FORBIDDEN for everybody else.
pub fn get_admin_account(ctx: &Ctx) -> Result<admins::Model, Problem> {
    ctx.admin()?;
    Err(Problem::forbidden("an admin session that a second factor has confirmed"))
}

/// The credentials of the calling partner by id: its own, or with account:write any.
///
/// # Errors
/// What the database says.
pub async fn find_credentials(
    ctx: &Ctx,
    ids: Vec<CredentialId>,
) -> Result<HashMap<CredentialId, api_credentials::Model>, Problem> {
    let Actor::Partner(actor) = &ctx.actor else { return Ok(HashMap::new()) };
    let may_see = |id: &CredentialId| *id == actor.credential || actor.may(Scope::AccountWrite);
    let visible = ids.into_iter().filter(may_see);
    let found = api_credentials::owned_by(actor.partner).filter(api_credentials::Column::Id.is_in(visible));
    let found = found.all(&ctx.database().reader).await?;
    Ok(found.into_iter().map(|credential| (credential.id, credential)).collect())
}

/// The credentials of the calling partner, newest first.
///
/// # Errors
/// FORBIDDEN without account:write.
pub async fn list_credentials(
    ctx: &Ctx,
    request: &PageRequest,
) -> Result<Page<api_credentials::Model>, Problem> {
    use api_credentials::Column::Id;
    let mut found = api_credentials::owned_by(ctx.require(Scope::AccountWrite)?.partner);
    if let Some(after) = &request.after {
        found = found.filter(Id.lt(cursor("after", after)?));
    }
    if let Some(before) = &request.before {
        found = found.filter(Id.gt(cursor("before", before)?));
    }
    let found = match request.slice {
        Slice::First => found.order_by_desc(Id),
        Slice::Last => found.order_by_asc(Id),
    };
    let rows = found.limit(u64::from(request.size) + 1).all(&ctx.database().reader).await?;
    Ok(request.cut(rows))
}

fn cursor(argument: &str, key: &str) -> Result<CredentialId, Problem> {
    key.parse()
        .map_err(|_| Problem::bad_argument(argument, format!("`{argument}` is not a cursor of this list")))
}

/// How many credentials the calling partner has.
///
/// # Errors
/// FORBIDDEN without account:write.
pub async fn count_credentials(ctx: &Ctx) -> Result<u64, Problem> {
    let partner = ctx.require(Scope::AccountWrite)?.partner;
    Ok(api_credentials::owned_by(partner).count(&ctx.database().reader).await?)
}

/// The credentials of any partner, oldest first, for the command line.
///
/// # Errors
/// FORBIDDEN for anybody but the system.
pub async fn list_credentials_of(
    ctx: &Ctx,
    partner: PartnerId,
) -> Result<Vec<api_credentials::Model>, Problem> {
    require_system(ctx)?;
    let found = api_credentials::owned_by(partner).order_by_asc(api_credentials::Column::Id);
    Ok(found.limit(MOST_LISTED).all(&ctx.database().reader).await?)
}

/// A page of the partners, oldest first, for the command line: those behind this one, none behind the last.
///
/// # Errors
/// FORBIDDEN for anybody but the system.
pub async fn list_partners(ctx: &Ctx, after: Option<PartnerId>) -> Result<Vec<partners::Model>, Problem> {
    require_system(ctx)?;
    let mut found = partners::Entity::find().order_by_asc(partners::Column::Id);
    if let Some(after) = after {
        found = found.filter(partners::Column::Id.gt(after));
    }
    Ok(found.limit(PARTNERS_A_PAGE).all(&ctx.database().reader).await?)
}

/// No partner has this id or name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPartner(String);

impl Refusal for UnknownPartner {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }

    fn message(&self) -> String {
        format!("no partner has the id or the name {:?}", self.0)
    }

    fn field(&self) -> Option<Vec<String>> {
        None
    }
}

/// The partner that a person means, by its id or its name, for the command line.
///
/// # Errors
/// FORBIDDEN for anybody but the system; NOT_FOUND as a refusal.
pub async fn find_partner_named(
    ctx: &Ctx,
    id_or_name: &str,
) -> Result<partners::Model, Failure<UnknownPartner>> {
    require_system(ctx)?;
    // An id comes first: whoever gives one means it, even if somebody is named like it.
    if let Ok(id) = id_or_name.parse::<PartnerId>()
        && let Some(partner) = partners::Entity::find_by_id(id).one(&ctx.database().reader).await?
    {
        return Ok(partner);
    }
    let named = partners::Entity::find().filter(partners::Column::Name.eq(id_or_name));
    let partner = named.one(&ctx.database().reader).await?;
    partner.ok_or_else(|| Failure::Refused(UnknownPartner(id_or_name.to_owned())))
}

/// The admins, oldest first, for the command line.
///
/// # Errors
/// FORBIDDEN for anybody but the system.
pub async fn list_admins(ctx: &Ctx) -> Result<Vec<admins::Model>, Problem> {
    require_system(ctx)?;
    let found = admins::Entity::find().order_by_asc(admins::Column::Id);
    Ok(found.limit(MOST_LISTED).all(&ctx.database().reader).await?)
}
