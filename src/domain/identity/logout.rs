//! Signing out.
//!
//! What lives here: the end of the caller's own session, and of no other.
//! What is always true: its access and refresh tokens are refused at once on this server, and within 5 s everywhere.
//! What is not here: sessions that others end.

use serde_json::json;

use super::authenticate::session_of;
use super::store::{self, Which};
use super::{Identity, IdentityRefusal};
use crate::ctx::Ctx;
use crate::domain::audit;
use crate::problem::{Failure, Problem};
use crate::store::write;

/// Ends the caller's session.
///
/// # Errors
/// UNAUTHENTICATED without a session.
pub async fn logout(ctx: &Ctx) -> Result<(), Failure<IdentityRefusal>> {
    let session = session_of(ctx).ok_or_else(Problem::unauthenticated)?;
    let entry = audit::Entry::new(ctx, "session.ended", session, &json!({}));
    let now = ctx.now;
    write::<_, Problem, _>(&ctx.deps, move |transaction| {
        let entry = entry.clone();
        Box::pin(async move {
            let ended = store::end_sessions(transaction, now, Which::One(session), "signed out").await?;
            if !ended.is_empty() {
                audit::record(transaction, &[entry]).await?;
            }
            Ok(())
        })
    })
    .await?;
    ctx.feature::<Identity>().sessions.invalidate(&session);
    Ok(())
}
