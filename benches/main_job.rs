//! How fast the main job is: durable orders, a lone order, one from a vendor, a catalog page, start-up and memory.
//!
//! `make bench` runs it beside a throw-away PostgreSQL with fsync on and writes benches/REPORT.md. Everything is measured in one
//! run on one machine, so that the ratios mean something where the figures do not carry over. The argument `vendor` has only
//! the part of that name measured.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::float_arithmetic, clippy::as_conversions)]
#![allow(
    clippy::integer_division,
    clippy::disallowed_methods,
    reason = "figures for people, settings of one run"
)]
#![allow(missing_docs, reason = "a program")]

#[path = "main_job/vendor.rs"]
mod vendor;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const OCTOPUS: &str = env!("CARGO_BIN_EXE_octopus");
const CLIENTS: usize = 64;
const RUN: Duration = Duration::from_secs(6);
/// How often each is measured, in turn.
const ROUNDS: u32 = 3;
/// How many times as many orders as pgbench are wanted at least.
const AIM: f64 = 2.0;
const CODES: usize = 200_000;
const SKU: &str = "steam_wallet_50_usd";

const ORDER: &str = "mutation($input: CreateOrderInput!) { createOrder(input: $input) {
    order { id status vouchers { code } } userErrors { code } } }";
const PAGE: &str = "query($after: String) { products(first: 20, after: $after, filter: { country: \"US\" }) {
    nodes { id name brand { name } country { name } price { unitPrice { amount currency } } stock { available } }
    pageInfo { endCursor } } }";

struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The settings of a server in a folder, on a database.
fn command(folder: &Path, database: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(OCTOPUS);
    command
        .args(arguments)
        .env("OCTOPUS_DATA_DIR", folder)
        .env("OCTOPUS_DATABASE_URL", database)
        .env("OCTOPUS_ENV", "sandbox")
        .env("OCTOPUS_COST_PER_SECOND", "100000000")
        .env("OCTOPUS_REQUESTS_PER_SECOND", "1000000")
        .env("OCTOPUS_LOG", "error")
        .stdout(Stdio::null());
    command
}

/// Starts a server and tells how long it took to its first answer.
async fn start(folder: &Path, database: &str) -> (Server, Duration) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let begin = Instant::now();
    let child = command(folder, database, &["serve"])
        .env("OCTOPUS_LISTEN", format!("127.0.0.1:{port}"))
        .spawn()
        .unwrap();
    let server = Server { child, url: format!("http://127.0.0.1:{port}") };
    let client = reqwest::Client::new();
    while client.get(format!("{}/readyz", server.url)).send().await.is_err() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (server, begin.elapsed())
}

async fn post(client: &reqwest::Client, url: &str, token: &str, body: &Value) -> Value {
    let request = client.post(format!("{url}/graphql")).json(body);
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    request.send().await.unwrap().json().await.unwrap()
}

async fn sign_in(folder: &Path, url: &str) -> String {
    let file = std::fs::read_to_string(folder.join("sandbox-credentials.json")).unwrap();
    let credentials: Value = serde_json::from_str(&file).unwrap();
    let login = "mutation($input: LoginInput!) { login(input: $input) { token } }";
    let body = json!({ "query": login, "variables": { "input": credentials["partner"] } });
    let answer = post(&reqwest::Client::new(), url, "", &body).await;
    answer["data"]["login"]["token"].as_str().unwrap().to_owned()
}

/// Whether an order was delivered: a refusal is quick, and no order.
fn is_delivered(answer: &Value) -> bool {
    let order = &answer["data"]["createOrder"]["order"];
    order["status"] == "DELIVERED" && order["vouchers"][0]["code"].is_string()
}

/// Whether a page is whole.
fn is_page(answer: &Value) -> bool {
    let is_full = answer["data"]["products"]["nodes"].as_array().is_some_and(|nodes| nodes.len() == 20);
    is_full && answer.get("errors").is_none()
}

/// Runs requests from many clients for a while, each of whose answers is to be good.
async fn load(
    clients: usize,
    url: &str,
    token: &str,
    body: impl Fn(u64) -> Value + Send + Sync + 'static,
    is_good: fn(&Value) -> bool,
) -> Load {
    let (number, body) = (Arc::new(AtomicU64::new(0)), Arc::new(body));
    let begin = Instant::now();
    let tasks = (0..clients).map(|_| {
        let (number, body) = (Arc::clone(&number), Arc::clone(&body));
        let (url, token) = (url.to_owned(), token.to_owned());
        tokio::spawn(async move {
            let client = reqwest::Client::new();
            let mut latencies = Vec::new();
            while begin.elapsed() < RUN {
                let one = Instant::now();
                let answer = post(&client, &url, &token, &body(number.fetch_add(1, Ordering::Relaxed))).await;
                assert!(is_good(&answer), "{answer}");
                latencies.push(one.elapsed().as_secs_f64() * 1_000.0);
            }
            latencies
        })
    });
    let mut latencies: Vec<f64> = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        latencies.extend(task.await.unwrap());
    }
    let seconds = begin.elapsed().as_secs_f64();
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    Load { rate: latencies.len() as f64 / seconds, p50_ms: at(0.5), p99_ms: at(0.99) }
}

fn resident_megabytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

fn write_stock(path: &Path) {
    let mut csv = "sku,face_value,code,pin,serial,url,expires_at,cost,cost_currency,lot\n".to_owned();
    for number in 0..CODES {
        csv.push_str(&format!("{SKU},,BENCH-{number:07},,,,,47.5,USD,bench\n"));
    }
    std::fs::write(path, csv).unwrap();
}

/// A server on one engine, filled and stocked.
struct Subject {
    name: &'static str,
    server: Server,
    token: String,
    filling: Duration,
    starting: Duration,
    idle_megabytes: u64,
}

impl Subject {
    async fn prepare(name: &'static str, folder: &Path, database: &str) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let (first, filling) = start(folder, database).await;
        drop(first);
        let stock = folder.join("stock.csv");
        write_stock(&stock);
        let import = command(folder, database, &["stock", "import", stock.to_str().unwrap()]).status();
        assert!(import.unwrap().success());
        // More than all codes cost, so that no order is refused for want of money.
        let funds = ["--amount", "100000000.00", "--reference", "bench"];
        let credit = [&["wallet", "credit", "--partner", "demo", "--currency", "USD"], &funds[..]].concat();
        assert!(command(folder, database, &credit).status().unwrap().success());
        let (server, starting) = start(folder, database).await;
        let token = sign_in(folder, &server.url).await;
        let idle_megabytes = resident_megabytes(&server);
        Self { name, server, token, filling, starting, idle_megabytes }
    }

    async fn orders(&self, clients: usize, prefix: String) -> Load {
        let order = move |number: u64| {
            let input = json!({ "productId": SKU, "quantity": 1, "reference": format!("{prefix}-{number}") });
            json!({ "query": ORDER, "variables": { "input": input } })
        };
        load(clients, &self.server.url, &self.token, order, is_delivered).await
    }

    async fn pages(&self) -> Load {
        let page = |_| json!({ "query": PAGE, "variables": {} });
        load(CLIENTS, &self.server.url, &self.token, page, is_page).await
    }
}

/// Requests a second, and their latencies in milliseconds.
#[derive(Clone, Copy)]
struct Load {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
}

fn row(what: &str, load: Load) {
    println!("| {what} | {:.0}/s | {:.1} | {:.1} |", load.rate, load.p50_ms, load.p99_ms);
}

/// The one in the middle.
fn median<T: Copy>(mut all: Vec<T>, by: impl Fn(&T) -> f64) -> T {
    all.sort_by(|left, right| by(left).total_cmp(&by(right)));
    all[all.len() / 2]
}

/// The tables of the minimal order, and its script: insert, guarded debit, two entries, one voucher with SKIP LOCKED.
fn prepare_pgbench(url: &str, script: &Path) {
    let tables = "DROP TABLE IF EXISTS b_orders, b_entries, b_wallets, b_vouchers;
        CREATE TABLE b_orders (id bigserial PRIMARY KEY, wallet bigint, amount bigint, at timestamptz DEFAULT now());
        CREATE TABLE b_entries (id bigserial PRIMARY KEY, order_id bigint, account text, amount bigint);
        CREATE TABLE b_wallets (id bigint PRIMARY KEY, available bigint CHECK (available >= 0));
        CREATE TABLE b_vouchers (id bigserial PRIMARY KEY, order_id bigint);
        INSERT INTO b_wallets VALUES (1, 1000000000000);
        INSERT INTO b_vouchers (order_id) SELECT NULL FROM generate_series(1, 300000);
        CREATE INDEX ON b_vouchers (id) WHERE order_id IS NULL; ANALYZE;";
    let order = "BEGIN;
INSERT INTO b_orders (wallet, amount) VALUES (1, 4940) RETURNING id AS order_id \\gset
UPDATE b_vouchers SET order_id = :order_id WHERE id = (SELECT id FROM b_vouchers WHERE order_id IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED);
INSERT INTO b_entries (order_id, account, amount) VALUES (:order_id, 'wallet', -4940), (:order_id, 'revenue', 4940);
UPDATE b_wallets SET available = available - 4940 WHERE id = 1 AND available >= 4940;
END;
";
    std::fs::write(script, order).unwrap();
    assert!(Command::new("psql").args([url, "-q", "-c", tables]).status().unwrap().success());
}

/// How many minimal orders a second pgbench does, one a transaction, on tables that are fresh: it slows as its index of
/// vouchers fills with those that are gone.
fn pgbench(url: &str, script: &Path) -> f64 {
    prepare_pgbench(url, script);
    let (clients, seconds) = (CLIENTS.to_string(), RUN.as_secs().to_string());
    let output = Command::new("pgbench")
        .args(["-n", "-M", "prepared", "-c", &clients, "-j", "2", "-T", &seconds, "-f"])
        .arg(script)
        .arg(url)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("tps")).expect("pgbench tells its tps");
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}

/// One engine's orders beside pgbench's: the ratio of each round, and the one in the middle.
fn compare(name: &str, orders: &[Load], minimal: &[f64]) {
    let ratios: Vec<f64> =
        orders.iter().zip(minimal).map(|(orders, minimal)| orders.rate / minimal).collect();
    let each: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.1}")).collect();
    let middle = median(ratios, |ratio| *ratio);
    let verdict = if middle >= AIM { "reached" } else { "missed" };
    println!(
        "- {name}: {middle:.1} times pgbench (rounds: {}); the aim of at least {AIM} is {verdict}.",
        each.join(", ")
    );
}

fn tell_process(subject: &Subject) {
    println!(
        "| {}: first start, which fills the sandbox / second start / resident memory idle, after the load | {:.1} s / {:.2} s / {} MB, {} MB | | |",
        subject.name,
        subject.filling.as_secs_f64(),
        subject.starting.as_secs_f64(),
        subject.idle_megabytes,
        resident_megabytes(&subject.server)
    );
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::main]
async fn main() {
    octopus_cards::outgoing::install_cryptography();
    let url = std::env::var("OCTOPUS_TEST_POSTGRES_URL").expect("run it by `make bench`");
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("sqlite/octopus.db").display());
    let sqlite = Subject::prepare("SQLite", &folder.path().join("sqlite"), &file).await;
    let postgres = Subject::prepare("PostgreSQL", &folder.path().join("postgres"), &url).await;
    let script = folder.path().join("order.sql");
    let slow = vendor::Vendor::start();
    slow.sell_to(&folder.path().join("sqlite"), &file);
    slow.sell_to(&folder.path().join("postgres"), &url);
    if std::env::args().any(|argument| argument == "vendor") {
        // For whoever works on that part alone. The servers have to hear of their vendor first.
        tokio::time::sleep(Duration::from_secs(1)).await;
        vendor::tell(&[slow.measure(&sqlite).await, slow.measure(&postgres).await]);
        return;
    }

    let (mut by_sqlite, mut by_postgres, mut minimal) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        by_sqlite.push(sqlite.orders(CLIENTS, format!("many-{round}")).await);
        by_postgres.push(postgres.orders(CLIENTS, format!("many-{round}")).await);
        minimal.push(pgbench(&url, &script));
    }

    println!("# The main job, measured\n");
    println!(
        "`make bench` repeats it and writes this page: release build, {CLIENTS} clients on the same machine, one wallet,\n\
         {ROUNDS} rounds of {} s in turn, the middle one shown; one order a request through GraphQL, its code in the answer.",
        RUN.as_secs()
    );
    println!(
        "{}, {} cores, {}; fsync and synchronous_commit on.\n",
        output_of("date", &["-u", "+%Y-%m-%d"]),
        output_of("nproc", &[]),
        output_of("psql", &["--version"])
    );
    println!("| what | rate | p50 ms | p99 ms |\n| --- | --- | --- | --- |");
    for (subject, orders) in [(&sqlite, &by_sqlite), (&postgres, &by_postgres)] {
        let name = subject.name;
        row(&format!("{name}: orders, {CLIENTS} clients"), median(orders.clone(), |load| load.rate));
        row(&format!("{name}: a lone order, one client"), subject.orders(1, "lone".to_owned()).await);
        row(&format!("{name}: catalog page of 20, {CLIENTS} clients"), subject.pages().await);
        tell_process(subject);
    }
    println!(
        "| pgbench: the minimal order, one a transaction, {CLIENTS} clients | {:.0}/s | | |\n",
        median(minimal.clone(), |rate| *rate)
    );
    println!("Durable orders through GraphQL beside pgbench:\n");
    compare("SQLite", &by_sqlite, &minimal);
    compare("PostgreSQL", &by_postgres, &minimal);
    vendor::tell(&[slow.measure(&sqlite).await, slow.measure(&postgres).await]);
}
