//! What callers learn of errors in resolvers.
//!
//! Lives here: [`tell`], which masks what is not meant for callers. A resolver answers a [`Problem`] by `?`.
//! Always true: every error has `extensions.code` and is told, however many there are, for a null without an error would
//! read as a value; an error that no code of ours has marked says nothing but the request's id; what caused an error is
//! logged here, once an answer, in full: a batch that fails does so for each of its keys.
//! Not here: refusals before execution (pipeline/refusal.rs) and userErrors, which are data.

use std::collections::HashSet;

use async_graphql::{ErrorExtensionValues, ServerError};
use serde_json::{Map, Value as Json};

use super::pipeline::answer::AnswerError;
use super::pipeline::refusal::cut;
use crate::problem::{ErrorCode, Problem};

/// All that a caller learns of a fault of the server.
pub const MASKED: &str = "The server met a fault of its own. Tell its operator the request id.";

/// These errors of fields as callers read them.
#[must_use]
pub fn tell(errors: Vec<ServerError>, request_id: &str) -> Vec<AnswerError> {
    let mut log = Log { request_id, causes: HashSet::new() };
    errors.into_iter().map(|error| told(error, &mut log)).collect()
}

/// What is logged of one answer's errors.
struct Log<'a> {
    request_id: &'a str,
    causes: HashSet<String>,
}

impl Log<'_> {
    /// Tells a cause, and the first field that failed for it.
    fn tell(&mut self, error: &ServerError, code: ErrorCode, cause: String) {
        if !self.causes.contains(&cause) {
            tracing::error!(request_id = self.request_id, path = ?error.path, %code, %cause, "a resolver failed");
            self.causes.insert(cause);
        }
    }
}

fn told(error: ServerError, log: &mut Log<'_>) -> AnswerError {
    let told = match error.source::<Problem>() {
        Some(problem) => of_problem(problem, &error, log),
        None => of_library(&error, log),
    };
    let (message, extensions) = told;
    AnswerError { message: cut(&message), locations: error.locations, path: error.path, extensions }
}

/// The way of every error of ours: a resolver answers a [`Problem`], and async-graphql keeps it as the source.
fn of_problem(problem: &Problem, error: &ServerError, log: &mut Log<'_>) -> (String, Map<String, Json>) {
    if let Some(cause) = &problem.cause {
        log.tell(error, problem.code, cause.to_string());
    }
    let mut extensions = Map::new();
    extensions.insert("code".to_owned(), Json::from(problem.code.as_str()));
    if let Some(field) = &problem.field {
        extensions.insert("field".to_owned(), Json::from(field.clone()));
    }
    if let Some(retry_after_ms) = problem.retry_after_ms {
        extensions.insert("retryAfterMs".to_owned(), Json::from(retry_after_ms));
    }
    if problem.code == ErrorCode::InternalServerError {
        extensions.insert("requestId".to_owned(), Json::from(log.request_id));
        return (MASKED.to_owned(), extensions);
    }
    (problem.message.to_string(), extensions)
}

/// Errors of the library itself, and of anything that forgot to answer a [`Problem`].
fn of_library(error: &ServerError, log: &mut Log<'_>) -> (String, Map<String, Json>) {
    let mut extensions = marked(error.extensions.as_ref());
    if extensions.contains_key("code") {
        return (error.message.clone(), extensions);
    }
    if is_about_input(&error.message) {
        extensions.insert("code".to_owned(), Json::from(ErrorCode::BadUserInput.as_str()));
        return (error.message.clone(), extensions);
    }
    log.tell(error, ErrorCode::InternalServerError, error.message.clone());
    let mut extensions = Map::new();
    extensions.insert("code".to_owned(), Json::from(ErrorCode::InternalServerError.as_str()));
    extensions.insert("requestId".to_owned(), Json::from(log.request_id));
    (MASKED.to_owned(), extensions)
}

fn marked(extensions: Option<&ErrorExtensionValues>) -> Map<String, Json> {
    match extensions.map(serde_json::to_value) {
        Some(Ok(Json::Object(members))) => members,
        _ => Map::new(),
    }
}

/// Whether async-graphql says that a scalar of ours did not take the value it was given; those messages are our own.
fn is_about_input(message: &str) -> bool {
    message.starts_with("Failed to parse \"") || message.starts_with("Expected input type \"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmarked_errors_say_nothing() {
        let mut marked = ServerError::new("No such order.", None);
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", "NOT_FOUND");
        marked.extensions = Some(extensions);
        let errors = vec![
            ServerError::new("password=hunter2 at 10.0.0.1", None),
            ServerError::new("Failed to parse \"Decimal\": not a decimal", None),
            marked,
        ];
        let told = tell(errors, "req_1");
        assert_eq!(told[0].message, MASKED);
        assert_eq!(told[0].extensions["code"], "INTERNAL_SERVER_ERROR");
        assert_eq!(told[0].extensions["requestId"], "req_1");
        assert_eq!(told[1].extensions["code"], "BAD_USER_INPUT");
        assert_eq!(told[2].message, "No such order.");
        assert_eq!(told[2].extensions["code"], "NOT_FOUND");
    }

    #[test]
    fn problems_say_what_is_public() {
        let error = |problem: Problem| {
            async_graphql::Error::from(problem).into_server_error(async_graphql::Pos::default())
        };
        let told = tell(
            vec![
                error(Problem::bad_argument("first", "at most 100")),
                error(Problem::rate_limited(70)),
                error(Problem::internal("password=hunter2")),
                error(Problem::unavailable("the pool of 10.0.0.1")),
            ],
            "req_1",
        );
        assert_eq!(told[0].message, "at most 100");
        assert_eq!(
            Json::from(told[0].extensions.clone()),
            serde_json::json!({"code": "BAD_USER_INPUT", "field": ["first"]})
        );
        assert_eq!(told[1].extensions["retryAfterMs"], 70);
        assert_eq!(told[2].message, MASKED);
        assert_eq!(
            Json::from(told[2].extensions.clone()),
            serde_json::json!({"code": "INTERNAL_SERVER_ERROR", "requestId": "req_1"})
        );
        assert_eq!(told[3].extensions["code"], "SERVICE_UNAVAILABLE");
        assert!(!told[3].message.contains("10.0.0.1"));
    }
}
