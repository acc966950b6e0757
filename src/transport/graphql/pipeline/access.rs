//! Step 8: what the operation is, and whether it may be run this way by this caller.
//!
//! Lives here: [`admit`]: the rule of GET (queries alone), of plain HTTP (no subscriptions), and of callers without a
//! token (they may introspect, sign in and refresh).
//! Always true: a caller without a valid token reaches no resolver but those named in [`OPEN_FIELDS`].
//! Not here: scopes and roles, which the domain asks of the Ctx.

use apollo_compiler::ast::OperationType;

use super::documents::Ready;
use super::refusal::Refusal;
use crate::problem::ErrorCode;

/// The root fields that need no token.
pub const OPEN_FIELDS: [&str; 6] =
    ["__typename", "__schema", "__type", "login", "verifySecondFactor", "refreshToken"];

/// What carries a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// HTTP GET: may be cached, prefetched and sent by any link.
    Get,
    /// HTTP POST.
    Post,
    /// A socket.
    Socket,
}

/// How the caller stands with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// With a valid token.
    SignedIn,
    /// Without a token.
    Anonymous,
    /// With a token that was valid once.
    Expired,
}

/// Why an operation may not be run this way.
#[derive(Debug, PartialEq)]
pub enum Denial {
    /// A GET of what is not a query: 405, Allow: POST.
    NotByGet(Refusal),
    /// The token has expired: 401.
    TokenExpired(Refusal),
    /// Everything else.
    Refused(Refusal),
}

/// Judges whether an operation may be run.
///
/// # Errors
///
/// A [`Denial`].
pub fn admit(ready: &Ready, carrier: Carrier, standing: Standing) -> Result<(), Denial> {
    if carrier == Carrier::Get && ready.operation_type != OperationType::Query {
        let message =
            format!("A GET runs queries only: send this {} as a POST.", ready.operation_type.name());
        return Err(Denial::NotByGet(Refusal::new(ErrorCode::BadRequest, message)));
    }
    if carrier == Carrier::Post && ready.operation_type == OperationType::Subscription {
        let message = "Subscriptions run over a websocket (graphql-transport-ws) at this address.";
        return Err(Denial::Refused(Refusal::new(ErrorCode::BadRequest, message)));
    }
    let closed = |open: &[&str]| ready.root_fields.iter().find(|field| !open.contains(&field.name.as_str()));
    match standing {
        Standing::SignedIn => Ok(()),
        Standing::Anonymous => match closed(&OPEN_FIELDS) {
            None => Ok(()),
            Some(field) => {
                let message = format!("`{}` needs a token: sign in first.", field.name);
                Err(Denial::Refused(Refusal::new(ErrorCode::Unauthenticated, message)))
            }
        },
        Standing::Expired => {
            let refreshes = ready.root_fields.iter().any(|field| field.name == "refreshToken");
            match closed(&["__typename", "refreshToken"]) {
                None if refreshes => Ok(()),
                _ => Err(Denial::TokenExpired(Refusal::expired())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::super::cost::CostTree;
    use super::super::documents::RootField;
    use super::*;

    fn ready(operation_type: OperationType, fields: &[&str]) -> Ready {
        let field = |name: &&str| RootField { key: "k".to_owned(), name: (*name).to_owned() };
        Ready {
            executable: parse_query("{a}").unwrap(),
            cost: CostTree::default(),
            operation_type,
            root_fields: fields.iter().map(field).collect(),
            name: None,
        }
    }

    #[test]
    fn judges_by_carrier_and_standing() {
        use Carrier::{Get, Post, Socket};
        use OperationType::{Mutation, Query, Subscription};
        use Standing::{Anonymous, Expired, SignedIn};
        for (operation, fields, carrier, standing, expected) in [
            (Query, vec!["viewer"], Get, SignedIn, "ok"),
            (Mutation, vec!["login"], Get, Anonymous, "get"),
            (Subscription, vec!["orderUpdates"], Get, SignedIn, "get"),
            (Subscription, vec!["orderUpdates"], Post, SignedIn, "refused"),
            (Subscription, vec!["orderUpdates"], Socket, SignedIn, "ok"),
            (Subscription, vec!["orderUpdates"], Socket, Anonymous, "refused"),
            (Mutation, vec!["createOrder"], Post, SignedIn, "ok"),
            (Mutation, vec!["createOrder"], Post, Anonymous, "refused"),
            (Mutation, vec!["login", "createOrder"], Post, Anonymous, "refused"),
            (Mutation, vec!["login", "refreshToken", "verifySecondFactor"], Post, Anonymous, "ok"),
            (Query, vec!["__typename", "__schema", "__type"], Get, Anonymous, "ok"),
            (Query, vec!["__typename", "viewer"], Post, Anonymous, "refused"),
            (Mutation, vec!["refreshToken"], Post, Expired, "ok"),
            (Mutation, vec!["refreshToken", "logout"], Post, Expired, "expired"),
            (Query, vec!["viewer"], Post, Expired, "expired"),
            (Query, vec!["__typename"], Post, Expired, "expired"),
            (Mutation, vec!["__typename", "refreshToken"], Post, Expired, "ok"),
        ] {
            let outcome = match admit(&ready(operation, &fields), carrier, standing) {
                Ok(()) => "ok",
                Err(Denial::NotByGet(_)) => "get",
                Err(Denial::TokenExpired(_)) => "expired",
                Err(Denial::Refused(_)) => "refused",
            };
            assert_eq!(outcome, expected, "{operation:?} {fields:?} {carrier:?} {standing:?}");
        }
    }
}
