//! Vendors' catalogs that are read by themselves, and those of vendors that others run.
//! Always true: what a reading brought is bought like anything else. Not here: what follows from a listing (`operators/syncing.rs`).

use std::net::TcpListener;

use entity::currency::Currency;
use entity::money::Money;
use entity::state::PriceRuleSubject;
use octopus_cards::domain::fulfillment::{self, AddVendor, Retention, Secret, SyncReport, Vanishing};
use octopus_cards::domain::{catalog, pricing};
use octopus_cards::simulator::Amendment;

use super::chained::{account_at, second};
use super::{end, input};
use crate::orders::order;
use crate::support::app::TestApp;
use crate::support::catalog::{EURO_20, STEAM_50, stock_csv};
use crate::support::database::{Contents, TestDatabase};
use crate::support::poll;
use crate::support::seed::config;
use crate::support::vendor::TestVendor;
use crate::vendors::reloadly::ReloadlyStage;
use crate::vendors::stage::{Account, Stage as _};

/// Reloadly's card of five dollars, as its catalog brings it.
pub const XBOX_5: &str = "reloadly.13948.5.00-usd";

/// Has a catalog read.
pub async fn sync(app: &TestApp, vendor: entity::ids::VendorId) -> SyncReport {
    fulfillment::refresh(&app.deps).await.unwrap();
    let read = fulfillment::sync(&app.system(), vendor, Vanishing::Limited, &|_| ()).await;
    catalog::refresh_catalog(&app.deps).await.unwrap();
    fulfillment::refresh(&app.deps).await.unwrap();
    read.unwrap()
}

both_databases! {
    async fn a_catalog_is_read_again_by_itself_once_an_operator_had_it_read(app: SmallCatalog) {
        let lines = ["acme_25,Acme,Acme Card 25 USD,25".to_owned()];
        let (vendor, other) = (TestVendor::with_catalog(&app, "acme", &lines).await, TestVendor::open(&app, "other").await);
        other.sell(&app, &[(STEAM_50, "sandbox_ok")]).await;
        let offers = "SELECT vendor_sku || ' ' || status AS line FROM offers ORDER BY vendor_sku";
        app.advance_secs(7_200);
        // Nobody has asked for it yet: nothing is imported, and what was put on record by hand stays.
        assert_eq!(fulfillment::sync_once(&app.deps).await.unwrap(), []);
        assert_eq!(app.database.texts(offers).await, ["any_sandbox_ok ACTIVE"]);
        sync(&app, vendor.row.id).await;
        assert!(vendor.simulator.amend("acme_25", Amendment { factor: Some("0.7".parse().unwrap()), ..Amendment::default() }));
        app.advance_secs(3_599);
        assert_eq!(fulfillment::sync_once(&app.deps).await.unwrap(), []);
        app.advance_secs(1);
        // The server's own look may be the one that reads it.
        let latest = "SELECT count(*) FROM offer_costs WHERE factor = '0.7'";
        poll::until_true("the new cost is known", async || {
            fulfillment::sync_once(&app.deps).await.unwrap();
            app.database.number(latest).await == 1
        })
        .await;
        assert_eq!(app.database.texts(offers).await, ["acme_25 ACTIVE", "any_sandbox_ok ACTIVE"]);
    }

    async fn another_octopus_sells_what_both_have(app: SmallCatalog) {
        let partner = app.partner().await;
        let upstream = TestDatabase::fresh(app.database.dialect(), Contents::SmallCatalog).await;
        upstream.seed.write_keys(&config(&upstream.url, upstream.folder.path()));
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        // There, an order may have one.
        upstream.execute(&format!("UPDATE products SET max_quantity = 1 WHERE id = '{EURO_20}'")).await;
        let binary = second(&upstream, address);
        let codes = upstream.folder.path().join("codes.csv");
        std::fs::write(&codes, stock_csv(EURO_20, "20", 1, 5)).unwrap();
        binary.run(&["stock", "import", codes.to_str().unwrap()]).await.expect_code(0);
        let process = binary.serve_at(address).await;
        let vendor = fulfillment::add_vendor(&app.system(), account_at(address, &upstream)).await.unwrap();
        let report = sync(&app, vendor.id).await;
        assert_eq!(report.items, usize::try_from(upstream.number("SELECT count(*) FROM products").await).unwrap());
        // What both have is one product; what only the second one has, such as its rehearsals, would be another here.
        let same = format!("SELECT product_id || ' ' || status AS line FROM offers WHERE vendor_sku IN ('{EURO_20}', '{STEAM_50}') ORDER BY 1");
        assert_eq!(app.database.texts(&same).await, [format!("{STEAM_50} ACTIVE"), format!("{EURO_20} ACTIVE")]);
        let others = "SELECT count(*) FROM offers WHERE product_id <> vendor_sku AND vendor_sku NOT LIKE 'sandbox%'";
        assert_eq!(app.database.number(others).await, 0);
        let again = sync(&app, vendor.id).await;
        assert_eq!((again.added, again.changed, again.unchanged), (0, 0, report.added));
        order(&partner, input(EURO_20, 2, "chained")).await.payload("createOrder");
        assert_eq!(end(&app, &partner, "chained").await.text("order.status"), "DELIVERED");
        let orders = "SELECT '' || delivered_quantity AS line FROM orders";
        assert_eq!(upstream.texts(orders).await, ["1", "1"]);
        assert_eq!(process.stop().await, Some(0));
        upstream.remove().await;
    }

    async fn each_face_value_of_reloadly_becomes_a_product_that_is_bought(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = add_reloadly(&app).await;
        let report = sync(&app, vendor.1).await;
        // 198 fillers, three face values of Xbox, two in euros, two in dong, and two ranges; one needs a user.
        assert_eq!((report.items, report.products_added, report.left_out.len()), (204, 207, 1), "{:?}", report.left_out);
        let names = "SELECT name || ' ' || redemption_instructions AS line FROM products WHERE id LIKE 'reloadly.13948.%' ORDER BY face_minor";
        let value = |value: &str| format!("Xbox Live US {value} USD Enter the code.");
        assert_eq!(app.database.texts(names).await, ["5.00", "10.00", "25.00"].map(value));
        price_xbox(&app).await;
        order(&partner, input(XBOX_5, 2, "cards")).await.payload("createOrder");
        assert_eq!(end(&app, &partner, "cards").await.text("order.status"), "DELIVERED");
        let again = sync(&app, vendor.1).await;
        assert_eq!((again.products_added, again.added, again.changed, again.unchanged), (0, 0, 0, 207));
    }
}

/// Has the card cost two dollars more: it costs a dollar above its value there, and nothing is sold below what it costs.
pub async fn price_xbox(app: &TestApp) {
    let fee = pricing::RuleValue::Fee(Money::from_minor(200, Currency::USD));
    let (partner, subject_kind) = (None, PriceRuleSubject::Product);
    let about = pricing::RuleTarget { partner, subject_kind, subject: XBOX_5.to_owned() };
    pricing::set_rule(&app.system(), about, fee).await.unwrap();
    pricing::refresh(&app.deps).await.unwrap();
}

/// Reloadly's replica, at the test's time, as a vendor.
pub async fn add_reloadly(app: &TestApp) -> (ReloadlyStage, entity::ids::VendorId) {
    let stage = ReloadlyStage::open().await;
    stage.advance_secs(app.now().seconds() - stage.now().seconds());
    let account = stage.account(Account::Good);
    let command = AddVendor {
        name: "reloadly".to_owned(),
        adapter: "reloadly".to_owned(),
        base_url: account.base_url,
        options: account.options,
        credentials: account
            .credentials
            .into_iter()
            .map(|(name, secret)| (name, Secret::new(secret.expose().to_owned())))
            .collect(),
        currency: account.currency,
        priority: 0,
        timeout_ms: account.timeout_ms,
        requests_per_second: Some(1_000),
        concurrent_requests: None,
        largest_batch: None,
        settle_window_secs: None,
        retention: Retention::Store,
    };
    let vendor = fulfillment::add_vendor(&app.system(), command).await.unwrap();
    fulfillment::refresh(&app.deps).await.unwrap();
    (stage, vendor.id)
}
