//! Access tokens.
//!
//! What lives here: how they are made and read: JWT (RFC 7519) signed with HMAC-SHA-256, typed `at+jwt` (RFC 9068).
//! What is always true: one algorithm and one key; whatever else a header says is ignored or refused; issuer, audience, times
//! and session are in every token and are checked in every token, the times against the caller's present.
//! What is not here: whether the session still lives; `authenticate.rs` asks that.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::ids::SessionId;
use entity::timestamp::Timestamp;
use jsonwebtoken::{Algorithm, Validation, crypto, decode};
use serde::{Deserialize, Serialize};

use super::keys::Keys;
use super::secrets::Secret;
use crate::config::Config;
use crate::problem::Problem;

const AUDIENCE: &str = "octopus-cards";
const TYPE: &str = "at+jwt";
/// How far the clocks of two servers may be apart, in seconds, for a token to be good at once everywhere.
const CLOCK_DIFFERENCE_SECS: i64 = 5;

/// What a sign-in or a refresh gives.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The access token.
    pub access: Secret,
    /// How long it lives, in seconds.
    pub expires_in_secs: u32,
    /// The refresh token.
    pub refresh: Secret,
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    iss: String,
    aud: String,
    /// The partner or the admin.
    pub(super) sub: String,
    /// The session.
    pub(super) sid: SessionId,
    scope: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl Claims {
    /// When the token ends.
    pub(super) fn expires_at(&self) -> Timestamp {
        Timestamp::from_micros(self.exp.saturating_mul(1_000_000))
    }
}

/// For whom a token is made.
#[derive(Debug, Clone)]
pub(super) struct Bearer {
    /// The partner or the admin.
    pub(super) subject: String,
    /// The session.
    pub(super) session: SessionId,
    /// What it may do, joined by blanks.
    pub(super) scope: String,
}

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenFault {
    /// It was good once.
    Expired,
    /// It is not one of ours, or not yet good.
    Invalid,
}

/// Makes an access token.
pub(super) fn issue(
    keys: &Keys,
    config: &Config,
    now: Timestamp,
    bearer: &Bearer,
) -> Result<Secret, Problem> {
    let claims = Claims {
        iss: config.public_url.clone(),
        aud: AUDIENCE.to_owned(),
        sub: bearer.subject.clone(),
        sid: bearer.session,
        scope: bearer.scope.clone(),
        iat: now.seconds(),
        nbf: now.seconds(),
        exp: now.seconds().saturating_add(i64::from(config.access_token_secs)),
    };
    let claims = serde_json::to_vec(&claims).map_err(Problem::internal)?;
    let header = format!(r#"{{"alg":"HS256","typ":"{TYPE}"}}"#);
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = crypto::sign(message.as_bytes(), &keys.encoding, Algorithm::HS256);
    Ok(Secret::new(format!("{message}.{}", signature.map_err(Problem::internal)?)))
}

/// Reads an access token.
pub(super) fn read(keys: &Keys, config: &Config, now: Timestamp, token: &str) -> Result<Claims, TokenFault> {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
    rules.set_issuer(&[&config.public_url]);
    rules.set_audience(&[AUDIENCE]);
    // The library knows only the machine's clock; the times are checked below, against the caller's present.
    rules.validate_exp = false;
    rules.validate_nbf = false;
    let token = decode::<Claims>(token, &keys.decoding, &rules).map_err(|_| TokenFault::Invalid)?;
    let claims = token.claims;
    if token.header.typ.as_deref() != Some(TYPE) || claims.nbf > now.seconds() + CLOCK_DIFFERENCE_SECS {
        return Err(TokenFault::Invalid);
    }
    if claims.expires_at() <= now { Err(TokenFault::Expired) } else { Ok(claims) }
}
