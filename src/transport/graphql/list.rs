//! Lists whose errors say where they happened.
//!
//! What lives here: [`List`], to be answered in place of a `Vec` wherever a field below an item may fail.
//! What is always true: it looks like a `Vec` to callers and to the contract; an error below an item keeps its whole path.
//! What is not here: pages (`types`, the `connection!` macro), which use it.
//!
//! async-graphql 8.0.0-rc.5 cuts the path of an error in `[T!]` at the item (`["list", 1]` instead of
//! `["list", 1, "field"]`), against the specification (7.1.2, Errors: the path of the response field).

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};

/// A list of objects.
#[derive(Debug, Clone)]
pub struct List<T>(pub Vec<T>);

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T: OutputType> OutputType for List<T> {
    fn type_name() -> Cow<'static, str> {
        <Vec<T> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<T> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<T> as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let items = self.0.iter().enumerate().map(|(index, item)| {
            let ctx = ctx.with_index(index);
            async move {
                let resolved = OutputType::resolve(item, &ctx, field).await;
                // An error that knows its path has happened below this item.
                resolved.map_err(
                    |error| {
                        if error.path.is_empty() { ctx.set_error_path(error) } else { error }
                    },
                )
            }
        });
        Ok(Value::List(futures_util::future::try_join_all(items).await?))
    }
}
