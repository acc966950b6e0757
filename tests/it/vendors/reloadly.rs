//! The Reloadly adapter on its replica: the contract that all adapters owe, and a folder with what is peculiar to this one.
//! Always true: what the adapter says is held against the replica's books, to the last digit.
//! Not here: the replica (`reloadly_replica/`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use entity::currency::Currency;
use entity::money::Money;
use entity::timestamp::Timestamp;
use octopus_cards::clock::Clock;
use octopus_cards::domain::fulfillment::{
    Adapters, BadAccount, Cost, Delivery, Goods, PurchaseRequest, Secret, Vendor, VendorAccount,
};
use octopus_cards::vendors::ADAPTERS;

use super::contract::vendor_contract;
use super::hostile::Fault;
use super::reloadly_replica::{CLIENT_ID, CLIENT_SECRET, Product, Replica, XBOX_US, number, place, shown};
use super::stage::{Account, At, Stage};

mod account;
mod cards;
mod catalog;
pub mod hints;
mod lookups;
mod orders;
mod statements;
mod tokens;

vendor_contract!(ReloadlyStage);

/// The replica, and the accounts that it knows.
pub struct ReloadlyStage {
    pub replica: Arc<Replica>,
}

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1";
pub const WEBHOOK_SECRET: &str = "webhook-secret-of-octopus";

impl ReloadlyStage {
    /// What the adapter is opened with.
    pub fn account(&self, account: Account) -> VendorAccount {
        let address = if account == Account::Nowhere { NOWHERE } else { &self.replica.address };
        let secret = if account == Account::WrongKey { "not-the-secret" } else { CLIENT_SECRET };
        let credentials =
            [("client_id", CLIENT_ID), ("client_secret", secret), ("webhook_secret", WEBHOOK_SECRET)];
        VendorAccount {
            base_url: address.to_owned(),
            options: BTreeMap::from([("auth_url".to_owned(), address.to_owned())]),
            credentials: credentials
                .map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned())))
                .into(),
            currency: Currency::USD,
            timeout_ms: account.timeout_ms(),
        }
    }

    /// The adapter on such an account.
    pub fn open_with(&self, account: VendorAccount) -> Result<Arc<dyn Vendor>, BadAccount> {
        let adapter = Adapters(ADAPTERS).find("reloadly").expect("it is registered");
        let clock: Arc<dyn Clock> = self.replica.clock.clone();
        (adapter.open)(account, clock)
    }

    /// The adapter on the account that works.
    pub fn good(&self) -> Arc<dyn Vendor> {
        self.vendor(Account::Good)
    }

    /// A purchase of cards of a product.
    pub fn order(&self, our_ref: &str, product: &Product, face: &str, quantity: i32) -> PurchaseRequest {
        let face = Money::parse(face, product.currency.parse().unwrap()).unwrap();
        let expected = product.price(&number(&face.amount()), i64::from(quantity));
        PurchaseRequest {
            our_ref: our_ref.to_owned(),
            vendor_sku: product.id.to_string(),
            quantity,
            face,
            expected_cost: dollars(&shown(&expected, 6)),
            highest_cost: None,
            recipient: None,
            vendor_ref: None,
            created_at: self.replica.clock.now(),
        }
    }
}

impl Stage for ReloadlyStage {
    // It has no error for what is out of stock, and never says that the rest will not come.
    const CANNOT: &[Fault] = &[Fault::OutOfStock, Fault::Partial];

    async fn open() -> Self {
        Self { replica: Replica::open().await }
    }

    fn vendor(&self, account: Account) -> Arc<dyn Vendor> {
        self.open_with(self.account(account)).unwrap()
    }

    async fn play(&self, at: At, fault: Option<Fault>) {
        let mut faults = self.replica.faults.lock().unwrap();
        match fault {
            Some(fault) => faults.insert(place(at), fault),
            None => faults.remove(place(at)),
        };
    }

    fn request(&self, our_ref: &str, quantity: i32) -> PurchaseRequest {
        self.order(our_ref, &XBOX_US, "5.00", quantity)
    }

    fn request_for_nobody(&self, _: &str) -> Option<PurchaseRequest> {
        None
    }

    async fn booked(&self) -> Vec<String> {
        let books = self.replica.books.lock().unwrap();
        books.booked.iter().filter_map(|booked| booked.identifier.clone()).collect()
    }

    fn currency(&self) -> Currency {
        Currency::USD
    }

    fn streamed_bytes(&self) -> u64 {
        self.replica.streamed.load(Ordering::SeqCst)
    }

    fn advance_secs(&self, secs: i64) {
        self.replica.clock.advance_millis(secs * 1_000);
    }

    fn now(&self) -> Timestamp {
        self.replica.clock.now()
    }
}

/// Dollars as costs are counted.
pub fn dollars(amount: &str) -> Cost {
    let micros = shown(&number(amount), 6).replace('.', "").parse().unwrap();
    Cost { micros, currency: Currency::USD }
}

/// Code, pin, serial and link of each card.
pub fn texts(delivery: &Delivery) -> Vec<String> {
    let text = |secret: &Option<Secret>| secret.as_ref().map_or("", Secret::expose).to_owned();
    let of_one = |goods: &Goods| {
        let Goods::Code { contents, .. } = goods else { panic!("no code: {goods:?}") };
        [&contents.code, &contents.pin, &contents.serial, &contents.redemption_url].map(text).join("|")
    };
    delivery.goods.iter().map(of_one).collect()
}
