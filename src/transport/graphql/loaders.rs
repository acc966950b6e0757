//! Batches of reads within one request.
//!
//! What lives here: the set of loaders that a request has, and the shape that each of them follows.
//! What is always true: a request has loaders of its own, so that nothing is cached across callers; every key is answered, with
//! `None` where there is nothing; a page costs a fixed number of statements whatever its size.
//! What is not here: the reads; they are the features' queries.

use std::collections::HashMap;
use std::hash::Hash;

use dataloader::BatchFn;
use dataloader::cached::Loader;
use futures_util::future::BoxFuture;

use crate::ctx::Ctx;
use crate::problem::Problem;

/// What a key is answered with.
pub type Answer<V> = Result<Option<V>, Problem>;

/// Most keys that one statement is asked for.
const LARGEST_BATCH: usize = 1_000;
/// How often a key lets others run before its batch is read. Those who waited for one batch go on one after the other, and what
/// each of them asks for next should still be in time: with 10, which is usual, a page of 100 fell into two batches now and then.
const YIELDS: usize = 60;

/// What reads many keys at once; a key that is absent from the map is not there.
pub type Read<K, V> = fn(Ctx, Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, Problem>>;

/// Reads many keys of one kind with one statement, on behalf of one request.
pub struct Batch<K, V> {
    ctx: Ctx,
    read: Read<K, V>,
}

impl<K, V> BatchFn<K, Answer<V>> for Batch<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + std::fmt::Debug,
    V: Clone + Send,
{
    async fn load(&mut self, keys: &[K]) -> HashMap<K, Answer<V>> {
        match (self.read)(self.ctx.clone(), keys.to_vec()).await {
            Ok(mut found) => keys.iter().map(|key| (key.clone(), Ok(found.remove(key)))).collect(),
            Err(problem) => keys.iter().map(|key| (key.clone(), Err(problem.clone()))).collect(),
        }
    }
}

/// A loader of one request: `loader.try_load(key)`.
pub type RequestLoader<K, V> = Loader<K, Answer<V>, Batch<K, V>>;

/// Makes a request's loader from the read that it batches.
pub fn loader<K, V>(ctx: &Ctx, read: Read<K, V>) -> RequestLoader<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + std::fmt::Debug,
    V: Clone + Send,
{
    Loader::new(Batch { ctx: ctx.clone(), read }).with_max_batch_size(LARGEST_BATCH).with_yield_count(YIELDS)
}

/// Loads one key; a key that the batch forgot is a fault of ours.
///
/// # Errors
/// What the batch's read says.
pub async fn load<K, V>(loader: &RequestLoader<K, V>, key: K) -> Result<Option<V>, Problem>
where
    K: Eq + Hash + Clone + Send + Sync + std::fmt::Debug,
    V: Clone + Send,
{
    // Tokio lets a task take 128 locks, then makes it wait: a page of more keys would fall into batches of what was left.
    let loaded = tokio::task::unconstrained(loader.try_load(key)).await;
    loaded.unwrap_or_else(|error| Err(Problem::internal(error)))
}
