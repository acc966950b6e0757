//! A thousand callers that hang up at random moments.
//! Always true: a reference has one order or none, and one after it is asked for again; no connection to the database is
//! left in a state that swallows a later write. The books are verified at the end of every test.
//! Not here: servers that die (`crash.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::app::{Partner, TestApp};
use super::support::catalog::{STEAM_50, stock_csv};

const ORDER: &str = "mutation Order($input: CreateOrderInput!) { createOrder(input: $input) {
    replayed order { id status vouchers { code } } userErrors { code message } } }";
const CHARGE: &str = "mutation Charge($input: CreateChargeInput!) { createCharge(input: $input) {
    charge { id } userErrors { code } } }";
const LOGIN: &str =
    "mutation Login($input: LoginInput!) { login(input: $input) { token userErrors { code } } }";
const CATALOG: &str = "{ products(first: 20) { totalCount nodes { id name price { unitPrice { amount } } } }
    orders(first: 20) { nodes { id vouchers(first: 5) { code } } } wallets { nodes { available { amount } } } }";
const ORDERS: &str = "query Orders($after: String) { orders(first: 100, after: $after) {
    nodes { id reference status } pageInfo { hasNextPage endCursor } } }";

/// How many callers hang up.
const CALLERS: usize = 1_000;
/// How many of them are there at once.
const AT_ONCE: usize = 32;

/// How a caller hangs up.
#[derive(Debug, Clone, Copy)]
enum HangUp {
    /// It drops the request and everything that waits for its answer.
    Abandon(Duration),
    /// It closes the connection when so many bytes are sent, or all, and so much time has passed.
    Cut(usize, Duration),
}

#[derive(Debug)]
struct Caller {
    body: String,
    token: String,
    hang_up: HangUp,
}

/// The callers, and the inputs of the orders among what they ask for.
fn callers(partner: &Partner) -> (Vec<Caller>, Vec<Value>) {
    let mut random = ChaCha20Rng::seed_from_u64(1_000);
    let (mut callers, mut orders) = (Vec::new(), Vec::new());
    for number in 0..CALLERS {
        let (document, input) = match random.random_range(0..100) {
            0..50 => {
                let quantity = random.random_range(1..=3);
                let input = json!({
                    "productId": STEAM_50, "quantity": quantity, "reference": format!("hang-up-{number}"),
                });
                orders.push(input.clone());
                (ORDER, input)
            }
            // Passwords cost time by design, so these are few.
            50..56 => {
                let account = &partner.account;
                (LOGIN, json!({ "username": account.username, "password": account.password }))
            }
            56..76 => (CHARGE, json!({ "productId": STEAM_50, "quantity": 2, "currency": "EUR" })),
            _ => (CATALOG, Value::Null),
        };
        let variables = if input.is_null() { json!({}) } else { json!({ "input": input }) };
        let body = json!({ "query": document, "variables": variables }).to_string();
        let after = Duration::from_micros(random.random_range(0..60_000));
        let hang_up = match random.random_range(0..3) {
            0 => HangUp::Abandon(after),
            1 => HangUp::Cut(random.random_range(0..body.len() + 200), Duration::ZERO),
            _ => HangUp::Cut(usize::MAX, after),
        };
        let token = if document == LOGIN { String::new() } else { partner.session.token.clone() };
        callers.push(Caller { body, token, hang_up });
    }
    (callers, orders)
}

impl Caller {
    async fn call(&self, app: &TestApp) {
        match self.hang_up {
            HangUp::Abandon(after) => {
                let request = app.client.request(Method::POST, "/graphql").bearer_auth(&self.token);
                let request = request.header("content-type", "application/json").body(self.body.clone());
                // Whether the answer came in time is the caller's luck.
                let _ = timeout(after, async { request.send().await?.text().await }).await;
            }
            HangUp::Cut(bytes, after) => {
                let request = self.as_bytes(app);
                let address = app.client.url.trim_start_matches("http://");
                let mut stream = TcpStream::connect(address).await.expect("the server accepts");
                let sent = stream.write_all(&request[..bytes.min(request.len())]).await;
                sent.expect("the server reads");
                // What has been answered by then is not read to its end: the connection is reset.
                let _ = timeout(after, stream.read(&mut [0; 64])).await;
            }
        }
    }

    fn as_bytes(&self, app: &TestApp) -> Vec<u8> {
        let host = app.client.url.trim_start_matches("http://");
        let authorization = match self.token.as_str() {
            "" => String::new(),
            token => format!("authorization: Bearer {token}\r\n"),
        };
        format!(
            "POST /graphql HTTP/1.1\r\nhost: {host}\r\n{authorization}content-type: application/json\r\n\
             content-length: {}\r\n\r\n{}",
            self.body.len(),
            self.body
        )
        .into_bytes()
    }
}

/// The ids and states of all orders, by reference.
async fn orders_of(partner: &Partner) -> BTreeMap<String, (String, String)> {
    let mut orders = BTreeMap::new();
    let mut after = Value::Null;
    loop {
        let page = partner.graphql(ORDERS, json!({ "after": after })).await;
        for order in page.list("orders.nodes") {
            let text = |field: &str| order[field].as_str().unwrap().to_owned();
            let twice = orders.insert(text("reference"), (text("id"), text("status")));
            assert_eq!(twice, None, "two orders have one reference: {order}");
        }
        after = page.at("orders.pageInfo.endCursor").clone();
        if page.at("orders.pageInfo.hasNextPage") == false {
            return orders;
        }
    }
}

/// Asks again, and tells the id of the order that there is then.
async fn ask_again(partner: &Partner, input: &Value, known: Option<&(String, String)>) -> String {
    let answer = partner.graphql(ORDER, json!({ "input": input })).await;
    answer.payload("createOrder");
    if let Some((id, _)) = known {
        assert_eq!(answer.text("createOrder.order.id"), id);
        assert_eq!(answer.at("createOrder.replayed"), true);
    }
    assert_eq!(answer.text("createOrder.order.status"), "DELIVERED");
    assert_eq!(
        u64::try_from(answer.list("createOrder.order.vouchers").len()).ok(),
        input["quantity"].as_u64()
    );
    answer.text("createOrder.order.id").to_owned()
}

/// A hundred writes, each seen at once by a connection that is not the server's.
async fn assert_writes_last(app: &TestApp, partner: &Partner) {
    for number in 0..50 {
        let reference = format!("afterwards-{number}");
        let input = json!({ "productId": STEAM_50, "quantity": 1, "reference": reference });
        let id = ask_again(partner, &input, None).await;
        let sql = format!("SELECT count(*) FROM orders WHERE id = '{id}' AND status = 'DELIVERED'");
        assert_eq!(app.database.number(&sql).await, 1, "{reference} was acknowledged");
        let charge =
            partner.graphql(CHARGE, json!({ "input": { "productId": STEAM_50, "quantity": 1 } })).await;
        charge.payload("createCharge");
        let id = charge.text("createCharge.charge.id");
        let sql = format!("SELECT count(*) FROM charges WHERE id = '{id}'");
        assert_eq!(app.database.number(&sql).await, 1, "{id} was acknowledged");
    }
}

both_databases! {
    async fn a_thousand_callers_that_hang_up_change_nothing_about_what_is_committed(app: SmallCatalog) {
        app.load_stock(&stock_csv(STEAM_50, "50", 1_001, 2_000)).await;
        let partner = app.partner().await;
        let (callers, orders) = callers(&partner);
        stream::iter(callers.iter().enumerate())
            .for_each_concurrent(AT_ONCE, async |(number, caller)| {
                if number % 10 == 0 {
                    // Time passes, so that the throttle of sign-ins lets some through.
                    app.advance_secs(2);
                }
                caller.call(&app).await;
            })
            .await;

        let known = orders_of(&partner).await;
        assert!(!known.is_empty() && known.len() < orders.len(), "{} of {}", known.len(), orders.len());
        let ids: Vec<String> = stream::iter(&orders)
            .map(async |input| ask_again(&partner, input, known.get(input["reference"].as_str().unwrap())).await)
            .buffered(8)
            .collect()
            .await;
        let all = orders_of(&partner).await;
        assert_eq!(all.len(), orders.len());
        for (input, id) in orders.iter().zip(ids) {
            assert_eq!(all[input["reference"].as_str().unwrap()], (id, "DELIVERED".to_owned()));
        }
        assert_writes_last(&app, &partner).await;
    }
}
