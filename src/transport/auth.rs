//! Who a bearer token speaks for.
//!
//! Lives here: [`Bearer`] and [`authenticate`], the one door through which HTTP, REST and sockets learn who calls.
//! Always true: a token that is bad in any other way than by its age is an error. Not here: how a transport answers that;
//! what makes a token good (domain/identity).

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, header};

use crate::ctx::{Actor, Deps};
use crate::domain::identity::{self, Authentication};
use crate::problem::Problem;

/// What the Authorization header of a request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// A valid token, and whose it is.
    Valid(Actor),
    /// No token.
    Absent,
    /// A token that was valid once; its bearer may refresh.
    Expired,
}

/// Reads the Authorization header of a request from this address.
///
/// # Errors
/// UNAUTHENTICATED for a bad token or an ended session.
pub async fn authenticate(
    deps: &Arc<Deps>,
    headers: &HeaderMap,
    _address: Option<IpAddr>,
) -> Result<Bearer, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(Bearer::Absent);
    };
    // Two headers would leave it to chance which of two callers this is.
    let token = value.to_str().ok().filter(|_| values.next().is_none()).and_then(bearer_token);
    let token = token.ok_or_else(Problem::unauthenticated)?;
    Ok(match identity::authenticate(deps, deps.clock.now(), token).await? {
        Authentication::Actor(actor) => Bearer::Valid(actor),
        Authentication::Expired => Bearer::Expired,
    })
}

/// The token of `Bearer <token>` (RFC 6750, 2.1); the scheme's case does not matter (RFC 9110, 11.1).
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ')).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_token_of_the_bearer_scheme_alone() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer a b", None),
            ("abc", None),
        ] {
            assert_eq!(bearer_token(value), expected, "{value}");
        }
    }
}
