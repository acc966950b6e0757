//! The sandbox vendor as a program: `octopus vendor-sim`.
//! Always true: a killed vendor has all that it acknowledged, and what it may have bought besides is there whole or not at all.
//! Not here: what it does on request (`sandbox.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use entity::timestamp::Timestamp;
use octopus_cards::domain::fulfillment::{Delivery, Goods, Outcome, Secret, Sighting, Vendor};
use serde_json::Value;
use tokio::task::JoinSet;

use super::contract::{delivered, sighted, statement};
use super::sandbox::{KEY, adapter, request};
use crate::support::poll;
use crate::support::process::Binary;

const BUYERS: usize = 4;

fn opened(told: &Value, key: &str) -> Arc<dyn Vendor> {
    adapter(told["url"].as_str().unwrap(), key, 10_000).unwrap()
}

fn codes(delivery: &Delivery) -> Vec<String> {
    let code = |goods: &Goods| match goods {
        Goods::Code { contents, .. } => contents.code.as_ref().map_or("", Secret::expose).to_owned(),
        Goods::Receipt { number, .. } => number.clone(),
    };
    delivery.goods.iter().map(code).collect()
}

/// Buys until the vendor is gone: references with their codes, or without where no answer came.
async fn buy(
    vendor: Arc<dyn Vendor>,
    buyer: usize,
    done: Arc<AtomicUsize>,
    gone: Arc<AtomicBool>,
) -> Vec<(String, Option<Vec<String>>)> {
    let mut asked = Vec::new();
    for number in 0.. {
        let reference = format!("buyer-{buyer}-{number}");
        match vendor.purchase(&request("sandbox_ok", &reference, 2)).await {
            Outcome::Delivered(delivery) => {
                asked.push((reference, Some(codes(&delivery))));
                done.fetch_add(1, Ordering::SeqCst);
            }
            Outcome::Unknown(_) => asked.push((reference, None)),
            Outcome::Refused(refusal) => assert!(gone.load(Ordering::SeqCst), "{refusal:?}"),
        }
        if gone.load(Ordering::SeqCst) {
            break;
        }
    }
    asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_vendor_has_all_that_it_sold() {
    let folder = tempfile::tempdir().unwrap();
    let binary = Binary::in_folder(folder.path());
    let arguments = ["--key", KEY, "--ledger", "ledger.jsonl", "--seed"];
    let (mut process, told) = binary.sell(&[&arguments[..], &["5"]].concat()).await;
    let (done, gone) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut buyers = JoinSet::new();
    for buyer in 0..BUYERS {
        buyers.spawn(buy(opened(&told, KEY), buyer, Arc::clone(&done), Arc::clone(&gone)));
    }
    poll::until_true("forty purchases", async || done.load(Ordering::SeqCst) >= 40).await;
    // Before the kill: whoever is refused from now on has met a closed door.
    gone.store(true, Ordering::SeqCst);
    process.kill();
    let asked: Vec<_> = buyers.join_all().await.into_iter().flatten().collect();
    assert!(asked.iter().filter(|(_, codes)| codes.is_some()).count() >= 40);

    // Another seed would give other codes: what was sold is told from the books.
    let (_process, told) = binary.sell(&[&arguments[..], &["6"]].concat()).await;
    let vendor = opened(&told, KEY);
    let mut sold = BTreeMap::new();
    for (reference, codes_told) in asked {
        let request = request("sandbox_ok", &reference, 2);
        match codes_told {
            Some(expected) => assert_eq!(codes(&sighted(vendor.find(&request).await)), expected),
            None => {
                let sighting = vendor.find(&request).await;
                assert!(matches!(sighting, Sighting::Delivered(_) | Sighting::NotFound), "{sighting:?}");
            }
        }
        let again = delivered(vendor.purchase(&request).await);
        assert_eq!(again.goods.len(), 2);
        sold.insert(reference, again.vendor_ref);
    }
    let lines = statement(&*vendor, Timestamp::from_micros(0)).await;
    assert_eq!(lines.len(), sold.len());
    for line in lines {
        assert_eq!(sold.get(line.our_ref.as_ref().unwrap()), Some(&line.vendor_ref));
    }
}

#[tokio::test]
async fn a_vendor_that_is_given_no_key_makes_one() {
    let folder = tempfile::tempdir().unwrap();
    let binary = Binary::in_folder(folder.path());
    let (process, told) =
        binary.sell(&["--catalog", concat!(env!("CARGO_MANIFEST_DIR"), "/data/catalog.csv")]).await;
    let vendor = opened(&told, told["key"].as_str().unwrap());
    delivered(vendor.purchase(&request("steam_wallet_50_usd", "k-1", 1)).await);
    let stranger = opened(&told, "a-guess").purchase(&request("steam_wallet_50_usd", "k-2", 1)).await;
    assert!(matches!(stranger, Outcome::Refused(_)), "{stranger:?}");
    assert_eq!(process.stop().await, Some(0));
}

#[tokio::test]
async fn one_vendor_alone_writes_its_books() {
    let folder = tempfile::tempdir().unwrap();
    let binary = Binary::in_folder(folder.path());
    let (_process, _) = binary.sell(&["--ledger", "ledger.jsonl"]).await;
    let words = ["vendor-sim", "--address", "127.0.0.1:0", "--ledger", "ledger.jsonl"];
    let ended = binary.run(&words).await.expect_code(1);
    assert!(ended.stderr.contains("another process writes it"), "{ended:?}");
}
