//! A client of graphql-transport-ws, frame by frame.
//! Always true: what is read comes in the order in which the server sent it; pings are answered by hand only.
//! Not here: the npm client, which judges the same endpoint from outside.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::poll::PATIENCE;

/// The subprotocol's name.
pub const PROTOCOL: &str = "graphql-transport-ws";

/// One open socket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// What comes out of a socket.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// A message of the protocol.
    Message(Value),
    /// The server closed with this code and reason; nothing follows.
    Closed(u16, String),
}

impl Socket {
    /// Opens a socket to the GraphQL endpoint of the server at this `http://` address; sends nothing yet.
    pub async fn connect(url: &str) -> Self {
        let address = format!("{}/graphql", url.replacen("http", "ws", 1));
        let mut request = address.into_client_request().expect("it is a websocket address");
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(PROTOCOL));
        let (stream, response) = connect_async(request).await.expect("the server upgrades");
        let protocol = response.headers().get("sec-websocket-protocol").and_then(|it| it.to_str().ok());
        assert_eq!(protocol, Some(PROTOCOL));
        Self { stream }
    }

    /// Sends `connection_init` and reads its acknowledgement. An empty token means none.
    pub async fn init(&mut self, token: &str) {
        let payload =
            if token.is_empty() { json!({}) } else { json!({ "authorization": format!("Bearer {token}") }) };
        self.send(&json!({ "type": "connection_init", "payload": payload })).await;
        let frame = self.receive().await;
        assert!(
            matches!(&frame, Frame::Message(it) if it["type"] == "connection_ack"),
            "no acknowledgement: {frame:?}"
        );
    }

    /// Sends one message of the protocol.
    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    /// Sends one text frame, whatever is in it.
    pub async fn send_text(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.expect("the socket is open");
    }

    /// Sends one binary frame.
    pub async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.stream.send(Message::binary(bytes)).await.expect("the socket is open");
    }

    /// Sends bytes as they are, beneath the frames of websockets.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).await.expect("the connection is open");
    }

    /// Starts an operation under this id.
    pub async fn subscribe(&mut self, id: &str, document: &str, variables: Value) {
        let payload = json!({ "query": document, "variables": variables });
        self.send(&json!({ "id": id, "type": "subscribe", "payload": payload })).await;
    }

    /// Ends an operation from this side.
    pub async fn complete(&mut self, id: &str) {
        self.send(&json!({ "id": id, "type": "complete" })).await;
    }

    /// The next message or the close.
    ///
    /// # Panics
    /// If neither comes in time.
    pub async fn receive(&mut self) -> Frame {
        self.receive_within(PATIENCE).await.expect("the server sends something in time")
    }

    /// The next message or the close; `None` if neither comes within this time.
    pub async fn receive_within(&mut self, time: Duration) -> Option<Frame> {
        tokio::time::timeout(time, self.next_frame()).await.ok()
    }

    /// The `data` of the next message, which is a `next` of this operation without errors.
    #[track_caller]
    pub fn next_data(&mut self, id: &str) -> impl Future<Output = Value> {
        let id = id.to_owned();
        async move {
            match self.receive().await {
                Frame::Message(mut message)
                    if message["type"] == "next"
                        && message["id"] == *id
                        && message["payload"].get("errors").is_none() =>
                {
                    message["payload"]["data"].take()
                }
                other => panic!("no `next` of {id}: {other:?}"),
            }
        }
    }

    /// Reads on to the close, and returns its code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Frame::Closed(code, reason) = self.receive().await {
                return (code, reason);
            }
        }
    }

    /// Closes from this side.
    pub async fn close(mut self) {
        // The server may have closed first, which is as good.
        let _ = self.stream.close(None).await;
    }

    /// The next message as it was written, for whoever minds the order of its keys.
    ///
    /// # Panics
    /// If none comes in time, or the socket closes.
    pub async fn receive_text(&mut self) -> String {
        let text = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Text(text))) => return text.to_string(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => panic!("no message: {other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, text).await.expect("the server sends something in time")
    }

    async fn next_frame(&mut self) -> Frame {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    return Frame::Message(serde_json::from_str(&text).expect("the server sends JSON"));
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Frame::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Close(None))) => return Frame::Closed(1005, String::new()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Frame::Closed(1006, error.to_string()),
                None => return Frame::Closed(1006, "the stream ended".to_owned()),
            }
        }
    }
}
