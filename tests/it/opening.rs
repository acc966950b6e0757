//! How commands open a database: one that is not there, or whose schema is not this version's.
//! Always true: only `serve` and `migrate up` make anything; every other command says what to run. Not here: what commands do
//! on a database that is as it should be.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use super::support::database::{Contents, Dialect, TestDatabase};
use super::support::process::Binary;

/// One of each kind of command that works on a database.
const COMMANDS: [&str; 9] = [
    "verify",
    "partner list",
    "partner create --name New --currency USD",
    "catalog import data",
    "rates import rates.csv",
    "price list",
    "admin list",
    "stock import stock.csv",
    "wallet list",
];

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// The tables that a database has, `None` without a file.
async fn tables(database: &TestDatabase) -> Option<i64> {
    match database.dialect() {
        Dialect::Sqlite if !database.folder.path().join("octopus.db").exists() => None,
        Dialect::Sqlite => Some(database.number("SELECT count(*) FROM sqlite_master").await),
        Dialect::Postgres => {
            let sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
            Some(database.number(sql).await)
        }
    }
}

both_databases! {
    async fn a_command_makes_no_database_and_says_how_to(app: Tables) {
        let database = TestDatabase::fresh(app.database.dialect(), Contents::Nothing).await;
        let binary = Binary::on(&database);
        let before = tables(&database).await;
        assert_eq!(before.unwrap_or_default(), 0);
        for line in COMMANDS {
            let refused = binary.run(&words(line)).await.expect_code(1);
            assert!(refused.stderr.contains("octopus migrate up"), "{line}: {refused:#?}");
            assert_eq!(tables(&database).await, before, "{line}");
        }
        // To ask where the schema stands, and to take back nothing, is no reason either.
        for line in ["migrate status", "migrate down --force"] {
            let told = binary.run(&[&words(line), ["--json"].as_slice()].concat()).await.json();
            assert_eq!(told["applied"].as_array().unwrap().len(), 0, "{line}");
            assert_eq!(tables(&database).await, before, "{line}");
        }
        database.remove().await;
    }

    /// The next start, with another address or another environment, should find things as this one did.
    async fn a_server_whose_address_is_taken_makes_nothing_and_says_what_to_do(app: Tables) {
        let database = TestDatabase::fresh(app.database.dialect(), Contents::Nothing).await;
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let before = tables(&database).await;
        for (setting, flag) in [("OCTOPUS_LISTEN", "--listen"), ("OCTOPUS_OPS_LISTEN", "--ops-listen")] {
            let binary = Binary::on(&database).with("OCTOPUS_LISTEN", "127.0.0.1:0").with(setting, &address);
            let refused = binary.run(&["serve"]).await.expect_code(1);
            let told = format!("cannot listen on {address}: Address already in use");
            assert!(refused.stderr.contains(&told), "{refused:#?}");
            assert!(refused.stderr.contains(&format!("choose another address with {flag}")), "{refused:#?}");
            assert_eq!(tables(&database).await, before);
            assert_eq!(fs::read_dir(database.folder.path()).unwrap().count(), 0, "no file, no folder, no lock");
        }
        database.remove().await;
    }

    async fn a_command_works_on_no_schema_that_is_behind(app: Tables) {
        let binary = Binary::on(&app.database);
        let down = binary.run(&["migrate", "down", "--force", "--json"]).await.json();
        let missing = down["pending"][0].as_str().unwrap();
        for line in COMMANDS {
            let refused = binary.run(&words(line)).await.expect_code(1);
            assert!(refused.stderr.contains("octopus migrate up") && refused.stderr.contains(missing), "{line}: {refused:#?}");
        }
        if app.database.dialect() == Dialect::Postgres {
            // Several nodes may share it: a person decides when it changes.
            let refused = binary.refuse_to_serve().await.expect_code(1);
            assert!(refused.stderr.contains("octopus migrate up") && refused.stderr.contains(missing), "{refused:#?}");
        }
        binary.run(&["migrate", "up"]).await.expect_code(0);
        binary.run(&["verify"]).await.expect_code(0);
    }

    async fn a_command_works_on_no_schema_of_a_later_version(app: Tables) {
        app.database.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m99_later', 0)").await;
        let binary = Binary::on(&app.database);
        for line in COMMANDS.into_iter().chain(["migrate status", "migrate up", "migrate down --force"]) {
            let refused = binary.run(&words(line)).await.expect_code(1);
            let told = &refused.stderr;
            assert!(told.contains("another version of octopus") && told.contains("m99_later"), "{line}: {refused:#?}");
        }
        app.database.execute("DELETE FROM seaql_migrations WHERE version = 'm99_later'").await;
    }
}

#[tokio::test]
async fn a_mistyped_data_folder_is_not_an_empty_shop() {
    let folder = tempfile::tempdir().unwrap();
    let typo = folder.path().join("vra");
    let binary = Binary::in_folder(folder.path()).with("OCTOPUS_DATA_DIR", typo.to_str().unwrap());
    let refused = binary.run(&["verify"]).await.expect_code(1);
    assert!(
        refused.stderr.contains("there is no database") && refused.stderr.contains("vra"),
        "{refused:#?}"
    );
    assert!(refused.stderr.contains("--data-dir"), "{refused:#?}");
    assert!(!Path::exists(&typo), "the folder was made");
}

/// A folder that cannot be: one of its parents is a file.
#[tokio::test]
async fn a_data_folder_under_a_file_is_told_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let data = folder.path().join("file/var");
    let data = data.to_str().unwrap();
    let binary = Binary::in_folder(folder.path()).with("OCTOPUS_DATA_DIR", data);
    let refused = [
        binary.run(&["migrate", "up"]).await,
        binary.run(&["serve"]).await,
        binary.run(&["keys", "init"]).await,
    ];
    for refused in refused {
        let told = refused.expect_code(4).stderr;
        assert!(told.contains(data) && told.contains("Not a directory"), "{told}");
    }
    let told = binary.run(&["serve"]).await.stderr;
    assert!(told.contains("OCTOPUS_DATA_DIR"), "{told}");
}

/// Nothing listens there: whoever mistyped an address is told which one, and why it fails.
#[tokio::test]
async fn a_postgres_that_is_not_there_is_told_by_its_address() {
    let folder = tempfile::tempdir().unwrap();
    // Bound, so that nobody else gets it, and not listened to.
    let spare = tokio::net::TcpSocket::new_v4().unwrap();
    spare.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = spare.local_addr().unwrap().port();
    let url = format!("postgres://seller:open-sesame@127.0.0.1:{port}/cards");
    let binary = Binary::in_folder(folder.path()).with("OCTOPUS_DATABASE_URL", &url);
    for line in ["partner list", "migrate status", "serve"] {
        let told = binary.run(&words(line)).await.expect_code(4).stderr;
        for part in
            ["127.0.0.1", &port.to_string(), "seller", "cards", "Connection refused", "OCTOPUS_DATABASE_URL"]
        {
            assert!(told.contains(part), "{line}: {part}: {told}");
        }
        assert!(!told.contains("open-sesame") && !told.contains("timed out"), "{line}: {told}");
        // For programs the code stands beside the message, and not in it.
        let told = binary.run(&[&words(line), ["--json"].as_slice()].concat()).await.expect_code(4).stderr;
        assert!(
            told.starts_with(
                "{\"code\":\"SERVICE_UNAVAILABLE\",\"message\":\"cannot connect to PostgreSQL at "
            ),
            "{told}"
        );
    }
}
