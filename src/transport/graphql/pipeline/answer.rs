//! What goes back to the caller, whatever carried the request.
//!
//! Lives here: [`Answer`] and its JSON.
//! Always true: every error has `extensions.code`; a request error has no `data`; a refusal tells at most ten errors, an
//! execution all of its fields'.
//! Not here: media types and HTTP statuses (media.rs), what an unexpected error may say (../errors.rs).

use async_graphql::{PathSegment, Pos, Value as ConstValue};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::refusal::Refusal;
use super::throttle::ThrottleStatus;
use crate::problem::ErrorCode;

/// One error as the caller reads it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnswerError {
    /// For a human.
    pub message: String,
    /// Where in the document.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<Pos>,
    /// Where in the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<PathSegment>,
    /// `code`, and what belongs to it.
    pub extensions: Map<String, Json>,
}

/// What the operation cost, and what is left.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// The most that it could have cost, in points; taken ahead.
    pub requested_query_cost: u64,
    /// What it cost, judged by the answer; null while a subscription runs.
    pub actual_query_cost: Option<u64>,
    /// What the caller may still spend.
    pub throttle_status: ThrottleStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Extensions {
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Cost>,
}

/// The answer to one request, or one event of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Answer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<AnswerError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<ConstValue>,
    #[serde(skip_serializing_if = "no_extensions")]
    extensions: Extensions,
    #[serde(skip)]
    refused_with: Option<ErrorCode>,
    #[serde(skip)]
    retry_after_ms: Option<u64>,
}

fn no_extensions(extensions: &Extensions) -> bool {
    extensions.cost.is_none()
}

impl Answer {
    /// The answer of an execution, with the errors of its fields.
    #[must_use]
    pub fn executed(data: ConstValue, errors: Vec<AnswerError>) -> Self {
        Self { data: Some(data), errors, ..Self::default() }
    }

    /// The answer to a refused request.
    #[must_use]
    pub fn refused(refusal: Refusal) -> Self {
        let Refusal { code, faults, retry_after_ms } = refusal;
        let errors = faults.into_iter().map(|fault| {
            let mut extensions = Map::new();
            extensions.insert("code".to_owned(), Json::from(code.as_str()));
            if !fault.field.is_empty() {
                extensions.insert("field".to_owned(), Json::from(fault.field));
            }
            if let Some(retry_after_ms) = retry_after_ms {
                extensions.insert("retryAfterMs".to_owned(), Json::from(retry_after_ms));
            }
            AnswerError { message: fault.message, locations: fault.locations, path: Vec::new(), extensions }
        });
        Self { errors: errors.collect(), refused_with: Some(code), retry_after_ms, ..Self::default() }
    }

    /// The answer to a request that met a fault of the server; the caller learns the request's id alone.
    #[must_use]
    pub fn failed(request_id: &str) -> Self {
        let mut answer =
            Self::refused(Refusal::new(ErrorCode::InternalServerError, super::super::errors::MASKED));
        for error in &mut answer.errors {
            error.extensions.insert("requestId".to_owned(), Json::from(request_id));
        }
        answer
    }

    /// The answer to a request that was refused ahead of the pipeline: a fault of the server names the request.
    #[must_use]
    pub fn closed(refusal: Refusal, request_id: &str) -> Self {
        match refusal.code {
            ErrorCode::InternalServerError => Self::failed(request_id),
            _ => Self::refused(refusal),
        }
    }

    /// The same answer, telling what it cost.
    #[must_use]
    pub fn with_cost(mut self, cost: Cost) -> Self {
        self.extensions.cost = Some(cost);
        self
    }

    /// The code with which the whole request was refused; `None` once it was executed.
    #[must_use]
    pub fn refused_with(&self) -> Option<ErrorCode> {
        self.refused_with
    }

    /// After how many milliseconds the same request may pass.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after_ms
    }

    /// What was selected; `None` for a request error.
    #[must_use]
    pub fn data(&self) -> Option<&ConstValue> {
        self.data.as_ref()
    }

    /// Whether nothing at all was selected: a refusal, or an error that has reached the root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self.data, None | Some(ConstValue::Null))
    }

    /// The errors.
    #[must_use]
    pub fn errors(&self) -> &[AnswerError] {
        &self.errors
    }
}
