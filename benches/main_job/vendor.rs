//! A unit from a vendor: how long its buyer waits, beside how long the vendor takes.
//!
//! The vendor is `octopus vendor-sim`, which takes 150 ms for each answer. Orders and direct calls take turns, so that what the
//! machine does besides harms both alike.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::{OCTOPUS, ORDER, Subject, command, is_delivered, median, post};

/// How long the vendor takes for an answer.
const LATENCY_MS: &str = "150";
/// How much more a buyer may wait, at the median.
const AIM_MS: f64 = 50.0;
/// How often each is measured.
const ORDERS: usize = 60;
/// What is bought; the sandbox's own vendor sells it too, for more.
const SKU: &str = "sandbox_ok";
const KEY: &str = "bench";

/// The running vendor.
pub struct Vendor {
    child: Child,
    url: String,
}

impl Drop for Vendor {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// How long a buyer and a direct caller waited, in milliseconds, at the median.
pub struct Waits {
    name: &'static str,
    bought: f64,
    direct: f64,
}

impl Vendor {
    pub fn start() -> Self {
        let arguments = ["vendor-sim", "--address", "127.0.0.1:0", "--key", KEY, "--latency-ms", LATENCY_MS];
        let mut child = Command::new(OCTOPUS).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }

    /// Makes it the cheapest vendor of a server that runs.
    pub fn sell_to(&self, folder: &Path, database: &str) {
        let (keys, offers) = (folder.join("slow.json"), folder.join("slow.csv"));
        std::fs::write(&keys, json!({ "api_key": KEY }).to_string()).unwrap();
        let rows = format!("product,vendor_sku,cost_currency,cost_factor\n{SKU},bench,USD,0.5\n");
        std::fs::write(&offers, rows).unwrap();
        let account = ["--adapter", "sandbox", "--base-url", &self.url, "--currency", "USD", "--credentials"];
        let add = [&["vendor", "add", "slow"], &account[..], &[keys.to_str().unwrap()]].concat();
        assert!(command(folder, database, &add).status().unwrap().success());
        let import = ["offers", "import", "slow", offers.to_str().unwrap()];
        assert!(command(folder, database, &import).status().unwrap().success());
    }

    /// Orders single units and calls the vendor, in turn.
    pub async fn measure(&self, subject: &Subject) -> Waits {
        let client = reqwest::Client::new();
        let (mut bought, mut direct) = (Vec::new(), Vec::new());
        for number in 0..ORDERS {
            let begin = Instant::now();
            let input = json!({ "productId": SKU, "quantity": 1, "reference": format!("vendor-{number}") });
            let body = json!({ "query": ORDER, "variables": { "input": input } });
            let answer = post(&client, &subject.server.url, &subject.token, &body).await;
            assert!(is_delivered(&answer), "{answer}");
            bought.push(begin.elapsed().as_secs_f64() * 1_000.0);
            let begin = Instant::now();
            self.buy(&client, &format!("{}-{number}", subject.name)).await;
            direct.push(begin.elapsed().as_secs_f64() * 1_000.0);
        }
        let middle = |all| median(all, |wait: &f64| *wait);
        Waits { name: subject.name, bought: middle(bought), direct: middle(direct) }
    }

    async fn buy(&self, client: &reqwest::Client, reference: &str) {
        let wanted = json!({ "reference": reference, "sku": "bench", "quantity": 1, "face_value": "10", "currency": "USD" });
        let request = client.post(format!("{}/purchases", self.url)).bearer_auth(KEY).json(&wanted);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "delivered", "{answer}");
    }
}

/// Tells what was measured, and whether the aim is reached.
pub fn tell(all: &[Waits]) {
    println!(
        "\nOne unit from a vendor that takes {LATENCY_MS} ms for its answer, in the answer to its order, at the median of {ORDERS}:\n"
    );
    for Waits { name, bought, direct } in all {
        let above = bought - direct;
        let verdict = if above <= AIM_MS { "reached" } else { "missed" };
        println!(
            "- {name}: {bought:.0} ms, and {direct:.0} ms by a direct call of the vendor: {above:.0} ms above; the aim of at most {AIM_MS:.0} is {verdict}."
        );
    }
}
