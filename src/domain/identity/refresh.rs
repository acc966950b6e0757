//! Exchanging a refresh token.
//!
//! What lives here: rotation, the repeat after a lost reply, and the end of a session whose token was stolen.
//! What is always true: a token that cannot be exchanged is refused from what the reader sees, so that whoever sends rubbish
//! never holds the database that others write to; a session has one unused refresh token; of two exchanges at once the
//! token's row lets one through, and the other gets the same successor; a token that comes again when its successor was used,
//! or after 10 s, ends the session, for one of the two who have it is a thief (RFC 9700, 4.14.2).
//! What is not here: access tokens that have only expired; the transport lets those through to this.

use std::sync::Arc;

use entity::ids::SessionId;
use entity::refresh_tokens;
use entity::secret::Digest;
use sea_orm::{EntityTrait, IntoActiveModel};
use serde_json::json;

use super::authenticate::actor;
use super::model::{Again, REFRESH_PREFIX, judge_again};
use super::secrets::{Secret, digest};
use super::store::{self, Rotation, SessionRow, Which};
use super::throttle::Attempt;
use super::tokens::{self, Bearer, Tokens};
use super::{Identity, IdentityRefusal};
use crate::ctx::Ctx;
use crate::domain::audit;
use crate::problem::{Failure, Problem};
use crate::store::{Transaction, write};

/// What the transaction decided. Reuse is no failure of it: what it wrote has to stay.
enum Outcome {
    Rotated(SessionRow),
    Repeated(SessionRow, Secret),
    Reused(SessionId),
}

/// Exchanges a refresh token for a new pair.
///
/// # Errors
/// RATE_LIMITED beyond the limit of the address; INVALID_REFRESH_TOKEN as a refusal: unknown, expired, of a session that has
/// ended, or used before; the last ends its session.
pub async fn refresh(ctx: &Ctx, token: Secret) -> Result<Tokens, Failure<IdentityRefusal>> {
    let identity: &Identity = ctx.feature();
    let keys = identity.keys()?;
    let attempt = Attempt::to_refresh(ctx).await?;
    attempt.look(ctx).await?;
    let hash = digest(token.expose());
    if !may_be_exchanged(ctx, &hash).await? {
        attempt.count(ctx).await?;
        return Err(Failure::Refused(IdentityRefusal::InvalidRefreshToken));
    }
    let successor = Secret::random(&*ctx.deps.ids, REFRESH_PREFIX);
    let sealed = keys.seal(&*ctx.deps.ids, &successor, &hash.0);
    let rotation =
        Arc::new(Rotation { hash, successor_hash: digest(successor.expose()), successor_sealed: sealed });
    let own_ctx = ctx.clone();
    let outcome = write(&ctx.deps, move |transaction| {
        let (ctx, rotation, attempt) = (own_ctx.clone(), Arc::clone(&rotation), attempt.clone());
        Box::pin(async move {
            attempt.count_in(transaction).await?;
            exchange(transaction, &ctx, &rotation).await
        })
    })
    .await?;
    match outcome {
        Outcome::Rotated(session) => answer(ctx, &session, successor),
        Outcome::Repeated(session, successor) => answer(ctx, &session, successor),
        Outcome::Reused(session) => {
            identity.sessions.invalidate(&session);
            Err(Failure::Refused(IdentityRefusal::InvalidRefreshToken))
        }
    }
}

/// Whether a token is worth a transaction, which judges it anew: it is known, has not expired unused, and its session lives. A
/// token that was used is: it may be due a repeated answer, or its session an end.
async fn may_be_exchanged(ctx: &Ctx, hash: &Digest) -> Result<bool, Problem> {
    let reader = &ctx.database().reader;
    let found = refresh_tokens::Entity::find_by_id(hash.clone()).one(reader).await?;
    let Some(token) = found.filter(|token| token.used_at.is_some() || token.expires_at > ctx.now) else {
        return Ok(false);
    };
    let session = store::find_session(reader, token.session_id).await?;
    Ok(session.is_some_and(|session| session.is_live(ctx.now)))
}

fn answer(ctx: &Ctx, session: &SessionRow, refresh: Secret) -> Result<Tokens, Failure<IdentityRefusal>> {
    let identity: &Identity = ctx.feature();
    let partner = session.partner_id.map(|id| id.to_string());
    let subject = partner.or(session.admin_id.map(|id| id.to_string())).unwrap_or_default();
    let bearer = Bearer { subject, session: session.id, scope: session.scopes.clone() };
    let access = tokens::issue(identity.keys()?, ctx.config(), ctx.now, &bearer)?;
    Ok(Tokens { access, expires_in_secs: ctx.config().access_token_secs, refresh })
}

async fn exchange(
    transaction: &Transaction,
    ctx: &Ctx,
    rotation: &Rotation,
) -> Result<Outcome, Failure<IdentityRefusal>> {
    let Some(session) = store::exchange(transaction, ctx.now, rotation).await? else {
        return exchanged_before(transaction, ctx, rotation).await;
    };
    let session = require_live(transaction, ctx, session).await?;
    let expires_at = ctx.now.plus_seconds(i64::from(ctx.config().refresh_token_secs));
    let successor = refresh_tokens::Model {
        hash: rotation.successor_hash.clone(),
        session_id: session.id,
        issued_at: ctx.now,
        expires_at,
        used_at: None,
        successor_hash: None,
        successor_sealed: None,
    };
    refresh_tokens::Entity::insert(successor.into_active_model()).exec_without_returning(transaction).await?;
    store::renew_session(transaction, ctx.now, session.id, expires_at, &rotation.hash).await?;
    audit::record(transaction, &[entry(ctx, &session, "session.refreshed")]).await?;
    Ok(Outcome::Rotated(session))
}

/// The token was not there to be exchanged: unknown, expired, or exchanged before.
async fn exchanged_before(
    transaction: &Transaction,
    ctx: &Ctx,
    rotation: &Rotation,
) -> Result<Outcome, Failure<IdentityRefusal>> {
    let refused = || Failure::Refused(IdentityRefusal::InvalidRefreshToken);
    let find = |hash: &Digest| refresh_tokens::Entity::find_by_id(hash.clone()).one(transaction);
    let token = find(&rotation.hash).await?.ok_or_else(refused)?;
    let (Some(used_at), Some(successor_hash)) = (token.used_at, &token.successor_hash) else {
        return Err(refused());
    };
    let session = require_live(transaction, ctx, token.session_id).await?;
    let successor = find(successor_hash).await?;
    let successor_is_used = successor.is_none_or(|successor| successor.used_at.is_some());
    if judge_again(used_at, successor_is_used, ctx.now) == Again::Repeat {
        let keys = ctx.feature::<Identity>().keys()?;
        let sealed = token.successor_sealed.as_ref();
        if let Some(successor) = sealed.and_then(|sealed| keys.unseal(sealed, &token.hash.0)) {
            return Ok(Outcome::Repeated(session, successor));
        }
    }
    store::end_sessions(transaction, ctx.now, Which::One(session.id), "refresh token used twice").await?;
    audit::record(transaction, &[entry(ctx, &session, "session.reuse_detected")]).await?;
    Ok(Outcome::Reused(session.id))
}

async fn require_live(
    transaction: &Transaction,
    ctx: &Ctx,
    session: SessionId,
) -> Result<SessionRow, Failure<IdentityRefusal>> {
    let session = store::find_session(transaction, session).await?;
    session
        .filter(|session| session.is_live(ctx.now))
        .ok_or(Failure::Refused(IdentityRefusal::InvalidRefreshToken))
}

/// A row of the audit log in the name of the session's owner, whoever holds its token.
fn entry(ctx: &Ctx, session: &SessionRow, action: &'static str) -> audit::Entry {
    let owner = actor(session, ctx.now).unwrap_or_else(|| ctx.actor.clone());
    audit::Entry::new(&Ctx { actor: owner, ..ctx.clone() }, action, session.id, &json!({}))
}
