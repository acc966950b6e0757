//! Signing in and out.
//!
//! Lives here: the operations below `/auth`.
//! Always true: a secret leaves only in the answer that makes it.
//! Not here: what a token says (domain/identity).

use serde::Serialize;

use super::gate::{Answer, Call, Outcome};
use super::problem_details::{ProblemDetails, of_failure};
use crate::domain::identity::{self, IdentityRefusal, Login, Secret, Tokens};
use crate::problem::Failure;

/// What signing in takes.
pub const LOGIN: &[&str] = &["username", "password"];
/// What refreshing takes.
pub const REFRESH: &[&str] = &["refresh_token"];

/// A pair of tokens.
#[derive(Serialize)]
struct TokenPair<'a> {
    token: &'a str,
    expires_in: u32,
    refresh_token: &'a str,
}

#[derive(Serialize)]
struct LoggedOut {
    logged_out: bool,
}

fn tokens(result: Result<Tokens, Failure<IdentityRefusal>>) -> Outcome {
    let tokens = result.map_err(of_failure)?;
    Answer::ok(&TokenPair {
        token: tokens.access.expose(),
        expires_in: tokens.expires_in_secs,
        refresh_token: tokens.refresh.expose(),
    })
}

/// `POST /auth/login`
pub async fn login(call: Call) -> Outcome {
    let username = call.members.required_text("username")?;
    let password = Secret::new(call.members.required_text("password")?);
    tokens(identity::login(&call.ctx, Login { username, password }).await)
}

/// `POST /auth/refresh`
pub async fn refresh(call: Call) -> Outcome {
    let token = Secret::new(call.members.required_text("refresh_token")?);
    tokens(identity::refresh(&call.ctx, token).await)
}

/// `POST /auth/logout`
pub async fn logout(call: Call) -> Outcome {
    let ended = identity::logout(&call.ctx).await;
    ended.map_err(|failure| -> ProblemDetails { of_failure(failure) })?;
    Answer::ok(&LoggedOut { logged_out: true })
}
