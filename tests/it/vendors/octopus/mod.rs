//! Another Octopus Cards as a vendor: the contract, with a real server as the vendor, and what is peculiar to it.
//! Always true: the vendor's books are a test's own, so that they are verified at its end. Not here: faults (`proxy.rs`).

mod mangling;
mod own;
mod proxy;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::money::Money;
use entity::state::RecipientKind;
use entity::timestamp::Timestamp;
use octopus_cards::domain::fulfillment::{
    Adapters, Cost, PurchaseRequest, Recipient, Secret, Vendor, VendorAccount,
};
use octopus_cards::vendors::ADAPTERS;
use reqwest::Method;
use serde_json::{Value, json};

use super::contract;
use super::hostile::Fault;
use super::stage::{Account, At, Stage};
use crate::support::app::TestApp;
use crate::support::catalog::{STEAM_50, TOPUP_FIXED, stock_csv};
use crate::support::poll;
use proxy::{HURRIED, Proxy, place};

/// What the server of the test at hand has of the product.
const STOCK: i32 = 200;

tokio::task_local! {
    /// The test's server, which a check's stage is opened on.
    static VENDOR: TestApp;
}

/// The adapter on an account of the first partner.
fn open(app: &TestApp, address: &str, username: &str, password: &str, timeout_ms: u32) -> Arc<dyn Vendor> {
    let credentials = [("username", username), ("password", password)];
    let account = VendorAccount {
        base_url: address.to_owned(),
        options: BTreeMap::new(),
        credentials: credentials.map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned()))).into(),
        currency: Currency::USD,
        timeout_ms,
    };
    let adapter = Adapters(ADAPTERS).find("octopus").expect("it is registered");
    (adapter.open)(account, app.clock.clone()).expect("the account is good")
}

/// The price of a unit of the product for the first partner, at scale 6.
async fn unit_micros(app: &TestApp) -> i64 {
    let partner = app.partner().await;
    let product = partner.rest(Method::GET, &format!("/api/v1/products/{STEAM_50}"), &Value::Null).await;
    let price: Decimal = product.body["price"]["unit_price"]["amount"].as_str().unwrap().parse().unwrap();
    Money::from_decimal(price, Currency::USD).unwrap().minor * 10_000
}

fn request(our_ref: &str, quantity: i32, unit_micros: i64) -> PurchaseRequest {
    PurchaseRequest {
        our_ref: our_ref.to_owned(),
        vendor_sku: STEAM_50.to_owned(),
        quantity,
        face: Money::from_minor(5_000, Currency::USD),
        expected_cost: Cost { micros: unit_micros * i64::from(quantity), currency: Currency::USD },
        highest_cost: Some(Cost { micros: unit_micros * i64::from(quantity), currency: Currency::USD }),
        recipient: None,
        vendor_ref: None,
        created_at: Timestamp::from_micros(0),
    }
}

/// A real server, behind a proxy.
struct OctopusStage {
    app: TestApp,
    proxy: Proxy,
    unit_micros: i64,
    good: Arc<dyn Vendor>,
    hurried: Arc<dyn Vendor>,
    is_short: AtomicBool,
}

impl OctopusStage {
    /// Has the other partner buy all but so many.
    async fn leave(&self, left: i32) {
        let other = self.app.other_partner().await;
        let order = json!({ "product_id": STEAM_50, "quantity": STOCK - left, "reference": "all-but-few", "currency": "USD" });
        other.rest(Method::POST, "/api/v1/orders", &order).await.expect_status(201);
    }

    async fn deliver_what_is_short(&self) {
        self.app.load_stock(&stock_csv(STEAM_50, "50", 500, 10)).await;
        let open = "SELECT count(*) FROM orders WHERE completed_at IS NULL";
        poll::until_true("stock is delivered", async || self.app.database.number(open).await == 0).await;
    }
}

impl Stage for OctopusStage {
    const CANNOT: &[Fault] = &[];

    async fn open() -> Self {
        let app = VENDOR.get();
        let proxy = Proxy::before(&app).await;
        let account = app.database.seed.partners[0].clone();
        let on = |username: &str, of: Account| {
            open(&app, &proxy.address, username, &account.password, of.timeout_ms())
        };
        let (good, hurried) = (on(&account.username, Account::Good), on(HURRIED, Account::Hurried));
        let unit_micros = unit_micros(&app).await;
        Self { proxy, unit_micros, good, hurried, is_short: AtomicBool::new(false), app }
    }

    fn vendor(&self, account: Account) -> Arc<dyn Vendor> {
        let seeded = &self.app.database.seed.partners[0];
        match account {
            Account::Good => Arc::clone(&self.good),
            Account::Hurried => Arc::clone(&self.hurried),
            Account::WrongKey => {
                open(&self.app, &self.proxy.address, &seeded.username, "wrong", account.timeout_ms())
            }
            Account::Nowhere => open(
                &self.app,
                "http://127.0.0.1:1",
                &seeded.username,
                &seeded.password,
                account.timeout_ms(),
            ),
        }
    }

    async fn play(&self, at: At, fault: Option<Fault>) {
        match fault {
            Some(Fault::Partial) => self.leave(7).await,
            Some(Fault::Pending) => {
                self.leave(1).await;
                self.is_short.store(true, Ordering::SeqCst);
            }
            _ => {}
        }
        let mut faults = self.proxy.faults.lock().unwrap();
        match fault {
            Some(fault) => faults.insert(place(at), fault),
            None => faults.remove(place(at)),
        };
    }

    fn request(&self, our_ref: &str, quantity: i32) -> PurchaseRequest {
        request(our_ref, quantity, self.unit_micros)
    }

    fn request_for_nobody(&self, our_ref: &str) -> Option<PurchaseRequest> {
        Some(PurchaseRequest {
            vendor_sku: TOPUP_FIXED.to_owned(),
            face: Money::from_minor(1_000, "JPY".parse().unwrap()),
            recipient: Some(Recipient {
                kind: RecipientKind::Phone,
                value: Secret::new("12-34-56".to_owned()),
            }),
            ..self.request(our_ref, 1)
        })
    }

    async fn booked(&self) -> Vec<String> {
        let _bought = self.proxy.buying.write().await;
        let partner = self.app.partner().await;
        let listed =
            partner.rest(Method::GET, "/api/v1/orders?sort=oldest_first&limit=100", &Value::Null).await;
        let orders = listed.body["data"].as_array().unwrap();
        orders.iter().map(|order| order["reference"].as_str().unwrap().to_owned()).collect()
    }

    fn currency(&self) -> Currency {
        Currency::USD
    }

    fn streamed_bytes(&self) -> u64 {
        self.proxy.streamed.load(Ordering::SeqCst)
    }

    fn advance_secs(&self, secs: i64) {
        if self.is_short.swap(false, Ordering::SeqCst) {
            let runtime = tokio::runtime::Handle::current();
            tokio::task::block_in_place(|| runtime.block_on(self.deliver_what_is_short()));
        }
        self.app.advance_secs(secs);
    }

    fn now(&self) -> Timestamp {
        self.app.now()
    }
}

/// A test of each check, on both databases.
macro_rules! checks {
    ($($check:ident)+) => {
        both_databases! {$(
            async fn $check(app: SmallCatalog) {
                VENDOR.scope(app, contract::$check::<OctopusStage>()).await;
            }
        )+}
    };
}

checks! {
    delivers_what_was_asked_for
    finds_the_same_goods_again
    knows_what_it_never_heard_of
    refuses_what_the_vendor_refuses
    refuses_a_recipient_that_cannot_receive
    makes_a_repeated_purchase_once
    delivers_what_there_is_of_a_batch
    waits_for_what_is_under_way
    takes_no_hostile_answer_for_a_fact
    takes_no_hostile_sighting_for_a_fact
    stops_reading_what_is_too_large
    says_when_it_was_turned_away
    tells_in_its_statement_what_was_bought
    tells_what_it_sells
    tells_of_listings_that_failed
    tells_its_balance
}
