//! The adapter `sandbox` on the sandbox vendor: the shared contract, and what this vendor can do beyond it.
//! Always true: each test has a vendor of its own, in memory, whose clock only the test moves. Not here: the vendor as a
//! program (`program.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use entity::currency::Currency;
use entity::money::Money;
use entity::state::RecipientKind;
use entity::timestamp::Timestamp;
use octopus_cards::clock::{Clock as _, FixedClock};
use octopus_cards::domain::fulfillment::{
    BadAccount, Cost, Goods, Outcome, PurchaseRequest, Recipient, RefusalKind, Secret, Sighting, Vendor,
    VendorAccount,
};
use octopus_cards::simulator::{self, BEHAVIOURS, Options, Question, Simulator};
use octopus_cards::vendors::ADAPTERS;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::contract::{delivered, refused, sighted, statement, vendor_contract};
use super::hostile::Fault;
use super::stage::{Account, At, Stage};
use crate::support::client::Client;
use crate::support::poll;

const KEY: &str = "the-key-of-the-tests";
const START: Timestamp = Timestamp::from_micros(1_795_373_640_000_000);

/// A vendor inside this process, which ends with it.
pub struct SandboxStage {
    simulator: Simulator,
    clock: Arc<FixedClock>,
    url: String,
    _stop: oneshot::Sender<()>,
}

/// The adapter, opened on the sandbox vendor at an address.
pub fn adapter(base_url: &str, key: &str, timeout_ms: u32) -> Result<Arc<dyn Vendor>, BadAccount> {
    let account = VendorAccount {
        base_url: base_url.to_owned(),
        options: BTreeMap::new(),
        credentials: BTreeMap::from([("api_key".to_owned(), Secret::new(key.to_owned()))]),
        currency: Currency::USD,
        timeout_ms,
    };
    let adapter = ADAPTERS.iter().find(|adapter| adapter.name == "sandbox").expect("it is registered");
    (adapter.open)(account, Arc::new(FixedClock::at(START)))
}

/// A purchase of codes of 50 dollars.
pub fn request(sku: &str, our_ref: &str, quantity: i32) -> PurchaseRequest {
    PurchaseRequest {
        our_ref: our_ref.to_owned(),
        vendor_sku: sku.to_owned(),
        quantity,
        face: Money::from_minor(5_000, Currency::USD),
        expected_cost: Cost { micros: 47_500_000 * i64::from(quantity), currency: Currency::USD },
        recipient: None,
        vendor_ref: None,
        created_at: START,
    }
}

fn request_for(sku: &str, our_ref: &str, kind: RecipientKind, name: &str) -> PurchaseRequest {
    let recipient = Recipient { kind, value: Secret::new(name.to_owned()) };
    PurchaseRequest { recipient: Some(recipient), ..request(sku, our_ref, 1) }
}

impl SandboxStage {
    async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let clock = Arc::new(FixedClock::at(START));
        let mut options = Options { page: 3, ..Options::new(KEY.to_owned(), 7) };
        change(&mut options);
        let simulator = Simulator::open(options, clock.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(simulator::serve(listener, simulator.clone(), async {
            let _ = stopped.await;
        }));
        Self { simulator, clock, url, _stop: stop }
    }

    fn good(&self) -> Arc<dyn Vendor> {
        self.vendor(Account::Good)
    }

    /// What the vendor answers to a call that the adapter never makes.
    async fn call(&self, path: &str, key: &str, body: Value) -> (StatusCode, Value) {
        let call = Client::new(self.url.as_str()).request(Method::POST, path).bearer_auth(key).json(&body);
        let answer = call.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }
}

impl Stage for SandboxStage {
    const CANNOT: &[Fault] = &[];

    async fn open() -> Self {
        Self::with(|_| ()).await
    }

    fn vendor(&self, account: Account) -> Arc<dyn Vendor> {
        let url = if account == Account::Nowhere { "http://127.0.0.1:1" } else { &self.url };
        let key = if account == Account::WrongKey { "another-key" } else { KEY };
        adapter(url, key, account.timeout_ms()).unwrap()
    }

    async fn play(&self, at: At, fault: Option<Fault>) {
        let question = match at {
            At::Purchase => Question::Purchase,
            At::Find => Question::Find,
            At::Statement => Question::Statement,
            At::Catalog => Question::Products,
        };
        self.simulator.play(question, None, fault.map(behaviour)).unwrap();
    }

    fn request(&self, our_ref: &str, quantity: i32) -> PurchaseRequest {
        request("sandbox_ok", our_ref, quantity)
    }

    fn request_for_nobody(&self, our_ref: &str) -> Option<PurchaseRequest> {
        Some(request_for("sandbox_topup", our_ref, RecipientKind::Phone, "+491510000"))
    }

    async fn booked(&self) -> Vec<String> {
        self.simulator.booked().into_iter().map(|purchase| purchase.reference).collect()
    }

    fn currency(&self) -> Currency {
        Currency::USD
    }

    fn streamed_bytes(&self) -> u64 {
        self.simulator.streamed_bytes()
    }

    fn advance_secs(&self, secs: i64) {
        self.clock.advance_millis(secs * 1_000);
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The behaviour that plays a fault.
fn behaviour(fault: Fault) -> &'static str {
    match fault {
        Fault::OutOfStock => "out_of_stock",
        Fault::NotSold => "not_sold",
        Fault::NoFunds => "no_funds",
        Fault::Unauthorized => "unauthorized",
        Fault::TooOften => "too_many",
        Fault::Partial => "partial",
        Fault::Pending => "pending",
        Fault::SilentBought => "timeout_bought",
        Fault::SilentLost => "timeout_lost",
        Fault::ErrorBought => "error_bought",
        Fault::ErrorLost => "error_lost",
        Fault::Down => "down",
        Fault::ClosedBought => "closed_bought",
        Fault::ClosedLost => "closed_lost",
        Fault::CutMidway => "cut_midway",
        Fault::HtmlFine => "html_bought",
        Fault::HtmlBad => "html_lost",
        Fault::Truncated => "truncated",
        Fault::Huge => "huge",
        Fault::GzipBomb => "gzip_bomb",
        Fault::Drip => "drip",
        Fault::Twice => "twice",
        Fault::OtherReference => "other_reference",
        Fault::WrongCurrency => "wrong_currency",
        Fault::WrongFace => "wrong_face",
        Fault::More => "more",
        Fault::Fewer => "fewer",
    }
}

vendor_contract!(SandboxStage);

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
async fn a_reference_that_bought_something_else_is_a_doubt() {
    let stage = SandboxStage::open().await;
    let vendor = stage.good();
    delivered(vendor.purchase(&request("one", "same", 1)).await);
    for other in [request("two", "same", 1), request("one", "same", 2)] {
        let Outcome::Unknown(doubt) = vendor.purchase(&other).await else { panic!("no fact") };
        assert_eq!(doubt.http_status, Some(409));
        assert!(matches!(vendor.find(&other).await, Sighting::Unclear(_)));
    }
    assert_eq!(stage.booked().await, ["same"]);
}

#[tokio::test]
async fn what_has_no_code_is_credited_to_its_recipient() {
    let stage = SandboxStage::open().await;
    let vendor = stage.good();
    let request = request_for("sandbox_player", "p-1", RecipientKind::PlayerId, "player-77");
    let delivery = delivered(vendor.purchase(&request).await);
    let Goods::Receipt { number, face } = &delivery.goods[0] else { panic!("{delivery:?}") };
    assert_eq!((number.len(), *face), (12, Some(request.face)));
    let wrong = request_for("sandbox_player", "p-2", RecipientKind::Phone, "+49151");
    assert_eq!(refused(vendor.purchase(&wrong).await).kind, RefusalKind::BadRecipient);
    // A check that cannot be made leaves the purchase unsent.
    stage.simulator.play(Question::Recipient, None, Some("html_bought")).unwrap();
    let unsent = request_for("sandbox_player", "p-3", RecipientKind::PlayerId, "player-77");
    let refusal = refused(vendor.purchase(&unsent).await);
    assert!(refusal.kind.is_passing(), "{refusal:?}");
    assert_eq!(stage.booked().await, ["p-1"]);
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
fn an_account_without_its_parts_is_refused() {
    let field = |url: &str, key: &str| adapter(url, key, 1_000).err().map(|bad| bad.field);
    assert_eq!(field("ftp://vendor.example", KEY).as_deref(), Some("base_url"));
    assert_eq!(field("http://vendor.example", "").as_deref(), Some("api_key"));
    assert_eq!(field("http://vendor.example", "a key").as_deref(), Some("api_key"));
    assert_eq!(field("http://vendor.example", KEY), None);
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
