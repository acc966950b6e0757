//! Destroying what may be kept no longer.
//!
//! What lives here: the command that destroys the data keys of codes whose time has passed.
//! What is always true: it goes by the context's present; run twice, or by two at once, it destroys each key once, with a row of
//! the audit log; what a key sealed cannot be opened after it, neither with the master keys nor from the row.
//! What is not here: showing a code no longer, which does not wait for this (`retention.rs`).

use serde_json::json;

use super::keys_store;
use crate::ctx::Ctx;
use crate::domain::audit::{self, Entry};
use crate::problem::Problem;
use crate::store::{forget_past, write};

/// Destroys the data keys whose time has passed; tells how many. To be run every few minutes; two at once do no harm.
///
/// # Errors
/// What the database says.
pub async fn destroy_expired_keys(ctx: &Ctx) -> Result<usize, Problem> {
    if !keys_store::is_any_expired(&ctx.database().reader, ctx.now).await? {
        return Ok(0);
    }
    let task = ctx.clone();
    let destroyed = write::<_, Problem, _>(&ctx.deps, move |transaction| {
        let ctx = task.clone();
        Box::pin(async move {
            let destroyed = keys_store::destroy_expired(transaction, ctx.now).await?;
            let entry = |key| Entry::new(&ctx, "data_keys.destroyed", key, &json!({}));
            audit::record(transaction, &destroyed.iter().map(entry).collect::<Vec<_>>()).await?;
            Ok(destroyed.len())
        })
    })
    .await?;
    // The engine keeps what a row was for a while: a copy of its files must not have it either.
    forget_past(ctx.database(), "data_keys").await?;
    Ok(destroyed)
}
