//! The token that another Octopus is called with.
//!
//! What lives here: signing in, renewing, and how long a token is kept.
//! What is always true: one caller at a time asks for a token while the others wait for it; it is renewed before it ends.
//! Whatever goes wrong here, no order was sent: that is a refusal, never a doubt.
//! What is not here: what is called with it.

use std::sync::Arc;

use entity::timestamp::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::refusals::problem_code;
use crate::domain::fulfillment::{RefusalKind, Secret, VendorRefusal};
use crate::outgoing::{Answer, Call, Caller, Limits};
use crate::vendors::reply::{Hidden, refusal};

/// How long before its end a token is renewed at most.
const RENEWED_BEFORE_SECS: i64 = 60;
/// What part of its life a short-lived token is renewed before its end.
const RENEWED_BEFORE_PART: i64 = 4;

/// The value of the `Authorization` header.
pub(super) type Bearer = Arc<Zeroizing<String>>;

/// What a session is opened with.
pub(super) struct Login {
    pub(super) caller: Caller,
    pub(super) username: Secret,
    pub(super) password: Secret,
    /// The limits of a call.
    pub(super) limits: Limits,
}

/// Signs in once, and keeps the session.
pub(super) struct Session {
    login: Login,
    token: Mutex<Option<Token>>,
}

struct Token {
    bearer: Bearer,
    renew_at: Timestamp,
    refresh: Secret,
}

#[derive(Serialize)]
struct Credentials<'a> {
    username: &'a str,
    password: &'a str,
}

#[derive(Serialize)]
struct Renewal<'a> {
    refresh_token: &'a str,
}

#[derive(Deserialize)]
struct Granted {
    token: Hidden,
    expires_in: u32,
    refresh_token: Hidden,
}

impl Session {
    /// A session without a token yet.
    pub(super) fn new(login: Login) -> Self {
        Self { login, token: Mutex::new(None) }
    }

    /// The token to call with.
    pub(super) async fn bearer(&self, now: Timestamp) -> Result<Bearer, VendorRefusal> {
        let mut held = self.token.lock().await;
        match &*held {
            Some(token) if now < token.renew_at => Ok(Arc::clone(&token.bearer)),
            _ => self.fetch(&mut held, now).await,
        }
    }

    /// Another token than one that was not accepted: the one that somebody else got meanwhile, or that of a new session.
    pub(super) async fn other_than(&self, stale: &Bearer, now: Timestamp) -> Result<Bearer, VendorRefusal> {
        let mut held = self.token.lock().await;
        match &*held {
            Some(token) if !Arc::ptr_eq(&token.bearer, stale) => Ok(Arc::clone(&token.bearer)),
            _ => {
                *held = None;
                self.fetch(&mut held, now).await
            }
        }
    }

    /// Renews the session that there is, or begins one. A refresh token is used once: one whose answer was lost is as good as
    /// none.
    async fn fetch(&self, held: &mut Option<Token>, now: Timestamp) -> Result<Bearer, VendorRefusal> {
        let renewed = match held.take() {
            Some(token) => self.renew(&token.refresh, now).await.ok(),
            None => None,
        };
        let token = match renewed {
            Some(token) => token,
            None => self.sign_in(now).await?,
        };
        let bearer = Arc::clone(&token.bearer);
        *held = Some(token);
        Ok(bearer)
    }

    async fn renew(&self, refresh: &Secret, now: Timestamp) -> Result<Token, VendorRefusal> {
        let length = refresh.expose().len();
        let renewal = Renewal { refresh_token: refresh.expose() };
        self.post("/auth/refresh", wiped(&renewal, length), now).await
    }

    async fn sign_in(&self, now: Timestamp) -> Result<Token, VendorRefusal> {
        let (username, password) = (self.login.username.expose(), self.login.password.expose());
        let credentials = Credentials { username, password };
        let length = username.len().saturating_add(password.len());
        self.post("/auth/login", wiped(&credentials, length), now).await
    }

    async fn post(
        &self,
        path: &str,
        json: Zeroizing<Vec<u8>>,
        now: Timestamp,
    ) -> Result<Token, VendorRefusal> {
        let call = Call { method: Method::POST, path, headers: &[], json: Some(json) };
        let answer = self.login.caller.call(call, self.login.limits).await.map_err(|failure| {
            refusal(RefusalKind::Unreachable, &format!("no token was given: {failure}"), None)
        })?;
        read(&answer, now)
    }
}

/// JSON that holds secrets. Room is made at once: a buffer that grows leaves copies behind that nobody wipes.
pub(super) fn wiped(value: &impl Serialize, length: usize) -> Zeroizing<Vec<u8>> {
    let mut json = Zeroizing::new(Vec::with_capacity(length.saturating_mul(6).saturating_add(1_024)));
    serde_json::to_writer(&mut *json, value).expect("texts are JSON, and memory takes them");
    json
}

fn read(answer: &Answer, now: Timestamp) -> Result<Token, VendorRefusal> {
    let kind = match answer.status {
        200 => {
            let words = "no token was given: the answer has none in it";
            return granted(answer, now).ok_or_else(|| refusal(RefusalKind::Unreachable, words, None));
        }
        429 => RefusalKind::TooMany,
        401 | 403 => RefusalKind::NotAuthorized,
        _ => RefusalKind::Unreachable,
    };
    let words = problem_code(answer).unwrap_or_else(|| format!("HTTP {}", answer.status));
    Err(refusal(kind, &format!("no token was given: {words}"), answer.retry_after_secs))
}

fn granted(answer: &Answer, now: Timestamp) -> Option<Token> {
    let granted: Granted = serde_json::from_slice(&answer.body).ok()?;
    let (token, refresh) = (granted.token.0, granted.refresh_token.0);
    if token.expose().is_empty() {
        return None;
    }
    let life = i64::from(granted.expires_in);
    let before = RENEWED_BEFORE_SECS.min(life.div_euclid(RENEWED_BEFORE_PART));
    let mut bearer = Zeroizing::new(String::with_capacity(token.expose().len().saturating_add(7)));
    bearer.push_str("Bearer ");
    bearer.push_str(token.expose());
    Some(Token { bearer: Arc::new(bearer), renew_at: now.plus_seconds(life.saturating_sub(before)), refresh })
}
