//! Listings that cannot be believed, or not whole.
//! Always true: what is not believed is told, and nothing is sold by it that another catalog would not sell. Not here: catalogs
//! that are right (`catalogs.rs`), and what operators see of them (`operators/syncing.rs`).

use std::sync::Arc;

use octopus_cards::app as server;
use octopus_cards::clock::SeededIds;
use octopus_cards::domain::catalog;
use octopus_cards::domain::fulfillment::{self, Vanishing};
use octopus_cards::problem::Failure;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::catalogs::sync;
use crate::support::app::TestApp;
use crate::support::catalog::{EURO_20, RANGE_USD, STEAM_50};
use crate::support::listings::{Desk, but, item};
use crate::support::poll;
use crate::support::seed;
use crate::support::vendor::TestVendor;

const STANDING: &str =
    "SELECT vendor_sku || ' ' || status || ' ' || listed_available AS line FROM offers ORDER BY vendor_sku";
const MEBIBYTE: usize = 1024 * 1024;

async fn vendor_with_desk(app: &TestApp, name: &str) -> (TestVendor, Desk) {
    let vendor = TestVendor::open(app, name).await;
    let desk = Desk::instead_of(app, &vendor).await;
    (vendor, desk)
}

async fn refused(app: &TestApp, vendor: &TestVendor) -> String {
    let read = fulfillment::sync(&app.system(), vendor.row.id, Vanishing::Limited, &|_| ()).await;
    match read {
        Err(Failure::Refused(refusal)) => refusal.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn standing(app: &TestApp) -> Vec<String> {
    app.database.texts(STANDING).await
}

fn many(count: usize) -> Vec<Value> {
    (1..=count).map(|number| item(&format!("n{number:02}"), "Acme")).collect()
}

both_databases! {
    /// Two installations made their names by themselves: only the same goods are the same product.
    async fn a_sku_that_both_have_is_one_product_only_if_all_else_is_the_same(app: SmallCatalog) {
        let (acme, desk) = vendor_with_desk(&app, "acme").await;
        desk.list(&[item("4711", "Acme")]);
        sync(&app, acme.row.id).await;
        let steam = but(&but(&item("", "Steam Wallet"), "faces", json!({ "fixed": ["50"] })), "sku", json!(STEAM_50));
        let euro = |member: &str, value: Value| {
            let euro = but(&item(EURO_20, "Steam Wallet"), "faces", json!({ "fixed": ["20"] }));
            but(&but(&but(&euro, "currency", json!("EUR")), "country", json!("AT")), member, value)
        };
        let amazon = |brand: &str, max: &str| {
            let range = json!({ "range": { "min": "0.15", "max": max, "step": "0.01" } });
            but(&item(RANGE_USD, brand), "faces", range)
        };
        let cases = [
            // The name that our reading of our vendor's catalog made, which theirs of theirs made too.
            (item("acme.4711.10.00-usd", "Acme"), false),
            (steam.clone(), true),
            (but(&steam, "brand", json!("Another")), false),
            (but(&steam, "country", json!("CA")), false),
            (but(&steam, "currency", json!("CAD")), false),
            (but(&steam, "faces", json!({ "fixed": ["51"] })), false),
            (euro("name", json!("any")), true),
            (euro("delivery", json!("DIRECT")), false),
            (amazon("Amazon", "2000"), true),
            (amazon("Amazon", "1000"), false),
        ];
        for (number, (listed, is_ours)) in cases.into_iter().enumerate() {
            let (other, desk) = vendor_with_desk(&app, &format!("other{number}")).await;
            desk.list(std::slice::from_ref(&listed));
            sync(&app, other.row.id).await;
            let products = format!("SELECT product_id AS line FROM offers WHERE vendor_id = '{}'", other.row.id);
            let products = app.database.texts(&products).await;
            let ours = [listed["sku"].as_str().unwrap().to_owned()];
            assert_eq!(products == ours, is_ours, "{listed}: {products:?}");
            assert!(is_ours || products.iter().all(|product| product.starts_with("other")), "{products:?}");
        }
    }

    async fn a_listing_that_tells_one_item_twice_and_another_not_at_all_is_not_whole(app: SmallCatalog) {
        let (vendor, desk) = vendor_with_desk(&app, "acme").await;
        let all = many(4);
        desk.list(&all);
        sync(&app, vendor.row.id).await;
        let before = standing(&app).await;
        desk.list_in_turn(&[&[&all[..2], &[all[1].clone(), all[3].clone()]]]);
        assert_eq!(refused(&app, &vendor).await, "the catalog cannot be read: 3 of 4 items were told");
        assert_eq!(standing(&app).await, before);
    }

    async fn what_one_reading_lacks_and_the_next_has_does_not_vanish(app: SmallCatalog) {
        let (vendor, desk) = vendor_with_desk(&app, "acme").await;
        let all = many(4);
        desk.list(&all);
        sync(&app, vendor.row.id).await;
        // The first was withdrawn and the third moved over; then the first is back, and the fourth not yet told.
        desk.list_in_turn(&[&[&all[1..2], &all[3..]], &[&all[..3]]]);
        let report = sync(&app, vendor.row.id).await;
        assert_eq!((report.vanished.len(), report.unchanged), (0, 4));
        desk.list_in_turn(&[&[&all[1..]], &[&all[1..3]]]);
        assert_eq!(sync(&app, vendor.row.id).await.vanished, ["acme.n01.10.00-usd"]);
        let expected = ["n01 VANISHED", "n02 ACTIVE", "n03 ACTIVE", "n04 ACTIVE"];
        assert_eq!(standing(&app).await, expected.map(|line| format!("{line} 1000000")));
    }

    async fn a_catalog_that_cannot_be_read_any_more_is_not_taken_for_sold_out(app: SmallCatalog) {
        let (vendor, desk) = vendor_with_desk(&app, "acme").await;
        let all = many(24);
        desk.list(&all);
        sync(&app, vendor.row.id).await;
        let before = standing(&app).await;
        let unreadable: Vec<Value> = all.iter().map(|item| but(item, "country", json!(7))).collect();
        desk.list(&unreadable);
        let told = "24 of 24 offers are not listed any more, or cannot be read; nothing was changed: if that is true, run \
            `octopus vendor sync --allow-vanishing`";
        assert_eq!(refused(&app, &vendor).await, told);
        assert_eq!(standing(&app).await, before);
        let failure = "SELECT failure AS line FROM catalog_turns";
        assert_eq!(app.database.texts(failure).await, [told]);
        // One that cannot be read is not bought, and is told; none is left of all others, by their vendor's own word.
        let sold_out = all.iter().map(|item| but(item, "available", json!(0)));
        let mut listed: Vec<Value> = sold_out.collect();
        listed[0] = unreadable[0].clone();
        desk.list(&listed);
        let report = sync(&app, vendor.row.id).await;
        assert_eq!((report.changed, &*report.unreadable), (24, &["acme.n01.10.00-usd".to_owned()][..]));
        let doubt = "1 of its offers cannot be read, and nothing is bought by them: `octopus vendor sync` names them";
        assert_eq!(app.database.texts(failure).await, [doubt]);
        desk.list(&all);
        assert_eq!(sync(&app, vendor.row.id).await.changed, 24);
        assert_eq!(app.database.number("SELECT count(*) FROM catalog_turns WHERE failure IS NULL").await, 1);
    }

    async fn a_thing_without_a_name_stands_for_one_item_at_most(app: SmallCatalog) {
        let (vendor, desk) = vendor_with_desk(&app, "acme").await;
        let all = many(4);
        desk.list(&all);
        sync(&app, vendor.row.id).await;
        let nameless = json!({ "sku": 7 });
        desk.list(&[all[0].clone(), all[1].clone(), all[2].clone(), nameless.clone()]);
        let report = sync(&app, vendor.row.id).await;
        assert_eq!((report.vanished.len(), &*report.unreadable), (0, &["acme.n04.10.00-usd".to_owned()][..]));
        let lines = |last: [&str; 2]| ["n01 ACTIVE 1000000", "n02 ACTIVE 1000000", last[0], last[1]].map(str::to_owned);
        assert_eq!(standing(&app).await, lines(["n03 ACTIVE 1000000", "n04 ACTIVE 0"]));
        desk.list(&[all[0].clone(), all[1].clone(), nameless]);
        assert_eq!(sync(&app, vendor.row.id).await.vanished.len(), 2);
        assert_eq!(standing(&app).await, lines(["n03 VANISHED 1000000", "n04 VANISHED 0"]));
        // No offer has such a name: it stands for none.
        desk.list(&[all[0].clone(), item(&"n".repeat(201), "Acme"), item("", "Acme"), item("n\u{7}2", "Acme")]);
        let report = sync(&app, vendor.row.id).await;
        assert_eq!(report.vanished, ["acme.n02.10.00-usd"]);
        assert_eq!((report.items, report.left_out.len()), (4, 3), "{:?}", report.left_out);
    }

    async fn a_catalog_beyond_all_measure_is_not_taken_in(app: SmallCatalog) {
        let vendor = TestVendor::open(&app, "acme").await;
        app.database.execute("UPDATE vendors SET timeout_ms = 60000").await;
        let desk = Desk::instead_of(&app, &vendor).await;
        let faces: Vec<String> = (1..=1_000).map(|face| face.to_string()).collect();
        let faces = json!({ "fixed": faces });
        let items: Vec<Value> = many(99).iter().map(|item| but(item, "faces", faces.clone())).collect();
        let parts: Vec<&[Value]> = vec![&items, &items, &items];
        desk.list_in_turn(&[&parts]);
        let told = "the catalog cannot be read: its items come to more than 200000 products";
        assert_eq!(refused(&app, &vendor).await, told);
        desk.list_bytes(17, 8 * MEBIBYTE - 100);
        assert_eq!(refused(&app, &vendor).await, "the catalog cannot be read: it has more than 128 MiB");
        assert_eq!(app.database.number("SELECT count(*) FROM offers").await, 0);
        assert_eq!(app.database.number("SELECT count(*) FROM catalog_products").await, 0);
    }

    async fn a_reading_without_an_end_is_given_up(app: SmallCatalog) {
        let endless = TestVendor::open(&app, "endless").await;
        let clock = app.clock.clone();
        let desk = Desk::that(&app, &endless, move || clock.advance_millis(6_000_000)).await;
        desk.list_bytes(9, 0);
        let told = "the catalog cannot be read: its end was not reached in 10800 seconds";
        assert_eq!(refused(&app, &endless).await, told);
    }

    async fn a_vendor_that_is_slow_keeps_no_other_waiting(app: SmallCatalog) {
        let slow = TestVendor::open(&app, "slow").await;
        let quick = TestVendor::with_catalog(&app, "quick", &["acme_25,Acme,Acme Card 25 USD,25".to_owned()]).await;
        for vendor in [&slow, &quick] {
            sync(&app, vendor.row.id).await;
        }
        app.database.execute("UPDATE vendors SET timeout_ms = 120000").await;
        // It takes a connection, and never answers.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        fulfillment::move_vendor(&app.system(), "slow", &url).await.unwrap();
        // One process alone looks whose turn it is.
        app.stop().await;
        app.advance_secs(3_600);
        let since = app.now().micros();
        let config = seed::config(&app.database.url, app.database.folder.path());
        let node = server::open(config, app.clock.clone(), Arc::new(SeededIds::new(7))).await.unwrap();
        let deps = Arc::clone(&node);
        let looks = tokio::spawn(async move {
            let _both = tokio::join!(fulfillment::sync_once(&deps), fulfillment::tend_once(&deps));
        });
        for table in ["catalog_turns", "statement_turns"] {
            let read = format!("SELECT count(*) FROM {table} WHERE vendor_id = '{}' AND read_until >= {since}", quick.row.id);
            poll::until_true("the other one is read", async || app.database.number(&read).await == 1).await;
        }
        looks.abort();
        server::close(&node).await;
    }

    async fn what_a_vendor_says_is_kept_without_what_a_terminal_would_obey(app: SmallCatalog) {
        let (vendor, desk) = vendor_with_desk(&app, "acme").await;
        let ten = item("ten", "Ac\u{1b}[31mme");
        desk.list(&[
            but(&ten, "name", json!("Ten\u{7} dollars\r")),
            but(&item("odd", "Acme"), "delivery", json!("\u{1b}[2J")),
            item("\u{1b}]0;owned", "Acme"),
        ]);
        let report = sync(&app, vendor.row.id).await;
        assert_eq!((report.items, report.products_added, report.left_out.len()), (3, 1, 2));
        let odd = report.left_out.iter().find(|one| one.vendor_sku.as_deref() == Some("odd")).unwrap();
        assert!(odd.reason.contains(" [2J"), "{odd:?}");
        let told: Vec<_> = report.left_out.iter().flat_map(|one| [one.vendor_sku.as_deref(), Some(&one.reason)]).flatten().collect();
        assert!(!told.concat().contains(char::is_control), "{told:?}");
        let names = "SELECT p.name || '|' || b.name AS line FROM products p JOIN brands b ON b.slug = p.brand_slug WHERE p.id LIKE 'acme.%'";
        assert_eq!(app.database.texts(names).await, ["Ten  dollars|Ac [31mme"]);
    }

    async fn a_withdrawn_product_is_sold_again_whoever_sells_it(app: SmallCatalog) {
        let (acme, desk) = vendor_with_desk(&app, "acme").await;
        let all = many(2);
        desk.list(&all);
        sync(&app, acme.row.id).await;
        desk.list(&all[1..]);
        let product = "acme.n01.10.00-usd";
        assert_eq!(sync(&app, acme.row.id).await.withdrawn, [product]);
        let status = async || {
            catalog::refresh_catalog(&app.deps).await.unwrap();
            let snapshot = app.deps.feature::<catalog::Live>().snapshot();
            snapshot.product(product).unwrap().status.as_str()
        };
        assert_eq!(status().await, "PAUSED");
        // Another vendor's offer comes from a file.
        let (other, its_desk) = vendor_with_desk(&app, "other").await;
        other.sell(&app, &[(product, "ten")]).await;
        app.advance_secs(1);
        assert_eq!(status().await, "ACTIVE");
        // It vanishes there too, and the vendor that brought it says so first; then the other one lists it again.
        its_desk.list(&[]);
        sync(&app, other.row.id).await;
        assert_eq!(sync(&app, acme.row.id).await.withdrawn, [product]);
        assert_eq!(status().await, "PAUSED");
        its_desk.list(&[item("any_ten", "Acme")]);
        assert_eq!(sync(&app, other.row.id).await.restored, [product]);
        assert_eq!(status().await, "ACTIVE");
    }
}
