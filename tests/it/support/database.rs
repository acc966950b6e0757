//! A database of its own for each test, copied from a template that is built once.
//! Always true: a template is named by the test binary's fingerprint, so that code and schema never differ; who
//! builds it holds a lock that every process of the run respects; a test's copy is removed at its end.
//! Not here: what a template holds (`seed.rs`).

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

use super::poll;
use super::seed::{self, Seed};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The embedded default.
    Sqlite,
    /// The one that `scripts/with-postgres` started.
    Postgres,
}

/// What a test's database holds at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contents {
    /// Nothing at all, not even tables.
    Nothing,
    /// The tables, without rows.
    Tables,
    /// A few dozen products, two partners with funded wallets, and stock.
    SmallCatalog,
    /// As the small one, with every product of `data/catalog.csv`.
    FullCatalog,
}

/// One test's database.
#[derive(Debug)]
pub struct TestDatabase {
    /// Its address, as `OCTOPUS_DATABASE_URL` has it.
    pub url: String,
    /// A folder of the test's own; on SQLite the database is in it.
    pub folder: TempDir,
    /// What the template left: keys, credentials, wallets.
    pub seed: Seed,
    dialect: Dialect,
    postgres_name: Option<String>,
}

/// What keeps writers out, beside the server, until it is released.
#[derive(Debug)]
pub enum Held {
    /// The one write lock of an SQLite file.
    Sqlite(sqlx::SqliteConnection),
    /// Locks of PostgreSQL's tables, which readers pass.
    Postgres(PgConnection),
}

impl Held {
    /// Lets writers in again.
    pub async fn release(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.expect("it closes"),
            Self::Postgres(connection) => connection.close().await.expect("it closes"),
        }
    }
}

/// A number for PostgreSQL's advisory lock, taken while a template is built. Any would do.
const TEMPLATE_LOCK: i64 = 0x6f63_746f;

/// How long an earlier build's templates stay.
const KEEP_TEMPLATES: Duration = Duration::from_secs(3600);

/// Changes with every build of the tests.
static FINGERPRINT: LazyLock<String> = LazyLock::new(|| {
    let binary = std::env::current_exe().and_then(fs::metadata).expect("the test binary is a file");
    let built =
        binary.modified().expect("files have times here").duration_since(UNIX_EPOCH).expect("after 1970");
    format!("{:x}_{:x}", built.as_nanos(), binary.len())
});

impl TestDatabase {
    /// A fresh database with these contents.
    pub async fn fresh(dialect: Dialect, contents: Contents) -> Self {
        let folder = tempfile::Builder::new().prefix("octopus-test.").tempdir().expect("a temporary folder");
        match dialect {
            Dialect::Sqlite => Self::fresh_sqlite(contents, folder).await,
            Dialect::Postgres => Self::fresh_postgres(contents, folder).await,
        }
    }

    async fn fresh_sqlite(contents: Contents, folder: TempDir) -> Self {
        let file = folder.path().join("octopus.db");
        let seed = match contents {
            Contents::Nothing => Seed::default(),
            contents => {
                let (template, seed) = sqlite_template(contents).await;
                fs::copy(template, &file).expect("the template is copied");
                seed
            }
        };
        Self { url: sqlite_url(&file), folder, seed, dialect: Dialect::Sqlite, postgres_name: None }
    }

    async fn fresh_postgres(contents: Contents, folder: TempDir) -> Self {
        let mut server = postgres_server().await;
        let name = format!("test_{}_{}", std::process::id(), unique());
        let (source, seed) = match contents {
            Contents::Nothing => ("template0".to_owned(), Seed::default()),
            contents => postgres_template(&mut server, contents).await,
        };
        execute(&mut server, &format!("CREATE DATABASE {name} TEMPLATE {source}")).await;
        let url = postgres_url(&name);
        Self { url, folder, seed, dialect: Dialect::Postgres, postgres_name: Some(name) }
    }

    /// Another database with all that is in this one, to which nobody is connected.
    pub async fn copy(&self) -> Self {
        let folder = tempfile::Builder::new().prefix("octopus-test.").tempdir().expect("a temporary folder");
        let (url, name) = match &self.postgres_name {
            None => {
                let file = folder.path().join("octopus.db");
                self.execute(&format!("VACUUM INTO '{}'", file.display())).await;
                (sqlite_url(&file), None)
            }
            Some(source) => {
                let name = format!("test_{}_{}", std::process::id(), unique());
                let create = format!("CREATE DATABASE {name} TEMPLATE {source}");
                execute(&mut postgres_server().await, &create).await;
                (postgres_url(&name), Some(name))
            }
        };
        Self { url, folder, seed: self.seed.clone(), dialect: self.dialect, postgres_name: name }
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Runs SQL beside the server, to look at or to break what no public door shows.
    ///
    /// # Panics
    /// If the database refuses.
    pub async fn execute(&self, sql: &str) {
        self.try_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs SQL beside the server.
    ///
    /// # Errors
    /// What the database says, such as a trigger's refusal.
    pub async fn try_execute(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(sql);
        match self.dialect {
            Dialect::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                connection.close().await
            }
            Dialect::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                connection.close().await
            }
        }
    }

    /// Keeps every writer of these tables out, until it is released: on SQLite there is one lock for all.
    pub async fn hold(&self, tables: &str) -> Held {
        match self.dialect {
            Dialect::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await.expect("SQLite opens");
                sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.expect("nobody else writes");
                Held::Sqlite(connection)
            }
            Dialect::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.expect("PostgreSQL answers");
                execute(&mut connection, &format!("BEGIN; LOCK TABLE {tables} IN EXCLUSIVE MODE")).await;
                Held::Postgres(connection)
            }
        }
    }

    /// Keeps every reader of these tables out as well, which only PostgreSQL can.
    pub async fn hold_readers(&self, tables: &str) -> Held {
        let mut connection = PgConnection::connect(&self.url).await.expect("PostgreSQL answers");
        execute(&mut connection, &format!("BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")).await;
        Held::Postgres(connection)
    }

    /// Where PostgreSQL listens.
    pub fn address(&self) -> SocketAddr {
        let (host, _) = self.authority();
        host.parse().expect("the server's address is a number and a port")
    }

    /// The database's address for who reaches PostgreSQL through another one.
    pub fn url_at(&self, address: SocketAddr) -> String {
        let (host, url) = self.authority();
        url.replacen(host, &address.to_string(), 1)
    }

    /// Host and port within the address, and the address.
    fn authority(&self) -> (&str, &str) {
        let (_, rest) = self.url.split_once('@').expect("PostgreSQL's address names a user");
        (rest.split('/').next().unwrap_or(rest), &self.url)
    }

    /// The one number that a query gives, null being 0.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = format!("SELECT CAST(({sql}) AS BIGINT)");
        let found: Option<i64> = match self.dialect {
            Dialect::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await.expect("SQLite opens");
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                    .fetch_one(&mut connection)
                    .await
                    .expect("it is a query")
            }
            Dialect::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.expect("PostgreSQL answers");
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                    .fetch_one(&mut connection)
                    .await
                    .expect("it is a query")
            }
        };
        found.unwrap_or_default()
    }

    /// The texts that a query of one column gives, in its order.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        match self.dialect {
            Dialect::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await.expect("SQLite opens");
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await
            }
            Dialect::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.expect("PostgreSQL answers");
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await
            }
        }
        .expect("it is a query")
    }

    /// How many transactions PostgreSQL ended because they waited for each other in a circle; SQLite has one writer. To be
    /// asked when the server has closed its connections: each tells what it counted at its end.
    pub async fn deadlocks(&self) -> i64 {
        let Some(name) = &self.postgres_name else { return 0 };
        let mut server = postgres_server().await;
        let open = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
        poll::until_true("the connections to the database are closed", async || {
            count(&mut server, &open).await == 0
        })
        .await;
        count(&mut server, &format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{name}'")).await
    }

    /// Removes the database, open connections or not.
    pub async fn remove(&self) {
        if let Some(name) = &self.postgres_name {
            let mut server = postgres_server().await;
            execute(&mut server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

fn sqlite_url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// Where this run's templates are; those of earlier builds are removed.
fn template_folder() -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("templates");
    let own = all.join(FINGERPRINT.as_str());
    if !own.is_dir() {
        for old in fs::read_dir(&all).into_iter().flatten().flatten() {
            // The younger ones may be in use by another run. Another process may be removing the same.
            let age = old.metadata().and_then(|it| it.modified()).ok().and_then(|it| it.elapsed().ok());
            if age.is_some_and(|age| age > KEEP_TEMPLATES) {
                let _ = fs::remove_dir_all(old.path());
            }
        }
        fs::create_dir_all(&own).expect("the target folder is ours");
    }
    own
}

async fn sqlite_template(contents: Contents) -> (PathBuf, Seed) {
    let folder = template_folder();
    let (database, facts) =
        (folder.join(format!("{contents:?}.db")), folder.join(format!("{contents:?}.json")));
    // The facts are renamed into place last, so that they tell that the template is whole.
    if !facts.is_file() {
        let lock = File::create(folder.join("lock")).expect("the target folder is ours");
        lock.lock().expect("files can be locked here");
        if !facts.is_file() {
            let building = folder.join(format!("{contents:?}.building"));
            for suffix in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(format!("{}{suffix}", building.display()));
            }
            let seed = seed::build(&sqlite_url(&building), contents).await;
            compact(&building, &database).await;
            let draft = folder.join("facts.building");
            fs::write(&draft, serde_json::to_vec(&seed).expect("a seed is JSON"))
                .expect("the facts are written");
            fs::rename(draft, &facts).expect("the facts are published");
        }
    }
    let seed = fs::read(facts).expect("the facts are there");
    (database, serde_json::from_slice(&seed).expect("the facts are a seed"))
}

/// One file without a log beside it, since a template is copied as one file.
async fn compact(building: &Path, database: &Path) {
    let _ = fs::remove_file(database);
    let mut connection =
        sqlx::SqliteConnection::connect(&sqlite_url(building)).await.expect("the template opens");
    let sql = format!("VACUUM INTO '{}'", database.display());
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.expect("the template is copied");
    connection.close().await.expect("the template closes");
}

async fn postgres_template(server: &mut PgConnection, contents: Contents) -> (String, Seed) {
    let name = format!("template_{}_{contents:?}", *FINGERPRINT).to_lowercase();
    if let Some(seed) = find_template(server, &name).await {
        return (name, seed);
    }
    execute(server, &format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
    let seed = match find_template(server, &name).await {
        Some(seed) => seed,
        None => {
            let building = format!("{name}_building");
            execute(server, &format!("DROP DATABASE IF EXISTS {building} WITH (FORCE)")).await;
            execute(server, &format!("CREATE DATABASE {building} TEMPLATE template0")).await;
            let seed = seed::build(&postgres_url(&building), contents).await;
            let facts = serde_json::to_string(&seed).expect("a seed is JSON").replace('\'', "''");
            execute(server, &format!("COMMENT ON DATABASE {building} IS '{facts}'")).await;
            execute(server, &format!("ALTER DATABASE {building} RENAME TO {name}")).await;
            seed
        }
    };
    execute(server, &format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})")).await;
    (name, seed)
}

/// What the template's comment says; the rename made both appear at once.
async fn find_template(server: &mut PgConnection, name: &str) -> Option<Seed> {
    let facts: Option<String> = sqlx::query_scalar(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1",
    )
    .bind(name)
    .fetch_optional(server)
    .await
    .expect("PostgreSQL answers");
    facts.map(|facts| serde_json::from_str(&facts).expect("the comment is a seed"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the harness, too, has one setting, and this is the one place that reads it"
)]
fn postgres_server_url() -> String {
    std::env::var("OCTOPUS_TEST_POSTGRES_URL")
        .expect("OCTOPUS_TEST_POSTGRES_URL is not set; run `scripts/with-postgres cargo nextest run`")
}

/// The address of one database of the server that the setting names.
fn postgres_url(name: &str) -> String {
    let server = postgres_server_url();
    let (base, _) = server.rsplit_once('/').expect("the setting names a database");
    format!("{base}/{name}")
}

async fn postgres_server() -> PgConnection {
    PgConnection::connect(&postgres_server_url()).await.expect("PostgreSQL answers")
}

async fn count(server: &mut PgConnection, sql: &str) -> i64 {
    let found = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(server).await;
    found.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn execute(server: &mut PgConnection, sql: &str) {
    let run = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(server).await;
    run.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Differs between the databases of one process.
fn unique() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
