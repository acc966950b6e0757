//! Who a bearer token speaks for.
//!
//! Lives here: [`Bearer`] and [`authenticate`], the one door through which HTTP, REST and sockets learn who calls.
//! Always true: a token that is bad in any other way than by its age is an error. Not here: how a transport answers that.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, header};

use crate::ctx::{Actor, Deps};
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
/// UNAUTHENTICATED for a bad token or an ended session, IP_NOT_ALLOWED.
pub async fn authenticate(
    _deps: &Arc<Deps>,
    headers: &HeaderMap,
    _address: Option<IpAddr>,
) -> Result<Bearer, Problem> {
    // Until the identity feature issues tokens, every token is a bad one.
    if headers.contains_key(header::AUTHORIZATION) { Err(Problem::unauthenticated()) } else { Ok(Bearer::Absent) }
}
