//! The laws of money under random operations: three partners, three currencies, whatever order things happen in.
//! Always true: a number repeats the same operation; every kind of operation happens often, and every outcome; the books are
//! verified at the end, as after every test. Not here: what one operation does (the features).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use entity::state::PriceRuleSubject;
use futures_util::StreamExt as _;
use futures_util::stream;
use octopus_cards::domain::pricing::{self, RuleTarget, RuleValue};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::support::answer::Answer;
use super::support::app::{Partner, TestApp};
use super::support::catalog::{DINAR_10, STEAM_50, YEN_1000, stock_csv};
use super::support::poll;

const OPERATIONS: u64 = 10_000;
const AT_ONCE: usize = 24;
const PRODUCTS: [(&str, &str); 3] = [(STEAM_50, "50"), (YEN_1000, "1000"), (DINAR_10, "10")];
const CURRENCIES: [&str; 3] = ["USD", "JPY", "KWD"];
/// What a poor wallet is paid, in minor units: enough for a few units.
const ALMS: [(&str, i64); 3] = [("USD", 20_000), ("JPY", 30_000), ("KWD", 60_000)];

const ORDER: &str = "mutation Order($input: CreateOrderInput!) { createOrder(input: $input) {
    replayed order { id } userErrors { code } } }";
const CHARGE: &str = "mutation Charge($input: CreateChargeInput!) { createCharge(input: $input) {
    charge { id } userErrors { code } } }";
const CANCEL: &str = "mutation Cancel($input: CancelOrderInput!) { cancelOrder(input: $input) {
    order { id } userErrors { code } } }";
const READ: &str =
    "{ wallets { nodes { available { amount } held { amount } entries(first: 3) { totalCount } } } }";

/// The world that the operations change.
struct World {
    app: TestApp,
    /// Two with more than they can spend, and a poor one.
    partners: [Partner; 3],
    /// The harness writes each import to the same file.
    loading: tokio::sync::Mutex<()>,
    /// How often what came out.
    outcomes: Mutex<BTreeMap<String, u32>>,
}

/// An order without a charge, always the same for its number.
fn basket(number: u64) -> (usize, Value) {
    let mut random = ChaCha20Rng::seed_from_u64(number);
    let partner = random.random_range(0..3);
    let policy = if random.random_bool(0.2) { "ALL_OR_NOTHING" } else { "BEST_EFFORT" };
    // Few ask for more than there is most of the time: some of their units are held.
    let quantity =
        if random.random_bool(0.06) { random.random_range(10..40) } else { random.random_range(1..4) };
    let input = json!({ "productId": PRODUCTS[random.random_range(0..3)].0, "quantity": quantity,
        "currency": CURRENCIES[random.random_range(0..3)], "reference": format!("law-{number}"), "failurePolicy": policy,
        "waitMs": 0 });
    (partner, input)
}

impl World {
    async fn open(app: TestApp) -> Self {
        let partners =
            [app.partner().await, app.other_partner().await, app.unfunded_partner("Poor", "USD").await];
        for amount in ALMS {
            app.credit(&partners[2], amount, &format!("at-first-{}", amount.0)).await;
        }
        Self { app, partners, loading: tokio::sync::Mutex::default(), outcomes: Mutex::default() }
    }

    fn tally(&self, outcome: &str) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        *outcomes.entry(outcome.to_owned()).or_default() += 1;
    }

    /// Counts what a mutation came to.
    fn tally_answer(&self, answer: &Answer, mutation: &str) {
        let payload = answer.at(mutation);
        match payload["userErrors"].get(0) {
            Some(error) => self.tally(error["code"].as_str().unwrap()),
            None if payload["replayed"] == true => self.tally("replayed"),
            None => self.tally(mutation),
        }
    }

    async fn order(&self, partner: &Partner, input: Value) {
        let answer = partner.graphql(ORDER, json!({ "input": input })).await;
        self.tally_answer(&answer, "createOrder");
    }

    /// One operation, drawn from its own seed: so that the draw does not depend on what runs beside it.
    async fn operate(&self, number: u64) {
        let mut random = ChaCha20Rng::seed_from_u64(number + OPERATIONS);
        let earlier = random.random_range(number.saturating_sub(200)..=number);
        match random.random_range(0..1_000) {
            0..640 => {
                let (partner, input) = basket(number);
                self.order(&self.partners[partner], input).await;
            }
            640..700 => {
                let (partner, input) = basket(earlier);
                self.order(&self.partners[partner], input).await;
            }
            700..710 => {
                let (partner, mut other) = basket(earlier);
                other["quantity"] = json!(4);
                self.order(&self.partners[partner], other).await;
            }
            710..780 => self.buy_on_a_charge(number).await,
            780..800 => self.change_its_mind(number).await,
            800..850 => {
                // What was ordered a moment ago, for that may still have open units.
                let (partner, input) = basket(random.random_range(number.saturating_sub(60)..=number));
                let named = json!({ "input": { "reference": input["reference"] } });
                let answer = self.partners[partner].graphql(CANCEL, named).await;
                self.tally_answer(&answer, "cancelOrder");
            }
            850..900 => self.load_codes(number, random.random_range(5..50)).await,
            900..950 => self.pay_in(number).await,
            950..970 => self.app.advance_secs(random.random_range(1..30)),
            970..980 => self.change_prices(number).await,
            _ => {
                self.partners[random.random_range(0..3)].graphql(READ, Value::Null).await.data();
            }
        }
    }

    async fn buy_on_a_charge(&self, number: u64) {
        let (partner, basket) = basket(number);
        let partner = &self.partners[partner];
        let input = json!({ "productId": basket["productId"], "quantity": basket["quantity"],
            "currency": basket["currency"] });
        let charge = partner.graphql(CHARGE, json!({ "input": input })).await;
        let id = charge.payload("createCharge")["charge"]["id"].clone();
        self.order(
            partner,
            json!({ "chargeId": id, "reference": format!("on-charge-{number}"), "waitMs": 0 }),
        )
        .await;
    }

    /// Orders more than there is, most of the time, and cancels what is still open of it.
    async fn change_its_mind(&self, number: u64) {
        let (partner, mut input) = basket(number);
        input["quantity"] = json!(150);
        input["failurePolicy"] = json!("BEST_EFFORT");
        // Whoever has no money for so much has nothing to cancel.
        let partner = &self.partners[partner % 2];
        self.order(partner, input.clone()).await;
        let answer = partner.graphql(CANCEL, json!({ "input": { "reference": input["reference"] } })).await;
        self.tally_answer(&answer, "cancelOrder");
    }

    async fn load_codes(&self, number: u64, count: usize) {
        let (product, face) = PRODUCTS[usize::try_from(number % 3).unwrap()];
        let first = usize::try_from(1_000 + number * 50).unwrap();
        let _alone = self.loading.lock().await;
        self.app.load_stock(&stock_csv(product, face, first, count)).await;
    }

    /// Pays the poor, mostly; one in four references was used before, for the same amount.
    async fn pay_in(&self, number: u64) {
        let partner = if number.is_multiple_of(4) { 0 } else { 2 };
        let (once, which) = (number % 400, usize::try_from(number % 400 % 3).unwrap());
        self.app.credit(&self.partners[partner], ALMS[which], &format!("alms-{once}")).await;
    }

    /// Another margin, another discount, or another rate.
    async fn change_prices(&self, number: u64) {
        let ctx = self.app.system();
        let all = RuleTarget { partner: None, subject_kind: PriceRuleSubject::All, subject: String::new() };
        let product = RuleTarget {
            subject_kind: PriceRuleSubject::Product,
            subject: STEAM_50.to_owned(),
            ..all.clone()
        };
        match number % 3 {
            0 => drop(
                pricing::set_rule(&ctx, all, RuleValue::MarginBps(u32::try_from(number % 300).unwrap()))
                    .await
                    .unwrap(),
            ),
            1 => {
                let discount = format!("0.0{}", number % 9 + 1).parse().unwrap();
                pricing::set_rule(&ctx, product, RuleValue::Discount(discount)).await.unwrap();
            }
            _ => {
                let rate = format!(
                    "base,quote,rate,as_of,source\nUSD,JPY,{}.25,2026-11-22,law\n",
                    140 + number % 30
                );
                pricing::import_rates(&ctx, rate.as_bytes()).await.unwrap();
            }
        }
        self.tally("prices changed");
    }

    fn expect_outcomes(&self, least: &[(&str, u32)]) {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        for (outcome, least) in least {
            let count = outcomes.get(*outcome).copied().unwrap_or_default();
            assert!(count >= *least, "{count} of {outcome}, at least {least} are due: {outcomes:#?}");
        }
    }

    async fn expect_rows(&self, least: &[(&str, i64)]) {
        for (condition, least) in least {
            let count = self.app.database.number(&format!("SELECT count(*) FROM {condition}")).await;
            assert!(count >= *least, "{count} {condition}, at least {least} are due");
        }
    }
}

both_databases! {
    async fn ten_thousand_random_operations_keep_the_books(app: SmallCatalog) {
        let world = World::open(app.clone()).await;
        for (product, face) in PRODUCTS {
            app.load_stock(&stock_csv(product, face, 500, 400)).await;
        }
        stream::iter(0..OPERATIONS).for_each_concurrent(AT_ONCE, |number| world.operate(number)).await;
        // Whatever is open by now: these stay so until their deadline.
        for (number, (product, face)) in (OPERATIONS..).zip(PRODUCTS) {
            app.load_stock(&stock_csv(product, face, 900_000, 60)).await;
            let input = json!({ "productId": product, "quantity": 150, "reference": format!("law-{number}"), "waitMs": 0 });
            world.order(&world.partners[0], input).await;
        }
        app.advance_secs(3_600);
        poll::until_true("every order has ended", async || {
            app.database.number("SELECT count(*) FROM orders WHERE completed_at IS NULL").await == 0
        }).await;
        world.expect_outcomes(&[("createOrder", 3_000), ("replayed", 150), ("IDEMPOTENCY_MISMATCH", 20), ("cancelOrder", 30),
            ("NOT_CANCELLABLE", 100), ("INSUFFICIENT_FUNDS", 500), ("OUT_OF_STOCK", 300), ("prices changed", 50)]);
        world.expect_rows(&[
            ("ledger_transactions WHERE kind = 'SALE'", 3_000),
            ("ledger_transactions WHERE kind = 'HOLD'", 100),
            ("ledger_transactions WHERE kind = 'CAPTURE'", 50),
            ("ledger_transactions WHERE kind = 'RELEASE'", 50),
            ("ledger_transactions WHERE kind = 'CREDIT' AND reference LIKE 'alms-%'", 150),
            ("orders WHERE charge_id IS NOT NULL", 200),
            ("orders WHERE failure_code = 'DEADLINE_PASSED'", 1),
            ("orders WHERE failure_code = 'CANCELLED'", 20),
            ("orders WHERE status = 'PARTIALLY_DELIVERED'", 20),
        ]).await;
    }
}
