//! What a server answered over HTTP, and exact assertions about it.
//! Always true: a failed assertion prints the whole answer. Not here: how it was asked (`graphql.rs`, `rest.rs`).

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// One HTTP answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The HTTP headers.
    pub headers: HeaderMap,
    /// The body as JSON; a string if it is something else, null if there is none.
    pub body: Value,
}

impl Answer {
    /// Reads an answer to its end.
    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("the body arrives whole");
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        };
        Self { status, headers, body }
    }

    /// A header's text; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Asserts the status of an answer of any kind, and hands the answer on.
    #[track_caller]
    pub fn expect_status(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{self:#?}");
        self
    }

    /// The value at a dotted path of the body: `data.order.units.nodes.0.status`.
    #[track_caller]
    pub fn body_at(&self, path: &str) -> &Value {
        find(&self.body, path).unwrap_or_else(|| panic!("nothing at {path} of {self:#?}"))
    }

    /// `data` of a GraphQL answer that has no errors.
    #[track_caller]
    pub fn data(&self) -> &Value {
        assert_eq!(self.status, StatusCode::OK, "{self:#?}");
        assert!(self.body.get("errors").is_none(), "errors in {self:#?}");
        self.body_at("data")
    }

    /// The value at a dotted path of `data`, of a GraphQL answer that has no errors.
    #[track_caller]
    pub fn at(&self, path: &str) -> &Value {
        find(self.data(), path).unwrap_or_else(|| panic!("nothing at {path} of {self:#?}"))
    }

    /// As [`Self::at`], for a string.
    #[track_caller]
    pub fn text(&self, path: &str) -> &str {
        let value = self.at(path);
        value.as_str().unwrap_or_else(|| panic!("no string at {path}: {value}"))
    }

    /// As [`Self::at`], for a whole number.
    #[track_caller]
    pub fn number(&self, path: &str) -> i64 {
        let value = self.at(path);
        value.as_i64().unwrap_or_else(|| panic!("no whole number at {path}: {value}"))
    }

    /// As [`Self::at`], for a list.
    #[track_caller]
    pub fn list(&self, path: &str) -> &[Value] {
        let value = self.at(path);
        value.as_array().unwrap_or_else(|| panic!("no list at {path}: {value}"))
    }

    /// Asserts that the payload of this mutation has no user errors, and returns the payload.
    #[track_caller]
    pub fn payload(&self, mutation: &str) -> &Value {
        let payload = self.at(mutation);
        assert_eq!(payload["userErrors"], Value::Array(Vec::new()), "user errors in {self:#?}");
        payload
    }

    /// Asserts that the payload has exactly these user errors, each a code and the dotted path of its field (empty
    /// for null), in this order; returns them.
    #[track_caller]
    pub fn expect_user_errors(&self, mutation: &str, expected: &[(&str, &str)]) -> &[Value] {
        let errors = self.list(&format!("{mutation}.userErrors"));
        let found: Vec<_> = errors
            .iter()
            .map(|error| (error["code"].as_str().unwrap_or("?").to_owned(), dotted(&error["field"])))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(code, field)| ((*code).to_owned(), (*field).to_owned())).collect();
        assert_eq!(found, expected, "{self:#?}");
        for error in errors {
            assert!(error["message"].as_str().is_some_and(|it| !it.is_empty()), "no message in {error}");
        }
        errors
    }

    /// Asserts that `errors` has exactly these entries, each a code and the dotted path of its field (empty for none),
    /// in this order; returns them.
    #[track_caller]
    pub fn expect_errors(&self, expected: &[(&str, &str)]) -> &[Value] {
        let errors = self.body.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let found: Vec<_> = errors
            .iter()
            .map(|error| {
                (error["extensions"]["code"].as_str().unwrap_or("?").to_owned(), dotted(&error["path"]))
            })
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(code, path)| ((*code).to_owned(), (*path).to_owned())).collect();
        assert_eq!(found, expected, "{self:#?}");
        errors
    }

    /// Asserts an RFC 9457 problem with this status and code, and hands the answer on.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, code: &str) -> &Self {
        self.expect_status(status);
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:#?}");
        assert_eq!(self.body["status"], status, "{self:#?}");
        assert_eq!(self.body["code"], code, "{self:#?}");
        self
    }
}

/// The value at a dotted path; numbers are places in a list.
pub fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    })
}

fn dotted(path: &Value) -> String {
    let steps = path.as_array().map(Vec::as_slice).unwrap_or_default();
    steps
        .iter()
        .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
        .collect::<Vec<_>>()
        .join(".")
}
