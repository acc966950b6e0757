//! Two Octopus Cards, one behind the other: the first buys from the second, which is killed in the middle.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};

use entity::currency::Currency;
use entity::state::OfferStatus;
use octopus_cards::domain::fulfillment::{self, AddVendor, CostRule, NewOffer, Retention, Secret};

use super::{end, input};
use crate::orders::order;
use crate::support::app::TestApp;
use crate::support::catalog::{EURO_20, stock_csv};
use crate::support::database::{Contents, TestDatabase};
use crate::support::poll;
use crate::support::process::Binary;
use crate::support::seed::config;

/// The second one, on a database of its own, at an address that outlives a kill.
pub fn second(database: &TestDatabase, address: SocketAddr) -> Binary {
    Binary::on(database)
        .with("OCTOPUS_ENV", "sandbox")
        .with("OCTOPUS_LOG", "warn")
        .with("OCTOPUS_PUBLIC_URL", &format!("http://{address}"))
}

/// The first one's account at the second, in euros.
pub fn account_at(address: SocketAddr, database: &TestDatabase) -> AddVendor {
    let account = &database.seed.partners[0];
    let credentials = [("username", &account.username), ("password", &account.password)]
        .map(|(name, value)| (name.to_owned(), Secret::new(value.clone())));
    AddVendor {
        name: "second".to_owned(),
        adapter: "octopus".to_owned(),
        base_url: format!("http://{address}"),
        options: BTreeMap::new(),
        credentials: BTreeMap::from(credentials),
        currency: euro(),
        priority: 0,
        timeout_ms: 5_000,
        requests_per_second: None,
        concurrent_requests: Some(2),
        largest_batch: Some(2),
        settle_window_secs: None,
        retention: Retention::Store,
    }
}

fn euro() -> Currency {
    "EUR".parse().expect("a currency")
}

async fn buy_from(app: &TestApp, address: SocketAddr, database: &TestDatabase) {
    let vendor = fulfillment::add_vendor(&app.system(), account_at(address, database))
        .await
        .expect("the account is good");
    let offer = NewOffer {
        product: EURO_20.to_owned(),
        vendor_sku: EURO_20.to_owned(),
        status: OfferStatus::Active,
        // What it costs there in euros, where nothing is converted; here it is sold for dollars.
        cost: CostRule { currency: euro(), factor: "0.96".parse().expect("a number"), fee_micros: 0 },
        priority: 0,
        min_face_minor: None,
        max_face_minor: None,
        max_quantity: 1_000,
        available: None,
    };
    let system = app.system();
    fulfillment::put_offers(&system, vendor.id, vec![offer], &|_| ()).await.expect("the offer is good");
    fulfillment::refresh(&app.deps).await.expect("the database answers");
}

both_databases! {
    async fn the_second_of_two_is_killed_in_the_middle_and_sells_each_unit_once(app: SmallCatalog) {
        let partner = app.partner().await;
        let upstream = TestDatabase::fresh(app.database.dialect(), Contents::SmallCatalog).await;
        upstream.seed.write_keys(&config(&upstream.url, upstream.folder.path()));
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let binary = second(&upstream, address);
        let codes = upstream.folder.path().join("codes.csv");
        std::fs::write(&codes, stock_csv(EURO_20, "20", 1, 60)).unwrap();
        binary.run(&["stock", "import", codes.to_str().unwrap()]).await.expect_code(0);
        let mut process = binary.serve_at(address).await;
        buy_from(&app, address, &upstream).await;

        order(&partner, input(EURO_20, 60, "chained")).await.payload("createOrder");
        let bought = "SELECT count(*) FROM purchases WHERE state = 'DELIVERED'";
        poll::until_true("the second one sells", async || app.database.number(bought).await >= 4).await;
        process.kill();
        process = binary.serve_at(address).await;
        let ended = end(&app, &partner, "chained").await;
        assert_eq!(ended.text("order.status"), "DELIVERED");
        assert_eq!(ended.number("order.deliveredQuantity"), 60);
        assert_eq!(process.stop().await, Some(0));

        // What the second one sold is what the first one bought, reference by reference.
        let ours = "SELECT our_ref || ' ' || delivered_quantity AS line FROM purchases WHERE state = 'DELIVERED' ORDER BY line";
        let sold = "SELECT reference || ' ' || delivered_quantity AS line FROM orders ORDER BY line";
        assert_eq!(app.database.texts(ours).await, upstream.texts(sold).await);
        assert_eq!(upstream.number("SELECT sum(delivered_quantity) FROM orders").await, 60);
        binary.run(&["verify"]).await.expect_code(0);
        upstream.remove().await;
    }
}
