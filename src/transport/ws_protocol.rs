//! The words of graphql-transport-ws.
//!
//! Lives here: what a peer may say ([`Incoming`]), what it is told ([`Outgoing`]), and why a socket is closed ([`Close`]).
//! Always true: whatever a peer sends is either one of its words or a reason to close; a reason never is longer than
//! 100 bytes, because a close frame holds 123.
//! Not here: when what is said (ws.rs).

use axum::extract::ws::Message;
use axum::http::HeaderValue;
use serde::Serialize;
use serde_json::{Map, Value};

use super::endpoint::BODY_BYTES;
use super::graphql::pipeline::answer::{Answer, AnswerError};

/// The name of the protocol, in the header Sec-WebSocket-Protocol.
pub(super) const SUBPROTOCOL: &str = "graphql-transport-ws";
/// The most bytes of one message: as many as a body over HTTP may have. How large a document may be, the pipeline says.
pub(super) const MESSAGE_BYTES: usize = BODY_BYTES;
/// The most bytes of the reason in a close frame.
const REASON_BYTES: usize = 100;
/// The most bytes of an operation's id.
const ID_BYTES: usize = 128;

/// Why a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// The server stops, or the peer is gone or too slow.
    GoingAway,
    /// The server cannot say now who the peer is.
    TryAgain,
    /// Not one of the protocol's words.
    BadMessage(&'static str),
    /// Not a message that the library reads to its end; nothing more can be read.
    Unreadable,
    /// An operation before `connection_init` was acknowledged.
    Unauthorized,
    /// The token is bad, or has ended.
    Forbidden(&'static str),
    /// No `connection_init` in time.
    InitTimeout,
    /// Two operations under one id.
    Taken(String),
    /// Two times `connection_init`.
    TooManyInits,
}

impl Close {
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::TryAgain => 1013,
            Self::BadMessage(_) | Self::Unreadable => 4400,
            Self::Unauthorized => 4401,
            Self::Forbidden(_) => 4403,
            Self::InitTimeout => 4408,
            Self::Taken(_) => 4409,
            Self::TooManyInits => 4429,
        }
    }

    pub(super) fn reason(&self) -> String {
        let reason = match self {
            Self::GoingAway => "Going away".to_owned(),
            Self::TryAgain => "Try again later".to_owned(),
            Self::BadMessage(reason) => format!("Invalid message: {reason}"),
            Self::Unreadable => {
                "Invalid message: the message is too large or not a websocket frame".to_owned()
            }
            Self::Unauthorized => "Unauthorized".to_owned(),
            Self::Forbidden(reason) => format!("Forbidden: {reason}"),
            Self::InitTimeout => "Connection initialisation timeout".to_owned(),
            Self::Taken(id) => format!("Subscriber for {id} already exists"),
            Self::TooManyInits => "Too many initialisation requests".to_owned(),
        };
        let fits = reason
            .char_indices()
            .map(|(at, letter)| at + letter.len_utf8())
            .take_while(|end| *end <= REASON_BYTES);
        let end = fits.last().unwrap_or_default();
        reason[..end].to_owned()
    }
}

/// What a peer may say.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    Init(Value),
    Ping,
    Pong,
    Subscribe(String, Value),
    Complete(String),
}

impl Incoming {
    /// Reads one text message.
    pub(super) fn read(text: &str) -> Result<Self, Close> {
        if text.len() > MESSAGE_BYTES {
            return Err(Close::BadMessage("a message has at most 256 kB"));
        }
        let Ok(Value::Object(mut members)) = serde_json::from_str(text) else {
            return Err(Close::BadMessage("a message is a JSON object"));
        };
        let payload = members.remove("payload").unwrap_or_default();
        let optional = |payload: &Value| match payload {
            Value::Null | Value::Object(_) => Ok(()),
            _ => Err(Close::BadMessage("`payload` must be an object")),
        };
        let word = members.get("type").and_then(Value::as_str).unwrap_or_default();
        match word {
            "connection_init" => optional(&payload).map(|()| Self::Init(payload)),
            "ping" => optional(&payload).map(|()| Self::Ping),
            "pong" => optional(&payload).map(|()| Self::Pong),
            "subscribe" => match payload {
                Value::Object(_) => Ok(Self::Subscribe(id(&members)?, payload)),
                _ => Err(Close::BadMessage("`subscribe` needs a `payload` with `query`")),
            },
            "complete" => Ok(Self::Complete(id(&members)?)),
            _ => Err(Close::BadMessage("unknown `type`")),
        }
    }
}

fn id(members: &Map<String, Value>) -> Result<String, Close> {
    match members.get("id").and_then(Value::as_str) {
        Some(id) if !id.is_empty() && id.len() <= ID_BYTES => Ok(id.to_owned()),
        _ => Err(Close::BadMessage("`id` must be a string of 1 to 128 bytes")),
    }
}

/// The token in the payload of `connection_init`: `{"Authorization": "Bearer …"}` (in any case) or `{"token": "…"}`, as
/// the value of an Authorization header.
pub(super) fn bearer(payload: &Value) -> Result<Option<HeaderValue>, &'static str> {
    let Value::Object(members) = payload else { return Ok(None) };
    let named =
        |name: &str| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let text = match (named("authorization"), named("token")) {
        (Some(Value::String(header)), _) if !header.is_empty() => header.clone(),
        (None | Some(Value::Null), Some(Value::String(token))) if !token.is_empty() => {
            format!("Bearer {token}")
        }
        (None | Some(Value::Null), None | Some(Value::Null)) => return Ok(None),
        _ => return Err("the token must be a string"),
    };
    HeaderValue::from_str(&text).map(Some).map_err(|_| "the token is not valid")
}

/// What a peer is told.
pub(super) enum Outgoing {
    Ack,
    Pong,
    Next(Answer),
    Error(Vec<AnswerError>),
    Complete,
}

#[derive(Serialize)]
struct Envelope<'a, P> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<P>,
}

impl Outgoing {
    /// Whether the operation is over with this.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, Self::Error(_) | Self::Complete)
    }

    /// The frame, for the operation of this id (empty for what concerns none).
    pub(super) fn message(&self, id: &str) -> Message {
        let none: Option<()> = None;
        let text = match self {
            Self::Ack => json(&Envelope { id, r#type: "connection_ack", payload: none }),
            Self::Pong => json(&Envelope { id, r#type: "pong", payload: none }),
            Self::Next(answer) => json(&Envelope { id, r#type: "next", payload: Some(answer) }),
            Self::Error(errors) => json(&Envelope { id, r#type: "error", payload: Some(errors) }),
            Self::Complete => json(&Envelope { id, r#type: "complete", payload: none }),
        };
        Message::text(text)
    }
}

/// Values of GraphQL always are JSON.
fn json<P: Serialize>(envelope: &Envelope<'_, P>) -> String {
    serde_json::to_string(envelope).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_the_protocols_words() {
        for (text, expected) in [
            (r#"{"type":"connection_init"}"#, Incoming::Init(Value::Null)),
            (r#"{"type":"connection_init","payload":{"token":"x"}}"#, Incoming::Init(json!({"token": "x"}))),
            (r#"{"type":"ping","payload":{}}"#, Incoming::Ping),
            (r#"{"type":"pong"}"#, Incoming::Pong),
            (r#"{"type":"complete","id":"1"}"#, Incoming::Complete("1".to_owned())),
            (
                r#"{"type":"subscribe","id":"1","payload":{"query":"{a}"}}"#,
                Incoming::Subscribe("1".to_owned(), json!({"query": "{a}"})),
            ),
        ] {
            assert_eq!(Incoming::read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn whatever_else_is_said_closes_the_socket() {
        let long = format!(r#"{{"type":"ping","payload":{{"x":"{}"}}}}"#, "x".repeat(MESSAGE_BYTES));
        for text in [
            "",
            "x",
            "[]",
            "{}",
            r#"{"type":"start"}"#,
            r#"{"type":7}"#,
            r#"{"type":"ping","payload":7}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":7,"payload":{"query":"{a}"}}"#,
            r#"{"type":"complete"}"#,
            &long,
        ] {
            assert_eq!(Incoming::read(text).unwrap_err().code(), 4400, "{text}");
        }
    }

    #[test]
    fn reasons_fit_into_a_close_frame() {
        assert_eq!(Close::Taken("é".repeat(64)).reason().len(), 99);
        assert_eq!(Close::TooManyInits.reason(), "Too many initialisation requests");
    }

    #[test]
    fn finds_the_token_in_the_payload() {
        for (payload, token) in [
            (json!({"Authorization": "Bearer a"}), Ok(Some("Bearer a"))),
            (json!({"authorization": "Bearer a"}), Ok(Some("Bearer a"))),
            (json!({"token": "a"}), Ok(Some("Bearer a"))),
            (json!({"token": "a", "Authorization": null}), Ok(Some("Bearer a"))),
            (json!({}), Ok(None)),
            (json!(null), Ok(None)),
            (json!({"token": 7}), Err("the token must be a string")),
            (json!({"token": "a\nb"}), Err("the token is not valid")),
        ] {
            let found = bearer(&payload);
            let found = found.as_ref().map(|token| token.as_ref().map(|token| token.to_str().unwrap()));
            assert_eq!(found.map_err(|reason| *reason), token, "{payload}");
        }
    }
}
