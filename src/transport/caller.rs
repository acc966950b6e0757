//! Who calls, as the transports see it before any field is resolved.
//!
//! Lives here: [`Caller`], [`identify`], and the refusal for a [`Problem`].
//! Always true: a token that is bad in any other way than by its age is refused here; a token that has only expired
//! lets its bearer do nothing but refresh, as if there were none.
//! Not here: tokens themselves (auth.rs) and what a caller may do (the domain asks the Ctx).

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;

use super::auth;
use super::graphql::pipeline::access::Standing;
use super::graphql::pipeline::refusal::{Fault, Refusal};
use super::limits::counted_as;
use crate::ctx::{Actor, Deps};
use crate::problem::{ErrorCode, Problem};

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who acts; Anonymous if the token has expired.
    pub actor: Actor,
    /// How the caller stands.
    pub standing: Standing,
    /// Whose documents and whose allowance.
    pub principal: Arc<str>,
}

/// Who calls with these headers from this address.
///
/// # Errors
///
/// UNAUTHENTICATED for a bad token, IP_NOT_ALLOWED, or what the database says.
pub async fn identify(deps: &Arc<Deps>, headers: &HeaderMap, address: IpAddr) -> Result<Caller, Problem> {
    let (actor, standing) = match auth::authenticate(deps, headers, Some(address)).await? {
        auth::Bearer::Valid(actor) => (actor, Standing::SignedIn),
        auth::Bearer::Absent => (Actor::Anonymous, Standing::Anonymous),
        auth::Bearer::Expired => (Actor::Anonymous, Standing::Expired),
    };
    let principal = match &actor {
        Actor::Partner(partner) => partner.partner.to_string(),
        Actor::Admin(admin) => admin.admin.to_string(),
        Actor::Anonymous | Actor::System => counted_as(address).to_string(),
    };
    Ok(Caller { actor, standing, principal: Arc::from(principal) })
}

/// A problem as the refusal of a whole request; its cause goes to the log and no further.
#[must_use]
pub fn refusal(problem: Problem, request_id: &str) -> Refusal {
    let Problem { code, message, field, retry_after_ms, cause } = problem;
    if let Some(cause) = cause {
        tracing::error!(request_id, %code, cause = %cause, "a request was refused");
    }
    let message = match code {
        ErrorCode::InternalServerError => super::graphql::errors::MASKED,
        _ => &*message,
    };
    let fault = Fault::new(message).of_field(field.unwrap_or_default());
    let mut refusal = Refusal::of_faults(code, vec![fault]);
    refusal.retry_after_ms = retry_after_ms;
    refusal
}
