//! Servers and workers that are killed in the middle of purchases, and those that take over from them.
//! Always true: what was bought once is never bought again, whoever dies when; every order ends.

use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::input;
use crate::orders::CREATE_ORDER;
use crate::support::app::TestApp;
use crate::support::catalog::EURO_20;
use crate::support::client::Client;
use crate::support::database::Dialect;
use crate::support::poll;
use crate::support::process::{Binary, Process};
use crate::support::vendor::{Terms, TestVendor, assert_agreed};

/// The vendor's settle window, in seconds of the machine's clock, by which processes go: what was on record and never sent is asked
/// about until it has passed, and sent then.
const SETTLE_WINDOW_SECS: Option<u32> = Some(1);
/// How often the server is killed.
const ROUNDS: u32 = 4;
/// How many orders are placed meanwhile at most: a vendor that fails with half of them is left alone again and again.
const ORDERS: u32 = 10;
/// What orders ask for: most of it comes late, or not as it should.
const BEHAVIOURS: [(&str, &str); 4] = [
    (EURO_20, "sandbox_slow_150ms"),
    ("riot_access_at_10_eur", "sandbox_error_bought"),
    ("steam_wallet_at_50_eur", "sandbox_partial"),
    ("xbox_game_pass_ultimate_1m_usd", "sandbox_closed_bought"),
];

fn binary(app: &TestApp) -> Binary {
    Binary::on(&app.database)
        .with("OCTOPUS_ENV", "sandbox")
        .with("OCTOPUS_PUBLIC_URL", "http://localhost:8080")
        .with("OCTOPUS_LOG", "warn")
}

async fn order(client: &Client, token: &str, input: &Value) -> Option<Value> {
    client.try_graphql(token, CREATE_ORDER, json!({ "input": input })).await
}

/// Places orders one after the other until the server is gone, or there are enough; tells their inputs.
async fn order_until_the_end(client: Client, token: String, round: u32) -> Vec<Value> {
    let mut random = ChaCha20Rng::seed_from_u64(round.into());
    let mut asked = Vec::new();
    for number in 0..ORDERS {
        let (product, _) = BEHAVIOURS[random.random_range(0..BEHAVIOURS.len())];
        let wanted = input(product, random.random_range(1..=12), &format!("round-{round}:{number}"));
        asked.push(wanted.clone());
        let Some(answer) = order(&client, &token, &wanted).await else { break };
        assert!(answer["data"]["createOrder"]["order"]["id"].is_string(), "{answer}");
    }
    asked
}

/// Waits until no order is open.
async fn all_ended(app: &TestApp) {
    let open = "SELECT count(*) FROM orders WHERE completed_at IS NULL";
    poll::until_within(poll::PATIENCE * 4, "every order ends", async || {
        (app.database.number(open).await == 0).then_some(())
    })
    .await;
}

async fn until_bought(app: &TestApp, purchases: i64) {
    let made = "SELECT count(*) FROM purchases WHERE state = 'DELIVERED'";
    let before = app.database.number(made).await;
    poll::until_true("purchases go on", async || app.database.number(made).await >= before + purchases).await;
}

both_databases! {
    async fn a_server_that_is_killed_amid_purchases_buys_nothing_twice(app: SmallCatalog) {
        let few = Terms { largest_batch: 3, settle_window_secs: SETTLE_WINDOW_SECS, ..Terms::default() };
        let vendor = TestVendor::on_terms(&app, "only", few).await;
        vendor.sell_for(&app, &BEHAVIOURS, "0.8").await;
        app.stop().await;
        let binary = binary(&app);
        let mut process = binary.serve().await;
        let account = &app.database.seed.partners[0];
        let token = process.client.login(&account.username, &account.password).await.token;
        let mut asked = Vec::new();
        for round in 0..ROUNDS {
            let program = tokio::spawn(order_until_the_end(process.client.clone(), token.clone(), round));
            until_bought(&app, i64::from(3 + 2 * round)).await;
            process.kill();
            asked.extend(program.await.expect("the program does not panic"));
            process = binary.serve().await;
        }
        for wanted in &asked {
            let answer = order(&process.client, &token, wanted).await.expect("the server answers");
            assert!(answer["data"]["createOrder"]["order"]["id"].is_string(), "{answer}");
        }
        all_ended(&app).await;
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, i64::try_from(asked.len()).unwrap());
        assert_eq!(process.stop().await, Some(0));
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn a_worker_that_is_killed_is_replaced_by_the_others(app: SmallCatalog) {
        if app.database.dialect() == Dialect::Sqlite {
            // One server has the file; that a worker of its own refuses, the table of commands shows.
            return;
        }
        let slow = Terms {
            largest_batch: 2,
            latency_ms: 120,
            concurrent_requests: 4,
            settle_window_secs: SETTLE_WINDOW_SECS,
            ..Terms::default()
        };
        let vendor = TestVendor::on_terms(&app, "only", slow).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        app.stop().await;
        let binary = binary(&app);
        let mut server = binary.serve().await;
        let mut workers: Vec<Process> = vec![binary.work(), binary.work()];
        let account = &app.database.seed.partners[0];
        let token = server.client.login(&account.username, &account.password).await.token;
        let placed = order(&server.client, &token, &input(EURO_20, 300, "bulk")).await.expect("it answers");
        assert!(placed["data"]["createOrder"]["order"]["id"].is_string(), "{placed}");
        until_bought(&app, 20).await;
        server.kill();
        until_bought(&app, 20).await;
        workers.remove(0).kill();
        all_ended(&app).await;
        assert_eq!(app.database.texts("SELECT status FROM orders").await, ["DELIVERED"]);
        assert_eq!(workers.remove(0).stop().await, Some(0));
        assert_agreed(&app, &[&vendor]).await;
    }
}
