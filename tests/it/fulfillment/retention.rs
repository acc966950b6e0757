//! How long a vendor's codes are kept: for a time, and not at all.
//! Always true: what is not here any more, or not now, is null and says so; the rest of the answer comes.
//! Not here: what is left of them in the database's files (`canary/kept.rs`).

use entity::timestamp::Timestamp;
use octopus_cards::domain::fulfillment::{self, Retention};
use octopus_cards::domain::vouchers::{Vault, destroy_expired_keys};
use octopus_cards::store::engine_clock;
use reqwest::Method;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use super::{end, input};
use crate::orders::{codes, order};
use crate::support::answer::Answer;
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::{EURO_20, STEAM_50};
use crate::support::database::Dialect;
use crate::support::poll;
use crate::support::vendor::{Terms, TestVendor, assert_agreed, resolve_all};
use crate::support::wire::Weather;

const HOUR_SECS: i64 = 3_600;
const DAY_SECS: i64 = 86_400;

/// An order with all that its codes hold.
const READ: &str = "query($reference: String!) { order(reference: $reference) { id
    vouchers { unitIndex code pin serial redemptionUrl codeState codeAvailableUntil } } }";

async fn read(partner: &Partner, reference: &str) -> Answer {
    partner.graphql(READ, json!({ "reference": reference })).await
}

async fn read_by_rest(partner: &Partner, order: &str) -> Answer {
    partner.rest(Method::GET, &format!("/api/v1/orders/{order}"), &Value::Null).await
}

/// What is told of each code: its unit, whether it is there, and its state.
fn states(answer: &Answer) -> Vec<(i64, bool, &'static str)> {
    let one = |voucher: &Value| {
        let state = ["AVAILABLE", "DESTROYED", "UNREACHABLE"]
            .into_iter()
            .find(|state| voucher["codeState"] == *state);
        (voucher["unitIndex"].as_i64().unwrap(), voucher["code"].is_string(), state.unwrap())
    };
    answer.body["data"]["order"]["vouchers"].as_array().expect("there are codes").iter().map(one).collect()
}

async fn vendor(app: &TestApp, name: &str, retention: Retention) -> TestVendor {
    let vendor = TestVendor::open(app, name).await;
    vendor.keep(app, retention).await;
    vendor
}

/// Buys units and waits until they are there; tells the order's id.
async fn buy(app: &TestApp, partner: &Partner, wanted: Value) -> String {
    let reference = wanted["reference"].as_str().unwrap().to_owned();
    order(partner, wanted).await.payload("createOrder");
    assert_eq!(end(app, partner, &reference).await.text("order.status"), "DELIVERED");
    read(partner, &reference).await.text("order.id").to_owned()
}

async fn instant(app: &TestApp, sql: &str) -> Timestamp {
    Timestamp::from_micros(app.database.number(sql).await)
}

/// Moves the clock to an instant, less some milliseconds.
fn move_to(app: &TestApp, instant: Timestamp, less_millis: i64) {
    app.clock.advance_millis(instant.micros_since(app.now()).div_euclid(1_000) - less_millis);
}

fn all_of(product: &str, quantity: u32, reference: &str) -> Value {
    let mut input = input(product, quantity, reference);
    input["failurePolicy"] = Value::from("ALL_OR_NOTHING");
    input
}

/// How codes that came of purchases are kept: their state, for how long, and by which keys.
const KEPT: &str = "SELECT v.state || ' ' || coalesce(CAST(v.retention_secs AS TEXT), 'for good') || ' ' || k.purpose AS line
    FROM vouchers v JOIN data_keys k ON k.id = v.data_key_id WHERE v.purchase_id IS NOT NULL ORDER BY v.id";

both_databases! {
    async fn a_code_that_is_kept_for_a_time_is_read_until_its_end_and_by_nobody_after_it(app: SmallCatalog) {
        let vendor = vendor(&app, "brief", Retention::KeptFor(DAY_SECS)).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let partner = app.partner().await;
        let id = buy(&app, &partner, input(EURO_20, 2, "one")).await;
        let delivered_at = instant(&app, "SELECT max(delivered_at) FROM vouchers WHERE purchase_id IS NOT NULL").await;
        let until = delivered_at.plus_seconds(DAY_SECS);
        move_to(&app, until, 1);
        let partner = app.partner().await;
        let before = read(&partner, "one").await;
        assert_eq!(states(&before), [(1, true, "AVAILABLE"), (2, true, "AVAILABLE")]);
        assert_eq!(before.at("order.vouchers.0.codeAvailableUntil"), &json!(until.to_string()));

        // The end is exact, whenever the key is destroyed.
        move_to(&app, until, 0);
        let nothing = json!({ "unitIndex": 1, "code": null, "pin": null, "serial": null, "redemptionUrl": null,
            "codeState": "DESTROYED", "codeAvailableUntil": until.to_string() });
        assert_eq!(read(&partner, "one").await.at("order.vouchers.0"), &nothing);
        let told = read_by_rest(&partner, &id).await;
        let voucher = told.expect_status(200).body["vouchers"][1].clone();
        assert_eq!(voucher["code_state"], "DESTROYED");
        assert_eq!(voucher["code_available_until"], json!(until.to_string()));
        for member in ["code", "pin", "serial", "redemption_url"] {
            assert_eq!(voucher[member], Value::Null, "{member}");
        }
        assert_eq!(destroy_expired_keys(&app.system()).await.unwrap(), 0, "its key serves the whole hour");

        move_to(&app, instant(&app, "SELECT max(expires_at) FROM data_keys").await, 0);
        assert!(app.now() <= until.plus_seconds(HOUR_SECS));
        assert_eq!(destroy_expired_keys(&app.system()).await.unwrap(), 1);
        assert_eq!(destroy_expired_keys(&app.system()).await.unwrap(), 0);
        let partner = app.partner().await;
        assert_eq!(states(&read(&partner, "one").await), [(1, false, "DESTROYED"), (2, false, "DESTROYED")]);
        let audited = "SELECT count(*) FROM audit_log WHERE action = 'data_keys.destroyed'";
        assert_eq!(app.database.number(audited).await, 1);
        assert_agreed(&app, &[&vendor]).await;
    }

    /// Whoever has the database and the master keys has the code until its key is destroyed, and not after it.
    async fn behind_its_end_the_master_key_opens_a_code_no_more(app: SmallCatalog) {
        let vendor = vendor(&app, "brief", Retention::KeptFor(2 * DAY_SECS)).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let partner = app.partner().await;
        buy(&app, &partner, input(EURO_20, 1, "one")).await;
        let opens = async || {
            let deps = &app.deps;
            let vault = Vault::find(&deps.database, &deps.config, deps.clock.as_ref(), deps.ids.as_ref()).await;
            let vault = vault.unwrap().expect("there are keys");
            let rows = entity::vouchers::Entity::find().all(&deps.database.reader).await.unwrap();
            rows.iter().filter(|row| row.purchase_id.is_some()).filter(|row| vault.open_voucher(row).is_ok()).count()
        };
        move_to(&app, instant(&app, "SELECT max(expires_at) FROM data_keys").await, 1);
        assert_eq!(destroy_expired_keys(&app.system()).await.unwrap(), 0);
        assert_eq!(opens().await, 1);
        app.clock.advance_millis(1);
        assert_eq!(destroy_expired_keys(&app.system()).await.unwrap(), 1);
        assert_eq!(opens().await, 0);
        assert_eq!(app.database.number("SELECT length(wrapped) FROM data_keys WHERE destroyed_at IS NOT NULL").await, 0);
    }

    async fn a_code_whose_key_is_destroyed_is_never_sold_again(app: SmallCatalog) {
        let vendor = vendor(&app, "brief", Retention::KeptFor(DAY_SECS)).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_duplicate_code")]).await;
        let partner = app.partner().await;
        buy(&app, &partner, input(EURO_20, 1, "one")).await;
        app.advance_secs(2 * DAY_SECS);
        assert_eq!(destroy_expired_keys(&app.system()).await.unwrap(), 1);
        let partner = app.partner().await;
        order(&partner, input(EURO_20, 1, "two")).await.payload("createOrder");
        assert_eq!(end(&app, &partner, "two").await.text("order.status"), "FAILED");
        assert_eq!(app.database.number("SELECT count(*) FROM attempts WHERE outcome = 'ANOMALY'").await, 1);
    }

    /// Two of three codes come in one hour and wait for the third, which comes in the next.
    async fn the_time_of_a_code_begins_with_its_delivery_however_long_it_waited(app: SmallCatalog) {
        let brief = vendor(&app, "brief", Retention::KeptFor(DAY_SECS)).await;
        brief.sell_for(&app, &[(EURO_20, "sandbox_partial")], "0.80").await;
        let slow = TestVendor::open(&app, "slow").await;
        slow.sell_for(&app, &[(EURO_20, "sandbox_pending_5s")], "0.85").await;
        let hour = app.now().plus_seconds(HOUR_SECS - app.now().seconds().rem_euclid(HOUR_SECS));
        move_to(&app, hour, 1_000);
        let partner = app.partner().await;
        order(&partner, all_of(EURO_20, 3, "all")).await.payload("createOrder");
        poll::until_true("two codes are set aside", async || {
            app.database.number("SELECT count(*) FROM vouchers WHERE state = 'RESERVED'").await == 2
        })
        .await;
        let first_keys = "SELECT count(*) FROM data_keys WHERE expires_at IS NOT NULL";
        assert_eq!(app.database.number(first_keys).await, 1);
        assert_eq!(end(&app, &partner, "all").await.text("order.status"), "DELIVERED");
        assert!(app.now() >= hour, "the hour has passed");
        let brief_codes = "SELECT count(*) FROM vouchers v JOIN data_keys k ON k.id = v.data_key_id
            WHERE v.retention_secs IS NOT NULL AND k.expires_at";
        let next = hour.plus_seconds(HOUR_SECS + DAY_SECS).micros();
        assert_eq!(app.database.number(&format!("{brief_codes} = {next}")).await, 2);
        let delivered_at = instant(&app, "SELECT max(delivered_at) FROM vouchers WHERE retention_secs IS NOT NULL").await;
        move_to(&app, delivered_at.plus_seconds(DAY_SECS), 1);
        // The key that sealed them first ends a little earlier.
        assert_eq!(destroy_expired_keys(&app.system()).await.unwrap(), 1);
        let partner = app.partner().await;
        assert_eq!(states(&read(&partner, "all").await).iter().filter(|(_, is_there, _)| *is_there).count(), 3);
        app.clock.advance_millis(1);
        let after = read(&partner, "all").await;
        assert_eq!(states(&after).iter().filter(|(_, _, state)| *state == "DESTROYED").count(), 2);
    }

    async fn what_goes_back_to_stock_is_kept_for_good(app: SmallCatalog) {
        let vendor = vendor(&app, "brief", Retention::KeptFor(DAY_SECS)).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_partial")]).await;
        let partner = app.partner().await;
        order(&partner, all_of(EURO_20, 3, "all")).await.payload("createOrder");
        assert_eq!(end(&app, &partner, "all").await.text("order.status"), "FAILED");
        assert_eq!(app.database.texts(KEPT).await, ["AVAILABLE for good stock", "AVAILABLE for good stock"]);
        app.advance_secs(2 * DAY_SECS);
        assert_eq!(destroy_expired_keys(&app.system()).await.unwrap(), 1);
        let partner = app.partner().await;
        let sold = order(&partner, input(EURO_20, 2, "later")).await;
        assert_eq!(codes(&sold).len(), 2);
        let read = read(&partner, "later").await;
        assert_eq!(states(&read), [(1, true, "AVAILABLE"), (2, true, "AVAILABLE")]);
        assert_eq!(read.at("order.vouchers.0.codeAvailableUntil"), &Value::Null);
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn what_comes_when_nobody_wants_it_any_more_is_kept_for_good(app: SmallCatalog) {
        let vendor = vendor(&app, "brief", Retention::KeptFor(DAY_SECS)).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_pending_5s")]).await;
        let partner = app.partner().await;
        order(&partner, all_of(EURO_20, 2, "all")).await.payload("createOrder");
        poll::until_true("the vendor is asked", async || {
            app.database.number("SELECT count(*) FROM purchases WHERE state = 'UNKNOWN'").await == 1
        })
        .await;
        let cancel = "mutation { cancelOrder(input: { reference: \"all\" }) { userErrors { code } } }";
        partner.graphql(cancel, json!({})).await.payload("cancelOrder");
        resolve_all(&app).await;
        assert_eq!(app.database.texts(KEPT).await, ["AVAILABLE for good stock", "AVAILABLE for good stock"]);
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn a_change_counts_for_what_is_delivered_from_then_on(app: SmallCatalog) {
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let partner = app.partner().await;
        for (reference, retention) in [("good", "store"), ("brief", "ttl=36h"), ("longer", "ttl=10d"), ("none", "pass-through")] {
            let retention = retention.parse().unwrap();
            fulfillment::set_retention(&app.system(), "only", retention).await.unwrap();
            buy(&app, &partner, input(EURO_20, 1, reference)).await;
        }
        assert_eq!(app.database.texts(KEPT).await, [
            "DELIVERED for good stock",
            "DELIVERED 129600 kept for 129600 s",
            "DELIVERED 864000 kept for 864000 s",
        ]);
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE sealed IS NULL").await, 1);
        for reference in ["good", "brief", "longer", "none"] {
            assert_eq!(states(&read(&partner, reference).await), [(1, true, "AVAILABLE")], "{reference}");
        }
    }

    async fn codes_that_the_vendor_keeps_are_read_there(app: SmallCatalog) {
        let vendor = TestVendor::on_terms(&app, "keeper", Terms { largest_batch: 4, ..Terms::default() }).await;
        vendor.keep(&app, Retention::PassThrough).await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let partner = app.partner().await;
        let mut waiting = input(EURO_20, 1, "one");
        waiting["waitMs"] = json!(10_000);
        let at_once = order(&partner, waiting).await;
        let id = buy(&app, &partner, input(EURO_20, 7, "bulk")).await;
        for (reference, expected, purchases) in [("one", codes(&at_once), 1), ("bulk", Vec::new(), 2)] {
            let sql = format!("SELECT p.our_ref AS line FROM purchases p JOIN orders o ON o.id = p.order_id
                WHERE o.reference = '{reference}' ORDER BY p.id");
            let references = app.database.texts(&sql).await;
            assert_eq!(references.len(), purchases);
            let mut theirs = Vec::new();
            for reference in references {
                theirs.extend(vendor.codes(&reference).await);
            }
            let answer = read(&partner, reference).await;
            let told = answer.list("order.vouchers").iter().map(|one| one["code"].as_str().unwrap().to_owned());
            let mut ours: Vec<String> = told.collect();
            assert!(expected.is_empty() || expected == ours);
            ours.sort();
            theirs.sort();
            assert_eq!(ours, theirs, "{reference}");
        }
        let told = read_by_rest(&partner, &id).await;
        let vouchers = told.expect_status(200).body["vouchers"].as_array().unwrap();
        assert!(vouchers.len() == 7 && vouchers.iter().all(|one| one["code"].is_string() && one["code_state"] == "AVAILABLE"));
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE purchase_id IS NOT NULL AND sealed IS NOT NULL").await, 0);
        let audited = "SELECT count(*) FROM audit_log WHERE action = 'vouchers.revealed'";
        assert!(app.database.number(audited).await >= 3, "reading there is on record as any is");
        assert_agreed(&app, &[&vendor]).await;
    }

    async fn readers_keep_to_the_rate_of_the_vendor_that_keeps_their_codes(app: SmallCatalog) {
        let keeper = vendor(&app, "keeper", Retention::PassThrough).await;
        keeper.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let partner = app.partner().await;
        buy(&app, &partner, input(EURO_20, 1, "kept")).await;
        let free_at = "SELECT free_at FROM vendor_limits";
        let before = app.database.number(free_at).await;
        assert_eq!(states(&read(&partner, "kept").await), [(1, true, "AVAILABLE")]);
        assert!(app.database.number(free_at).await > before, "the question is taken off the rate");
        let clock = engine_clock(app.deps.database.backend());
        app.database.execute(&format!("UPDATE vendor_limits SET free_at = {clock} + 300000000")).await;
        let far_away = app.database.number(free_at).await;
        assert_eq!(states(&read(&partner, "kept").await), [(1, false, "UNREACHABLE")]);
        assert_eq!(app.database.number(free_at).await, far_away, "who does not wait takes nothing");
    }

    async fn a_vendor_that_cannot_be_asked_leaves_its_codes_null_and_the_others_there(app: SmallCatalog) {
        let keeper = vendor(&app, "keeper", Retention::PassThrough).await;
        keeper.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let partner = app.partner().await;
        let kept = buy(&app, &partner, input(EURO_20, 2, "kept")).await;
        order(&partner, input(STEAM_50, 1, "stock")).await.payload("createOrder");
        keeper.wire.turn(Weather::Refusing);
        let both = "{ kept: order(reference: \"kept\") { vouchers { unitIndex code codeState } }
            stock: order(reference: \"stock\") { vouchers { code codeState } } }";
        let answer = partner.graphql(both, json!({})).await;
        let expected = [
            ("SERVICE_UNAVAILABLE", "kept.vouchers.0.code"),
            ("SERVICE_UNAVAILABLE", "kept.vouchers.1.code"),
        ];
        for error in answer.expect_errors(&expected) {
            assert_eq!(error["extensions"]["retryAfterMs"], 1_000);
        }
        let data = &answer.body["data"];
        assert_eq!(data["kept"]["vouchers"][1], json!({ "unitIndex": 2, "code": null, "codeState": "UNREACHABLE" }));
        assert_eq!(data["stock"]["vouchers"][0]["codeState"], "AVAILABLE");
        assert!(data["stock"]["vouchers"][0]["code"].is_string());
        let told = read_by_rest(&partner, &kept).await;
        let told = &told.expect_status(200).body["vouchers"][0];
        assert_eq!((&told["code_state"], &told["code"]), (&json!("UNREACHABLE"), &Value::Null));
        let silent = partner.graphql(&both.replace("unitIndex code ", ""), json!({})).await;
        silent.data();

        keeper.wire.turn(Weather::Fair);
        assert_eq!(states(&read(&partner, "kept").await), [(1, true, "AVAILABLE"), (2, true, "AVAILABLE")]);
        read_by_rest(&partner, &kept).await.expect_status(200);
    }

    /// The answer to the only question is lost: a second one would be answered.
    async fn a_purchase_is_asked_about_once_for_all_that_an_answer_tells_of_it(app: SmallCatalog) {
        let keeper = vendor(&app, "keeper", Retention::PassThrough).await;
        keeper.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let partner = app.partner().await;
        buy(&app, &partner, input(EURO_20, 2, "one")).await;
        let ids = app.database.texts("SELECT id AS line FROM vouchers WHERE sealed IS NULL ORDER BY unit_index").await;
        let document = format!(
            "{{ order(reference: \"one\") {{ vouchers {{ codeState }} }}
                first: node(id: \"{}\") {{ ... on Voucher {{ codeState }} }}
                second: node(id: \"{}\") {{ ... on Voucher {{ codeState }} }} }}",
            ids[0], ids[1]
        );
        let told = async || partner.graphql(&document, json!({})).await.data().clone();
        let all = |state: &str| {
            let one = json!({ "codeState": state });
            json!({ "order": { "vouchers": [one, one] }, "first": one, "second": one })
        };
        keeper.wire.turn(Weather::LosesAnswerTo("GET /purchases"));
        assert_eq!(told().await, all("UNREACHABLE"));
        assert_eq!(told().await, all("AVAILABLE"));
    }

    /// As if the vendor told another code for the first unit than it delivered: the index is of what was delivered.
    async fn another_code_than_was_delivered_is_never_shown(app: SmallCatalog) {
        app.books_are_broken();
        let keeper = vendor(&app, "keeper", Retention::PassThrough).await;
        keeper.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let partner = app.partner().await;
        buy(&app, &partner, input(EURO_20, 2, "one")).await;
        let (unguarded, nought) = match app.database.dialect() {
            Dialect::Sqlite => ("DROP TRIGGER vouchers_no_update", "x'00'"),
            Dialect::Postgres => ("SET session_replication_role = replica", "'\\x00'"),
        };
        let sql = format!("{unguarded}; UPDATE vouchers SET blind_index = {nought} WHERE sealed IS NULL AND unit_index = 1");
        app.database.execute(&sql).await;
        let answer = read(&partner, "one").await;
        assert_eq!(states(&answer), [(1, false, "UNREACHABLE"), (2, true, "AVAILABLE")]);
        let fields = ["code", "pin", "serial", "redemptionUrl"].map(|field| format!("order.vouchers.0.{field}"));
        let expected: Vec<(&str, &str)> = fields.iter().map(|path| ("SERVICE_UNAVAILABLE", path.as_str())).collect();
        answer.expect_errors(&expected);
    }

    async fn what_the_vendor_keeps_is_sold_from_stock_too(app: SmallCatalog) {
        let keeper = vendor(&app, "keeper", Retention::PassThrough).await;
        keeper.sell(&app, &[(EURO_20, "sandbox_partial")]).await;
        let partner = app.partner().await;
        order(&partner, all_of(EURO_20, 3, "all")).await.payload("createOrder");
        assert_eq!(end(&app, &partner, "all").await.text("order.status"), "FAILED");
        let other = app.other_partner().await;
        let mut sold = codes(&order(&other, input(EURO_20, 2, "one")).await);
        let mut theirs = keeper.codes(&app.database.texts("SELECT our_ref AS line FROM purchases").await[0]).await;
        sold.sort();
        theirs.sort();
        assert_eq!(sold, theirs);
        assert_agreed(&app, &[&keeper]).await;
    }
}
