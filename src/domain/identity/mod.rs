//! Who calls, and what they may do.
//!
//! What lives here: partners and their API credentials, admins, sessions, access tokens and refresh tokens.
//! What is always true: a sign-in checks exactly one password hash, whoever is named, and says the same thing for every reason
//! to refuse; no secret is stored but as a hash, or sealed for the ten seconds in which a refresh may be repeated, and the few
//! until the next sweep; whoever may not come in is told so without a write, once it is over its limit; a session
//! that was ended, has expired, or whose credential or partner may no longer act is refused within 5 s everywhere; whatever
//! changes who may do what leaves an audit row in the same transaction.
//! What is not here: what a scope allows, which each feature asks of its `Ctx`; second factors.

mod accounts;
mod authenticate;
mod credentials;
mod jobs;
mod keys;
mod login;
mod logout;
mod model;
mod passwords;
mod queries;
mod refresh;
mod secrets;
mod store;
mod throttle;
mod tokens;

use std::sync::Arc;

use entity::ids::SessionId;
use moka::sync::Cache;

use crate::clock::Ids;
use crate::problem::Problem;

pub use accounts::{
    CreateAdmin, CreatePartner, NewAdmin, create_admin, create_partner, resume_partner, suspend_partner,
};
pub use authenticate::{Authentication, authenticate, dead_sessions};
pub use credentials::{
    CreateCredential, NewCredential, create_credential, create_credential_for, revoke_credential,
    revoke_credential_of,
};
pub use jobs::{Swept, forget_successors, sweep};
pub use login::{Login, login};
pub use logout::logout;
pub use model::{DEFAULT_SCOPES, IdentityRefusal, parse_scopes};
pub use queries::{
    UnknownPartner, Viewer, count_credentials, find_credentials, find_partner_named, get_admin_account,
    get_viewer, list_admins, list_credentials, list_credentials_of, list_partners,
};
pub use refresh::refresh;
pub use secrets::Secret;
pub use tokens::Tokens;

use authenticate::CachedSession;
use keys::Keys;
use passwords::Passwords;

/// How many sessions are remembered at most; one more is read from the database again.
const REMEMBERED_SESSIONS: u64 = 100_000;

/// What identity keeps in memory: the keys, the threads that hash, and the sessions seen in the last seconds.
#[derive(Debug)]
pub struct Identity {
    keys: Option<Keys>,
    passwords: Passwords,
    sessions: Cache<SessionId, Arc<CachedSession>>,
}

impl Identity {
    /// Starts the threads that hash. The token key is 32 random bytes; without it nobody can sign in, and accounts and
    /// credentials can be managed all the same.
    pub fn new(token_key: Option<&[u8; 32]>) -> Self {
        let sessions = Cache::builder()
            .max_capacity(REMEMBERED_SESSIONS)
            .time_to_live(authenticate::REMEMBERED_FOR)
            .build();
        Self { keys: token_key.map(Keys::derived_from), passwords: Passwords::start(), sessions }
    }

    /// Whether there are keys, without which nobody can sign in.
    pub fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// How many passwords were compared with a hash since the start: each sign-in that was not throttled is one, whoever it
    /// names.
    pub fn password_checks(&self) -> u64 {
        self.passwords.checks()
    }

    fn keys(&self) -> Result<&Keys, Problem> {
        self.keys.as_ref().ok_or_else(|| Problem::internal("there is no jwt.key: run `octopus keys init`"))
    }

    async fn hash(&self, ids: &dyn Ids, password: Secret) -> Result<String, Problem> {
        let mut salt = [0; 16];
        ids.fill(&mut salt);
        self.passwords.hash(password, salt).await
    }
}
