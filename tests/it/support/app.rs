//! One test's world: its database, its clock, its server, and the check of the books at its end.
//! Always true: the clock stands still until the test moves it; nothing outlives the test; no two transactions of a test
//! that passes ever waited for each other in a circle.
//! Not here: how a request is written (`client.rs`), what the database holds at first (`seed.rs`).

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use entity::timestamp::Timestamp;
use futures_util::FutureExt as _;
use octopus_cards::app;
use octopus_cards::clock::{Clock as _, FixedClock, SeededIds, SystemClock};
use octopus_cards::config::Config;
use octopus_cards::ctx::{Ctx, Deps};
use octopus_cards::domain::verify;
use octopus_cards::problem::Problem;
use reqwest::Method;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::client::{Client, Session};
use super::database::{Contents, Dialect, TestDatabase};
use super::seed::{self, SeededPartner};
use super::socket::Socket;
use super::wire::Wire;

/// The present when a test begins: 2026-11-22T12:00:00Z.
pub const START: Timestamp = Timestamp::from_micros(1_795_348_800_000_000);

/// One test's world. Cloning it is cheap, and shares it.
#[derive(Debug, Clone)]
pub struct TestApp {
    /// The database, to look at or to break what no public door shows.
    pub database: Arc<TestDatabase>,
    /// What the server has.
    pub deps: Arc<Deps>,
    /// The server's clock.
    pub clock: Arc<FixedClock>,
    /// A caller of the server.
    pub client: Client,
    server: Arc<Server>,
    books_are_broken: Arc<AtomicBool>,
}

/// The running server, and what ends it.
#[derive(Debug)]
struct Server {
    stop: CancellationToken,
    ended: Mutex<Option<JoinHandle<Result<(), Problem>>>>,
}

/// A partner's program, signed in.
#[derive(Debug, Clone)]
pub struct Partner {
    /// Who it is, and what it signs in with.
    pub account: SeededPartner,
    /// Its session.
    pub session: Session,
    client: Client,
}

impl Partner {
    /// A GraphQL operation by POST, under this partner's token.
    pub async fn graphql(&self, document: &str, variables: Value) -> Answer {
        self.client.graphql(&self.session.token, document, variables).await
    }

    /// A call of the REST facade, under this partner's token; a body of null is none.
    pub async fn rest(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.client.rest(method, path, &self.session.token, body).await
    }

    /// A socket, its `connection_init` acknowledged, under this partner's token.
    pub async fn socket(&self) -> Socket {
        self.client.socket(&self.session.token).await
    }
}

/// Runs a test's body in a world of its own. `both_databases!` calls this.
pub fn run<F>(threads: usize, dialect: Dialect, contents: Contents, body: impl FnOnce(TestApp) -> F)
where
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    runtime.expect("the machine can start threads").block_on(async {
        let app = TestApp::start(dialect, contents).await;
        let outcome = AssertUnwindSafe(body(app.clone())).catch_unwind().await;
        // What the test found comes first; then what the books say; the database is removed whatever comes.
        let ending = AssertUnwindSafe(app.end(outcome.is_ok())).catch_unwind().await;
        app.database.remove().await;
        if let Err(panic) = outcome.and(ending) {
            resume_unwind(panic);
        }
    });
}

impl TestApp {
    async fn start(dialect: Dialect, contents: Contents) -> Self {
        let database = TestDatabase::fresh(dialect, contents).await;
        let config = seed::config(&database.url, database.folder.path());
        database.seed.write_keys(&config);
        let served = contents != Contents::Tables;
        Self::on(config, Arc::new(database), Arc::new(FixedClock::at(START)), 1, served).await
    }

    /// A second server on this database, as nodes have it on PostgreSQL; on SQLite, where one server serves, this one again.
    pub async fn second_node(&self) -> Self {
        match self.database.dialect() {
            Dialect::Sqlite => self.clone(),
            Dialect::Postgres => self.beside(&self.database.url).await,
        }
    }

    /// A second server, which reaches the database through this wire.
    pub async fn behind(&self, wire: &Wire) -> Self {
        self.beside(&self.database.url_at(wire.address)).await
    }

    async fn beside(&self, url: &str) -> Self {
        let config = seed::config(url, self.database.folder.path());
        Self::on(config, Arc::clone(&self.database), Arc::clone(&self.clock), 2, true).await
    }

    /// Ends a second server.
    pub async fn leave(&self) {
        if self.database.dialect() == Dialect::Postgres {
            self.stop().await;
            app::close(&self.deps).await;
        }
    }

    async fn on(
        config: Config,
        database: Arc<TestDatabase>,
        clock: Arc<FixedClock>,
        seed: u64,
        served: bool,
    ) -> Self {
        let ids = Arc::new(SeededIds::new(seed));
        let deps = app::open(config, clock.clone(), ids).await.expect("the database opens");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a spare port");
        let client = Client::new(format!("http://{}", listener.local_addr().expect("it is bound")));
        let stop = CancellationToken::new();
        let ended = served
            .then(|| tokio::spawn(app::serve(Arc::clone(&deps), listener, stop.clone().cancelled_owned())));
        let server = Arc::new(Server { stop, ended: Mutex::new(ended) });
        let books_are_broken = Arc::default();
        Self { database, deps, clock, client, server, books_are_broken }
    }

    /// The first partner, signed in. Its wallets are funded, its default currency is USD.
    pub async fn partner(&self) -> Partner {
        self.sign_in(&self.database.seed.partners[0]).await
    }

    /// The second partner, signed in. Its wallets are funded, its default currency is JPY.
    pub async fn other_partner(&self) -> Partner {
        self.sign_in(&self.database.seed.partners[1]).await
    }

    /// A new partner with funded wallets, signed in.
    pub async fn new_partner(&self, name: &str, default_currency: &str) -> Partner {
        let account = seed::open_partner(&self.system(), name, default_currency).await;
        self.sign_in(&account).await
    }

    /// A new partner without a wallet, signed in.
    pub async fn unfunded_partner(&self, name: &str, default_currency: &str) -> Partner {
        let account = seed::open_account(&self.system(), name, default_currency).await;
        self.sign_in(&account).await
    }

    /// Pays an amount of a currency, in minor units, into a partner's wallet; once for each reference.
    pub async fn credit(&self, partner: &Partner, amount: (&str, i64), reference: &str) {
        seed::credit(&self.system(), &partner.account, amount, reference).await;
    }

    /// The same partner, in the same session, as a caller of this server.
    pub fn caller(&self, partner: &Partner) -> Partner {
        Partner { client: self.client.clone(), ..partner.clone() }
    }

    /// A session of a partner's credential.
    pub async fn sign_in(&self, account: &SeededPartner) -> Partner {
        let session = self.client.login(&account.username, &account.password).await;
        Partner { account: account.clone(), session, client: self.client.clone() }
    }

    /// Takes codes into stock: a file as `octopus stock import` reads it; `stock_csv` makes one.
    pub async fn load_stock(&self, csv: &str) {
        seed::load_stock(&self.system(), self.database.folder.path(), csv).await;
    }

    /// The context of the command line: what an operator may do.
    pub fn system(&self) -> Ctx {
        Ctx::system(Arc::clone(&self.deps))
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock.
    pub fn advance_secs(&self, secs: i64) {
        self.clock.advance_millis(secs * 1_000);
    }

    /// Moves the clock to the machine's, by which commands in a process of their own go.
    pub fn meet_the_machine(&self) {
        self.clock.advance_millis((SystemClock.now().micros() - self.now().micros()).div_euclid(1_000) + 1);
    }

    /// Stops the server as a signal would, and waits until it has.
    pub async fn stop(&self) {
        self.server.stop.cancel();
        let ended = self.server.ended.lock().await.take();
        if let Some(ended) = ended {
            ended.await.expect("the server does not panic").expect("the server ends well");
        }
    }

    /// Runs every check of `octopus verify`.
    ///
    /// # Panics
    /// If one finds something.
    pub async fn verify_clean(&self) {
        let findings = verify::verify(&self.deps).await.expect("the database answers");
        assert!(findings.is_empty(), "the books are broken: {findings:#?}");
    }

    /// Says that this test breaks the books on purpose: they are not verified at its end.
    pub fn books_are_broken(&self) {
        self.books_are_broken.store(true, Ordering::SeqCst);
    }

    async fn end(&self, passed: bool) {
        self.stop().await;
        if passed && !self.books_are_broken.load(Ordering::SeqCst) {
            self.verify_clean().await;
        }
        app::close(&self.deps).await;
        if passed {
            assert_eq!(self.database.deadlocks().await, 0, "transactions waited for each other in a circle");
        }
    }
}
