//! `octopus migrate`: up, down and status, on both engines.
//! Always true: what comes up again is what was there before. Not here: commands on a schema that is behind (`opening.rs`).

use std::fs::File;

use migration::{Migrator, MigratorTrait as _};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::orders::order;
use super::support::catalog::STEAM_50;
use super::support::database::{Contents, Dialect, TestDatabase};
use super::support::process::Binary;

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
        assert!(all >= 8, "{all} steps");

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
        assert_eq!(database.number("SELECT count(*) FROM versions").await, 4);
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

    async fn each_step_is_taken_back_with_what_it_holds_and_applied_again(app: SmallCatalog) {
        app.books_are_broken();
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "reference": "sold" })).await.payload("createOrder");
        app.stop().await;
        for _ in Migrator::migrations() {
            Binary::on(&app.database).run(&["migrate", "down", "--force"]).await.expect_code(0);
        }
        assert!(app.database.try_execute("SELECT count(*) FROM partners").await.is_err());
        Binary::on(&app.database).run(&["migrate", "up"]).await.expect_code(0);
        assert_eq!(app.database.number("SELECT count(*) FROM partners").await, 0);
        app.verify_clean().await;
    }

    async fn nothing_is_taken_back_without_leave_to_lose_it(app: SmallCatalog) {
        let binary = Binary::on(&app.database);
        let before = schema(&app.database).await;
        let refused = binary.run(&["migrate", "down", "--steps", "2"]).await.expect_code(3);
        for told in ["--force", "backup", "m08_events_audit, m07_orders"] {
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
