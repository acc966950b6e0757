//! The roots of the running schema, and what each request brings to its resolvers.
//!
//! What lives here: [`Schema`], [`build_schema`] and [`request_data`].
//! What is always true: the library validates nothing, since the pipeline has judged every document by the contract, and an
//! operation that it has merged would be refused for variables that it no longer uses.
//! What is not here: the features' fields.

use std::sync::Arc;

use async_graphql::{Data, MergedObject, MergedSubscription, ValidationMode};

use super::catalog::CatalogQuery;
use super::charges::{ChargesMutation, ChargesQuery};
use super::events::{EventsQuery, EventsSubscription};
use super::identity::{IdentityMutation, IdentityQuery};
use super::node::NodeQuery;
use super::order_fields::{OrdersMutation, OrdersQuery};
use super::request_loaders::Slot;
use super::wallet::WalletQuery;
use crate::ctx::{Ctx, Deps};

/// The running schema.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// What reads.
#[derive(MergedObject, Default)]
pub struct Query(NodeQuery, IdentityQuery, CatalogQuery, ChargesQuery, OrdersQuery, WalletQuery, EventsQuery);

/// What changes. Each field either does the whole of what it says or nothing, and tells refusals in `userErrors`.
#[derive(MergedObject, Default)]
pub struct Mutation(IdentityMutation, ChargesMutation, OrdersMutation);

/// What is told as it happens. Each event carries a cursor; pass the last one seen as `after` to go on without a gap or a duplicate.
#[derive(MergedSubscription, Default)]
pub struct Subscription(EventsSubscription);

/// Builds the running schema.
pub fn build_schema(_deps: &Arc<Deps>) -> Schema {
    async_graphql::Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .validation_mode(ValidationMode::Fast)
        .disable_suggestions()
        .finish()
}

/// What each request brings to its resolvers.
pub fn request_data(ctx: Ctx) -> Data {
    let mut data = Data::default();
    Slot::put(&mut data, &ctx);
    data.insert(ctx);
    data
}
