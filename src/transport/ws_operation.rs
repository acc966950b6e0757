//! One operation of a socket.
//!
//! Lives here: what the task of an operation does, and what it tells its socket.
//! Always true: an operation takes the whole pipeline, as a request by HTTP does; it waits when the socket is slower than it is.
//! Not here: the socket (ws.rs), the words of the protocol (ws_protocol.rs).

use std::net::IpAddr;

use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::caller::Caller;
use super::graphql;
use super::graphql::pipeline::Passage;
use super::graphql::pipeline::access::{Carrier, Denial};
use super::graphql::pipeline::answer::Answer;
use super::graphql::pipeline::shape::Call;
use super::http::{AppState, Arrival};
use super::ws_protocol::Outgoing;

/// What an operation's task tells its socket.
pub(super) struct Told {
    /// What the peer calls the operation.
    pub(super) id: String,
    /// Which operation under this id: a message of an earlier one is thrown away.
    pub(super) number: u64,
    /// The message.
    pub(super) what: Outgoing,
}

/// One operation of a socket, in a task of its own.
pub(super) struct Operation {
    /// What its peer calls it.
    pub(super) id: String,
    /// Which operation under this id.
    pub(super) number: u64,
    /// The way to its socket.
    pub(super) sender: mpsc::Sender<Told>,
    /// What every handler is given.
    pub(super) state: AppState,
    /// The peer's address.
    pub(super) address: IpAddr,
}

impl Operation {
    /// Runs it until its last message, or until its socket is gone.
    pub(super) async fn run(self, caller: Caller, payload: serde_json::Value) {
        let Caller { actor, standing, principal } = caller;
        let request_id = self.state.new_request_id();
        let ctx = self.state.ctx(Arrival { request_id, address: self.address }, actor);
        let passage = Passage {
            carrier: Carrier::Socket,
            principal,
            standing,
            now_ms: self.state.elapsed_ms(),
            request_id: request_id.to_string(),
        };
        let admitted = Call::from_value(payload)
            .map_err(Denial::Refused)
            .and_then(|call| self.state.pipeline.admit(call, passage));
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(Denial::Refused(refusal) | Denial::NotByGet(refusal) | Denial::TokenExpired(refusal)) => {
                return self.fail(&Answer::refused(refusal)).await;
            }
        };
        let data = graphql::request_data(ctx);
        if !admitted.is_subscription() {
            let answer = self.state.pipeline.execute(admitted, data).await;
            return self.finish(answer).await;
        }
        let mut events = self.state.pipeline.subscribe(admitted, data);
        while let Some(answer) = events.next().await {
            // An event without data is no event: to go on would leave a gap that nobody sees.
            if answer.is_empty() {
                return self.fail(&answer).await;
            }
            if !self.tell(Outgoing::Next(answer)).await {
                return;
            }
        }
        self.tell(Outgoing::Complete).await;
    }

    async fn finish(&self, answer: Answer) {
        if answer.refused_with().is_some() {
            return self.fail(&answer).await;
        }
        if self.tell(Outgoing::Next(answer)).await {
            self.tell(Outgoing::Complete).await;
        }
    }

    async fn fail(&self, answer: &Answer) {
        self.tell(Outgoing::Error(answer.errors().to_vec())).await;
    }

    /// Waits for a place in the socket's queue; false if the socket is gone.
    async fn tell(&self, what: Outgoing) -> bool {
        self.sender.send(Told { id: self.id.clone(), number: self.number, what }).await.is_ok()
    }
}
