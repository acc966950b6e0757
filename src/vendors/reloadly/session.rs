//! The token that Reloadly is called with.
//!
//! What lives here: how it is asked for, and how long it is kept.
//! What is always true: one token an audience, asked for by one caller at a time while the others wait for it; it is renewed
//! before it ends. Whatever goes wrong here, no product call was sent: that is a refusal, never a doubt.
//! What is not here: what is called with it.

use std::borrow::Cow;
use std::sync::Arc;

use entity::timestamp::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::number::{Number, Rounding, at_scale};
use super::refusals::words_of;
use crate::domain::fulfillment::{RefusalKind, Secret, VendorRefusal};
use crate::outgoing::{Answer, Call, Caller, Limits};
use crate::vendors::reply::refusal;

/// How long before its end a token is renewed at most.
const RENEWED_BEFORE_SECS: i64 = 300;
/// What part of its life a short-lived token is renewed before its end.
const RENEWED_BEFORE_PART: i64 = 4;
/// How long a token lives that does not say so: the shortest life that was seen.
const UNTOLD_LIFE_SECS: i64 = 3_600;

/// The value of the `Authorization` header.
pub(super) type Bearer = Arc<Zeroizing<String>>;

/// What a session is opened with.
pub(super) struct Login {
    /// Calls the token service.
    pub(super) auth: Caller,
    /// The key.
    pub(super) client_id: Secret,
    /// Its secret.
    pub(super) client_secret: Secret,
    /// What the token is for: the address of the product.
    pub(super) audience: String,
    /// The limits of a call.
    pub(super) limits: Limits,
}

/// Gets tokens for one audience.
pub(super) struct Session {
    login: Login,
    token: Mutex<Option<Token>>,
}

struct Token {
    bearer: Bearer,
    renew_at: Timestamp,
}

#[derive(Serialize)]
struct Wanted<'a> {
    client_id: &'a str,
    client_secret: &'a str,
    grant_type: &'a str,
    audience: &'a str,
}

#[derive(Deserialize)]
struct Granted<'a> {
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    expires_in: Option<Number>,
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

    /// Another token than one that was not accepted: the one that somebody else got meanwhile, or a new one.
    pub(super) async fn other_than(&self, stale: &Bearer, now: Timestamp) -> Result<Bearer, VendorRefusal> {
        let mut held = self.token.lock().await;
        match &*held {
            Some(token) if !Arc::ptr_eq(&token.bearer, stale) => Ok(Arc::clone(&token.bearer)),
            _ => self.fetch(&mut held, now).await,
        }
    }

    async fn fetch(&self, held: &mut Option<Token>, now: Timestamp) -> Result<Bearer, VendorRefusal> {
        *held = None;
        let call = Call {
            method: Method::POST,
            path: "/oauth/token",
            headers: &[("accept", "application/json")],
            json: Some(self.login.wanted()),
        };
        let answer = self.login.auth.call(call, self.login.limits).await.map_err(|failure| {
            refusal(RefusalKind::Unreachable, &format!("no token was given: {failure}"), None)
        })?;
        let token = read(&answer, now)?;
        let bearer = Arc::clone(&token.bearer);
        *held = Some(token);
        Ok(bearer)
    }
}

impl Login {
    fn wanted(&self) -> Zeroizing<Vec<u8>> {
        let wanted = Wanted {
            client_id: self.client_id.expose(),
            client_secret: self.client_secret.expose(),
            grant_type: "client_credentials",
            audience: &self.audience,
        };
        // Reserved at once: a buffer that grows leaves copies of the secret behind that nobody wipes.
        let length = wanted.client_id.len() + wanted.client_secret.len() + wanted.audience.len();
        let mut json = Zeroizing::new(Vec::with_capacity(length.saturating_mul(6).saturating_add(128)));
        serde_json::to_writer(&mut *json, &wanted).expect("four texts are JSON, and memory takes them");
        json
    }
}

fn read(answer: &Answer, now: Timestamp) -> Result<Token, VendorRefusal> {
    let kind = match answer.status {
        200..=299 => {
            let words = "no token was given: the answer has none in it";
            return granted(answer, now).ok_or_else(|| refusal(RefusalKind::Unreachable, words, None));
        }
        429 => RefusalKind::TooMany,
        400 | 401 | 403 => RefusalKind::NotAuthorized,
        _ => RefusalKind::Unreachable,
    };
    let words = words_of(answer).unwrap_or_else(|| format!("HTTP {}", answer.status));
    Err(refusal(kind, &format!("no token was given: {words}"), answer.retry_after_secs))
}

fn granted(answer: &Answer, now: Timestamp) -> Option<Token> {
    let granted: Granted<'_> = serde_json::from_slice(&answer.body).ok()?;
    if granted.access_token.is_empty() {
        return None;
    }
    let told = granted.expires_in.and_then(|life| i64::try_from(at_scale(life.0, 0, Rounding::Down)?).ok());
    let life = told.unwrap_or(UNTOLD_LIFE_SECS).max(0);
    let before = RENEWED_BEFORE_SECS.min(life.checked_div(RENEWED_BEFORE_PART).unwrap_or(0));
    let mut bearer = Zeroizing::new(String::with_capacity(granted.access_token.len().saturating_add(7)));
    bearer.push_str("Bearer ");
    bearer.push_str(&granted.access_token);
    Some(Token { bearer: Arc::new(bearer), renew_at: now.plus_seconds(life.saturating_sub(before)) })
}
