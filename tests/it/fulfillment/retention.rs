//! Codes that may be kept for a time alone.
//! Always true: until its time a code is read as any other, from then on by nobody, whatever they have of the database and of
//! the keys of the present. Not here: how operators set the time (`operators/vendors.rs`).

use entity::timestamp::Timestamp;
use octopus_cards::domain::fulfillment::Retention;
use reqwest::Method;
use serde_json::{Value, json};

use super::{end, input};
use crate::orders::order;
use crate::support::answer::Answer;
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::EURO_20;
use crate::support::database::Dialect;
use crate::support::poll;
use crate::support::process::Binary;
use crate::support::vendor::{Terms, TestVendor};

const ORDER: &str = "query($reference: String!) { order(reference: $reference) { status
    vouchers { unitIndex code pin serial redemptionUrl readableUntil unreadableReason } } }";
/// The keys of codes that may be kept for a day.
const KEYS: &str = "data_keys WHERE purpose = 'stock for 24 hours'";
const DAY: i64 = 86_400;

async fn open(app: &TestApp) -> (Partner, TestVendor) {
    let terms = Terms { retention: Retention::Ttl(24), ..Terms::default() };
    let vendor = TestVendor::on_terms(app, "strict", terms).await;
    vendor.sell(app, &[(EURO_20, "sandbox_ok")]).await;
    (app.partner().await, vendor)
}

async fn buy(app: &TestApp, partner: &Partner, reference: &str) -> Vec<Value> {
    let partner = &app.sign_in(&partner.account).await;
    order(partner, input(EURO_20, 2, reference)).await.payload("createOrder");
    assert_eq!(end(app, partner, reference).await.text("order.status"), "DELIVERED");
    vouchers(&read(app, partner, reference).await)
}

/// Reads an order with a new session: the one before may have ended with the time that has passed.
async fn read(app: &TestApp, partner: &Partner, reference: &str) -> Answer {
    let again = app.sign_in(&partner.account).await;
    again.graphql(ORDER, json!({ "reference": reference })).await
}

fn vouchers(answer: &Answer) -> Vec<Value> {
    answer.list("order.vouchers").to_vec()
}

/// Asserts that nothing of a code is told, and why.
fn assert_forgotten(voucher: &Value, reason: &str) {
    for field in ["code", "pin", "serial"] {
        assert_eq!(voucher[field], Value::Null, "{field}");
    }
    assert_eq!(voucher[reason], "RETENTION_ENDED");
}

both_databases! {
    async fn a_code_is_read_until_its_time_and_by_nobody_from_then_on(app: SmallCatalog) {
        let (partner, _vendor) = open(&app).await;
        let bought = buy(&app, &partner, "one").await;
        let made = app.database.number(&format!("SELECT created_at FROM {KEYS}")).await;
        let until = Timestamp::from_micros(made).plus_seconds(DAY);
        for voucher in &bought {
            assert!(voucher["code"].as_str().is_some_and(|code| !code.is_empty()), "{voucher}");
            assert_eq!((&voucher["readableUntil"], &voucher["unreadableReason"]), (&json!(until.to_string()), &Value::Null));
        }
        let sold_until = "SELECT count(*) FROM vouchers WHERE readable_until - usable_until = 43200000000";
        assert_eq!(app.database.number(sold_until).await, 2);

        app.advance_secs((until.micros() - app.now().micros()) / 1_000_000 - 1);
        assert_eq!(vouchers(&read(&app, &partner, "one").await), bought, "a second ahead of its time");
        app.advance_secs(2);
        let ended = vouchers(&read(&app, &partner, "one").await);
        assert_eq!(ended.len(), 2);
        for (voucher, before) in ended.iter().zip(&bought) {
            assert_forgotten(voucher, "unreadableReason");
            for field in ["unitIndex", "readableUntil"] {
                assert_eq!(voucher[field], before[field], "{field}");
            }
        }
        let again = app.sign_in(&partner.account).await;
        let rest = again.rest(Method::GET, "/api/v1/orders?reference=one", &Value::Null).await;
        let rest = rest.expect_status(200).body["data"][0]["vouchers"].clone();
        assert_forgotten(&rest[0], "unreadable_reason");
        assert_eq!(rest[0]["readable_until"], bought[0]["readableUntil"]);
        let other = buy(&app, &partner, "two").await;
        assert!(other[0]["code"].is_string(), "what is bought later has a time of its own: {other:?}");
    }

    async fn what_is_left_of_a_code_gives_nobody_the_code(app: SmallCatalog) {
        let (partner, _vendor) = open(&app).await;
        let bought = buy(&app, &partner, "one").await;
        let hex = match app.database.dialect() {
            Dialect::Sqlite => "lower(hex(wrapped))",
            Dialect::Postgres => "encode(wrapped, 'hex')",
        };
        let wrapped = app.database.texts(&format!("SELECT {hex} AS line FROM {KEYS}")).await.remove(0);
        app.advance_secs(DAY);
        poll::until_true("the key is destroyed", async || {
            app.database.number(&format!("SELECT count(*) FROM {KEYS} AND wrapped IS NULL AND destroyed_at IS NOT NULL")).await == 1
        })
        .await;
        assert_eq!(app.database.number("SELECT count(*) FROM audit_log WHERE action = 'keys.destroyed'").await, 1);
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE readable_until IS NOT NULL").await, 2);

        // A process that starts with the keys of the present, and never knew the one that is gone.
        let fresh = app.second_node().await;
        let told = vouchers(&read(&fresh, &partner, "one").await);
        told.iter().for_each(|voucher| assert_forgotten(voucher, "unreadableReason"));
        fresh.leave().await;
        let own = bought[0]["code"].as_str().unwrap();
        let header = "sku,face_value,code,pin,serial,url,expires_at,cost,cost_currency,lot";
        let (csv, file) = (format!("{header}\n{EURO_20},20,{own},,,,,,,again\n"), app.database.folder.path().join("again.csv"));
        std::fs::write(&file, csv).unwrap();
        let known = Binary::on(&app.database).run(&["stock", "import", "again.csv"]).await;
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE lot = 'again'").await, 0, "{known:?}");
        std::fs::remove_file(&file).unwrap();

        if app.database.dialect() == Dialect::Sqlite {
            app.stop().await;
            app.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
            let mut searched = 0;
            for file in std::fs::read_dir(app.database.folder.path()).unwrap() {
                let path = file.unwrap().path();
                if !path.is_file() {
                    continue;
                }
                let bytes = std::fs::read(&path).unwrap();
                let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                assert!(!text.contains(&wrapped[16..]), "the wrapped key is in {}", path.display());
                searched += bytes.len();
            }
            assert!(searched > 100_000, "the database was searched");
        }
    }
}
