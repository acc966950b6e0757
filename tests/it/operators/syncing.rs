//! `octopus vendor sync`: what a vendor sells, as operators and partners see it afterwards.
//! Always true: what was not listed is not sold; nothing is deleted. Not here: catalogs that are read by themselves, and other
//! kinds of vendor (`fulfillment/catalogs.rs`).

use octopus_cards::domain::{catalog, fulfillment};
use octopus_cards::simulator::{Amendment, Question};
use serde_json::{Value, json};

use super::{end, input, order, run, told, write};
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::STEAM_50;
use crate::support::vendor::{TestVendor, assert_agreed};

const NEW: &str = "acme.acme_25.25.00-usd";

async fn acme(app: &TestApp) -> TestVendor {
    app.meet_the_machine();
    let lines = ["acme_25,Acme Games,Acme Card 25 USD,25", "steam_wallet_50_usd,Steam Wallet,Steam 50,50"];
    TestVendor::with_catalog(app, "acme", &lines.map(str::to_owned)).await
}

/// Runs `vendor sync`, and has the server know what came of it.
async fn sync(app: &TestApp) -> Value {
    let told = run(app, "vendor sync --json acme", &[]).await.json();
    catalog::refresh_catalog(&app.deps).await.unwrap();
    fulfillment::refresh(&app.deps).await.unwrap();
    told[0].clone()
}

async fn product(partner: &Partner) -> Value {
    let document = "query($id: ID!) { product(id: $id) { name status orderable discount
        brand { name slug } category { slug } country { code } } }";
    partner.graphql(document, json!({ "id": NEW })).await.data()["product"].clone()
}

async fn offers(app: &TestApp) -> Vec<String> {
    let sql =
        "SELECT product_id || ' ' || vendor_sku || ' ' || status AS line FROM offers ORDER BY product_id";
    app.database.texts(sql).await
}

/// Everything that a reading writes where something has changed.
async fn written(app: &TestApp) -> (Vec<String>, i64, i64, i64) {
    let versions = "SELECT subject || ' ' || version AS line FROM versions ORDER BY subject";
    (
        app.database.texts(versions).await,
        app.database.number("SELECT count(*) FROM audit_log").await,
        app.database.number("SELECT count(*) FROM offer_costs").await,
        app.database.number("SELECT max(updated_at) FROM offers").await,
    )
}

async fn buy(app: &TestApp, partner: &Partner, reference: &str) {
    order(partner, input(NEW, 1, reference)).await.payload("createOrder");
    assert_eq!(end(app, partner, reference).await.text("order.status"), "DELIVERED");
}

async fn costs_of_purchases(app: &TestApp) -> Vec<String> {
    app.database.texts("SELECT expected_cost_micros || '' AS line FROM purchases ORDER BY id").await
}

both_databases! {
    async fn what_a_vendor_sells_is_imported_and_bought_and_its_new_price_counts(app: SmallCatalog) {
        let vendor = acme(&app).await;
        let partner = app.partner().await;
        let first = sync(&app).await;
        let counts = |report: &Value| ["products_added", "added", "changed", "unchanged"].map(|name| report[name].as_u64().unwrap());
        assert_eq!(counts(&first), [1, 2, 0, 0], "{first}");
        assert_eq!(offers(&app).await, [format!("{NEW} acme_25 ACTIVE"), format!("{STEAM_50} steam_wallet_50_usd ACTIVE")]);
        // What rehearses failures is bound to no country: that is said, and it is left out.
        let left_out = first["left_out"].as_array().unwrap();
        assert_eq!(first["items"].as_u64().unwrap(), u64::try_from(left_out.len()).unwrap() + 2);
        let ok = left_out.iter().find(|one| one["vendor_sku"] == "sandbox_ok").unwrap();
        assert_eq!(ok["reason"], "it is bound to no country, and every product here is");
        let told = product(&partner).await;
        assert_eq!(told["name"], "Acme Card 25 USD");
        assert_eq!((&told["status"], &told["discount"]), (&json!("ACTIVE"), &json!("0")));
        assert_eq!(told["brand"], json!({ "name": "Acme Games", "slug": "acme_games" }));
        assert_eq!((&told["category"]["slug"], &told["country"]["code"]), (&json!("gaming"), &json!("US")));
        buy(&app, &partner, "first").await;

        // The second time nothing is different.
        let before = written(&app).await;
        let second = sync(&app).await;
        assert_eq!(counts(&second), [0, 0, 0, 2], "{second}");
        assert_eq!(written(&app).await, before);

        assert!(vendor.simulator.amend("acme_25", Amendment { factor: Some("0.80".parse().unwrap()), ..Amendment::default() }));
        assert_eq!(counts(&sync(&app).await), [0, 0, 1, 1]);
        buy(&app, &partner, "second").await;
        assert_eq!(costs_of_purchases(&app).await, ["23000000", "20000000"]);
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn what_vanishes_is_sold_no_more_until_it_is_listed_again(app: SmallCatalog) {
        let vendor = acme(&app).await;
        let partner = app.partner().await;
        sync(&app).await;
        let withdraw = |sku: &str, withdrawn| {
            assert!(vendor.simulator.amend(sku, Amendment { withdrawn: Some(withdrawn), ..Amendment::default() }));
        };
        withdraw("acme_25", true);
        withdraw(STEAM_50, true);
        let gone = sync(&app).await;
        assert_eq!((&gone["vanished"], &gone["withdrawn"]), (&json!([NEW, STEAM_50]), &json!([NEW])));
        assert_eq!(offers(&app).await, [format!("{NEW} acme_25 VANISHED"), format!("{STEAM_50} steam_wallet_50_usd VANISHED")]);
        let told = product(&partner).await;
        assert_eq!((&told["status"], &told["orderable"]), (&json!("PAUSED"), &json!(false)));
        let refused = order(&partner, input(NEW, 1, "gone")).await;
        refused.expect_user_errors("createOrder", &[("PRODUCT_UNAVAILABLE", "input.productId")]);
        let listed = run(&app, "vendor list", &[]).await.expect_code(0).stdout;
        assert!(listed.contains("\n  2 products that it sold are not listed there any more"), "{listed}");
        let before = written(&app).await;
        sync(&app).await;
        assert_eq!(written(&app).await, before);

        withdraw("acme_25", false);
        let back = sync(&app).await;
        assert_eq!((&back["returned"], &back["restored"], &back["vanished"]), (&json!([NEW]), &json!([NEW]), &json!([])));
        assert_eq!(product(&partner).await["status"], "ACTIVE");
        buy(&app, &partner, "back").await;
        assert_eq!(app.database.number("SELECT count(*) FROM offers").await, 2);
    }

    async fn a_listing_that_is_cut_changes_nothing_and_is_shown(app: SmallCatalog) {
        let vendor = acme(&app).await;
        sync(&app).await;
        let before = (offers(&app).await, written(&app).await);
        assert!(vendor.simulator.amend("acme_25", Amendment { withdrawn: Some(true), factor: Some("0.5".parse().unwrap()) }));
        for cut in ["flapping", "cut_midway", "down"] {
            vendor.simulator.play(Question::Products, None, Some(cut)).unwrap();
            let (code, message) = told(run(&app, "vendor sync --json acme", &[]).await, 1);
            assert_eq!(code, "FAILED");
            assert!(message.starts_with("acme: the catalog cannot be read: "), "{message}");
            assert_eq!((offers(&app).await, written(&app).await), before, "{cut}");
        }
        let listed = run(&app, "vendor list --json", &[]).await.json();
        assert!(listed[0]["sync_failure"].is_string() && listed[0]["synced_at"].is_string(), "{listed}");
        vendor.simulator.play(Question::Products, None, None).unwrap();
        assert_eq!(sync(&app).await["vanished"], json!([NEW]));
        assert_eq!(run(&app, "vendor list --json", &[]).await.json()[0]["sync_failure"], Value::Null);
    }

    async fn what_the_operator_says_of_an_offer_and_a_product_stays(app: SmallCatalog) {
        let vendor = acme(&app).await;
        sync(&app).await;
        let columns = "product,vendor_sku,cost_currency,cost_factor,priority,max_quantity,min_face_value,max_face_value,available,status";
        let import = async |status: &str| {
            write(&app, "said.csv", &format!("{columns}\n{NEW},acme_25,USD,0.92,7,3,20,30,2,{status}\n"));
            run(&app, "offers import acme said.csv", &[]).await.expect_code(0);
        };
        import("paused").await;
        app.database.execute(&format!("UPDATE products SET max_quantity = 2, redemption_instructions = 'ours' WHERE id = '{NEW}'")).await;
        let standing = async || {
            let sql = "SELECT o.status || ' ' || o.priority || ' ' || o.max_quantity || ' ' || o.min_face_minor || ' ' ||
                o.max_face_minor || ' ' || o.available || ' ' || p.max_quantity || ' ' || p.redemption_instructions || ' ' || p.status AS line FROM offers o JOIN products p ON p.id = o.product_id
                WHERE o.vendor_sku = 'acme_25'";
            app.database.texts(sql).await
        };
        for (withdrawn, factor) in [(false, "0.80"), (true, "0.80"), (false, "0.70")] {
            let amendment = Amendment { withdrawn: Some(withdrawn), factor: Some(factor.parse().unwrap()) };
            assert!(vendor.simulator.amend("acme_25", amendment));
            sync(&app).await;
            assert_eq!(standing().await, ["PAUSED 7 3 2000 3000 2 2 ours ACTIVE"]);
        }
        let factors = format!("SELECT factor AS line FROM offer_costs WHERE product_id = '{NEW}' ORDER BY since");
        assert_eq!(app.database.texts(&factors).await, ["0.92", "0.8", "0.7"]);
        assert_eq!(app.database.number("SELECT count(*) FROM price_rules").await, 0);
        // The vendor says that it has a million; the operator believes in two.
        import("active").await;
        sync(&app).await;
        app.database.execute(&format!("UPDATE products SET max_quantity = 9 WHERE id = '{NEW}'")).await;
        app.database.execute("UPDATE versions SET version = version + 1 WHERE subject = 'catalog'").await;
        catalog::refresh_catalog(&app.deps).await.unwrap();
        let partner = app.partner().await;
        for (quantity, refused) in [(3, true), (2, false)] {
            let mut wanted = input(NEW, quantity, &format!("all-{quantity}"));
            wanted["failurePolicy"] = json!("ALL_OR_NOTHING");
            let answer = order(&partner, wanted).await;
            if refused {
                answer.expect_user_errors("createOrder", &[("OUT_OF_STOCK", "input.quantity")]);
            } else {
                answer.payload("createOrder");
            }
        }
        assert_eq!(end(&app, &partner, "all-2").await.text("order.status"), "DELIVERED");
    }

    /// A misplaced point would win every route, and sell everything below what it costs.
    async fn a_cost_that_plunges_is_held_until_a_person_accepts_it(app: SmallCatalog) {
        let vendor = acme(&app).await;
        sync(&app).await;
        let costs = async || {
            let sql = format!("SELECT factor AS line FROM offer_costs WHERE product_id = '{NEW}' ORDER BY since");
            app.database.texts(&sql).await
        };
        let costing = |factor: &str| {
            let amendment = Amendment { factor: Some(factor.parse().unwrap()), ..Amendment::default() };
            assert!(vendor.simulator.amend("acme_25", amendment));
        };
        costing("0.0092");
        for _ in 0..2 {
            let ended = run(&app, "vendor sync --json acme", &[]).await.expect_code(1);
            let report: Value = serde_json::from_str(&ended.stdout).unwrap();
            assert_eq!(report[0]["held"], json!([{ "product": NEW, "vendor_sku": "acme_25", "face_value": "25.00 USD",
                "before": "23 USD", "after": "0.23 USD" }]));
            assert_eq!((&report[0]["changed"], &report[0]["unchanged"]), (&json!(0), &json!(2)));
            let doubt = "1 of its costs fell by more than half, or are in another currency, and stay as they were: `octopus vendor \
                sync` names them";
            assert!(ended.stderr.contains(&format!("acme: {doubt}")), "{}", ended.stderr);
            assert_eq!(run(&app, "vendor list --json", &[]).await.json()[0]["sync_failure"], doubt);
        }
        assert_eq!(costs().await, ["0.92"]);
        let text = run(&app, "vendor list", &[]).await.expect_code(0).stdout;
        assert!(text.contains("\n  not all of it is believed: 1 of its costs fell"), "{text}");
        let text = run(&app, "vendor sync acme", &[]).await.expect_code(1).stdout;
        let line = format!("\n  {NEW} (acme_25) at 25.00 USD costs 23 USD, and would cost 0.23 USD: it stays as it was");
        assert!(text.contains(&line), "{text}");
        // Half is believed, and so is any rise.
        for factor in ["0.46", "1.5"] {
            costing(factor);
            assert_eq!(sync(&app).await["held"], json!([]));
        }
        costing("0.1");
        write(&app, "true.csv", &format!("product,vendor_sku,cost_currency,cost_factor\n{NEW},acme_25,USD,0.1\n"));
        run(&app, "offers import acme true.csv", &[]).await.expect_code(0);
        assert_eq!(sync(&app).await["held"], json!([]));
        assert_eq!(costs().await, ["0.92", "0.46", "1.5", "0.1"]);
        assert_eq!(run(&app, "vendor list --json", &[]).await.json()[0]["sync_failure"], Value::Null);
    }

    async fn of_many_vendors_one_that_fails_keeps_no_other_from_being_read(app: SmallCatalog) {
        let down = acme(&app).await;
        let broken = TestVendor::open(&app, "broken").await;
        let good = TestVendor::with_catalog(&app, "good", &["good_5,Acme Games,Good 5,5".to_owned()]).await;
        let broken_options = format!("UPDATE vendors SET options = '[]' WHERE id = '{}'", broken.row.id);
        app.database.execute(&broken_options).await;
        for question in [Question::Products, Question::Statement] {
            down.simulator.play(question, None, Some("down")).unwrap();
        }
        for (command, listing) in [("vendor sync", "catalog"), ("vendor reconcile", "statement")] {
            let ended = run(&app, &format!("{command} --json"), &[]).await.expect_code(1);
            let reports: Value = serde_json::from_str(&ended.stdout).unwrap();
            assert_eq!((reports.as_array().unwrap().len(), &reports[0]["vendor"]), (1, &json!("good")), "{ended:?}");
            let told: Value = serde_json::from_str(&ended.stderr).unwrap();
            let message = told["message"].as_str().unwrap();
            assert!(message.contains(&format!("acme: the {listing} cannot be read: ")), "{message}");
            assert!(message.contains("broken: the vendor is not open in this process: `octopus vendor list` says why"), "{message}");
        }
        drop(good);
    }

    async fn an_offer_of_the_operator_says_which_product_an_item_is(app: SmallCatalog) {
        let vendor = acme(&app).await;
        write(&app, "mapping.csv", &format!("product,vendor_sku,cost_currency,cost_factor\n{STEAM_50},acme_50,USD,0.99\n"));
        run(&app, "offers import acme mapping.csv", &[]).await.expect_code(0);
        drop(vendor);
        // The same vendor with another catalog, at another address.
        let lines = ["acme_50,Acme Games,Acme Card 50,50", "acme_9,,Without a brand,9", "steam_wallet_50_usd,Steam Wallet,Steam 50,50"];
        let other = TestVendor::with_catalog(&app, "other", &lines.map(str::to_owned)).await;
        fulfillment::move_vendor(&app.system(), "acme", &other.row.base_url).await.unwrap();
        let report = sync(&app).await;
        assert_eq!((&report["products_added"], &report["added"], &report["changed"]), (&json!(0), &json!(0), &json!(1)));
        assert_eq!(offers(&app).await, [format!("{STEAM_50} acme_50 ACTIVE")]);
        let left_out = report["left_out"].as_array().unwrap();
        let reason = |sku: &str| left_out.iter().find(|one| one["vendor_sku"] == sku).unwrap()["reason"].clone();
        assert_eq!(reason("acme_9"), "it has no brand");
        // It is another product's name here: it becomes one of its own, and that one has its name taken.
        assert_eq!(reason("steam_wallet_50_usd"), format!("{STEAM_50} is bought there as acme_50"));
    }

    async fn a_listing_that_lacks_more_than_half_is_believed_only_on_a_persons_word(app: SmallCatalog) {
        app.meet_the_machine();
        let lines: Vec<String> = (1..=24).map(|n| format!("acme_{n},Acme Games,Acme Card {n} USD,{n}")).collect();
        let vendor = TestVendor::with_catalog(&app, "acme", &lines).await;
        assert_eq!(sync(&app).await["products_added"], 24);
        let before = (offers(&app).await, written(&app).await);
        for n in 1..=13 {
            assert!(vendor.simulator.amend(&format!("acme_{n}"), Amendment { withdrawn: Some(true), ..Amendment::default() }));
        }
        let (_, message) = told(run(&app, "vendor sync --json acme", &[]).await, 1);
        assert_eq!(message, "acme: 13 of 24 offers are not listed any more, or cannot be read; nothing was changed: if that is \
            true, run `octopus vendor sync --allow-vanishing`");
        assert_eq!((offers(&app).await, written(&app).await), before);
        let report = run(&app, "vendor sync --json --allow-vanishing acme", &[]).await.json();
        assert_eq!(report[0]["vanished"].as_array().unwrap().len(), 13);
        let text = run(&app, "vendor sync", &[]).await.expect_code(0).stdout;
        assert!(text.contains("0 offers added, 0 changed, 24 as they were, 0 vanished, 0 listed again"), "{text}");
    }
}
