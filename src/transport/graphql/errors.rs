//! What callers learn of errors in resolvers.
//!
//! Lives here: [`tell`], which masks what is not meant for callers.
//! Always true: every error has `extensions.code`; an error that no code of ours has marked says nothing but the
//! request's id, and is logged here, once, in full.
//! Not here: refusals before execution (pipeline/refusal.rs) and userErrors, which are data.

use async_graphql::{ErrorExtensionValues, ServerError};
use serde_json::{Map, Value as Json};

use super::pipeline::answer::AnswerError;
use super::pipeline::refusal::{FAULTS, cut};
use crate::problem::ErrorCode;

/// All that a caller learns of a fault of the server.
pub const MASKED: &str = "The server met a fault of its own. Tell its operator the request id.";

/// The first of these errors as callers read them, at most ten.
#[must_use]
pub fn tell(errors: Vec<ServerError>, request_id: &str) -> Vec<AnswerError> {
    errors.into_iter().take(FAULTS).map(|error| told(error, request_id)).collect()
}

fn told(error: ServerError, request_id: &str) -> AnswerError {
    let mut extensions = marked(error.extensions.as_ref());
    let mut message = cut(&error.message);
    if !extensions.contains_key("code") {
        let code = if is_about_input(&error.message) {
            ErrorCode::BadUserInput
        } else {
            tracing::error!(request_id, path = ?error.path, error = %error.message, "a resolver failed");
            message = MASKED.to_owned();
            extensions.clear();
            extensions.insert("requestId".to_owned(), Json::from(request_id));
            ErrorCode::InternalServerError
        };
        extensions.insert("code".to_owned(), Json::from(code.as_str()));
    }
    AnswerError { message, locations: error.locations, path: error.path, extensions }
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
    fn at_most_ten_are_told() {
        assert_eq!(tell(vec![ServerError::new("x", None); 500], "r").len(), 10);
    }
}
