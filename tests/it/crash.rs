//! A server that is killed, and one that is told to stop, in the middle of orders.
//! Always true: what was acknowledged is there after a restart, to the code and the minor unit; a reference that was
//! asked for again has one order. Not here: callers that hang up (`hangups.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::support::app::TestApp;
use super::support::catalog::{STEAM_50, YEN_1000, stock_csv};
use super::support::client::Client;
use super::support::poll;
use super::support::process::{Binary, Process};

const ORDER: &str = "mutation Order($input: CreateOrderInput!) { createOrder(input: $input) {
    replayed order { ...Shown } userErrors { code message } } }
    fragment Shown on Order { id reference status quantity deliveredQuantity refundedQuantity
    total { amount currency } refundedTotal { amount currency } vouchers { unitIndex code } }";
const FIND: &str = "query Find($reference: String!) { order(reference: $reference) {
    id reference status quantity deliveredQuantity refundedQuantity
    total { amount currency } refundedTotal { amount currency } vouchers { unitIndex code } } }";
const ORDERS: &str = "query Orders($after: String) { orders(first: 100, after: $after) {
    nodes { reference } pageInfo { hasNextPage endCursor } } }";
const WALLETS: &str = "{ wallets { nodes { currency held { amount } available { amount } } } }";

/// How often the server is killed.
const ROUNDS: u64 = 4;
/// How many programs order at once, by turns of the two partners.
const PROGRAMS: u64 = 6;
/// What a start on a database that was left by a kill may take. Generous: a debug build on shared cores.
const RESTART: Duration = Duration::from_secs(10);

/// An order that was asked for.
#[derive(Debug, Clone)]
struct Asked {
    partner: usize,
    input: Value,
    /// As it was acknowledged; `None` if no answer came.
    told: Option<Value>,
}

impl Asked {
    fn reference(&self) -> &str {
        self.input["reference"].as_str().unwrap()
    }
}

/// Two partners and what they know: each has one session, which outlives every kill.
#[derive(Debug)]
struct Shop {
    binary: Binary,
    tokens: Vec<String>,
    asked: Vec<Asked>,
}

fn basket(random: &mut ChaCha20Rng, reference: String) -> Value {
    // Few yen codes for many: some of these units stay held.
    let scarce = random.random_range(0..4) == 0;
    let (product, most) = if scarce { (YEN_1000, 6) } else { (STEAM_50, 4) };
    let quantity = if random.random() { 1 } else { random.random_range(1..=most) };
    json!({ "productId": product, "quantity": quantity, "reference": reference, "waitMs": 0 })
}

/// Orders one after the other until the server is gone.
async fn order_until_the_end(
    client: Client,
    (partner, token): (usize, String),
    name: String,
    acknowledged: Arc<AtomicUsize>,
) -> Vec<Asked> {
    let mut random = ChaCha20Rng::seed_from_u64(name.bytes().map(u64::from).sum());
    let mut asked = Vec::new();
    for number in 0.. {
        let input = basket(&mut random, format!("{name}-{number}"));
        let Some(answer) = client.try_graphql(&token, ORDER, json!({ "input": input })).await else {
            asked.push(Asked { partner, input, told: None });
            break;
        };
        assert!(answer.get("errors").is_none(), "{answer}");
        let payload = &answer["data"]["createOrder"];
        acknowledged.fetch_add(1, Ordering::SeqCst);
        if payload["order"].is_null() {
            // A refusal burns nothing, so there is nothing to find again.
            assert_eq!(payload["userErrors"][0]["code"], "OUT_OF_STOCK", "{answer}");
        } else {
            assert_eq!(payload["replayed"], false, "{answer}");
            asked.push(Asked { partner, input, told: Some(payload["order"].clone()) });
        }
    }
    asked
}

impl Shop {
    async fn open(app: &TestApp) -> (Self, Process) {
        let binary = Binary::on(&app.database)
            .with("OCTOPUS_ENV", "sandbox")
            // Tokens name their issuer: the address that stays, whichever port a start finds.
            .with("OCTOPUS_PUBLIC_URL", "http://localhost:8080")
            .with("OCTOPUS_LOG", "warn")
            .with("OCTOPUS_UNIT_DEADLINE_SECS", "4");
        let process = binary.serve().await;
        let mut tokens = Vec::new();
        for partner in &app.database.seed.partners {
            tokens.push(process.client.login(&partner.username, &partner.password).await.token);
        }
        (Self { binary, tokens, asked: Vec::new() }, process)
    }

    /// Lets every program order until the server has been killed after so many answers.
    async fn order_and_kill(&mut self, mut process: Process, round: u64, after: usize) {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let programs: Vec<_> = (0..PROGRAMS)
            .map(|program| {
                let partner = if program % 2 == 0 { 0 } else { 1 };
                let who = (partner, self.tokens[partner].clone());
                let name = format!("round-{round}:program-{program}");
                let counter = Arc::clone(&acknowledged);
                tokio::spawn(order_until_the_end(process.client.clone(), who, name, counter))
            })
            .collect();
        poll::until("enough orders are answered", async || {
            (acknowledged.load(Ordering::SeqCst) >= after).then_some(())
        })
        .await;
        process.kill();
        for program in join_all(programs).await {
            self.asked.extend(program.expect("the program does not panic"));
        }
    }

    /// Looks for what the last round asked for, then asks again, twice.
    async fn check(&mut self, client: &Client, from: usize) {
        let tokens = &self.tokens;
        let checks = self.asked[from..].iter().map(|asked| check_one(client, &tokens[asked.partner], asked));
        let found: Vec<Option<Value>> = stream::iter(checks).buffered(8).collect().await;
        for (asked, order) in self.asked[from..].iter_mut().zip(found) {
            asked.told = order;
        }
        self.asked.retain(|asked| asked.told.is_some());
    }

    /// All references that there are, in both accounts.
    async fn references(&self, client: &Client) -> Vec<String> {
        let mut references = Vec::new();
        for token in &self.tokens {
            let mut after = Value::Null;
            loop {
                let page = client.graphql(token, ORDERS, json!({ "after": after })).await;
                let nodes = page.list("orders.nodes");
                references.extend(nodes.iter().map(|order| order["reference"].as_str().unwrap().to_owned()));
                after = page.at("orders.pageInfo.endCursor").clone();
                if page.at("orders.pageInfo.hasNextPage") == false {
                    break;
                }
            }
        }
        references
    }

    /// What is available and held, in minor units by partner and currency.
    async fn funds(&self, client: &Client) -> BTreeMap<(usize, String), (i64, i64)> {
        let mut funds = BTreeMap::new();
        for (partner, token) in self.tokens.iter().enumerate() {
            let answer = client.graphql(token, WALLETS, json!({})).await;
            for wallet in answer.list("wallets.nodes") {
                let currency = wallet["currency"].as_str().unwrap().to_owned();
                let held_and_available = (minor(&wallet["available"]), minor(&wallet["held"]));
                funds.insert((partner, currency), held_and_available);
            }
        }
        funds
    }
}

/// Asserts that an order is as it was acknowledged and that its reference answers once; tells how it is now, `None` if it
/// never came to be.
async fn check_one(client: &Client, token: &str, asked: &Asked) -> Option<Value> {
    let found = client.graphql(token, FIND, json!({ "reference": asked.reference() })).await;
    let found = found.at("order").clone();
    if let Some(told) = &asked.told {
        assert_same(told, &found);
    }
    let again = client.graphql(token, ORDER, json!({ "input": asked.input })).await;
    let first = again.at("createOrder").clone();
    if first["order"].is_null() {
        assert!(found.is_null(), "it is there, and refused: {again:#?}");
        assert_eq!(first["userErrors"][0]["code"], "OUT_OF_STOCK", "{again:#?}");
        return None;
    }
    assert_eq!(first["replayed"], !found.is_null(), "{found} {again:#?}");
    if !found.is_null() {
        assert_same(&found, &first["order"]);
    }
    let again = client.graphql(token, ORDER, json!({ "input": asked.input })).await;
    again.payload("createOrder");
    assert_eq!(again.at("createOrder.replayed"), true);
    assert_same(&first["order"], again.at("createOrder.order"));
    Some(again.at("createOrder.order").clone())
}

/// Asserts that an order is what it was, or has gone on from there: the worker may deliver and refund held units.
fn assert_same(before: &Value, now: &Value) {
    for field in ["id", "reference", "quantity", "total"] {
        assert_eq!(before[field], now[field], "{field}: {before} {now}");
    }
    let (had, has) = (codes(before), codes(now));
    assert_eq!(had[..], has[..had.len().min(has.len())], "{before} {now}");
    assert_eq!(i64::try_from(has.len()).unwrap(), now["deliveredQuantity"], "{now}");
    if before["status"] == "PENDING" || before["status"] == "PROCESSING" {
        assert_ne!(now["status"], "PENDING", "{before} {now}");
        assert!(now["refundedQuantity"].as_i64() >= before["refundedQuantity"].as_i64(), "{before} {now}");
    } else {
        assert_eq!(before, now);
    }
}

fn codes(order: &Value) -> Vec<&Value> {
    order["vouchers"].as_array().into_iter().flatten().collect()
}

fn minor(money: &Value) -> i64 {
    money["amount"].as_str().unwrap().replace('.', "").parse().unwrap()
}

async fn import_yen(app: &TestApp, binary: &Binary, first: usize, count: usize) {
    let file = app.database.folder.path().join("yen.csv");
    std::fs::write(&file, stock_csv(YEN_1000, "1000", first, count)).unwrap();
    let told = binary.run(&["--json", "stock", "import", file.to_str().unwrap()]).await.json();
    assert_eq!(told["loaded"], count);
}

/// Asserts what the accounts show in the end: nothing open, no code twice, and exactly what was delivered is paid.
async fn assert_paid_for_what_came(
    shop: &Shop,
    client: &Client,
    before: &BTreeMap<(usize, String), (i64, i64)>,
) {
    let mut expected: BTreeMap<_, _> =
        before.iter().map(|(key, (available, _))| (key.clone(), *available)).collect();
    let mut seen = BTreeSet::new();
    for asked in &shop.asked {
        let found = client
            .graphql(&shop.tokens[asked.partner], FIND, json!({ "reference": asked.reference() }))
            .await;
        let order = found.at("order");
        let count = |field: &str| order[field].as_i64().unwrap();
        assert_eq!(count("deliveredQuantity") + count("refundedQuantity"), count("quantity"), "{order}");
        for voucher in codes(order) {
            assert!(seen.insert(voucher["code"].as_str().unwrap().to_owned()), "sold twice: {order}");
        }
        let currency = order["total"]["currency"].as_str().unwrap().to_owned();
        *expected.get_mut(&(asked.partner, currency)).unwrap() -=
            minor(&order["total"]) - minor(&order["refundedTotal"]);
    }
    for (key, (available, held)) in shop.funds(client).await {
        assert_eq!((available, held), (expected[&key], 0), "{key:?}");
    }
}

both_databases! {
    async fn what_was_acknowledged_survives_kill_9(app: SmallCatalog) {
        app.load_stock(&stock_csv(STEAM_50, "50", 1_001, 3_000)).await;
        app.stop().await;
        let (mut shop, mut process) = Shop::open(&app).await;
        let before = shop.funds(&process.client).await;
        let mut random = ChaCha20Rng::seed_from_u64(9);
        for round in 0..ROUNDS {
            let from = shop.asked.len();
            shop.order_and_kill(process, round, random.random_range(5..60)).await;
            let begin = Instant::now();
            process = shop.binary.serve().await;
            assert!(begin.elapsed() < RESTART, "the start took {:?}", begin.elapsed());
            shop.check(&process.client, from).await;
            import_yen(&app, &shop.binary, 1_000 + 20 * usize::try_from(round).unwrap(), 12).await;
        }
        // What is held is delivered from what came in, or refunded at its deadline; a lease of the killed may be in the way.
        poll::until("every order ends", async || {
            (app.database.number("SELECT count(*) FROM orders WHERE completed_at IS NULL").await == 0).then_some(())
        }).await;
        let mut expected: Vec<_> = shop.asked.iter().map(|asked| asked.reference().to_owned()).collect();
        let mut found = shop.references(&process.client).await;
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
        assert_paid_for_what_came(&shop, &process.client, &before).await;
        assert_eq!(process.stop().await, Some(0));
        shop.binary.run(&["verify"]).await.expect_code(0);
    }

    async fn a_server_told_to_stop_answers_waiting_orders_as_they_stand_and_closes_its_sockets(app: SmallCatalog) {
        app.stop().await;
        let binary = Binary::on(&app.database)
            .with("OCTOPUS_ENV", "sandbox")
            .with("OCTOPUS_PUBLIC_URL", "http://localhost:8080");
        let process = binary.serve().await;
        let (client, account) = (process.client.clone(), &app.database.seed.partners[0]);
        let token = client.login(&account.username, &account.password).await.token;
        let mut socket = client.socket(&token).await;
        socket.subscribe("1", "subscription { orderUpdates { type order { reference } } }", json!({})).await;

        // 50 codes for 60 units: ten stay held, and the caller is ready to wait for them.
        let waiting = json!({ "input": {
            "productId": YEN_1000, "quantity": 60, "reference": "waits", "waitMs": 30_000,
        } });
        let waiter = tokio::spawn({
            let (client, token) = (client.clone(), token.clone());
            async move { client.graphql(&token, ORDER, waiting).await }
        });
        assert_eq!(socket.next_data("1").await["orderUpdates"]["order"]["reference"], "waits");
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let programs: Vec<_> = (0..4)
            .map(|program| {
                let (who, name) = ((0, token.clone()), format!("stop:{program}"));
                tokio::spawn(order_until_the_end(client.clone(), who, name, Arc::clone(&acknowledged)))
            })
            .collect();
        poll::until("orders are under way", async || {
            (acknowledged.load(Ordering::SeqCst) >= 20).then_some(())
        })
        .await;

        let (code, (close, _), waited) = tokio::join!(process.stop(), socket.closed(), waiter);
        assert_eq!(code, Some(0));
        assert_eq!(close, 1001);
        let waited = waited.unwrap();
        waited.payload("createOrder");
        assert_eq!(waited.text("createOrder.order.status"), "PROCESSING");
        assert_eq!(waited.number("createOrder.order.deliveredQuantity"), 50);

        // Whoever was answered has the order; whoever was not finds out by asking again.
        let process = binary.serve().await;
        for asked in join_all(programs).await.into_iter().flat_map(|it| it.expect("the program does not panic")) {
            check_one(&process.client, &token, &asked).await;
        }
        assert_eq!(process.stop().await, Some(0));
        binary.run(&["verify"]).await.expect_code(0);
    }
}
