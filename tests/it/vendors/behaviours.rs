//! What the sandbox vendor does on request: behaviours by product, quantity, seed and script.
//! Always true: each test has a vendor of its own, in memory, whose clock only the test moves. Not here: what an adapter owes
//! (`contract.rs`), and the vendor as a program (`program.rs`).

use entity::currency::Currency;
use octopus_cards::domain::fulfillment::{Cost, Goods, Outcome, RefusalKind, Secret, Sighting};
use octopus_cards::simulator::BEHAVIOURS;
use reqwest::StatusCode;
use serde_json::json;

use super::contract::{delivered, refused, sighted, statement};
use super::sandbox::{KEY, START, SandboxStage, request};
use super::stage::{Account, Stage as _};
use crate::support::poll;

/// Code and link of each unit that was bought.
fn codes(goods: &[Goods]) -> Vec<[Option<&str>; 2]> {
    goods
        .iter()
        .map(|goods| {
            let Goods::Code { contents, .. } = goods else { panic!("no code: {goods:?}") };
            [contents.code.as_ref().map(Secret::expose), contents.redemption_url.as_ref().map(Secret::expose)]
        })
        .collect()
}

#[tokio::test]
async fn a_product_s_name_says_what_happens() {
    let stage = SandboxStage::open().await;
    let vendor = stage.good();
    let refusal = refused(vendor.purchase(&request("sandbox_out_of_stock_late", "n-1", 1)).await);
    assert_eq!((refusal.kind, refusal.message.as_str()), (RefusalKind::OutOfStock, "there are none left"));
    let refusal = refused(vendor.purchase(&request("sandbox_price_changed", "n-2", 1)).await);
    assert_eq!(refusal.kind, RefusalKind::PriceChanged);
    let dear = delivered(vendor.purchase(&request("sandbox_price_drift", "n-3", 2)).await);
    assert_eq!(dear.cost, Some(Cost { micros: 118_750_000, currency: Currency::USD }));
    let expired = delivered(vendor.purchase(&request("sandbox_expired_code", "n-4", 1)).await);
    let Goods::Code { expires_at: Some(expires_at), .. } = &expired.goods[0] else { panic!("{expired:?}") };
    assert_eq!(START.micros_since(*expires_at), 31_536_000_000_000);
    let link = delivered(vendor.purchase(&request("sandbox_link_only", "n-5", 1)).await);
    let [[None, Some(url)]] = codes(&link.goods)[..] else { panic!("{link:?}") };
    assert!(url.starts_with("https://redeem.sandbox.invalid/"), "{url}");
    let mut same = Vec::new();
    for number in 6..8 {
        let request = request("sandbox_duplicate_code", &format!("n-{number}"), 2);
        same.push(delivered(vendor.purchase(&request).await));
    }
    assert_eq!(codes(&same[0].goods), codes(&same[1].goods));
    assert_ne!(codes(&same[0].goods)[0], codes(&same[0].goods)[1]);
    delivered(vendor.purchase(&request("sandbox_slow_50ms", "n-8", 1)).await);
    assert_eq!(stage.booked().await, ["n-3", "n-4", "n-5", "n-6", "n-7", "n-8"]);
}

#[tokio::test]
async fn a_rule_for_a_quantity_holds_for_that_quantity_alone() {
    let stage = SandboxStage::with(|options| options.at_quantity = vec![(13, "partial".to_owned())]).await;
    let vendor = stage.good();
    for (quantity, goods) in [(12, 12), (13, 9), (14, 14)] {
        let request = request("anything", &format!("q-{quantity}"), quantity);
        assert_eq!(delivered(vendor.purchase(&request).await).goods.len(), goods);
    }
}

#[tokio::test]
async fn what_appears_late_is_unknown_until_then() {
    let stage = SandboxStage::open().await;
    let vendor = stage.good();
    let request = request("sandbox_late_sighting_20s", "late-1", 1);
    assert!(matches!(vendor.purchase(&request).await, Outcome::Unknown(_)));
    stage.advance_secs(19);
    assert!(matches!(vendor.find(&request).await, Sighting::NotFound));
    assert_eq!(statement(&*vendor, START).await, []);
    stage.advance_secs(1);
    assert_eq!(sighted(vendor.find(&request).await).goods.len(), 1);
    assert_eq!(statement(&*vendor, START).await.len(), 1);
}

#[tokio::test]
async fn what_is_pending_may_still_be_refused() {
    let stage = SandboxStage::open().await;
    let vendor = stage.good();
    let request = request("sandbox_pending_refused_5s", "pend-1", 1);
    let Outcome::Unknown(doubt) = vendor.purchase(&request).await else { panic!("it is pending") };
    let Sighting::Pending { vendor_ref } = vendor.find(&request).await else { panic!("it is pending") };
    assert!(vendor_ref.is_some() && doubt.vendor_ref == vendor_ref, "{doubt:?}");
    stage.advance_secs(5);
    let Sighting::Refused(refusal) = vendor.find(&request).await else { panic!("it is refused") };
    assert_eq!(refusal.kind, RefusalKind::OutOfStock);
    assert_eq!(refused(vendor.purchase(&request).await), refusal);
    assert_eq!(stage.booked().await, [""; 0]);
}

#[tokio::test]
async fn what_was_lost_is_sold_when_it_is_sent_again() {
    let stage = SandboxStage::open().await;
    let vendor = stage.good();
    for name in ["sandbox_error_lost", "sandbox_closed_lost", "sandbox_html_lost"] {
        let request = request(name, &name.replace('_', "-"), 1);
        assert!(matches!(vendor.purchase(&request).await, Outcome::Unknown(_)), "{name}");
        assert!(matches!(vendor.find(&request).await, Sighting::NotFound), "{name}");
        delivered(vendor.purchase(&request).await);
    }
    assert_eq!(stage.booked().await.len(), 3);
}

#[tokio::test]
async fn it_turns_away_whoever_comes_too_often() {
    let stage = SandboxStage::with(|options| options.requests_per_second = Some(2)).await;
    let vendor = stage.good();
    for round in 0..2 {
        for number in 0..2 {
            delivered(vendor.purchase(&request("ok", &format!("r-{round}-{number}"), 1)).await);
        }
        let refusal = refused(vendor.purchase(&request("ok", &format!("r-{round}-2"), 1)).await);
        assert_eq!((refusal.kind, refusal.retry_after_secs), (RefusalKind::TooMany, Some(1)));
        stage.advance_secs(1);
    }
}

#[tokio::test]
async fn it_turns_away_whoever_comes_beside_too_many_others() {
    let stage = SandboxStage::with(|options| options.concurrent = Some(1)).await;
    let hung = tokio::spawn({
        let vendor = stage.good();
        async move { vendor.purchase(&request("sandbox_timeout_bought", "c-1", 1)).await }
    });
    poll::until_true("the first is inside", async || !stage.booked().await.is_empty()).await;
    let refusal = refused(stage.good().purchase(&request("ok", "c-2", 1)).await);
    assert_eq!(refusal.kind, RefusalKind::TooMany);
    hung.abort();
    // The caller who has hung up makes room.
    poll::until_true("there is room", async || {
        matches!(stage.good().purchase(&request("ok", "c-3", 1)).await, Outcome::Delivered(_))
    })
    .await;
}

/// How two dozen purchases ended, and what the vendor has of them.
async fn played(seed: u64, sku: &str, rate: &str) -> Vec<String> {
    let rate = rate.parse().unwrap();
    let stage = SandboxStage::with(|options| (options.seed, options.fault_rate) = (seed, rate)).await;
    let vendor = stage.vendor(Account::Hurried);
    let mut ends = Vec::new();
    for number in 0..24 {
        let outcome = vendor.purchase(&request(sku, &format!("f-{number}"), 3)).await;
        let end = format!("{outcome:?}");
        ends.push(end.split(['(', ' ']).next().unwrap().to_owned());
    }
    ends.extend(stage.booked().await);
    ends
}

#[tokio::test]
async fn the_same_seed_meets_the_same_faults() {
    let (once, again, other) =
        tokio::join!(played(3, "any", "0.4"), played(3, "any", "0.4"), played(4, "any", "0.4"));
    assert_eq!(once, again);
    assert_ne!(once, other);
    let faults = once[..24].iter().filter(|end| *end != "Delivered").count();
    assert!((3..20).contains(&faults), "{once:?}");
    assert_eq!(played(3, "any", "0").await[..24], ["Delivered"; 24]);
    let (flaps, again) = tokio::join!(played(5, "sandbox_flapping", "0"), played(5, "sandbox_flapping", "0"));
    assert_eq!(flaps, again);
    let down = flaps[..24].iter().filter(|end| *end == "Unknown").count();
    assert!((6..18).contains(&down), "{flaps:?}");
}

#[tokio::test]
async fn a_script_changes_what_happens_for_whoever_has_the_key() {
    let stage = SandboxStage::open().await;
    let script = json!({ "on": "purchase", "sku": "one", "behaviour": "down" });
    let (status, told) = stage.call("/script", "another-key", script.clone()).await;
    assert_eq!((status, &told["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthorized")));
    assert_eq!(stage.call("/script", KEY, script).await.0, StatusCode::OK);
    let vendor = stage.good();
    assert!(matches!(vendor.purchase(&request("one", "s-1", 1)).await, Outcome::Unknown(_)));
    delivered(vendor.purchase(&request("two", "s-2", 1)).await);
    let ended = json!({ "on": "purchase", "sku": "one", "behaviour": null });
    assert_eq!(stage.call("/script", KEY, ended).await.0, StatusCode::OK);
    delivered(vendor.purchase(&request("one", "s-1", 1)).await);
    for bad in [json!({ "on": "purchase", "behaviour": "magic" }), json!({ "on": "tea" }), json!({})] {
        let (status, told) = stage.call("/script", KEY, bad).await;
        assert_eq!((status, &told["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("malformed")));
    }
}

#[tokio::test]
async fn a_request_that_is_none_buys_nothing() {
    let stage = SandboxStage::open().await;
    let good =
        json!({ "reference": "w-1", "sku": "one", "quantity": 1, "face_value": "50", "currency": "USD" });
    let changes = [
        ("reference", json!("")),
        ("reference", json!("w 1")),
        ("quantity", json!(0)),
        ("quantity", json!("1")),
        ("face_value", json!(50)),
        ("face_value", json!("-50")),
        ("face_value", json!("0.001")),
        ("currency", json!("XXX")),
        ("colour", json!("red")),
    ];
    for (member, value) in changes {
        let mut body = good.clone();
        body[member] = value;
        let (status, told) = stage.call("/purchases", KEY, body.clone()).await;
        assert_eq!(
            (status, &told["error"]["code"]),
            (StatusCode::BAD_REQUEST, &json!("malformed")),
            "{body}"
        );
    }
    assert_eq!(stage.booked().await, [""; 0]);
    assert_eq!(stage.call("/purchases", KEY, good.clone()).await.0, StatusCode::CREATED);
    assert_eq!(stage.call("/purchases", KEY, good).await.0, StatusCode::OK);
}

#[test]
fn the_page_lists_every_behaviour_as_the_table_has_it() {
    let page = include_str!("../../../docs/vendor-sim.md");
    for row in BEHAVIOURS {
        let time = match row.default_ms {
            0 => String::new(),
            ms if ms % 1_000 == 0 => format!("{} s", ms / 1_000),
            ms => format!("{ms} ms"),
        };
        let line = format!("| `{}` | {} | {time} |", row.name, row.happens);
        assert!(page.lines().any(|have| have == line), "docs/vendor-sim.md lacks:\n{line}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| `") && line.split('|').count() == 5).count();
    assert_eq!(rows, BEHAVIOURS.len(), "docs/vendor-sim.md has a row too many");
}
