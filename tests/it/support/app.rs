//! One test's world: its database, its clock, its server, and the check of the books at its end.
//! Always true: the clock stands still until the test moves it; nothing outlives the test.
//! Not here: how a request is written (`client.rs`), what the database holds at first (`seed.rs`).

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use entity::timestamp::Timestamp;
use futures_util::FutureExt as _;
use octopus_cards::app;
use octopus_cards::clock::{Clock as _, FixedClock, SeededIds};
use octopus_cards::ctx::{Ctx, Deps};

use super::database::{Contents, Dialect, TestDatabase};
use super::seed;

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
}

/// Runs a test's body in a world of its own. `both_databases!` calls this.
pub fn run<F>(dialect: Dialect, contents: Contents, body: impl FnOnce(TestApp) -> F)
where
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("the machine can start threads").block_on(async {
        let app = TestApp::start(dialect, contents).await;
        let outcome = AssertUnwindSafe(body(app.clone())).catch_unwind().await;
        app.finish().await;
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
    });
}

impl TestApp {
    async fn start(dialect: Dialect, contents: Contents) -> Self {
        let database = TestDatabase::fresh(dialect, contents).await;
        let config = seed::config(&database.url, database.folder.path());
        database.seed.write_keys(&config);
        let clock = Arc::new(FixedClock::at(START));
        let ids = Arc::new(SeededIds::new(1));
        let deps = app::open(config, clock.clone(), ids).await.expect("the database opens");
        Self { database: Arc::new(database), deps, clock }
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

    async fn finish(self) {
        app::close(&self.deps).await;
        self.database.remove().await;
    }
}
