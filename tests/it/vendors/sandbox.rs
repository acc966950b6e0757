//! The adapter `sandbox` on the sandbox vendor: the shared contract, and what is peculiar to this adapter.
//! Always true: each test has a vendor of its own, in memory, whose clock only the test moves. Not here: what the
//! vendor does on request (`behaviours.rs`), and the vendor as a program (`program.rs`).

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
use octopus_cards::simulator::{self, Options, Question, Simulator};
use octopus_cards::vendors::ADAPTERS;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::contract::{delivered, refused, vendor_contract};
use super::hostile::Fault;
use super::stage::{Account, At, Stage};
use crate::support::client::Client;

pub const KEY: &str = "the-key-of-the-tests";
pub const START: Timestamp = Timestamp::from_micros(1_795_373_640_000_000);

/// A vendor inside this process, which ends with it.
pub struct SandboxStage {
    pub simulator: Simulator,
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
        highest_cost: None,
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
    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
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

    pub fn good(&self) -> Arc<dyn Vendor> {
        self.vendor(Account::Good)
    }

    /// What the vendor answers to a call that the adapter never makes.
    pub async fn call(&self, path: &str, key: &str, body: Value) -> (StatusCode, Value) {
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

#[test]
fn an_account_without_its_parts_is_refused() {
    let field = |url: &str, key: &str| adapter(url, key, 1_000).err().map(|bad| bad.field);
    assert_eq!(field("ftp://vendor.example", KEY).as_deref(), Some("base_url"));
    assert_eq!(field("http://vendor.example", "").as_deref(), Some("api_key"));
    assert_eq!(field("http://vendor.example", "a key").as_deref(), Some("api_key"));
    assert_eq!(field("http://vendor.example", KEY), None);
}
