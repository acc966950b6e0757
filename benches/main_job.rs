//! How fast the main job is: durable orders, a lone order, a catalog page, start-up and memory.
//!
//! `make bench` runs it beside a throw-away PostgreSQL with fsync on and writes benches/REPORT.md. Everything is measured in one
//! run on one machine, so that the ratios mean something where the figures do not carry over.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::float_arithmetic, clippy::as_conversions)]
#![allow(
    clippy::integer_division,
    clippy::disallowed_methods,
    reason = "figures for people, settings of one run"
)]
#![allow(missing_docs, reason = "a program")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const OCTOPUS: &str = env!("CARGO_BIN_EXE_octopus");
const CLIENTS: usize = 64;
const RUN: Duration = Duration::from_secs(10);
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

/// Runs requests from many clients for a while; tells how many a second, and the latencies in milliseconds at p50 and p99.
async fn load(
    clients: usize,
    url: &str,
    token: &str,
    body: impl Fn(u64) -> Value + Send + Sync + 'static,
) -> (f64, f64, f64) {
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
                assert!(answer.get("errors").is_none(), "{answer}");
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
    (latencies.len() as f64 / seconds, at(0.5), at(0.99))
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

async fn measure(name: &str, folder: PathBuf, database: &str) -> f64 {
    let (first, filling) = start(&folder, database).await;
    drop(first);
    let stock = folder.join("stock.csv");
    write_stock(&stock);
    assert!(
        command(&folder, database, &["stock", "import", stock.to_str().unwrap()]).status().unwrap().success()
    );
    let (server, starting) = start(&folder, database).await;
    let idle = resident_megabytes(&server);
    let token = sign_in(&folder, &server.url).await;
    let order = |prefix: &'static str| {
        move |number: u64| {
            let input = json!({ "productId": SKU, "quantity": 1, "reference": format!("{prefix}-{number}") });
            json!({ "query": ORDER, "variables": { "input": input } })
        }
    };
    let page = |_| json!({ "query": PAGE, "variables": {} });
    let (lone, lone_p50, lone_p99) = load(1, &server.url, &token, order("lone")).await;
    let (many, many_p50, many_p99) = load(CLIENTS, &server.url, &token, order("many")).await;
    let (pages, page_p50, page_p99) = load(CLIENTS, &server.url, &token, page).await;
    println!(
        "| {name}: orders, {CLIENTS} clients, one wallet | {many:.0}/s | {many_p50:.1} | {many_p99:.1} |"
    );
    println!("| {name}: orders, one client | {lone:.0}/s | {lone_p50:.1} | {lone_p99:.1} |");
    println!(
        "| {name}: catalog page of 20, {CLIENTS} clients | {pages:.0}/s | {page_p50:.1} | {page_p99:.1} |"
    );
    println!(
        "| {name}: first start with filling / second start / resident memory idle and after | {:.1} s / {:.2} s / {idle} MB, {} MB | | |",
        filling.as_secs_f64(),
        starting.as_secs_f64(),
        resident_megabytes(&server)
    );
    many
}

/// The minimal order, one a transaction, by pgbench: insert, guarded debit, two entries, one voucher with SKIP LOCKED.
fn pgbench(url: &str, folder: &Path) -> f64 {
    let tables = "DROP TABLE IF EXISTS b_orders, b_entries, b_wallets, b_vouchers;
        CREATE TABLE b_orders (id bigserial PRIMARY KEY, wallet bigint, amount bigint, at timestamptz DEFAULT now());
        CREATE TABLE b_entries (id bigserial PRIMARY KEY, order_id bigint, account text, amount bigint);
        CREATE TABLE b_wallets (id bigint PRIMARY KEY, available bigint CHECK (available >= 0));
        CREATE TABLE b_vouchers (id bigserial PRIMARY KEY, order_id bigint);
        INSERT INTO b_wallets VALUES (1, 1000000000000);
        INSERT INTO b_vouchers (order_id) SELECT NULL FROM generate_series(1, 300000);
        CREATE INDEX ON b_vouchers (id) WHERE order_id IS NULL; ANALYZE;";
    let script = "BEGIN;
INSERT INTO b_orders (wallet, amount) VALUES (1, 4940) RETURNING id AS order_id \\gset
UPDATE b_vouchers SET order_id = :order_id WHERE id = (SELECT id FROM b_vouchers WHERE order_id IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED);
INSERT INTO b_entries (order_id, account, amount) VALUES (:order_id, 'wallet', -4940), (:order_id, 'revenue', 4940);
UPDATE b_wallets SET available = available - 4940 WHERE id = 1 AND available >= 4940;
END;
";
    let file = folder.join("order.sql");
    std::fs::write(&file, script).unwrap();
    assert!(Command::new("psql").args([url, "-q", "-c", tables]).status().unwrap().success());
    let clients = CLIENTS.to_string();
    let output = Command::new("pgbench")
        .args(["-n", "-M", "prepared", "-c", &clients, "-j", "2", "-T", &RUN.as_secs().to_string(), "-f"])
        .arg(&file)
        .arg(url)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("tps")).expect("pgbench tells its tps");
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}

#[tokio::main]
async fn main() {
    let postgres = std::env::var("OCTOPUS_TEST_POSTGRES_URL").expect("run it by `make bench`");
    let folder = tempfile::tempdir().unwrap();
    let version = Command::new("psql").arg("--version").output().unwrap();
    println!("# The main job, measured\n");
    println!(
        "`make bench` repeats it: release build, {CLIENTS} clients on the same machine, {} s each,",
        RUN.as_secs()
    );
    println!("{}, fsync and synchronous_commit on.\n", String::from_utf8_lossy(&version.stdout).trim());
    println!("| what | rate | p50 ms | p99 ms |\n| --- | --- | --- | --- |");
    let sqlite_folder = folder.path().join("sqlite");
    std::fs::create_dir_all(&sqlite_folder).unwrap();
    let file = format!("sqlite:{}", sqlite_folder.join("octopus.db").display());
    let sqlite = measure("SQLite", sqlite_folder, &file).await;
    let postgres_folder = folder.path().join("postgres");
    std::fs::create_dir_all(&postgres_folder).unwrap();
    let orders = measure("PostgreSQL", postgres_folder, &postgres).await;
    let minimal = pgbench(&postgres, folder.path());
    println!(
        "| pgbench: the minimal order, one a transaction, {CLIENTS} clients, one wallet | {minimal:.0}/s | | |\n"
    );
    println!(
        "Orders through GraphQL beside pgbench: PostgreSQL {:.1}, SQLite {:.1} times.",
        orders / minimal,
        sqlite / minimal
    );
}
