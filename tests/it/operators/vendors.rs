//! Vendors and what they sell: `octopus vendor` and `octopus offers`.
//! Not here: buying from them.

use std::collections::BTreeMap;

use entity::currency::Currency;
use octopus_cards::domain::fulfillment::{self, AddVendor, Retention, Secret, VendorRefusedReason};
use octopus_cards::problem::Failure;
use serde_json::{Value, json};

use super::{run, told, write};
use crate::support::app::TestApp;
use crate::support::catalog::{EURO_20, STEAM_50};
use crate::support::process::Binary;
use crate::support::vendor::TestVendor;

const ADD: &str = "vendor add --json --adapter sandbox --base-url http://127.0.0.1:9/ --currency EUR";

async fn add(app: &TestApp, name: &str) -> Value {
    write(app, "key.json", "{\"api_key\": \"CANARY-KEY\"}");
    run(app, &format!("{ADD} --credentials key.json {name}"), &[]).await.json()
}

async fn offers(app: &TestApp) -> Vec<String> {
    let sql = "SELECT product_id || ' ' || vendor_sku || ' ' || status || ' ' || priority || ' ' || max_quantity AS line
        FROM offers ORDER BY product_id";
    app.database.texts(sql).await
}

async fn costs(app: &TestApp) -> Vec<String> {
    let sql = "SELECT product_id || ' ' || factor || ' ' || fee_micros || ' ' || currency AS line
        FROM offer_costs ORDER BY product_id, since";
    app.database.texts(sql).await
}

both_databases! {
    async fn a_vendor_is_added_listed_paused_and_resumed_and_its_key_is_never_shown(app: SmallCatalog) {
        app.meet_the_machine();
        let added = add(&app, "ours").await;
        assert_eq!((&added["name"], &added["status"], &added["has_credentials"]), (&json!("ours"), &json!("ACTIVE"), &json!(true)));
        assert_eq!(added["base_url"], "http://127.0.0.1:9");
        let listed = run(&app, "vendor list --json", &[]).await.expect_code(0);
        assert!(!listed.stdout.contains("CANARY") && !listed.stderr.contains("CANARY"), "{listed:?}");
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        assert_eq!(listed.as_array().unwrap().len(), 1);
        assert_eq!((&listed[0]["id"], &listed[0]["broken"], &listed[0]["failing"]), (&added["id"], &json!(null), &json!([])));
        let sealed = "SELECT count(*) FROM vendors WHERE credentials IS NOT NULL AND credentials_key_id IS NOT NULL";
        assert_eq!(app.database.number(sealed).await, 1);
        let id = added["id"].as_str().unwrap();
        assert_eq!(run(&app, "vendor pause --json ours", &[]).await.json()["status"], "PAUSED");
        assert_eq!(run(&app, "vendor resume --json", &[id]).await.json()["status"], "ACTIVE");
        let paused = run(&app, "vendor pause", &[id]).await.expect_code(0).stdout;
        assert_eq!(paused.trim(), "ours is paused");
        let text = run(&app, "vendor list", &[]).await.expect_code(0).stdout;
        assert_eq!(text.trim(), format!("{id}  ours  sandbox at http://127.0.0.1:9: paused"));
        let steps = app.database.texts("SELECT action AS line FROM audit_log WHERE action LIKE 'vendors.%' ORDER BY id").await;
        assert_eq!(steps, ["vendors.added", "vendors.paused", "vendors.resumed", "vendors.paused"]);
        let told = app.database.texts("SELECT detail AS line FROM audit_log WHERE action LIKE 'vendors.%'").await;
        assert!(!told.concat().contains("CANARY"), "{told:?}");
        let adapters = run(&app, "vendor adapters --json", &[]).await.json();
        let sandbox = adapters.as_array().unwrap().iter().find(|one| one["name"] == "sandbox").unwrap();
        assert_eq!(sandbox["credentials"]["api_key"], "the key that vendor-sim demands");
    }

    /// Keys and codes stay what they are worth.
    async fn a_production_takes_no_simulator_and_no_address_that_others_can_read(app: SmallCatalog) {
        app.meet_the_machine();
        write(&app, "key.json", "{\"api_key\": \"k\"}");
        write(&app, "octopus.json", "{\"username\": \"u\", \"password\": \"p\"}");
        write(&app, "reloadly.json", "{\"client_id\": \"i\", \"client_secret\": \"s\"}");
        app.database.execute("UPDATE installation SET environment = 'production'").await;
        let octopus = "vendor add --adapter octopus --currency EUR --credentials octopus.json --base-url";
        let reloadly = "vendor add --adapter reloadly --currency EUR --credentials reloadly.json --base-url https://giftcards.reloadly.com";
        let in_the_open = "must be https:// in a production: keys and codes go there";
        for (line, field, word) in [
            (format!("{ADD} --credentials key.json ours"), "adapter", "nothing that a simulator sells is worth anything"),
            (format!("{octopus} http://example.com ours"), "base_url", in_the_open),
            (format!("{octopus} http://10.0.0.1:8080 ours"), "base_url", in_the_open),
            (format!("{reloadly} --option auth_url=http://auth.example.com ours"), "auth_url", in_the_open),
        ] {
            let refused = run(&app, &line, &[]).await.expect_code(3).stderr;
            assert!(refused.contains(field) && refused.contains(word), "{refused}");
        }
        for (number, address) in ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9", "https://example.com"].into_iter().enumerate() {
            run(&app, &format!("{octopus} {address} ours{number}"), &[]).await.expect_code(0);
        }
    }

    async fn what_an_adapter_does_not_know_is_refused_and_so_is_a_window_that_is_too_short(app: SmallCatalog) {
        app.meet_the_machine();
        write(&app, "key.json", "{\"api_key\": \"k\"}");
        write(&app, "slip.json", "{\"api_key\": \"k\", \"api_kye\": \"k\"}");
        write(&app, "reloadly.json", "{\"client_id\": \"i\", \"client_secret\": \"s\"}");
        let reloadly = "vendor add --adapter reloadly --currency EUR --credentials reloadly.json --base-url https://giftcards.reloadly.com";
        for (line, code, word) in [
            (format!("{ADD} --credentials slip.json ours"), 3, "api_kye: is no credential of this adapter: it has api_key"),
            (format!("{ADD} --credentials key.json --option tell=no ours"), 3,
                "tell: is no option of this adapter: it has settle_window_secs, tells_codes_again"),
            (format!("{ADD} --credentials key.json --option tells_codes_again=no --option tells_codes_again=yes ours"), 2,
                "--option tells_codes_again was given twice"),
            (format!("{reloadly} --settle-window-secs 179 ours"), 3,
                "settle_window_secs must be at least what the adapter says"),
        ] {
            let refused = run(&app, &line, &[]).await.expect_code(code).stderr;
            assert!(refused.contains(word), "{refused}");
        }
        run(&app, &format!("{reloadly} --settle-window-secs 180 ours"), &[]).await.expect_code(0);
        // What is made once, however often it is sent, may be sent again as soon as one likes.
        run(&app, &format!("{ADD} --credentials key.json --settle-window-secs 0 other"), &[]).await.expect_code(0);
    }

    async fn no_proxy_of_the_environment_stands_between_us_and_a_vendor(app: SmallCatalog) {
        app.meet_the_machine();
        let vendor = TestVendor::with_catalog(&app, "acme", &["acme_25,Acme Games,Acme Card 25 USD,25".to_owned()]).await;
        let nobody = "http://127.0.0.1:1";
        let binary = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].into_iter()
            .fold(Binary::on(&app.database), |binary, name| binary.with(name, nobody));
        let told = binary.run(&["vendor", "sync", "--json", "acme"]).await.json();
        assert_eq!(told[0]["products_added"], 1, "{told}");
        drop(vendor);
    }

    async fn what_our_accounts_hold_is_told_and_one_that_does_not_keeps_no_other_from_it(app: SmallCatalog) {
        app.meet_the_machine();
        let nothing = run(&app, "vendor balance --json", &[]).await.json();
        assert_eq!(nothing, json!([]));
        let vendor = TestVendor::open(&app, "acme").await;
        let told = run(&app, "vendor balance --json acme", &[]).await.json();
        assert_eq!((&told[0]["vendor"], &told[0]["vendor_id"]), (&json!("acme"), &json!(vendor.row.id)));
        let (balance, currency) = (told[0]["balance"].as_str().unwrap(), told[0]["currency"].as_str().unwrap());
        let text = run(&app, "vendor balance", &[]).await.expect_code(0).stdout;
        assert_eq!(text.trim(), format!("acme  {balance} {currency}"));
        add(&app, "aaa-nobody").await;
        let some = run(&app, "vendor balance", &[]).await.expect_code(1);
        assert_eq!(some.stdout, text);
        assert!(some.stderr.contains("aaa-nobody: "), "{}", some.stderr);
    }

    /// Whether the second one is told before or by the database.
    async fn of_two_vendors_of_one_name_that_are_added_at_once_one_is_told_that_it_is_taken(app: SmallCatalog) {
        let ours = async || fulfillment::add_vendor(&app.system(), AddVendor {
            name: "ours".to_owned(),
            adapter: "sandbox".to_owned(),
            base_url: "http://127.0.0.1:9".to_owned(),
            options: BTreeMap::new(),
            credentials: BTreeMap::from([("api_key".to_owned(), Secret::new("CANARY-KEY".to_owned()))]),
            currency: Currency::USD,
            priority: 0,
            timeout_ms: 700,
            requests_per_second: None,
            concurrent_requests: None,
            largest_batch: None,
            settle_window_secs: None,
            retention: Retention::Store,
        }).await;
        let (one, other) = tokio::join!(ours(), ours());
        let refused: Vec<_> = [one, other].into_iter().filter_map(Result::err).collect();
        assert!(matches!(&refused[..], [Failure::Refused(VendorRefusedReason::NameTaken(name))] if name == "ours"), "{refused:?}");
        assert_eq!(app.database.number("SELECT count(*) FROM vendors").await, 1);
    }

    async fn how_a_vendors_codes_are_kept_is_chosen_and_changed_and_on_record(app: SmallCatalog) {
        app.meet_the_machine();
        assert_eq!(add(&app, "ours").await["retention"], "store");
        for (retention, kept) in [("ttl=2d", "ttl=48h"), ("pass-through", "pass-through"), ("ttl=24h", "ttl=24h")] {
            let line = format!("vendor retention --json ours {retention}");
            assert_eq!(run(&app, &line, &[]).await.json()["retention"], kept);
        }
        let text = run(&app, "vendor list", &[]).await.expect_code(0).stdout;
        assert!(text.trim().ends_with(": active\n  its codes are kept: ttl=24h"), "{text}");
        let kept = run(&app, &format!("{ADD} --credentials key.json --retention pass-through keeper"), &[]).await;
        assert_eq!(kept.json()["retention"], "pass-through");
        let steps = "SELECT detail AS line FROM audit_log WHERE action = 'vendors.retention_changed' ORDER BY id LIMIT 1";
        let change: Value = serde_json::from_str(&app.database.texts(steps).await[0]).unwrap();
        assert_eq!(change, json!({ "name": "ours", "before": "store", "after": "ttl=48h" }));

        for (line, code, word) in [
            (format!("{ADD} --credentials key.json --retention ttl=23h other"), 2, "must be store, pass-through, or ttl="),
            ("vendor retention --json ours ttl=88000h".to_owned(), 2, "must be store, pass-through, or ttl="),
            ("vendor retention --json nobody store".to_owned(), 3, "there is no vendor \"nobody\""),
            (format!("{ADD} --credentials key.json --option tells_codes_again=no --retention pass-through other"), 3,
                "this vendor does not tell the codes of a purchase again"),
            (format!("{ADD} --credentials key.json --option tells_codes_again=perhaps other"), 3,
                "tells_codes_again: must be yes or no"),
        ] {
            let ended = run(&app, &line, &[]).await.expect_code(code);
            assert!(ended.stderr.contains(&word.replace('"', "\\\"")) || ended.stderr.contains(word), "{line}: {ended:?}");
        }
        assert_eq!(app.database.number("SELECT count(*) FROM vendors").await, 2);
        let forgetful = format!("{ADD} --credentials key.json --option tells_codes_again=no forgetful");
        run(&app, &forgetful, &[]).await.expect_code(0);
        let refused = told(run(&app, "vendor retention --json forgetful pass-through", &[]).await, 3);
        assert_eq!(refused.1, "this vendor does not tell the codes of a purchase again: choose store or ttl");
        assert_eq!(app.database.texts("SELECT retention AS line FROM vendors WHERE name = 'forgetful'").await, ["STORE"]);
    }

    async fn a_vendor_that_cannot_be_is_refused_and_its_key_never_quoted(app: SmallCatalog) {
        app.meet_the_machine();
        add(&app, "ours").await;
        for (name, text) in [("cut.json", "{\"api_key\": \"CANARY-"), ("list.json", "[\"CANARY-KEY\"]"),
            ("number.json", "{\"api_key\": 4711}"), ("bare.json", "CANARY-KEY")] {
            write(&app, name, text);
            let ended = run(&app, &format!("{ADD} --credentials {name} other"), &[]).await;
            assert!(!format!("{ended:?}").contains("CANARY") && !ended.stderr.contains("4711"), "{ended:?}");
            let refused = told(ended, 2);
            assert_eq!(refused.1, format!("{name} must hold a JSON object of texts by name"));
        }
        for (line, code, word) in [
            (format!("{ADD} --credentials key.json ours"), 3, "there is a vendor \"ours\" already"),
            (format!("{ADD} --credentials key.json Ours"), 3, "name must be 1 to 64 of a-z, 0-9, `_` and `-`"),
            (format!("{ADD} --credentials key.json --timeout-ms 5 other"), 3, "timeout_ms must be 100 to 120000"),
            ("vendor pause --json nobody".to_owned(), 3, "there is no vendor \"nobody\": `octopus vendor list` shows them"),
        ] {
            assert_eq!(told(run(&app, &line, &[]).await, code).1, word, "{line}");
        }
        let missing = told(run(&app, &format!("{ADD} --credentials absent.json other"), &[]).await, 2);
        assert!(missing.1.starts_with("absent.json: "), "{missing:?}");
        assert_eq!(app.database.number("SELECT count(*) FROM vendors").await, 1);
    }

    async fn offers_come_from_a_file_and_costs_keep_their_history(app: SmallCatalog) {
        app.meet_the_machine();
        add(&app, "ours").await;
        let heading = "product,vendor_sku,cost_currency,cost_factor,cost_fee,priority,max_quantity,status";
        write(&app, "offers.csv", &format!("{heading}\n{EURO_20},E-20,EUR,0.95,0.1,3,10,active\n{STEAM_50},S-50,USD,0.9,,,,\n"));
        let told = run(&app, "offers import --json ours offers.csv", &[]).await.json();
        assert_eq!(told, json!({ "added": 2, "changed": 0, "unchanged": 0 }));
        let steam = format!("{STEAM_50} S-50 ACTIVE 0 1000");
        assert_eq!(offers(&app).await, [steam.clone(), format!("{EURO_20} E-20 ACTIVE 3 10")]);
        write(&app, "offers.csv", &format!("{heading}\n{EURO_20},E-20,EUR,0.93,0.1,3,10,paused\n{STEAM_50},S-50,USD,0.9,,,,\n"));
        let told = run(&app, "offers import ours offers.csv", &[]).await.expect_code(0).stdout;
        assert_eq!(told.trim(), "0 offers added, 1 changed, 1 as they were");
        assert_eq!(offers(&app).await, [steam, format!("{EURO_20} E-20 PAUSED 3 10")]);
        assert_eq!(costs(&app).await, [format!("{STEAM_50} 0.9 0 USD"), format!("{EURO_20} 0.95 100000 EUR"),
            format!("{EURO_20} 0.93 100000 EUR")]);
    }

    async fn bad_offers_refuse_the_file_by_line_and_reason(app: SmallCatalog) {
        app.meet_the_machine();
        add(&app, "ours").await;
        let rows = format!("product,vendor_sku,cost_currency,cost_factor,max_quantity,status\n{EURO_20},E-20,EUR,0.95,,\n\
            {EURO_20},E-21,EUR,0.95,,\nnone,N,EUR,0.95,,\n{STEAM_50},,USD,0.9,,\n{STEAM_50},S,XXX,0.9,,\n\
            {STEAM_50},S,USD,,,\n{STEAM_50},S,USD,-1,,\n{STEAM_50},S,USD,0.9,0,\n{STEAM_50},S,USD,0.9,,gone\n{STEAM_50},S\n");
        write(&app, "bad.csv", &rows);
        let ended = run(&app, "offers import --json ours bad.csv", &[]).await.expect_code(3);
        let told: Value = serde_json::from_str(&ended.stderr).unwrap();
        let bad: Vec<(u64, &str)> = told["bad"].as_array().unwrap().iter()
            .map(|row| (row["line"].as_u64().unwrap(), row["reason"].as_str().unwrap())).collect();
        let twice = format!("{EURO_20} stands here already");
        assert_eq!(bad, [
            (3, twice.as_str()),
            (4, "there is no product \"none\""),
            (5, "vendor_sku must have 1 to 200 bytes, and no control characters"),
            (6, "cost_currency must be an active ISO 4217 code, such as USD"),
            (7, "cost_factor or cost_fee must say what a unit costs"),
            (8, "cost_factor must not be negative, nor have more than 18 digits behind the point"),
            (9, "max_quantity must be a whole number from 1 to 1000"),
            (10, "status must be active or paused"),
            (11, "it has another number of fields than the heading, or is not UTF-8"),
        ]);
        for (fee, reason) in [
            ("1000000000.000001", "cost_fee must be a billion at most"),
            ("99999999999999999999", "cost_fee must be a billion at most"),
            ("0.0000001", "cost_fee must have six digits behind the point at most"),
        ] {
            write(&app, "fee.csv", &format!("product,vendor_sku,cost_currency,cost_fee\n{EURO_20},E-20,EUR,{fee}\n"));
            let ended = run(&app, "offers import --json ours fee.csv", &[]).await.expect_code(3);
            let told: Value = serde_json::from_str(&ended.stderr).unwrap();
            assert_eq!(told["bad"], json!([{ "line": 2, "reason": reason }]), "{told}");
        }
        for (heading, reason) in [
            ("product,vendor_sku,cost_currency,colour", "there is no column \"colour\"; there are product, vendor_sku, \
                cost_currency, cost_factor, cost_fee, priority, min_face_value, max_face_value, max_quantity, available, status"),
            ("product,vendor_sku", "the column cost_currency is missing"),
            ("product,product,vendor_sku,cost_currency", "the column product stands twice"),
        ] {
            write(&app, "heading.csv", &format!("{heading}\n"));
            let ended = run(&app, "offers import --json ours heading.csv", &[]).await.expect_code(3);
            let told: Value = serde_json::from_str(&ended.stderr).unwrap();
            assert_eq!(told["bad"], json!([{ "line": 1, "reason": reason }]), "{told}");
        }
        assert_eq!(app.database.number("SELECT count(*) FROM offers").await, 0);
    }
}
