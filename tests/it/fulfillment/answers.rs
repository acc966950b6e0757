//! Answers whose names and words no row could hold. Not here: answers that are none at all (`outcomes.rs`).

use serde_json::json;

use super::desk::Desk;
use super::{end, input};
use crate::orders::order;
use crate::support::app::TestApp;
use crate::support::catalog::{DIRECT_PLAYER, EURO_20};
use crate::support::poll;
use crate::support::vendor::TestVendor;

const NAME: &str = "the vendor's name for the purchase is none that can be kept";
const RECEIPT: &str = "the vendor's receipt is none that can be kept";

async fn in_doubt(app: &TestApp, reason: &str) {
    let sql = format!(
        "SELECT count(*) FROM purchase_calls WHERE kind = 'SEND' AND message = '{}'",
        reason.replace('\'', "''")
    );
    poll::until_true("it is in doubt", async || app.database.number(&sql).await == 1).await;
}

both_databases! {
    async fn a_name_that_no_row_could_hold_leaves_the_purchase_in_doubt_without_it(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok")]).await;
        let desk = Desk::instead_of(&app, &vendor).await;
        desk.say(json!({ "id": "T-\0-1" }));
        order(&partner, input(EURO_20, 1, "one")).await.payload("createOrder");
        in_doubt(&app, NAME).await;
        let stands = "SELECT state || ' ' || coalesce(vendor_ref, 'without a name') AS line FROM purchases";
        assert_eq!(app.database.texts(stands).await, ["UNKNOWN without a name"]);
        desk.say(json!({}));
        let ended = end(&app, &partner, "one").await;
        assert_eq!((ended.text("order.status"), ended.list("order.vouchers").len()), ("DELIVERED", 1));
        assert_eq!(app.database.texts(stands).await, ["DELIVERED T-1"]);
    }

    async fn a_receipt_that_no_row_could_hold_leaves_the_purchase_in_doubt(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(DIRECT_PLAYER, "sandbox_ok")]).await;
        let desk = Desk::instead_of(&app, &vendor).await;
        let credited = |receipt: &str| json!({ "units": [{ "code": null, "pin": null, "serial": null, "url": null,
            "receipt": receipt, "expires_at": null, "face_value": "1", "currency": "USD" }],
            "cost": { "amount": "0.95", "currency": "USD" } });
        desk.say(credited(&"7".repeat(100_000)));
        order(&partner, json!({ "productId": DIRECT_PLAYER, "reference": "one", "waitMs": 0,
            "recipient": { "playerId": "player-77" } })).await.payload("createOrder");
        in_doubt(&app, RECEIPT).await;
        assert_eq!(app.database.texts("SELECT state || ' ' || vendor_ref AS line FROM purchases").await, ["UNKNOWN T-1"]);
        desk.say(credited("R-77"));
        let ended = end(&app, &partner, "one").await;
        assert_eq!((ended.text("order.status"), ended.text("order.units.nodes.0.receipt.number")), ("DELIVERED", "R-77"));
        assert!(ended.list("order.vouchers").is_empty());
    }
}
