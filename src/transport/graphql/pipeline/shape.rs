//! Step 1: what was sent, as a request.
//!
//! Lives here: [`Call`] and its two readers, of a JSON body (also the payload of a socket's `subscribe`) and of the
//! parameters of a GET.
//! Always true: a call has a document, or the hash of one that was sent before; `variables` and `extensions` are
//! objects; a list of requests (batching) is refused.
//! Not here: the size of a body and its content type (http.rs, answer.rs).

use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::problem::ErrorCode;

/// One request, whatever carried it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// The document; absent if the caller names it by its hash alone.
    pub query: Option<String>,
    /// Which operation of the document to run.
    pub operation_name: Option<String>,
    /// Values for the operation's variables.
    pub variables: Map<String, Value>,
    /// The SHA-256 of the document in hexadecimal, from `extensions.persistedQuery.sha256Hash`.
    pub persisted_hash: Option<String>,
}

impl Call {
    /// Reads a JSON body.
    ///
    /// # Errors
    ///
    /// BAD_REQUEST, naming the member that is wrong.
    pub fn from_json(body: &[u8]) -> Result<Self, Refusal> {
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            bad(format!("The body is not JSON: line {}, column {}.", error.line(), error.column()))
        })?;
        Self::from_value(value)
    }

    /// Reads a JSON value.
    ///
    /// # Errors
    ///
    /// BAD_REQUEST, naming the member that is wrong.
    pub fn from_value(value: Value) -> Result<Self, Refusal> {
        let mut members = match value {
            Value::Object(members) => members,
            Value::Array(_) => {
                return Err(bad("A request is one JSON object: batches are not taken."));
            }
            _ => return Err(bad("A request is a JSON object with the member `query`.")),
        };
        let extensions = object(members.remove("extensions"), "extensions")?;
        let call = Self {
            query: text(members.remove("query"), "query")?,
            operation_name: text(members.remove("operationName"), "operationName")?,
            variables: object(members.remove("variables"), "variables")?,
            persisted_hash: persisted_hash(extensions)?,
        };
        call.complete()
    }

    /// Reads the decoded parameters of a GET; `variables` and `extensions` are JSON texts there. An empty parameter
    /// counts as absent.
    ///
    /// # Errors
    ///
    /// BAD_REQUEST, naming the parameter that is wrong.
    pub fn from_parameters(parameters: Vec<(String, String)>) -> Result<Self, Refusal> {
        let mut call = Self::default();
        for (name, value) in parameters.into_iter().filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                "query" => call.query = Some(value),
                "operationName" => call.operation_name = Some(value),
                "variables" => call.variables = object(Some(json(&value, "variables")?), "variables")?,
                "extensions" => {
                    let extensions = object(Some(json(&value, "extensions")?), "extensions")?;
                    call.persisted_hash = persisted_hash(extensions)?;
                }
                // Clients and proxies add parameters of their own (cache busters, trackers).
                _ => {}
            }
        }
        call.complete()
    }

    fn complete(self) -> Result<Self, Refusal> {
        if self.query.is_none() && self.persisted_hash.is_none() {
            return Err(bad("The request has no document: give `query`."));
        }
        Ok(self)
    }
}

fn bad(message: impl AsRef<str>) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, message)
}

fn text(value: Option<Value>, name: &str) -> Result<Option<String>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad(format!("`{name}` must be a string."))),
    }
}

fn object(value: Option<Value>, name: &str) -> Result<Map<String, Value>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members),
        Some(_) => Err(bad(format!("`{name}` must be an object."))),
    }
}

fn json(value: &str, name: &str) -> Result<Value, Refusal> {
    serde_json::from_str(value).map_err(|_| bad(format!("`{name}` is not JSON.")))
}

fn persisted_hash(mut extensions: Map<String, Value>) -> Result<Option<String>, Refusal> {
    let persisted = match extensions.remove("persistedQuery") {
        None | Some(Value::Null) => return Ok(None),
        Some(persisted) => object(Some(persisted), "extensions.persistedQuery")?,
    };
    if persisted.get("version").and_then(Value::as_i64) != Some(1) {
        return Err(bad("`extensions.persistedQuery.version` must be 1."));
    }
    let hash = persisted.get("sha256Hash").and_then(Value::as_str).map(str::to_ascii_lowercase);
    match hash {
        Some(hash) if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(Some(hash)),
        _ => Err(bad("`extensions.persistedQuery.sha256Hash` must be 64 hexadecimal digits.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        let refusal = Call::from_json(body.as_bytes()).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::BadRequest);
        refusal.faults[0].message.clone()
    }

    #[test]
    fn reads_a_whole_body() {
        let call =
            Call::from_json(br#"{"query":"{a}","operationName":"A","variables":{"x":1},"extensions":{}}"#)
                .unwrap();
        assert_eq!(call.query.as_deref(), Some("{a}"));
        assert_eq!(call.operation_name.as_deref(), Some("A"));
        assert_eq!(call.variables["x"], 1);
    }

    #[test]
    fn nulls_count_as_absent() {
        let call =
            Call::from_json(br#"{"query":"{a}","operationName":null,"variables":null,"extensions":null}"#)
                .unwrap();
        assert_eq!(call, Call { query: Some("{a}".to_owned()), ..Call::default() });
    }

    #[test]
    fn names_the_member_that_is_wrong() {
        for (body, member) in [
            ("{", "not JSON"),
            ("[{\"query\":\"{a}\"}]", "batches"),
            ("7", "JSON object"),
            ("{}", "`query`"),
            ("{\"query\":null}", "`query`"),
            ("{\"query\":7}", "`query`"),
            ("{\"query\":\"{a}\",\"operationName\":{}}", "`operationName`"),
            ("{\"query\":\"{a}\",\"variables\":[]}", "`variables`"),
            ("{\"query\":\"{a}\",\"variables\":\"{}\"}", "`variables`"),
            ("{\"query\":\"{a}\",\"extensions\":0}", "`extensions`"),
            ("{\"extensions\":{\"persistedQuery\":{\"version\":2}}}", "version"),
            ("{\"extensions\":{\"persistedQuery\":{\"version\":1,\"sha256Hash\":\"zz\"}}}", "sha256Hash"),
        ] {
            let message = refused(body);
            assert!(message.contains(member), "{body} was answered with: {message}");
        }
    }

    #[test]
    fn reads_parameters_and_takes_empty_ones_for_absent() {
        let parameters = |pairs: &[(&str, &str)]| {
            Call::from_parameters(
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            )
        };
        let call =
            parameters(&[("query", "{a}"), ("variables", "{\"x\":1}"), ("extensions", ""), ("t", "1")])
                .unwrap();
        assert_eq!(call.variables["x"], 1);
        assert!(parameters(&[("query", "")]).is_err());
        assert!(parameters(&[("query", "{a}"), ("variables", "x")]).is_err());
    }

    #[test]
    fn a_hash_alone_is_a_request() {
        let hash = "AB".repeat(32);
        let body =
            format!("{{\"extensions\":{{\"persistedQuery\":{{\"version\":1,\"sha256Hash\":\"{hash}\"}}}}}}");
        let call = Call::from_json(body.as_bytes()).unwrap();
        assert_eq!(call.persisted_hash, Some(hash.to_lowercase()));
    }
}
