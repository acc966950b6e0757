//! `octopus migrate`: up, down and status, on both engines.
//! Always true: what comes up again is what was there before; a step is done whole or not at all. Not here: commands on a schema
//! that is behind (`opening.rs`).

use std::fs::File;

use migration::{Migrator, MigratorTrait as _};
use octopus_cards::app::close;
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::support::app::TestApp;
use super::support::catalog::STEAM_50;
use super::support::database::{Contents, Dialect, TestDatabase};
use super::support::process::Binary;
use super::verify::scenes;

/// Everything that SQLite knows of a schema.
const SQLITE: &str = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master
    WHERE name NOT LIKE 'sqlite_%' ORDER BY 1";

/// What PostgreSQL knows of one: columns, constraints, indexes, triggers, functions.
const POSTGRES: &str = "SELECT told FROM (
    SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' '
        || coalesce(column_default, '') || ' ' || coalesce(collation_name, '') AS told
        FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'options ' || relname || ' ' || coalesce(reloptions::text, '') FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r') AS schema ORDER BY 1";

async fn schema(database: &TestDatabase) -> Vec<String> {
    match database.dialect() {
        Dialect::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(&database.url).await.unwrap();
            sqlx::query_scalar(SQLITE).fetch_all(&mut connection).await.unwrap()
        }
        Dialect::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
            sqlx::query_scalar(POSTGRES).fetch_all(&mut connection).await.unwrap()
        }
    }
}

/// Uses a database in every way, stops its server, and leaves nobody connected.
async fn use_up(app: &TestApp) {
    app.books_are_broken();
    scenes::sell_and_settle(app).await;
    scenes::sell_on_a_charge(app).await;
    scenes::order(&app.other_partner().await, STEAM_50, 250, "waits").await;
    app.stop().await;
    app.verify_clean().await;
    for table in
        ["orders WHERE completed_at IS NULL", "unit_settlements", "charges", "sessions", "stock_moves"]
    {
        assert!(app.database.number(&format!("SELECT count(*) FROM {table}")).await > 0, "{table}");
    }
    close(&app.deps).await;
}

/// How many steps are to be taken back, so that this one is the last of them.
fn down_to(step: &str) -> usize {
    let later = Migrator::migrations().iter().rev().position(|known| known.name() == step);
    later.expect("there is such a step") + 1
}

/// How many steps are applied and pending.
fn counts(told: &Value) -> (usize, usize) {
    let count = |which: &str| told[which].as_array().unwrap().len();
    (count("applied"), count("pending"))
}

both_databases! {
    async fn the_schema_that_comes_up_again_is_the_one_that_was_there(app: Tables) {
        let database = TestDatabase::fresh(app.database.dialect(), Contents::Nothing).await;
        let binary = Binary::on(&database);
        let migrate = async |words: &[&str]| binary.run(&[&["migrate", "--json"], words].concat()).await.json();
        let (_, all) = counts(&migrate(&["status"]).await);
        assert!(all >= 9, "{all} steps");

        let told = migrate(&["up"]).await;
        assert_eq!(counts(&told), (all, 0));
        let first = schema(&database).await;
        assert_eq!(migrate(&["status"]).await, told);
        // Up again does nothing.
        assert_eq!(migrate(&["up"]).await, told);
        assert_eq!(schema(&database).await, first);

        let told = migrate(&["down", "--force"]).await;
        assert_eq!(counts(&told), (all - 1, 1));
        assert_eq!(migrate(&["status"]).await, told);
        let told = migrate(&["down", "--force", "--steps", "1000"]).await;
        assert_eq!(counts(&told), (0, all));
        let left = schema(&database).await;
        assert!(left.iter().all(|line| line.contains("seaql_migrations")), "{left:#?}");

        assert_eq!(counts(&migrate(&["up"]).await), (all, 0));
        assert_eq!(schema(&database).await, first);
        assert_eq!(database.number("SELECT count(*) FROM versions").await, 5);
        binary.run(&["verify"]).await.expect_code(0);
        database.remove().await;
    }

    async fn a_person_reads_which_steps_are_applied(app: Tables) {
        let binary = Binary::on(&app.database);
        binary.run(&["migrate", "down", "--force"]).await.expect_code(0);
        let told = binary.run(&["migrate", "status"]).await.expect_code(0).stdout;
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[0], "applied m01_installation");
        assert!(lines.last().unwrap().starts_with("pending m"), "{told}");
        binary.run(&["migrate", "up"]).await.expect_code(0);
    }

    /// Books that tell of purchases do not stand without them: that they are lost is found, unless the books go too.
    async fn whatever_is_taken_back_of_a_used_database_is_applied_again_and_what_the_books_lack_is_found(app: SmallCatalog) {
        scenes::buy_a_code(&app).await;
        scenes::credit(&app).await;
        use_up(&app).await;
        let without_purchases = down_to("m08_fulfillment")..down_to("m06_books");
        for steps in 1..=Migrator::migrations().len() {
            let database = app.database.copy().await;
            let before = schema(&database).await;
            let binary = Binary::on(&database);
            let down = binary.run(&["migrate", "down", "--force", "--json", "--steps", &steps.to_string()]).await;
            assert_eq!(counts(&down.json()), (Migrator::migrations().len() - steps, steps));
            binary.run(&["migrate", "up"]).await.expect_code(0);
            assert_eq!(schema(&database).await, before, "{steps} steps");
            let verified = binary.run(&["verify", "--json"]).await;
            let told: Value = serde_json::from_str(&verified.stdout).unwrap();
            let found: Vec<&str> =
                told["findings"].as_array().unwrap().iter().map(|one| one["check"].as_str().unwrap()).collect();
            let expected: &[&str] = match without_purchases.contains(&steps) {
                true => &["delivered_units_have_their_code", "vendors_are_owed_what_they_took", "costs_are_posted"],
                false => &[],
            };
            assert_eq!(found, expected, "{steps} steps: {verified:#?}");
            database.remove().await;
        }
    }

    /// As after a kill in the middle: a step of which half is there would be in its own way for ever.
    async fn a_step_that_is_stopped_in_the_middle_leaves_nothing_behind(app: Tables) {
        let database = TestDatabase::fresh(app.database.dialect(), Contents::Tables).await;
        let binary = Binary::on(&database);
        let whole = schema(&database).await;
        let all = Migrator::migrations().len();
        binary.run(&["migrate", "down", "--force", "--steps", "1000"]).await.expect_code(0);
        // The last table of its step, behind a dozen others.
        database.execute("CREATE TABLE events (id INTEGER)").await;
        for _ in 0..2 {
            let refused = binary.run(&["migrate", "up"]).await.expect_code(4);
            for told in ["m06_books could not be applied", "nothing of it was", "events", "already exists"] {
                assert!(refused.stderr.contains(told), "{refused:#?}");
            }
            assert_eq!(counts(&binary.run(&["migrate", "status", "--json"]).await.json()), (5, all - 5));
            let left = schema(&database).await;
            assert!(left.iter().all(|line| !line.contains("wallets") && !line.contains("postings")), "{left:#?}");
        }
        database.execute("DROP TABLE events").await;
        binary.run(&["migrate", "up"]).await.expect_code(0);
        assert_eq!(schema(&database).await, whole);
        binary.run(&["verify"]).await.expect_code(0);
        database.remove().await;
    }

    /// A server that starts on an empty database does the same as the command, and says the same.
    async fn a_first_start_that_is_stopped_in_the_middle_is_begun_again(app: Tables) {
        let database = TestDatabase::fresh(app.database.dialect(), Contents::Tables).await;
        let binary = Binary::on(&database);
        binary.run(&["keys", "init"]).await.expect_code(0);
        binary.run(&["migrate", "down", "--force", "--steps", "1000"]).await.expect_code(0);
        database.execute("CREATE TABLE products (id INTEGER)").await;
        let refused = binary.refuse_to_serve().await.expect_code(4);
        assert!(refused.stderr.contains("m03_catalog could not be applied"), "{refused:#?}");
        database.execute("DROP TABLE products").await;
        if app.database.dialect() == Dialect::Postgres {
            // Two of the steps are there by now, and so it is no empty database: other nodes may have begun.
            binary.run(&["migrate", "up"]).await.expect_code(0);
        }
        assert_eq!(binary.serve().await.stop().await, Some(0));
        binary.run(&["verify"]).await.expect_code(0);
        database.remove().await;
    }

    async fn a_step_that_cannot_be_taken_back_stays_whole(app: SmallCatalog) {
        use_up(&app).await;
        let database = app.database.copy().await;
        let binary = Binary::on(&database);
        let before = schema(&database).await;
        // Wallets go last of their step.
        database.execute("CREATE TABLE strangers (wallet_id TEXT REFERENCES wallets (id));
            INSERT INTO strangers SELECT id FROM wallets").await;
        let refused = binary.run(&["migrate", "down", "--force", "--steps", &down_to("m06_books").to_string()]).await.expect_code(4);
        assert!(refused.stderr.contains("m06_books could not be taken back"), "{refused:#?}");
        database.execute("DROP TABLE strangers").await;
        binary.run(&["migrate", "up"]).await.expect_code(0);
        assert_eq!(schema(&database).await, before);
        assert_eq!(database.number("SELECT count(*) FROM orders").await, 4);
        binary.run(&["verify"]).await.expect_code(0);
        database.remove().await;
    }

    async fn nothing_is_taken_back_without_leave_to_lose_it(app: SmallCatalog) {
        let binary = Binary::on(&app.database);
        let before = schema(&app.database).await;
        let refused = binary.run(&["migrate", "down", "--steps", &down_to("m06_books").to_string()]).await.expect_code(3);
        for told in ["--force", "backup", "m09_rates, m08_fulfillment, m07_audit, m06_books"] {
            assert!(refused.stderr.contains(told), "{refused:#?}");
        }
        assert_eq!(schema(&app.database).await, before);
        let help = binary.run(&["migrate", "down", "--help"]).await.expect_code(0).stdout;
        assert!(help.contains("every row in them"), "{help}");
    }

    async fn nothing_is_taken_back_below_a_running_server(app: SmallCatalog) {
        if app.database.dialect() == Dialect::Postgres {
            // There a server is no holder of a lock: the operator stops the nodes.
            return;
        }
        let lock = File::create(app.database.folder.path().join("octopus.db.serve.lock")).unwrap();
        lock.lock().unwrap();
        let binary = Binary::on(&app.database);
        let before = schema(&app.database).await;
        let refused = binary.run(&["migrate", "down", "--force"]).await.expect_code(1);
        assert!(refused.stderr.contains("another server has"), "{refused:#?}");
        assert_eq!(schema(&app.database).await, before);
        assert_eq!(binary.run(&["migrate", "status", "--json"]).await.json()["pending"], json!([]));
    }
}
