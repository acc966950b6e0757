//! GraphQL over a websocket: graphql-transport-ws.
//!
//! Lives here: [`upgrade`] and the loop of one socket.
//! Always true: each operation runs in a task of its own and waits when the socket is slower than it is, so that none
//! starves another and nothing piles up; every operation counts for the limit of its address like a request, and takes
//! the whole pipeline; an address has so many sockets and no more, and nobody keeps one for long without a token: a close
//! frame always says why, in at most 100 bytes (a longer reason cannot be sent), and the
//! peer's own close frame is echoed.
//! Not here: the words of the protocol (ws_protocol.rs), what an operation does (ws_operation.rs).
//!
//! Source: PROTOCOL.md of enisdenjo/graphql-ws. Of its close codes the npm client takes 4400, 4401, 4409 and 4429 for
//! final, and comes back after 4403, 4408 and 1001.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::http::header::{self, HeaderMap};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use entity::timestamp::Timestamp;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout};

use super::caller::{self, Caller};
use super::graphql::pipeline::access::Standing;
use super::graphql::pipeline::answer::Answer;
use super::graphql::pipeline::refusal::Refusal;
use super::http::{AppState, Arrival, answered, too_many_requests};
use super::origin::is_own;
use super::ws_operation::{Operation, Told};
use super::ws_protocol::{Close, Incoming, MESSAGE_BYTES, Outgoing, SUBPROTOCOL, bearer};
use crate::ctx::Actor;
use crate::problem::ErrorCode;

/// The most sockets at once.
const SOCKETS: usize = 16_384;
/// How long a socket may stay without `connection_init`.
const INIT_PATIENCE: Duration = Duration::from_secs(10);
/// How long a socket without a token may stay, in seconds: long enough to sign in over it, which nothing else is worth.
const ANONYMOUS_SECS: i64 = 60;
/// How often the server pings; a peer that sends nothing for two pings is gone.
const PING_EVERY: Duration = Duration::from_secs(15);
/// How often the token's age is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How many ticks there are between two looks at the session.
const SESSION_TICKS: u32 = 5;
/// The most operations of one socket at once.
const OPERATIONS: usize = 20;
/// How many messages wait for the socket before operations wait too: few, for each may carry a thousand codes.
const QUEUE: usize = 8;
/// The most bytes that are taken in for one message: some more than it may have, so that whoever sends a little too much is told
/// so in words.
const TAKEN_BYTES: usize = MESSAGE_BYTES + 4 * 1024;
/// After how long an address that has too many sockets may try again.
const RETRY_SOCKET_MS: u64 = 5_000;
/// How long one message may take to be sent; a slower peer is closed and comes back with its cursor.
const SEND_PATIENCE: Duration = Duration::from_secs(30);
/// How long the peer may take to answer a close frame.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Why a socket is closed whose token's time is over.
const TOKEN_EXPIRED: &str = "the token has expired";
/// Why a socket is closed that never had one.
const NO_TOKEN: &str = "without a token a socket stays open for a minute";

/// Answers a request to become a socket.
pub(super) fn upgrade(
    state: AppState,
    arrival: Arrival,
    headers: &HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Some(origin) = headers.get(header::ORIGIN) {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        if !is_own(origin.to_str().unwrap_or_default(), &state.deps.config.public_url, host) {
            return (StatusCode::FORBIDDEN, "Pages of other origins may not open sockets here.")
                .into_response();
        }
    }
    let offered: Vec<&str> = upgrade.requested_protocols().filter_map(|name| name.to_str().ok()).collect();
    if !offered.contains(&SUBPROTOCOL) {
        let message =
            format!("Offer the subprotocol {SUBPROTOCOL}; the older graphql-ws is not spoken here.");
        return (StatusCode::BAD_REQUEST, message).into_response();
    }
    if state.drain.has_begun() || state.sockets.len() >= SOCKETS {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")]).into_response();
    }
    let Some(place) = state.admit_socket(arrival.address) else {
        let message =
            "Too many sockets are open from this address; close some, or try again after `retryAfterMs`.";
        let refusal = Refusal::new(ErrorCode::RateLimited, message).retry_after_ms(RETRY_SOCKET_MS);
        return answered(StatusCode::TOO_MANY_REQUESTS, &Answer::refused(refusal));
    };
    let authorization = headers.get(header::AUTHORIZATION).cloned();
    upgrade
        .protocols([SUBPROTOCOL])
        // Thousands of idle sockets: the default buffers would take 256 kB each.
        .read_buffer_size(4 * 1024)
        .write_buffer_size(1024)
        .max_frame_size(TAKEN_BYTES)
        .max_message_size(TAKEN_BYTES)
        .on_upgrade(move |socket| {
            let sockets = state.sockets.clone();
            let connection = Connection::new(socket, state, arrival.address, authorization);
            sockets.track_future(async move {
                connection.run().await;
                drop(place);
            })
        })
}

struct Running {
    number: u64,
    task: AbortHandle,
}

struct Connection {
    socket: WebSocket,
    state: AppState,
    address: IpAddr,
    /// What the upgrade itself brought, for clients that cannot put a token into `connection_init`.
    authorization: Option<HeaderValue>,
    /// Who calls; `None` before `connection_init`.
    caller: Option<Caller>,
    running: HashMap<String, Running>,
    started: u64,
    sender: mpsc::Sender<Told>,
    told: mpsc::Receiver<Told>,
    opened_at: Instant,
    /// Until when it may stay without a token, by the clock that tokens go by.
    anonymous_until: Timestamp,
    heard_at: Instant,
    ticks: u32,
}

impl Connection {
    fn new(socket: WebSocket, state: AppState, address: IpAddr, authorization: Option<HeaderValue>) -> Self {
        let (sender, told) = mpsc::channel(QUEUE);
        let now = Instant::now();
        let anonymous_until = state.deps.clock.now().plus_seconds(ANONYMOUS_SECS);
        Self {
            socket,
            state,
            address,
            authorization,
            caller: None,
            running: HashMap::new(),
            started: 0,
            sender,
            told,
            opened_at: now,
            anonymous_until,
            heard_at: now,
            ticks: 0,
        }
    }

    async fn run(mut self) {
        metrics::gauge!("octopus_sockets").increment(1);
        if let Err(close) = self.converse().await {
            self.close(close).await;
        }
        for running in self.running.values() {
            running.task.abort();
        }
        metrics::gauge!("octopus_sockets").decrement(1);
    }

    /// Goes on until the peer has closed (`Ok`) or there is a reason to close.
    async fn converse(&mut self) -> Result<(), Close> {
        let mut tick = every(TICK);
        let mut ping = every(PING_EVERY);
        let drain = self.state.drain.clone();
        loop {
            tokio::select! {
                // In this order: a socket that is to stop does not take more work first.
                biased;
                () = drain.begun() => return Err(Close::GoingAway),
                _ = tick.tick() => self.look().await?,
                _ = ping.tick() => self.send(Message::Ping(axum::body::Bytes::new())).await?,
                Some(told) = self.told.recv() => self.pass_on(told).await?,
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => {
                        self.heard_at = Instant::now();
                        match message {
                            Message::Text(text) => self.hear(text.as_str()).await?,
                            Message::Binary(_) => return Err(Close::BadMessage("binary messages are not taken")),
                            // The library has queued the echo: reading on sends it.
                            Message::Close(_) => {
                                self.read_out().await;
                                return Ok(());
                            }
                            Message::Ping(_) | Message::Pong(_) => {}
                        }
                    }
                    Some(Err(error)) => {
                        tracing::debug!(%error, "a socket broke");
                        return Err(Close::Unreadable);
                    }
                    None => return Ok(()),
                },
            }
        }
    }

    /// Looks at the time: is the peer there, has it said who it is, does its token still hold?
    async fn look(&mut self) -> Result<(), Close> {
        if self.heard_at.elapsed() > PING_EVERY * 2 + TICK {
            return Err(Close::GoingAway);
        }
        let Some(caller) = &self.caller else {
            return if self.opened_at.elapsed() > INIT_PATIENCE { Err(Close::InitTimeout) } else { Ok(()) };
        };
        self.check_time(caller)?;
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(SESSION_TICKS) && caller.standing == Standing::SignedIn {
            let headers = self.headers();
            match caller::identify(&self.state.deps, &headers, self.address).await {
                Ok(caller) if caller.standing == Standing::SignedIn => self.caller = Some(caller),
                // The database may be away for a moment: that says nothing about the session.
                Err(problem) if !is_final(problem.code) => {}
                Ok(_) | Err(_) => return Err(Close::Forbidden("the session has ended")),
            }
        }
        Ok(())
    }

    /// Whether a caller's time is over: that of its token, or what there is without one.
    fn check_time(&self, caller: &Caller) -> Result<(), Close> {
        let (until, why) = match &caller.actor {
            Actor::Partner(partner) => (partner.token_expires_at, TOKEN_EXPIRED),
            Actor::Admin(admin) => (admin.token_expires_at, TOKEN_EXPIRED),
            Actor::Anonymous | Actor::System => (self.anonymous_until, NO_TOKEN),
        };
        if self.state.deps.clock.now() < until { Ok(()) } else { Err(Close::Forbidden(why)) }
    }

    async fn hear(&mut self, text: &str) -> Result<(), Close> {
        match Incoming::read(text)? {
            Incoming::Init(payload) => self.init(payload).await,
            Incoming::Ping => self.send(Outgoing::Pong.message("")).await,
            Incoming::Pong => Ok(()),
            Incoming::Subscribe(id, payload) => self.subscribe(id, payload).await,
            Incoming::Complete(id) => {
                if let Some(running) = self.running.remove(&id) {
                    running.task.abort();
                }
                Ok(())
            }
        }
    }

    async fn init(&mut self, payload: serde_json::Value) -> Result<(), Close> {
        if self.caller.is_some() {
            return Err(Close::TooManyInits);
        }
        match bearer(&payload) {
            Ok(Some(token)) => self.authorization = Some(token),
            Ok(None) => {}
            Err(reason) => return Err(Close::Forbidden(reason)),
        }
        match caller::identify(&self.state.deps, &self.headers(), self.address).await {
            // Acknowledged, it would be a socket on which every operation fails; closed, clients come back with a new token.
            Ok(caller) if caller.standing == Standing::Expired => Err(Close::Forbidden(TOKEN_EXPIRED)),
            Ok(caller) => {
                self.caller = Some(caller);
                self.send(Outgoing::Ack.message("")).await
            }
            Err(problem) if is_final(problem.code) => Err(Close::Forbidden("the token is not valid")),
            Err(problem) => {
                tracing::warn!(%problem, "a socket could not be opened");
                Err(Close::TryAgain)
            }
        }
    }

    /// The headers by which the caller is known.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        headers
    }

    async fn subscribe(&mut self, id: String, payload: serde_json::Value) -> Result<(), Close> {
        let Some(caller) = self.caller.clone() else { return Err(Close::Unauthorized) };
        self.check_time(&caller)?;
        if self.running.contains_key(&id) {
            return Err(Close::Taken(id));
        }
        if let Err(wait_ms) = self.state.admit(self.address) {
            return self.refuse(&id, too_many_requests(wait_ms)).await;
        }
        if self.running.len() >= OPERATIONS {
            let message = format!("A socket runs at most {OPERATIONS} operations at once.");
            let refusal = Refusal::new(ErrorCode::RateLimited, message).retry_after_ms(1_000);
            return self.refuse(&id, refusal).await;
        }
        self.started += 1;
        let operation = Operation {
            id: id.clone(),
            number: self.started,
            sender: self.sender.clone(),
            state: self.state.clone(),
            address: self.address,
        };
        let number = operation.number;
        let task = tokio::spawn(operation.run(caller, payload)).abort_handle();
        self.running.insert(id, Running { number, task });
        Ok(())
    }

    /// Refuses an operation that was not begun; the socket goes on.
    async fn refuse(&mut self, id: &str, refusal: Refusal) -> Result<(), Close> {
        let answer = Answer::refused(refusal);
        self.send(Outgoing::Error(answer.errors().to_vec()).message(id)).await
    }

    /// Passes on what an operation says, unless the peer has ended it meanwhile.
    async fn pass_on(&mut self, told: Told) -> Result<(), Close> {
        if self.running.get(&told.id).is_none_or(|running| running.number != told.number) {
            return Ok(());
        }
        if told.what.is_last() {
            self.running.remove(&told.id);
        }
        self.send(told.what.message(&told.id)).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Close> {
        match timeout(SEND_PATIENCE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a socket broke");
                Err(Close::GoingAway)
            }
            Err(_elapsed) => Err(Close::GoingAway),
        }
    }

    async fn close(&mut self, close: Close) {
        let frame = CloseFrame { code: close.code(), reason: close.reason().into() };
        let sent = timeout(CLOSE_PATIENCE, self.socket.send(Message::Close(Some(frame)))).await;
        match (sent, close) {
            // Cut now, the connection would take the frame with it, for what the peer has sent is not read.
            (Ok(Ok(())), Close::Unreadable) => sleep(CLOSE_PATIENCE).await,
            (Ok(Ok(())), _) => self.read_out().await,
            (Ok(Err(_)) | Err(_), _) => {}
        }
    }

    /// Reads until the peer is done: that flushes the echo of its close frame, and lets ours arrive before the
    /// connection is cut.
    async fn read_out(&mut self) {
        let until_done = async { while matches!(self.socket.recv().await, Some(Ok(_))) {} };
        // A peer that never answers has been told what it needs.
        let _ = timeout(CLOSE_PATIENCE, until_done).await;
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick of an interval comes at once.
    interval.reset();
    interval
}

/// Whether a refusal to identify a caller says something about the caller.
fn is_final(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Unauthenticated | ErrorCode::Forbidden | ErrorCode::IpNotAllowed)
}
