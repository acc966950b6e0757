//! `kill -9` at every named place between a commit and what the world sees of it (F1 to F5, F8, F16).
//! Always true: one process after the other lives a little and dies at its place; all of them share one database and the same
//! vendors, which outlive them.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use entity::state::VendorStatus;
use octopus_cards::crash::Place;
use octopus_cards::domain::fulfillment;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::{hurry, let_time_pass};
use crate::orders::CREATE_ORDER;
use crate::support::app::TestApp;
use crate::support::catalog::{EURO_20, STEAM_50, stock_csv};
use crate::support::client::Client;
use crate::support::database::Dialect;
use crate::support::poll;
use crate::support::process::{Binary, Process};
use crate::support::soak;
use crate::support::vendor::{Terms, TestVendor, assert_agreed};

/// How often each place is died at, on each database.
const TIMES: (u32, u32) = (5, 38);
/// How many orders a process is given.
const ORDERS: u32 = 5;
/// How long a process may live that does not come by its place; then it is killed where it is.
const LIFE: Duration = Duration::from_secs(4);
/// What the cheap vendor does with each product; the dear one sells all of them without any trouble.
const CHEAP: [(&str, &str); 8] = [
    (EURO_20, "sandbox_ok"),
    ("steam_wallet_at_50_eur", "sandbox_partial"),
    ("riot_access_at_10_eur", "sandbox_error_bought"),
    ("riot_access_20_gbp", "sandbox_closed_lost"),
    ("discord_nitro_basic_1m_usd", "sandbox_html_lost"),
    ("mcafee_1dev_12m_usd", "sandbox_truncated"),
    ("nintendo_eshop_20_usd", "sandbox_out_of_stock_late"),
    ("xbox_game_pass_ultimate_1m_usd", "sandbox_slow_100ms"),
];

/// What outlives every process.
struct Shop {
    app: TestApp,
    binary: Binary,
    vendors: [TestVendor; 2],
    token: String,
    asked: Vec<Value>,
    /// How many processes died at each place.
    died: BTreeMap<&'static str, u32>,
}

impl Shop {
    async fn open(app: TestApp) -> Self {
        app.meet_the_machine();
        let partner = app.partner().await;
        for (currency, minor) in [("USD", 900_000_000), ("EUR", 900_000_000), ("GBP", 900_000_000)] {
            app.credit(&partner, (currency, minor), &format!("more-{currency}")).await;
        }
        app.load_stock(&stock_csv(STEAM_50, "50", 10_000, 2_000)).await;
        // What is never sent is asked about until the window has passed, by the machine's clock.
        let terms = Terms { largest_batch: 2, settle_window_secs: Some(1), ..Terms::default() };
        let cheap = TestVendor::on_terms(&app, "cheap", terms).await;
        cheap.sell_for(&app, &CHEAP, "0.80").await;
        let dear = TestVendor::on_terms(&app, "dear", terms).await;
        dear.sell_for(&app, &CHEAP.map(|(product, _)| (product, "sandbox_ok")), "0.85").await;
        app.stop().await;
        let binary = Binary::on(&app.database)
            .with("OCTOPUS_ENV", "sandbox")
            .with("OCTOPUS_PUBLIC_URL", "http://localhost:8080")
            .with("OCTOPUS_LOG", "error");
        let process = binary.serve().await;
        let account = &app.database.seed.partners[0];
        let token = process.client.login(&account.username, &account.password).await.token;
        assert_eq!(process.stop().await, Some(0));
        Self { binary, vendors: [cheap, dear], token, asked: Vec::new(), died: BTreeMap::new(), app }
    }

    /// One process: what it is given, and its death.
    async fn live(&mut self, life: u32, place: Place, time: u32) {
        self.app.meet_the_machine();
        let_time_pass(&self.app).await;
        self.change_vendors(place).await;
        let doomed = self.binary.clone().with("OCTOPUS_CRASH_AT", &format!("{}:{time}", place.as_str()));
        // A process of workers goes on with what servers have left open.
        let takes_orders = matches!(place, Place::OrdersWritten | Place::OrdersCommitted);
        let is_worker = self.app.database.dialect() == Dialect::Postgres && life % 3 == 2 && !takes_orders;
        let process = if is_worker { doomed.work() } else { doomed.start().await };
        if !is_worker {
            self.order(&process.client, life).await;
        }
        if place == Place::WorkerLeaving {
            let alive = "SELECT count(*) FROM workers WHERE lease_until > 0";
            poll::until_true("its worker works", async || self.app.database.number(alive).await > 0).await;
            process.signal("TERM");
        }
        self.bury(process, place).await;
    }

    /// What was not committed is not done again as it was: who comes after a process that died over uncommitted work finds the
    /// cheap vendor paused.
    async fn change_vendors(&self, place: Place) {
        let comes_after = place == Place::PurchasesRecorded;
        let cheap = if comes_after { VendorStatus::Paused } else { VendorStatus::Active };
        let named = self.vendors[0].row.id.to_string();
        fulfillment::set_vendor_status(&self.app.system(), &named, cheap).await.expect("it is a vendor");
    }

    /// Places orders until the process is gone.
    async fn order(&mut self, client: &Client, life: u32) {
        let mut random = ChaCha20Rng::seed_from_u64(life.into());
        for number in 0..ORDERS {
            let products = CHEAP.len() + 1;
            let product =
                CHEAP.get(random.random_range(0..products)).map_or(STEAM_50, |(product, _)| *product);
            let policy = ["BEST_EFFORT", "BEST_EFFORT", "ALL_OR_NOTHING"][random.random_range(0..3)];
            let wanted = json!({
                "productId": product,
                "quantity": random.random_range(1..=5),
                "reference": format!("life-{life}:{number}"),
                "failurePolicy": policy,
                "waitMs": 0,
            });
            self.asked.push(wanted.clone());
            let Some(answer) =
                client.try_graphql(&self.token, CREATE_ORDER, json!({ "input": wanted })).await
            else {
                return;
            };
            assert!(answer["data"]["createOrder"]["order"]["id"].is_string(), "{answer}");
        }
    }

    async fn bury(&mut self, mut process: Process, place: Place) {
        let begun = std::time::Instant::now();
        poll::until("it has died, or lived long enough", async || {
            hurry(&self.app).await;
            (process.exited().is_some() || begun.elapsed() > LIFE).then_some(())
        })
        .await;
        match process.exited() {
            None => process.kill(),
            Some(status) => {
                assert_eq!(status.signal(), Some(9), "it ended otherwise: {status}: {}", process.log());
                *self.died.entry(place.as_str()).or_default() += 1;
            }
        }
    }

    /// Asks for everything again, has everything come to its end, and holds the books against each other.
    async fn settle(&self) {
        self.app.meet_the_machine();
        let_time_pass(&self.app).await;
        let process = self.binary.serve().await;
        for wanted in &self.asked {
            let again =
                async || process.client.graphql(&self.token, CREATE_ORDER, json!({ "input": wanted })).await;
            let (first, second) = (again().await, again().await);
            assert_eq!(second.at("createOrder.replayed"), true, "{second:?}");
            assert_eq!(first.at("createOrder.order.id"), second.at("createOrder.order.id"));
        }
        let open = "SELECT count(*) FROM orders WHERE completed_at IS NULL";
        let in_doubt = "SELECT count(*) FROM purchases WHERE ended_at IS NULL";
        poll::until_within(poll::PATIENCE * 6, "every order and purchase ends", async || {
            let left = self.app.database.number(open).await + self.app.database.number(in_doubt).await;
            hurry(&self.app).await;
            (left == 0).then_some(())
        })
        .await;
        let orders = i64::try_from(self.asked.len()).expect("few orders");
        assert_eq!(self.app.database.number("SELECT count(*) FROM orders").await, orders);
        assert_eq!(process.stop().await, Some(0));
        assert_agreed(&self.app, &[&self.vendors[0], &self.vendors[1]]).await;
    }
}

both_databases! {
    async fn a_process_may_die_at_any_place(app: SmallCatalog) {
        let mut shop = Shop::open(app).await;
        let (mut life, times) = (0, soak::part_of(TIMES.0, TIMES.1));
        for round in 0..times {
            for place in Place::ALL {
                // A worker leaves once.
                let time = if place == Place::WorkerLeaving { 1 } else { 1 + round % 3 };
                shop.live(life, place, time).await;
                life += 1;
            }
        }
        shop.settle().await;
        let died: u32 = shop.died.values().sum();
        soak::tell(&format!("{died} of {life} processes died at their places: {:?}", shop.died));
        // One that does not come by its place in its life is killed where it is; most have to die where they should.
        for place in Place::ALL {
            let died = shop.died.get(place.as_str()).copied().unwrap_or_default();
            assert!(died * 2 >= times, "{died} of {times} died at {place:?}: {:?}", shop.died);
        }
    }
}
