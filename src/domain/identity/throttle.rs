//! How often one may try to come in.
//!
//! What lives here: [`Attempt`], one try to sign in or to refresh, and under which keys it is counted.
//! What is always true: an attempt is counted before it may succeed; one that is over a limit is refused from what the reader
//! sees, so that whoever knocks without end never holds the database that others write to; counts go by the database's clock,
//! for servers share them, and one whose clock is wrong must neither let in more nor keep everybody out.
//! What is not here: the rule (`model.rs`), what is tried (`login.rs`, `refresh.rs`).

use std::sync::Arc;

use entity::timestamp::Timestamp;

use super::Identity;
use super::model::Rate;
use super::store;
use crate::ctx::Ctx;
use crate::problem::Problem;
use crate::store::{Transaction, database_now, write};

/// One try to come in.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// The counts that it adds to, each of which must admit it.
    keys: Arc<Vec<String>>,
    rate: Rate,
    /// When, by the database's clock.
    now: Timestamp,
}

impl Attempt {
    /// A sign-in: counted for the account, whose digest is given, and for the address.
    pub(super) async fn to_sign_in(ctx: &Ctx, account_digest: &str) -> Result<Self, Problem> {
        let keys = ctx.feature::<Identity>().keys()?;
        let address = ctx.address.map(|address| keys.address_digest(address));
        Self::counted_under(ctx, std::iter::once(account_digest.to_owned()).chain(address).collect()).await
    }

    /// A refresh: counted for the address alone, apart from its sign-ins. Nobody guesses a token, so no account is in danger.
    pub(super) async fn to_refresh(ctx: &Ctx) -> Result<Self, Problem> {
        let keys = ctx.feature::<Identity>().keys()?;
        let address = ctx.address.map(|address| keys.refresh_digest(address));
        Self::counted_under(ctx, address.into_iter().collect()).await
    }

    async fn counted_under(ctx: &Ctx, keys: Vec<String>) -> Result<Self, Problem> {
        let rate = Rate::per_minute(ctx.config().logins_per_minute);
        Ok(Self { keys: Arc::new(keys), rate, now: database_now(&ctx.deps).await? })
    }

    /// Refuses what is over a limit already, without a write.
    ///
    /// # Errors
    /// RATE_LIMITED.
    pub(super) async fn look(&self, ctx: &Ctx) -> Result<(), Problem> {
        let reader = &ctx.database().reader;
        match store::find_wait(reader, self.now, self.rate, &self.keys).await? {
            Some(wait_ms) => Err(Problem::rate_limited(wait_ms)),
            None => Ok(()),
        }
    }

    /// Counts it in a transaction of its own.
    ///
    /// # Errors
    /// RATE_LIMITED, and nothing is counted.
    pub(super) async fn count(&self, ctx: &Ctx) -> Result<(), Problem> {
        let attempt = self.clone();
        write(&ctx.deps, move |transaction| {
            let attempt = attempt.clone();
            Box::pin(async move { attempt.count_in(transaction).await })
        })
        .await
    }

    /// Counts it in this transaction, as the first thing that it does.
    ///
    /// # Errors
    /// RATE_LIMITED; the caller rolls back.
    pub(super) async fn count_in(&self, transaction: &Transaction) -> Result<(), Problem> {
        let admitted = store::admit_attempt(transaction, self.now, self.rate, &self.keys).await?;
        admitted.map_err(Problem::rate_limited)
    }
}
