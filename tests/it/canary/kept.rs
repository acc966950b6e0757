//! What is left of codes that are not kept, or not any more, in the files of the database, or its dump.
//! Not here: what is told of them (`fulfillment/retention.rs`).

use octopus_cards::domain::fulfillment::Retention;
use octopus_cards::domain::vouchers::destroy_expired_keys;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::scan::{self, Secrets};
use crate::fulfillment::{end, input};
use crate::orders::order;
use crate::support::app::TestApp;
use crate::support::catalog::EURO_20;
use crate::support::vendor::TestVendor;

const DAY_SECS: i64 = 86_400;

async fn buy(app: &TestApp, retention: Retention) -> TestVendor {
    let vendor = TestVendor::open(app, "only").await;
    vendor.keep(app, retention).await;
    vendor.sell(app, &[(EURO_20, "sandbox_ok")]).await;
    let partner = app.partner().await;
    order(&partner, input(EURO_20, 3, "one")).await.payload("createOrder");
    assert_eq!(end(app, &partner, "one").await.list("order.vouchers").len(), 3);
    vendor
}

fn found(app: &TestApp, secrets: &Secrets) -> Vec<String> {
    let files = scan::database_bytes(&app.database);
    files.iter().flat_map(|(name, bytes)| secrets.find_in_bytes(name, bytes)).collect()
}

both_databases! {
    async fn codes_that_the_vendor_keeps_leave_nothing_in_the_database(app: SmallCatalog) {
        let vendor = buy(&app, Retention::PassThrough).await;
        let mut secrets = Secrets::default();
        for reference in app.database.texts("SELECT our_ref AS line FROM purchases").await {
            for code in vendor.codes(&reference).await {
                secrets.add("a code", &code);
            }
        }
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE sealed IS NULL").await, 3);
        let found = found(&app, &secrets);
        assert!(found.is_empty(), "{found:#?}");
    }

    /// Not its wrapped bytes either, with which the master key would give it back.
    async fn a_key_that_is_destroyed_leaves_nothing_in_the_database(app: SmallCatalog) {
        buy(&app, Retention::KeptFor(DAY_SECS)).await;
        let keys = entity::data_keys::Entity::find().filter(entity::data_keys::Column::ExpiresAt.is_not_null());
        let keys = keys.all(&app.deps.database.reader).await.unwrap();
        assert_eq!(keys.len(), 1);
        // Behind its first byte, which is the same for all.
        let wrapped: String = keys[0].wrapped.0[1..].iter().map(|byte| format!("{byte:02x}")).collect();
        let is_there = |app: &TestApp| {
            scan::database_bytes(&app.database).iter().any(|(_, bytes)| {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                hex.contains(&wrapped) || String::from_utf8_lossy(bytes).contains(&wrapped)
            })
        };
        assert!(is_there(&app), "else nothing would be proven");
        app.advance_secs(2 * DAY_SECS);
        assert_eq!(destroy_expired_keys(&app.system()).await.unwrap(), 1);
        assert!(!is_there(&app));
    }
}
