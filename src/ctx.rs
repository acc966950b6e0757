//! What every domain function is given first.
//!
//! What lives here: `Deps` (what the process has: databases, clock, ids, settings, each feature's state in memory), `Actor` (who
//! acts) and `Ctx` (who acts, when, in which request).
//! What is always true: `ctx.now` is read once for a request and rules every business time in it.
//! What is not here: features. A feature keeps its state in memory in a type of its own, which `app.rs` registers; `ctx` knows
//! it by type alone, so that imports run one way.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entity::currency::Currency;
use entity::ids::{AdminId, CredentialId, OrderId, PartnerId, RequestId, SessionId};
use entity::state::Scope;
use entity::timestamp::Timestamp;
use sea_orm::{DatabaseConnection, DbBackend};
use uuid::Uuid;

use crate::clock::{Clock, Ids};
use crate::config::Config;
use crate::problem::Problem;

/// The connections to the database: two pools, so that slow reads never keep desks and workers waiting. On SQLite the writer is
/// a single connection and the readers cannot write.
#[derive(Debug, Clone)]
pub struct Database {
    /// For `store::write` and the desks alone.
    pub writer: DatabaseConnection,
    /// For reads.
    pub reader: DatabaseConnection,
}

impl Database {
    /// Which engine it is.
    pub fn backend(&self) -> DbBackend {
        self.reader.get_database_backend()
    }
}

/// What the process has.
pub struct Deps {
    /// The settings.
    pub config: Config,
    /// The database.
    pub database: Database,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of ids and randomness.
    pub ids: Arc<dyn Ids>,
    features: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Deps").finish_non_exhaustive()
    }
}

impl Deps {
    /// The process without any feature's state.
    pub fn new(config: Config, database: Database, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { config, database, clock, ids, features: HashMap::new() }
    }

    /// Registers a feature's state.
    #[must_use]
    pub fn with<F: Any + Send + Sync>(mut self, feature: F) -> Self {
        self.features.insert(TypeId::of::<F>(), Box::new(feature));
        self
    }

    /// A feature's state.
    pub fn feature<F: Any + Send + Sync>(&self) -> &F {
        self.features
            .get(&TypeId::of::<F>())
            .and_then(|feature| feature.downcast_ref())
            .expect("app.rs registers the state of every feature before anything runs")
    }

    /// A feature's state, where a command may run without it.
    pub fn find_feature<F: Any + Send + Sync>(&self) -> Option<&F> {
        self.features.get(&TypeId::of::<F>()).and_then(|feature| feature.downcast_ref())
    }
}

/// A partner's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerActor {
    /// The partner.
    pub partner: PartnerId,
    /// The credential that signed in.
    pub credential: CredentialId,
    /// The session.
    pub session: SessionId,
    /// What the session may do, sorted.
    pub scopes: Vec<Scope>,
    /// The settlement currency used where none is named.
    pub default_currency: Currency,
    /// When the access token ends.
    pub token_expires_at: Timestamp,
}

impl PartnerActor {
    /// Whether the session may do something.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

/// An admin's session. A password alone allows nothing but to see who one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminActor {
    /// The admin.
    pub admin: AdminId,
    /// The session.
    pub session: SessionId,
    /// When the access token ends.
    pub token_expires_at: Timestamp,
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody known: may sign in.
    Anonymous,
    /// A partner's program.
    Partner(PartnerActor),
    /// An admin.
    Admin(AdminActor),
    /// The system itself: the command line and background work.
    System,
}

/// Who acts, when, in which request, with what.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// What the process has.
    pub deps: Arc<Deps>,
    /// Who acts.
    pub actor: Actor,
    /// In which request.
    pub request_id: RequestId,
    /// From which client address.
    pub address: Option<IpAddr>,
    /// The present, for everything in this request.
    pub now: Timestamp,
    /// How long the request has waited for the ends of its orders: they share one budget.
    pub waited: Waited,
    /// Whose codes this answer tells, as far as that is on record.
    pub revealed: Revealed,
}

/// The orders whose codes' reading is on record for one answer: one row of the audit an order and answer is enough.
#[derive(Debug, Clone, Default)]
pub struct Revealed(Arc<Mutex<HashSet<OrderId>>>);

impl Revealed {
    /// Whether an order is among them.
    pub fn has(&self, order: OrderId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&order)
    }

    /// Adds orders whose rows are committed.
    pub fn add(&self, orders: impl IntoIterator<Item = OrderId>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(orders);
    }
}

/// How long a request has waited so far.
#[derive(Debug, Clone, Default)]
pub struct Waited(Arc<AtomicU64>);

impl Waited {
    /// How long so far.
    pub fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// Adds a wait.
    pub fn add(&self, wait: Duration) {
        self.0.fetch_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Ctx {
    /// A context that begins now.
    pub fn new(deps: Arc<Deps>, actor: Actor, address: Option<IpAddr>) -> Self {
        let now = deps.clock.now();
        let request_id = RequestId::from_uuid(deps.ids.uuid(now));
        let (waited, revealed) = (Waited::default(), Revealed::default());
        Self { deps, actor, request_id, address, now, waited, revealed }
    }

    /// The same caller and request at the present, for another answer: the next event of a stream.
    #[must_use]
    pub fn anew(&self) -> Self {
        let (waited, revealed) = (Waited::default(), Revealed::default());
        Self { now: self.deps.clock.now(), waited, revealed, ..self.clone() }
    }

    /// The context of the command line and of background work.
    pub fn system(deps: Arc<Deps>) -> Self {
        Self::new(deps, Actor::System, None)
    }

    /// A UUID for a new id; wrap it: `OrderId::from_uuid(ctx.uuid())`.
    pub fn uuid(&self) -> Uuid {
        self.deps.ids.uuid(self.now)
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.deps.database
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.deps.config
    }

    /// A feature's state.
    pub fn feature<F: Any + Send + Sync>(&self) -> &F {
        self.deps.feature()
    }

    /// The partner that acts.
    ///
    /// # Errors
    /// UNAUTHENTICATED for nobody, FORBIDDEN for an admin.
    pub fn partner(&self) -> Result<&PartnerActor, Problem> {
        match &self.actor {
            Actor::Partner(actor) => Ok(actor),
            Actor::Anonymous => Err(Problem::unauthenticated()),
            Actor::Admin(_) | Actor::System => Err(Problem::forbidden("a partner's session")),
        }
    }

    /// The partner that acts, if it may do something.
    ///
    /// # Errors
    /// UNAUTHENTICATED for nobody, FORBIDDEN without the scope.
    pub fn require(&self, scope: Scope) -> Result<&PartnerActor, Problem> {
        let actor = self.partner()?;
        if actor.may(scope) { Ok(actor) } else { Err(Problem::forbidden(&format!("the scope {scope}"))) }
    }

    /// The admin that acts.
    ///
    /// # Errors
    /// UNAUTHENTICATED for nobody, FORBIDDEN for a partner.
    pub fn admin(&self) -> Result<&AdminActor, Problem> {
        match &self.actor {
            Actor::Admin(actor) => Ok(actor),
            Actor::Anonymous => Err(Problem::unauthenticated()),
            Actor::Partner(_) | Actor::System => Err(Problem::forbidden("an admin's session")),
        }
    }
}
