//! Who calls.
//!
//! What lives here: from an access token to an actor, and which sessions are dead.
//! What is always true: what a session may do is what its row says, read at most 5 s ago; this process forgets at once what it
//! ends itself.
//! What is not here: headers; scopes, which each feature asks for.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use entity::ids::SessionId;
use entity::timestamp::Timestamp;
use sea_orm::{ConnectionTrait, DbErr};

use super::model::parse_scopes;
use super::store::{self, SessionRow};
use super::tokens::{self, Claims, TokenFault};
use super::{Identity, IdentityRefusal};
use crate::ctx::{Actor, AdminActor, Ctx, Deps, PartnerActor};
use crate::problem::{Failure, Problem};
use crate::store::Transaction;

/// How long a session's row is believed.
pub(super) const REMEMBERED_FOR: Duration = Duration::from_secs(5);
const REMEMBERED_MICROS: i64 = 5_000_000;

/// A session as it was read.
#[derive(Debug)]
pub(super) struct CachedSession {
    row: SessionRow,
    read_at: Timestamp,
}

/// What a token proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Who calls.
    Actor(Actor),
    /// Nothing: it was good, and its time is over.
    Expired,
}

/// Who calls with this access token at this moment.
///
/// # Errors
/// UNAUTHENTICATED for a token that is not ours or whose session has ended.
pub async fn authenticate(deps: &Deps, now: Timestamp, token: &str) -> Result<Authentication, Problem> {
    let identity: &Identity = deps.feature();
    let claims = match tokens::read(identity.keys()?, &deps.config, now, token) {
        Ok(claims) => claims,
        Err(TokenFault::Expired) => return Ok(Authentication::Expired),
        Err(TokenFault::Invalid) => return Err(Problem::unauthenticated()),
    };
    let session = read_session(deps, identity, now, claims.sid).await?;
    let actor = session.filter(|session| session.row.is_live(now)).and_then(|session| {
        let actor = actor(&session.row, claims.expires_at())?;
        owns(&actor, &claims).then_some(actor)
    });
    actor.map(Authentication::Actor).ok_or_else(Problem::unauthenticated)
}

async fn read_session(
    deps: &Deps,
    identity: &Identity,
    now: Timestamp,
    id: SessionId,
) -> Result<Option<Arc<CachedSession>>, Problem> {
    let recent =
        |session: &Arc<CachedSession>| (0..REMEMBERED_MICROS).contains(&now.micros_since(session.read_at));
    if let Some(session) = identity.sessions.get(&id).filter(recent) {
        return Ok(Some(session));
    }
    let Some(row) = store::find_session(&deps.database.reader, id).await? else {
        return Ok(None);
    };
    let session = Arc::new(CachedSession { row, read_at: now });
    identity.sessions.insert(id, Arc::clone(&session));
    Ok(Some(session))
}

/// Who acts in a session whose access token ends then.
pub(super) fn actor(row: &SessionRow, token_expires_at: Timestamp) -> Option<Actor> {
    match (row.partner_id, row.credential_id, row.default_currency, row.admin_id) {
        (Some(partner), Some(credential), Some(default_currency), None) => {
            Some(Actor::Partner(PartnerActor {
                partner,
                credential,
                session: row.id,
                scopes: parse_scopes(&row.scopes),
                default_currency,
                token_expires_at,
            }))
        }
        (None, None, None, Some(admin)) => {
            Some(Actor::Admin(AdminActor { admin, session: row.id, token_expires_at }))
        }
        _ => None,
    }
}

fn owns(actor: &Actor, claims: &Claims) -> bool {
    match actor {
        Actor::Partner(actor) => actor.partner.to_string() == claims.sub,
        Actor::Admin(actor) => actor.admin.to_string() == claims.sub,
        Actor::Anonymous | Actor::System => false,
    }
}

/// Which of these sessions may not be used now: ended, expired, unknown, or of a credential or partner that may not act. For
/// the transactions that must not believe what was read 5 s ago.
///
/// # Errors
/// What the database says.
pub async fn dead_sessions(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    sessions: &[SessionId],
) -> Result<HashSet<SessionId>, DbErr> {
    if sessions.is_empty() {
        return Ok(HashSet::new());
    }
    store::list_dead_sessions(connection, now, sessions).await.map(HashSet::from_iter)
}

/// The session of the actor, if it has one.
pub(super) fn session_of(ctx: &Ctx) -> Option<SessionId> {
    match &ctx.actor {
        Actor::Partner(actor) => Some(actor.session),
        Actor::Admin(actor) => Some(actor.session),
        Actor::Anonymous | Actor::System => None,
    }
}

/// Asks the database, inside the transaction that changes an account, whether the actor's session still lives.
pub(super) async fn require_live_session(
    transaction: &Transaction,
    ctx: &Ctx,
) -> Result<(), Failure<IdentityRefusal>> {
    let sessions: Vec<SessionId> = session_of(ctx).into_iter().collect();
    if dead_sessions(transaction, ctx.now, &sessions).await?.is_empty() {
        Ok(())
    } else {
        Err(Problem::unauthenticated().into())
    }
}
