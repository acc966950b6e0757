//! Forgetting codes whose time has passed.
//!
//! What lives here: the background work that destroys the data keys of codes that may be kept for a time alone.
//! What is always true: a key is destroyed once, by the clock of the business, whichever process comes first; what it sealed is
//! opened by nobody afterwards; every process lets go of it when it hears of it.
//! What is not here: who may read a code until then.

use std::sync::Arc;

use serde_json::json;

use super::keys_store;
use crate::ctx::{Ctx, Deps};
use crate::domain::audit::{self, Entry};
use crate::problem::Problem;
use crate::store::write;

/// Destroys the data keys whose time has passed; tells how many. To be run every few seconds. It has no context until there is
/// one to destroy, since what runs all the time must not use up ids.
///
/// # Errors
/// What the database says; it is tried again.
pub async fn destroy_expired_keys(deps: &Arc<Deps>) -> Result<usize, Problem> {
    if keys_store::find_expired(&deps.database.reader, deps.clock.now()).await?.is_empty() {
        return Ok(0);
    }
    let task = Ctx::system(Arc::clone(deps));
    write(deps, move |transaction| {
        let ctx = task.clone();
        Box::pin(async move {
            let destroyed = keys_store::destroy_expired(transaction, ctx.now).await?;
            let entry = |key: &entity::data_keys::Model| {
                Entry::new(
                    &ctx,
                    "keys.destroyed",
                    key.id,
                    &json!({ "purpose": key.purpose, "uses": key.uses }),
                )
            };
            let entries: Vec<Entry> = destroyed.iter().map(entry).collect();
            if !entries.is_empty() {
                audit::record(transaction, &entries).await?;
            }
            Ok::<_, Problem>(entries.len())
        })
    })
    .await
}
