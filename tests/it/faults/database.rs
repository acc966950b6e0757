//! A database that gives up on transactions, whose connections break after a commit, and whose readers are all busy (F15 to F17).
//! Always true: what was committed is found again under its reference, and what was not is repeated whole. Not here: callers that
//! hang up (F18, `hangups.rs`); SQLite has neither a network nor a second writer, and its part is the wait for the one lock.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::fulfillment::{end, find, input};
use crate::orders::{CREATE_ORDER, order};
use crate::support::app::TestApp;
use crate::support::catalog::EURO_20;
use crate::support::database::Dialect;
use crate::support::poll;
use crate::support::vendor::{Terms, TestVendor, assert_agreed, resolve_all};
use crate::support::wire::{Weather, Wire};

/// Has PostgreSQL give up on the first transaction that writes each of these tables, as if it were in another's way.
async fn give_up(app: &TestApp, code: &str) {
    for (table, event) in [
        ("orders", "INSERT"),
        ("purchases", "INSERT"),
        ("purchases", "UPDATE"),
        ("order_units", "UPDATE"),
        ("postings", "INSERT"),
        ("events", "INSERT"),
    ] {
        let name = format!("give_up_{table}_{event}_{code}").to_lowercase();
        // What a sequence has counted stays, whatever becomes of the transaction.
        app.database
            .execute(&format!(
                "CREATE SEQUENCE {name};
                 CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF nextval('{name}') <= 1 THEN RAISE EXCEPTION 'given up' USING ERRCODE = '{code}'; END IF;
                    RETURN NULL; END $$;
                 CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
            ))
            .await;
    }
}

both_databases! {
    async fn what_the_database_gives_up_on_is_repeated_whole(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let codes: &[&str] = match app.database.dialect() {
            Dialect::Postgres => &["40P01", "40001", "55P03"],
            Dialect::Sqlite => &["busy"],
        };
        for code in codes {
            let held = match app.database.dialect() {
                Dialect::Postgres => {
                    give_up(&app, code).await;
                    None
                }
                Dialect::Sqlite => Some(app.database.hold("").await),
            };
            let placing = tokio::spawn({
                let (partner, reference) = (partner.clone(), (*code).to_owned());
                async move { order(&partner, input(EURO_20, 7, &reference)).await }
            });
            if let Some(held) = held {
                // A reader is answered meanwhile; the order waits for the lock.
                assert!(find(&partner, code).await.at("order").is_null());
                held.release().await;
            }
            placing.await.expect("it does not panic").payload("createOrder");
            assert_eq!(end(&app, &partner, code).await.text("order.status"), "DELIVERED", "{code}");
        }
        resolve_all(&app).await;
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, i64::try_from(codes.len()).unwrap());
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn a_commit_whose_answer_is_lost_is_read_again_and_never_repeated(app: SmallCatalog) {
        if app.database.dialect() == Dialect::Sqlite {
            // There is no network between it and its file: `kills.rs` dies before and after the commit instead.
            return;
        }
        let vendor = TestVendor::on_terms(&app, "only", Terms { largest_batch: 2, ..Terms::default() }).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let partner = app.partner().await;
        app.stop().await;
        let wire = Wire::before(app.database.address()).await;
        let server = app.behind(&wire).await;
        let caller = server.caller(&partner);
        for number in 0..12 {
            let wanted = json!({ "input": input(EURO_20, 5, &format!("cut-{number}")) });
            // The next commit of any of its connections: of the order, of its purchases, or of what came of them.
            wire.turn(Weather::LosesAnswerTo("COMMIT"));
            let answer = poll::until("the order is answered", async || {
                let answer = caller.graphql(CREATE_ORDER, wanted.clone()).await;
                answer.body.get("errors").is_none().then_some(answer)
            })
            .await;
            answer.payload("createOrder");
            let again = caller.graphql(CREATE_ORDER, wanted).await;
            assert_eq!(again.at("createOrder.order.id"), answer.at("createOrder.order.id"));
            let ended = end(&server, &caller, &format!("cut-{number}")).await;
            assert_eq!(ended.text("order.status"), "DELIVERED");
        }
        resolve_all(&server).await;
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 12);
        assert_agreed(&app, &[&vendor]).await;
        server.leave().await;
    }

    async fn slow_reads_keep_neither_health_nor_workers_waiting(app: SmallCatalog) {
        if app.database.dialect() == Dialect::Sqlite {
            // Nothing keeps a reader of the write-ahead log waiting.
            return;
        }
        let partner = app.partner().await;
        let lease = "SELECT max(lease_until) FROM workers";
        poll::until_true("its worker works", async || app.database.number(lease).await > 0).await;
        let held = app.database.hold_readers("wallets").await;
        let slow: Vec<_> = (0..200)
            .map(|_| {
                let partner = partner.clone();
                tokio::spawn(async move { partner.graphql("{ wallets { nodes { id } } }", json!({})).await })
            })
            .collect();
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        poll::until_true("readers wait", async || app.database.number(waiting).await >= 4).await;
        app.advance_secs(2);
        let renewed = app.now().micros() + 9_000_000;
        poll::until_true("the worker tells that it lives", async || app.database.number(lease).await >= renewed).await;
        let health = app.client.request(Method::GET, "/healthz").timeout(Duration::from_secs(5)).send().await;
        assert_eq!(health.expect("it answers").status(), 200);
        held.release().await;
        for answer in join_all(slow).await {
            let answer = answer.expect("it does not panic");
            match answer.body["errors"][0]["extensions"]["code"].as_str() {
                None => assert_eq!(answer.list("wallets.nodes").len(), 4),
                Some(code) => assert!(["SERVICE_UNAVAILABLE", "TIMEOUT"].contains(&code), "{answer:?}"),
            }
        }
        // They have left nothing behind.
        let answer = partner.graphql("{ wallets { nodes { id } } }", json!({})).await;
        assert_eq!(answer.list("wallets.nodes").len(), 4);
    }
}
