//! Storms: a seed draws orders, cancellations, stock, what vendors do, what the network does, and what the database suffers
//! (F15, F16, F21 to F30 in any mixture; on PostgreSQL with two nodes).
//! Always true: a storm ends in fair weather, and then everything comes to its end. Not here: processes that die (`kills.rs`).

use entity::state::VendorStatus;
use octopus_cards::domain::fulfillment;
use rand::rngs::ChaCha20Rng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::orders::CREATE_ORDER;
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::{DIRECT_PLAYER, EURO_20, STEAM_50, stock_csv};
use crate::support::database::Dialect;
use crate::support::poll;
use crate::support::soak;
use crate::support::vendor::{Terms, TestVendor, assert_agreed};
use crate::support::wire::Weather;

/// How many storms there are on each database.
const STORMS: (u32, u32) = (3, 60);
/// How many things happen in one.
const STEPS: u32 = 60;
/// What is ordered.
const PRODUCTS: [&str; 8] = [
    EURO_20,
    DIRECT_PLAYER,
    STEAM_50,
    "steam_wallet_at_50_eur",
    "riot_access_at_10_eur",
    "riot_access_20_gbp",
    "discord_nitro_basic_1m_usd",
    "mcafee_1dev_12m_usd",
];
/// What a vendor may do with a product.
const BEHAVIOURS: [&str; 21] = [
    "ok",
    "ok",
    "ok",
    "slow_20ms",
    "partial",
    "pending_3s",
    "pending_refused_3s",
    "late_sighting_20s",
    "timeout_bought",
    "error_bought",
    "error_lost",
    "closed_bought",
    "closed_lost",
    "html_bought",
    "html_lost",
    "truncated",
    "out_of_stock_late",
    "duplicate_code",
    "expired_code",
    "flapping",
    "too_many",
];
const WEATHERS: [Weather; 9] = [
    Weather::Fair,
    Weather::Fair,
    Weather::Fair,
    Weather::Slow(30),
    Weather::Refusing,
    Weather::LosesRequests,
    Weather::LosesAnswers,
    Weather::CutsAnswers,
    Weather::Silent,
];

const CANCEL: &str = "mutation($reference: String!) { cancelOrder(input: { reference: $reference }) {
    order { status } userErrors { code } } }";

/// What a storm rages over.
struct Coast {
    app: TestApp,
    other_node: TestApp,
    partners: [Partner; 2],
    vendors: [TestVendor; 3],
    random: ChaCha20Rng,
    seed: u32,
    asked: Vec<(usize, Value)>,
    stock: usize,
}

impl Coast {
    async fn open(app: TestApp) -> Self {
        let terms = Terms { largest_batch: 5, concurrent_requests: 6, ..Terms::default() };
        let vendors = [
            TestVendor::on_terms(&app, "cheap", terms).await,
            TestVendor::on_terms(&app, "middle", terms).await,
            TestVendor::on_terms(&app, "dear", terms).await,
        ];
        let partners = [app.partner().await, app.other_partner().await];
        let other_node = app.second_node().await;
        let random = ChaCha20Rng::seed_from_u64(0);
        Self { app, other_node, partners, vendors, random, seed: 0, asked: Vec::new(), stock: 10_000 }
    }

    /// One storm, to its end.
    async fn rage(&mut self, seed: u32) {
        (self.seed, self.random) = (seed, ChaCha20Rng::seed_from_u64(seed.into()));
        self.sign_in().await;
        for (vendor, factor) in [(0, "0.80"), (1, "0.82"), (2, "0.84")] {
            let offers: Vec<(&str, String)> = PRODUCTS
                .iter()
                .filter(|product| **product != STEAM_50)
                .map(|product| (*product, format!("sandbox_{}", self.draw(&BEHAVIOURS))))
                .collect();
            let offers: Vec<(&str, &str)> =
                offers.iter().map(|(product, behaviour)| (*product, behaviour.as_str())).collect();
            self.vendors[vendor].sell_for(&self.app, &offers, factor).await;
        }
        for step in 0..STEPS {
            self.step(step).await;
        }
        self.calm().await;
        self.come_to_the_end().await;
    }

    /// A token lasts an hour, and storms move the clock by more.
    async fn sign_in(&mut self) {
        self.partners = [self.app.partner().await, self.app.other_partner().await];
    }

    fn draw<T: Copy>(&mut self, choices: &[T]) -> T {
        *choices.choose(&mut self.random).expect("there is a choice")
    }

    async fn step(&mut self, step: u32) {
        match self.random.random_range(0..100) {
            0..45 => self.order(step).await,
            45..53 => self.cancel().await,
            53..70 => {
                let (vendor, weather) = (self.random.random_range(0..3), self.draw(&WEATHERS));
                self.vendors[vendor].wire.turn(weather);
            }
            70..85 => self.app.advance_secs(self.random.random_range(1..20)),
            85..90 => {
                let vendor = self.random.random_range(0..3);
                let status = self.draw(&[VendorStatus::Active, VendorStatus::Active, VendorStatus::Paused]);
                self.set_status(vendor, status).await;
            }
            90..94 => {
                self.app.load_stock(&stock_csv(EURO_20, "20", self.stock, 3)).await;
                self.stock += 3;
            }
            // A worker that is taken for dead, and lives.
            94..97 => self.app.database.execute("UPDATE workers SET lease_until = 0").await,
            _ => self.cut_connections().await,
        }
    }

    async fn set_status(&self, vendor: usize, status: VendorStatus) {
        let id = self.vendors[vendor].row.id.to_string();
        fulfillment::set_vendor_status(&self.app.system(), &id, status).await.expect("it is a vendor");
    }

    /// All of the servers' connections to the database end at once; SQLite has none to lose.
    async fn cut_connections(&self) {
        if self.app.database.dialect() == Dialect::Postgres {
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'octopus'";
            self.app.database.execute(sql).await;
        }
    }

    async fn order(&mut self, step: u32) {
        let partner = self.random.random_range(0..2);
        let product = self.draw(&PRODUCTS);
        let is_direct = product == DIRECT_PLAYER;
        let mut wanted = json!({
            "productId": product,
            "quantity": if is_direct { 1 } else { self.random.random_range(1..=24) },
            "reference": format!("storm-{}:{step}", self.seed),
            "waitMs": self.draw(&[0, 0, 0, 100]),
        });
        if is_direct {
            wanted["recipient"] = json!({ "playerId": format!("player-{step}") });
        } else {
            wanted["failurePolicy"] = json!(self.draw(&["BEST_EFFORT", "BEST_EFFORT", "ALL_OR_NOTHING"]));
        }
        if self.place(partner, &wanted).await {
            self.asked.push((partner, wanted));
        }
    }

    /// Places an order at one of the nodes until it is answered; tells whether it was accepted.
    async fn place(&mut self, partner: usize, wanted: &Value) -> bool {
        let node = if self.random.random() { &self.app } else { &self.other_node };
        let caller = node.caller(&self.partners[partner]);
        let answer = poll::until("an order is answered", async || {
            let answer = caller.graphql(CREATE_ORDER, json!({ "input": wanted })).await;
            // The database may have gone away under it: the same reference finds the same order.
            let is_final = answer.body.get("errors").is_none();
            is_final.then_some(answer)
        })
        .await;
        let payload = answer.at("createOrder");
        if payload["order"].is_null() {
            assert_eq!(payload["userErrors"][0]["code"], "OUT_OF_STOCK", "{answer:?}");
        }
        !payload["order"].is_null()
    }

    async fn cancel(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let place = self.random.random_range(0..self.asked.len());
        let (partner, wanted) = &self.asked[place];
        // Whatever it answers: it may be too late, and the database may be away.
        self.partners[*partner].graphql(CANCEL, json!({ "reference": wanted["reference"] })).await;
    }

    async fn calm(&mut self) {
        for vendor in 0..3 {
            self.vendors[vendor].wire.turn(Weather::Fair);
            self.set_status(vendor, VendorStatus::Active).await;
        }
    }

    async fn come_to_the_end(&mut self) {
        let open = "SELECT (SELECT count(*) FROM orders WHERE completed_at IS NULL)
            + (SELECT count(*) FROM purchases WHERE ended_at IS NULL)";
        let on_the_way = "SELECT count(*) FROM purchases WHERE state = 'SENDING'";
        let what = format!("everything of storm {} comes to its end", self.seed);
        poll::until_within(poll::PATIENCE * 5, &what, async || {
            if self.app.database.number(on_the_way).await == 0 {
                self.app.advance_secs(10);
            }
            (self.app.database.number(open).await == 0).then_some(())
        })
        .await;
        self.sign_in().await;
        for (partner, wanted) in &std::mem::take(&mut self.asked) {
            let again = self.partners[*partner].graphql(CREATE_ORDER, json!({ "input": wanted })).await;
            assert_eq!(again.at("createOrder.replayed"), true, "storm {}: {again:?}", self.seed);
        }
        assert_agreed(&self.app, &self.vendors.each_ref()).await;
        let held = "SELECT count(*) FROM order_units WHERE status NOT IN ('DELIVERED', 'REFUNDED')";
        assert_eq!(self.app.database.number(held).await, 0, "storm {}", self.seed);
        self.app.verify_clean().await;
    }
}

both_databases! {
    async fn after_any_storm_nothing_is_lost_bought_twice_or_stuck(app: SmallCatalog) {
        let mut coast = Coast::open(app).await;
        for seed in soak::seeds(STORMS.0, STORMS.1) {
            coast.rage(seed).await;
        }
        let number = async |sql: &str| coast.app.database.number(sql).await;
        soak::tell(&format!(
            "{} orders, {} purchases, {} in doubt at some time, {} sent again, {} units tried elsewhere",
            number("SELECT count(*) FROM orders").await,
            number("SELECT count(*) FROM purchases").await,
            number("SELECT count(DISTINCT purchase_id) FROM purchase_calls WHERE outcome = 'UNKNOWN'").await,
            number("SELECT count(*) FROM purchases WHERE sends > 1").await,
            number("SELECT count(*) FROM attempts WHERE number > 1").await,
        ));
        coast.other_node.leave().await;
    }
}
