//! How often one may try to come in.
//!
//! What lives here: [`Attempt`], one try to sign in or to refresh, and under which keys it is counted.
//! What is always true: an attempt is counted before it may succeed; one that is over a limit is refused from what the reader
//! sees, so that whoever knocks without end never holds the database that others write to.
//! What is not here: the rule (`model.rs`), what is tried (`login.rs`, `refresh.rs`).
//!
//! By `ctx.now` and not by the database's clock: a count reaches a minute back, the clocks of servers differ by less than a
//! second, and whatever lies too far ahead counts for nothing; so one statement does it, and a test that moves its clock moves
//! the counts too.

use std::sync::Arc;

use entity::timestamp::Timestamp;

use super::Identity;
use super::model::Rate;
use super::store;
use crate::ctx::Ctx;
use crate::problem::Problem;
use crate::store::{Transaction, write};

/// One try to come in.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// The counts that it adds to, each of which must admit it.
    keys: Arc<Vec<String>>,
    rate: Rate,
    now: Timestamp,
}

impl Attempt {
    /// A sign-in: counted for the account, whose digest is given, and for the address.
    pub(super) fn to_sign_in(ctx: &Ctx, account_digest: &str) -> Result<Self, Problem> {
        let keys = ctx.feature::<Identity>().keys()?;
        let address = ctx.address.map(|address| keys.address_digest(address));
        Ok(Self::counted_under(ctx, std::iter::once(account_digest.to_owned()).chain(address)))
    }

    /// A refresh: counted for the address alone, apart from its sign-ins. Nobody guesses a token, so no account is in danger.
    pub(super) fn to_refresh(ctx: &Ctx) -> Result<Self, Problem> {
        let keys = ctx.feature::<Identity>().keys()?;
        Ok(Self::counted_under(ctx, ctx.address.map(|address| keys.refresh_digest(address))))
    }

    fn counted_under(ctx: &Ctx, keys: impl IntoIterator<Item = String>) -> Self {
        let rate = Rate::per_minute(ctx.config().logins_per_minute);
        Self { keys: Arc::new(keys.into_iter().collect()), rate, now: ctx.now }
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
