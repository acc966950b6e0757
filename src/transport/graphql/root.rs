//! The roots of the running schema, and what each request brings to its resolvers.
//!
//! Lives here: [`Schema`], [`build_schema`] and [`request_data`]. Always true: the library validates nothing, since the
//! pipeline has judged every document by the contract, and an operation that it has merged would be refused for
//! variables that it no longer uses. Not here: the features' fields.

use std::sync::Arc;

use async_graphql::{Data, EmptySubscription, MergedObject, ValidationMode};

use super::catalog::CatalogQuery;
use super::charges::{ChargesMutation, ChargesQuery};
use super::identity::{IdentityMutation, IdentityQuery};
use super::wallet::{FundsLoader, WalletQuery};
use crate::ctx::{Ctx, Deps};

/// The running schema.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// What reads.
#[derive(MergedObject, Default)]
pub struct Query(IdentityQuery, CatalogQuery, ChargesQuery, WalletQuery);

/// What changes. Each field either does the whole of what it says or nothing, and tells refusals in `userErrors`.
#[derive(MergedObject, Default)]
pub struct Mutation(IdentityMutation, ChargesMutation);

/// Builds the running schema.
pub fn build_schema(_deps: &Arc<Deps>) -> Schema {
    async_graphql::Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .validation_mode(ValidationMode::Fast)
        .disable_suggestions()
        .finish()
}

/// What each request brings to its resolvers.
pub fn request_data(ctx: Ctx) -> Data {
    let mut data = Data::default();
    data.insert(FundsLoader::new(&ctx));
    data.insert(ctx);
    data
}
