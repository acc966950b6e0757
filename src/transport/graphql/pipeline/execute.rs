//! Step 10: the operation is run.
//!
//! Lives here: the time that an operation may take, and the executor behind a timeout and a net for panics.
//! Always true: a panic in a resolver becomes a masked error of this request and harms no other; an operation that takes
//! too long is answered TIMEOUT, while what it has begun to write is finished by its own task.
//! Not here: the wait of createOrder itself (domain/orders), which ends by itself before the timeout.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, Field, Selection};
use async_graphql::{Data, Executor, Request, Response, Value as ConstValue, Variables};
use async_graphql_value::Value;
use futures_util::FutureExt;
use futures_util::stream::{BoxStream, StreamExt};

use super::answer::Answer;
use super::documents::Ready;
use super::refusal::Refusal;
use crate::problem::ErrorCode;
use crate::transport::graphql::errors;

/// How long `createOrder` waits for the end of its order unless the caller says.
const DEFAULT_WAIT_MS: u64 = 900;
/// The longest that it waits.
const LONGEST_WAIT_MS: u64 = 30_000;

/// Runs a query or a mutation.
pub async fn execute<E: Executor>(
    executor: &E,
    request: Request,
    timeout: Duration,
    request_id: &str,
) -> Answer {
    let run = AssertUnwindSafe(executor.execute(request)).catch_unwind();
    match tokio::time::timeout(timeout, run).await {
        Ok(Ok(response)) => answer(response, request_id),
        Ok(Err(_panic)) => {
            tracing::error!(request_id, "a resolver panicked");
            Answer::failed(request_id)
        }
        Err(_elapsed) => {
            tracing::warn!(request_id, timeout_ms = timeout.as_millis(), "an operation took too long");
            let message =
                "The operation took too long. Ask for less; repeat a mutation under the same reference.";
            Answer::refused(Refusal::new(ErrorCode::Timeout, message))
        }
    }
}

/// Runs a subscription; the stream ends after an answer that has no data.
pub fn subscribe<E: Executor>(
    executor: &E,
    request: Request,
    request_id: String,
) -> BoxStream<'static, Answer> {
    let stream = AssertUnwindSafe(executor.execute_stream(request, None)).catch_unwind();
    stream
        .map(move |event| match event {
            Ok(response) => answer(response, &request_id),
            Err(_panic) => {
                tracing::error!(request_id, "a subscription panicked");
                Answer::failed(&request_id)
            }
        })
        .boxed()
}

/// The request that the executor is given.
#[must_use]
pub fn request(ready: &Ready, variables: Variables, data: Data) -> Request {
    let mut request = Request::new("").variables(variables);
    request.data = data;
    request.set_parsed_query(ready.executable.clone());
    request
}

/// How long the orders of an operation wait for their end: the largest `waitMs` among its createOrder fields; zero if
/// it places none.
#[must_use]
pub fn order_wait(ready: &Ready, variables: &Variables) -> Duration {
    let waits = fields(&ready.executable).filter(|field| field.name.node == "createOrder").map(|field| {
        let asked = field.get_argument("input").and_then(|input| wait_ms(&input.node, variables));
        asked.unwrap_or(DEFAULT_WAIT_MS).min(LONGEST_WAIT_MS)
    });
    Duration::from_millis(waits.max().unwrap_or_default())
}

fn fields(document: &ExecutableDocument) -> impl Iterator<Item = &Field> {
    let items = match &document.operations {
        DocumentOperations::Single(operation) => operation.node.selection_set.node.items.as_slice(),
        DocumentOperations::Multiple(_) => &[],
    };
    items.iter().filter_map(|item| match &item.node {
        Selection::Field(field) => Some(&field.node),
        _ => None,
    })
}

fn wait_ms(input: &Value, variables: &Variables) -> Option<u64> {
    match input {
        Value::Variable(name) => match variables.get(name)? {
            ConstValue::Object(members) => whole(members.get("waitMs")?),
            _ => None,
        },
        Value::Object(members) => match members.get("waitMs")? {
            Value::Number(number) => number.as_u64(),
            Value::Variable(name) => whole(variables.get(name)?),
            _ => None,
        },
        _ => None,
    }
}

fn whole(value: &ConstValue) -> Option<u64> {
    match value {
        ConstValue::Number(number) => number.as_u64(),
        _ => None,
    }
}

fn answer(response: Response, request_id: &str) -> Answer {
    let errors = errors::tell(response.errors, request_id);
    Answer::executed(response.data, errors)
}

#[cfg(test)]
mod tests {
    use apollo_compiler::ast::OperationType;
    use async_graphql::parser::parse_query;

    use super::super::cost::CostTree;
    use super::*;

    #[test]
    fn the_largest_wait_counts() {
        for (document, variables, wait_ms) in [
            ("{a}", "{}", 0),
            ("mutation {createOrder(input: {})}", "{}", 900),
            ("mutation {a: createOrder(input: {waitMs: 5000}) createOrder(input: {waitMs: 7})}", "{}", 5_000),
            ("mutation {createOrder(input: {waitMs: 0})}", "{}", 0),
            ("mutation ($w: Int) {createOrder(input: {waitMs: $w})}", "{\"w\": 3}", 3),
            ("mutation ($in: I) {createOrder(input: $in)}", "{\"in\": {\"waitMs\": 4}}", 4),
            ("mutation ($in: I) {createOrder(input: $in)}", "{\"in\": {\"waitMs\": 4000000}}", 30_000),
        ] {
            let ready = Ready {
                executable: parse_query(document).unwrap(),
                cost: CostTree::default(),
                operation_type: OperationType::Mutation,
                root_fields: Vec::new(),
                name: None,
            };
            let variables: Variables = serde_json::from_str(variables).unwrap();
            assert_eq!(order_wait(&ready, &variables), Duration::from_millis(wait_ms), "{document}");
        }
    }
}
