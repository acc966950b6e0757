//! Which vendor a unit is bought from, and how many units at once.

use entity::timestamp::Timestamp;
use octopus_cards::domain::pricing;
use octopus_cards::store::engine_clock;
use serde_json::json;

use super::{end, find, input};
use crate::orders::{codes, order};
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::{DIRECT_PLAYER, EURO_20, STEAM_50, stock_csv};
use crate::support::poll;
use crate::support::vendor::{Terms, TestVendor, assert_agreed};

/// Which vendors were bought from, in the order of the purchases.
async fn bought_from(app: &TestApp) -> Vec<String> {
    let sql = "SELECT v.name AS line FROM purchases p JOIN vendors v ON v.id = p.vendor_id ORDER BY p.id";
    app.database.texts(sql).await
}

/// Has a dollar buy so many euros, from now on.
async fn have_a_dollar_buy(app: &TestApp, euros: &str) {
    let file = format!("base,quote,rate,as_of,source\nUSD,EUR,{euros},{},test\n", app.now());
    pricing::import_rates(&app.system(), file.as_bytes()).await.expect("the rate is good");
}

/// Orders a card for 20 euros more than is in stock, for dollars.
async fn order_one_too_many(app: &TestApp, partner: &Partner) {
    app.load_stock(&stock_csv(EURO_20, "20", 1, 1)).await;
    let mut wanted = input(EURO_20, 2, "one-too-many");
    wanted["currency"] = json!("USD");
    order(partner, wanted).await.payload("createOrder");
}

/// Waits until the order was looked at once more in vain; tells how often it was by then.
async fn until_looked_at(app: &TestApp, before: i64) -> i64 {
    let asleep = "SELECT count(*) FROM order_units WHERE status = 'PENDING' AND next_at IS NULL";
    poll::until("it was looked at in vain", async || {
        let epoch =
            app.database.number("SELECT lease_epoch FROM orders WHERE reference = 'one-too-many'").await;
        (epoch > before && app.database.number(asleep).await == 1).then_some(epoch)
    })
    .await
}

async fn until_delivered(partner: &Partner, reference: &str) {
    poll::until_true("it is delivered", async || {
        find(partner, reference).await.text("order.status") == "DELIVERED"
    })
    .await;
}

both_databases! {
    async fn own_stock_goes_first_and_vendors_deliver_what_it_lacks(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(STEAM_50, "sandbox_ok")]).await;
        order(&partner, input(STEAM_50, 199, "most")).await.payload("createOrder");
        assert!(bought_from(&app).await.is_empty());
        let placed = order(&partner, json!({ "productId": STEAM_50, "quantity": 3, "reference": "last", "waitMs": 10_000 })).await;
        placed.payload("createOrder");
        assert_eq!(placed.text("createOrder.order.status"), "DELIVERED");
        assert_eq!(codes(&placed).len(), 3);
        assert_eq!(app.database.texts("SELECT CAST(quantity AS TEXT) FROM purchases").await, ["2"]);
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn the_cheapest_vendor_goes_first_and_the_next_one_when_it_refuses(app: SmallCatalog) {
        let partner = app.partner().await;
        let dear = TestVendor::open(&app, "dear").await;
        let cheap = TestVendor::open(&app, "cheap").await;
        dear.sell_for(&app, &[(EURO_20, "sandbox_ok")], "0.85").await;
        cheap.sell_for(&app, &[(EURO_20, "sandbox_out_of_stock_late")], "0.80").await;
        order(&partner, input(EURO_20, 1, "over")).await.payload("createOrder");
        assert_eq!(end(&app, &partner, "over").await.text("order.status"), "DELIVERED");
        assert_eq!(bought_from(&app).await, ["cheap", "dear"]);
        let route = app.database.texts("SELECT route FROM purchases ORDER BY id").await;
        assert!(route[1].contains("\"REFUSED\""), "the second route says why the first vendor was not asked: {route:?}");
        assert_agreed(&app, &[&dear, &cheap]).await;
    }

    /// Nobody says that the rate has changed but the rate itself.
    async fn a_unit_that_costs_too_much_is_bought_once_the_rate_is_better(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        have_a_dollar_buy(&app, "1.0").await;
        order_one_too_many(&app, &partner).await;
        have_a_dollar_buy(&app, "0.5").await;
        let looked_at = until_looked_at(&app, 0).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        until_looked_at(&app, looked_at).await;
        assert!(bought_from(&app).await.is_empty(), "it costs twice what it was sold for");
        have_a_dollar_buy(&app, "1.0").await;
        until_delivered(&partner, "one-too-many").await;
        assert_agreed(&app, &[&vendor]).await;
    }

    /// In a production rates have an age limit; the bundled ones are older.
    async fn nothing_is_bought_by_a_stale_rate_but_what_is_paid_and_sold_in_one_currency(app: SmallCatalog) {
        let partner = app.new_partner("Ada", "EUR").await;
        app.credit(&partner, ("USD", 100_000), "dollars").await;
        let vendor = TestVendor::open(&app, "only").await;
        order_one_too_many(&app, &partner).await;
        app.database.execute("UPDATE installation SET environment = 'production'").await;
        app.database.execute("UPDATE versions SET version = version + 1 WHERE subject = 'rates'").await;
        let rate = "{ exchangeRate(base: \"USD\", quote: \"EUR\") { stale } }";
        poll::until_true("the server judges by the limit", async || {
            partner.graphql(rate, json!({})).await.at("exchangeRate.stale") == true
        })
        .await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let mut wanted = input(EURO_20, 1, "euros");
        wanted["currency"] = json!("EUR");
        order(&partner, wanted).await.payload("createOrder");
        until_delivered(&partner, "euros").await;
        let bought = "SELECT reference AS line FROM purchases p JOIN orders o ON o.id = p.order_id ORDER BY p.id";
        assert_eq!(app.database.texts(bought).await, ["euros"]);
        have_a_dollar_buy(&app, "1.0").await;
        until_delivered(&partner, "one-too-many").await;
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn a_vendor_that_may_have_bought_is_asked_before_another_one(app: SmallCatalog) {
        let partner = app.partner().await;
        let spare = TestVendor::open(&app, "spare").await;
        let cheap = TestVendor::open(&app, "cheap").await;
        spare.sell_for(&app, &[(EURO_20, "sandbox_ok")], "0.85").await;
        cheap.sell_for(&app, &[(EURO_20, "sandbox_down")], "0.80").await;
        let begun = app.now();
        order(&partner, input(EURO_20, 1, "down")).await.payload("createOrder");
        poll::until_true("it is in doubt", async || {
            app.database.number("SELECT count(*) FROM purchases WHERE state = 'UNKNOWN'").await == 1
        }).await;
        assert_eq!(bought_from(&app).await, ["cheap"]);
        // Known not to have been bought only when asked three times over the settle window, twice: it was sent again once.
        assert_eq!(end(&app, &partner, "down").await.text("order.status"), "DELIVERED");
        // Sent again, it is asked about as soon as the first time: within a minute, and not within hours.
        let secs = app.now().micros_since(begun).div_euclid(1_000_000);
        assert!((60..400).contains(&secs), "it took {secs} seconds");
        assert_eq!(bought_from(&app).await, ["cheap", "spare"]);
        assert_eq!(app.database.texts("SELECT state || ' ' || sends FROM purchases ORDER BY id").await,
            ["NOT_EXECUTED 2", "DELIVERED 1"]);
        assert_agreed(&app, &[&spare, &cheap]).await;
    }

    async fn nothing_is_bought_for_more_than_it_is_sold_for(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell_for(&app, &[(EURO_20, "sandbox_ok")], "1.5").await;
        order(&partner, input(EURO_20, 1, "loss")).await.expect_user_errors("createOrder", &[("OUT_OF_STOCK", "input.quantity")]);
        assert!(bought_from(&app).await.is_empty());
    }

    async fn an_order_on_a_charge_is_held_against_the_costs_of_its_day(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell_for(&app, &[(EURO_20, "sandbox_ok")], "0.8").await;
        let quoted = partner.graphql("mutation { createCharge(input: { productId: \"steam_wallet_at_20_eur\", quantity: 1 }) {
            charge { id } userErrors { code } } }", json!({})).await;
        let charge = quoted.text("createCharge.charge.id").to_owned();
        app.advance_secs(60);
        vendor.sell_for(&app, &[(EURO_20, "sandbox_ok")], "1.5").await;
        let without = order(&partner, input(EURO_20, 1, "today")).await;
        without.expect_user_errors("createOrder", &[("OUT_OF_STOCK", "input.quantity")]);
        order(&partner, json!({ "chargeId": charge, "reference": "kept", "waitMs": 0 })).await.payload("createOrder");
        assert_eq!(end(&app, &partner, "kept").await.text("order.status"), "DELIVERED");
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn a_large_order_goes_in_batches_to_as_many_vendors_as_it_takes(app: SmallCatalog) {
        let partner = app.partner().await;
        let narrow = Terms { largest_batch: 10, concurrent_requests: 2, ..Terms::default() };
        let cheap = TestVendor::on_terms(&app, "cheap", narrow).await;
        let dear = TestVendor::on_terms(&app, "dear", narrow).await;
        cheap.sell_for(&app, &[(EURO_20, "sandbox_ok")], "0.8").await;
        dear.sell_for(&app, &[(EURO_20, "sandbox_partial")], "0.85").await;
        order(&partner, input(EURO_20, 120, "bulk")).await.payload("createOrder");
        let ended = end(&app, &partner, "bulk").await;
        assert_eq!(ended.text("order.status"), "DELIVERED", "{ended:#?}");
        assert_eq!(ended.list("order.vouchers").len(), 120);
        assert!(app.database.number("SELECT max(quantity) FROM purchases").await <= 10);
        let from = bought_from(&app).await;
        assert!(from.contains(&"cheap".to_owned()) && from.contains(&"dear".to_owned()), "{from:?}");
        assert_agreed(&app, &[&cheap, &dear]).await;
    }

    async fn a_vendor_that_fails_is_left_alone_and_tried_again(app: SmallCatalog) {
        let partner = app.partner().await;
        let one = Terms { largest_batch: 1, ..Terms::default() };
        let vendor = TestVendor::on_terms(&app, "only", one).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_unauthorized")]).await;
        order(&partner, input(EURO_20, 6, "closed")).await.payload("createOrder");
        poll::until_true("its circuit opens", async || {
            app.database.number("SELECT count(*) FROM vendor_health WHERE open_until > 0").await > 0
        }).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let ended = end(&app, &partner, "closed").await;
        assert_eq!(ended.text("order.status"), "DELIVERED");
        assert_eq!(app.database.number("SELECT count(*) FROM vendor_health WHERE failures > 0").await, 0);
        assert_agreed(&app, &[&vendor]).await;
    }

    /// Six purchases of one product fail, one after the other or at once; of another one, the vendor sells as before.
    async fn a_product_that_fails_closes_its_vendor_for_itself_and_two_close_it_for_all(app: SmallCatalog) {
        const OTHER: &str = "steam_wallet_at_50_eur";
        let partner = app.partner().await;
        let one = Terms { largest_batch: 1, ..Terms::default() };
        let vendor = TestVendor::on_terms(&app, "only", one).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_error_bought"), (OTHER, "sandbox_ok")]).await;
        let failures = async |product: &str| {
            let sql = format!("SELECT coalesce(max(failures), 0) FROM vendor_health WHERE product_id = '{product}'");
            app.database.number(&sql).await
        };
        order(&partner, input(EURO_20, 6, "fails")).await.payload("createOrder");
        poll::until_true("its circuit opens", async || failures(EURO_20).await == 6).await;
        let placed = order(&partner, json!({ "productId": OTHER, "reference": "sells", "waitMs": 10_000 })).await;
        assert_eq!(placed.text("createOrder.order.status"), "DELIVERED");
        assert_eq!((failures("").await, failures(OTHER).await), (0, 0));
        vendor.sell(&app, &[(OTHER, "sandbox_error_bought")]).await;
        order(&partner, input(OTHER, 6, "fails-too")).await.payload("createOrder");
        poll::until_true("all circuits open", async || failures(OTHER).await == 6).await;
        assert_eq!((failures("").await, failures(EURO_20).await), (6, 6));
        for reference in ["fails", "fails-too"] {
            assert_eq!(end(&app, &partner, reference).await.text("order.status"), "DELIVERED");
        }
        assert_agreed(&app, &[&vendor]).await;
    }

    /// The recipient does not open, neither when the purchase is sent nor when the vendor is asked.
    async fn a_trouble_of_ours_is_none_of_the_vendors(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(DIRECT_PLAYER, "sandbox_ok")]).await;
        let clock = engine_clock(app.deps.database.backend());
        app.database.execute(&format!("UPDATE vendor_limits SET free_at = {clock} + 300000000")).await;
        let wanted = json!({ "productId": DIRECT_PLAYER, "reference": "one", "waitMs": 0, "recipient": { "playerId": "player-77" } });
        order(&partner, wanted).await.payload("createOrder");
        let broken = "CREATE TABLE kept AS SELECT recipient FROM orders;
            UPDATE orders SET recipient = (SELECT v.sealed FROM vouchers v LIMIT 1); UPDATE vendor_limits SET free_at = 0";
        app.database.execute(broken).await;
        let doubts = async |reason: &str| {
            let sql = format!("SELECT count(*) FROM purchase_calls WHERE message = '{reason}: its recipient did not open'");
            app.database.number(&sql).await
        };
        poll::until_true("it cannot be sent", async || doubts("it was not sent").await == 1).await;
        app.advance_secs(6);
        poll::until_true("nor be asked about", async || doubts("it was not asked").await == 1).await;
        assert_eq!(app.database.number("SELECT count(*) FROM vendor_health").await, 0);
        assert!(vendor.simulator.arrivals().is_empty());
        app.database.execute("UPDATE orders SET recipient = (SELECT k.recipient FROM kept k); DROP TABLE kept").await;
        assert_eq!(end(&app, &partner, "one").await.text("order.status"), "DELIVERED");
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn a_unit_tells_by_when_it_is_known_what_became_of_what_was_sent_again(app: SmallCatalog) {
        let partner = app.partner().await;
        let spare = TestVendor::open(&app, "spare").await;
        let cheap = TestVendor::open(&app, "cheap").await;
        spare.sell_for(&app, &[(EURO_20, "sandbox_ok")], "0.85").await;
        cheap.sell_for(&app, &[(EURO_20, "sandbox_down")], "0.80").await;
        order(&partner, input(EURO_20, 1, "down")).await.payload("createOrder");
        let in_doubt = |sends: i64| format!("SELECT count(*) FROM purchases WHERE state = 'UNKNOWN' AND sends = {sends}");
        let mut told = Vec::new();
        for sends in [1, 2] {
            poll::until_within(poll::PATIENCE * 4, "it is in doubt", async || {
                if app.database.number(&in_doubt(sends)).await == 1 {
                    return Some(());
                }
                app.advance_secs(i64::from(sends > 1));
                None
            }).await;
            let resolves_by = Timestamp::from_micros(app.database.number("SELECT resolves_by FROM purchases").await).to_string();
            assert_eq!(find(&partner, "down").await.text("order.units.nodes.0.resolvesBy"), resolves_by, "sent {sends} times");
            told.push(resolves_by);
        }
        assert!(told[0] < told[1], "{told:?}");
        assert_eq!(end(&app, &partner, "down").await.text("order.status"), "DELIVERED");
        assert_agreed(&app, &[&spare, &cheap]).await;
    }

    async fn a_paused_vendor_is_not_bought_from(app: SmallCatalog) {
        use entity::state::VendorStatus;
        use octopus_cards::domain::fulfillment;
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        fulfillment::set_vendor_status(&app.system(), "only", VendorStatus::Paused).await.unwrap();
        fulfillment::refresh(&app.deps).await.unwrap();
        order(&partner, input(EURO_20, 1, "paused")).await.expect_user_errors("createOrder", &[("OUT_OF_STOCK", "input.quantity")]);
        fulfillment::set_vendor_status(&app.system(), "only", VendorStatus::Active).await.unwrap();
        fulfillment::refresh(&app.deps).await.unwrap();
        order(&partner, input(EURO_20, 1, "paused")).await.payload("createOrder");
        assert_eq!(end(&app, &partner, "paused").await.text("order.status"), "DELIVERED");
        assert_eq!(find(&partner, "paused").await.list("order.vouchers").len(), 1);
    }
}
