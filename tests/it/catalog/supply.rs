//! Products that vendors deliver on demand, as the catalog shows them.
//! Always true: what is shown as to be had is accepted, and what is not is refused; the server learns of a change by itself.
//! Not here: from which vendor a unit comes (`fulfillment/routes.rs`).

use entity::money::Money;
use entity::state::{OfferStatus, PriceRuleSubject, VendorStatus};
use octopus_cards::domain::fulfillment::{self, CostRule, NewOffer};
use octopus_cards::domain::pricing::{self, RuleTarget, RuleValue};
use reqwest::Method;
use serde_json::{Value, json};

use super::{ids, product, products};
use crate::orders::order;
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::{EURO_20, STEAM_50, TOPUP_FIXED, TOPUP_RANGE, YEN_1000, stock_csv};
use crate::support::poll::until;
use crate::support::vendor::TestVendor;

async fn shows(partner: &Partner, sku: &str, availability: &str) {
    until(&format!("the server shows {sku} as {availability}"), async || {
        (product(partner, sku).await.text("product.stock.availability") == availability).then_some(())
    })
    .await;
}

/// Whether a page of what is available has the product.
async fn is_listed(partner: &Partner, sku: &str) -> bool {
    let filter = json!({ "filter": { "availableOnly": true }, "first": 100 });
    ids(&products(partner, filter).await).contains(&sku.to_owned())
}

async fn place(partner: &Partner, sku: &str, reference: &str) -> Value {
    let placed = order(partner, json!({ "productId": sku, "reference": reference, "waitMs": 10_000 })).await;
    placed.at("createOrder.userErrors").clone()
}

/// An offer of a product as it stands, for such a share of its face value.
async fn offer(app: &TestApp, vendor: &TestVendor, offer: NewOffer) {
    app.advance_secs(1);
    fulfillment::put_offers(&app.system(), vendor.row.id, vec![offer], &|_| ())
        .await
        .expect("the offer is good");
}

fn euro_20(factor: &str) -> NewOffer {
    NewOffer {
        product: EURO_20.to_owned(),
        vendor_sku: "any_sandbox_ok".to_owned(),
        status: OfferStatus::Active,
        cost: CostRule { currency: "EUR".parse().unwrap(), factor: factor.parse().unwrap(), fee_micros: 0 },
        priority: 0,
        min_face_minor: None,
        max_face_minor: None,
        max_quantity: 10,
        available: None,
    }
}

both_databases! {
    async fn what_vendors_alone_sell_is_shown_as_to_be_had_and_is_had(app: SmallCatalog) {
        let partner = app.partner().await;
        assert!(!is_listed(&partner, EURO_20).await);
        let vendor = TestVendor::open(&app, "only").await;
        vendor.sell(&app, &[(EURO_20, "sandbox_ok"), (STEAM_50, "sandbox_ok"), (TOPUP_FIXED, "sandbox_ok")]).await;
        shows(&partner, EURO_20, "ON_DEMAND").await;
        let shown = product(&partner, EURO_20).await;
        assert_eq!(shown.at("product.stock"),
            &json!({ "availability": "ON_DEMAND", "available": 0, "maxQuantity": 1000 }));
        assert_eq!(shown.at("product.orderable"), true);
        assert!(is_listed(&partner, EURO_20).await && is_listed(&partner, TOPUP_FIXED).await);
        assert_eq!(product(&partner, STEAM_50).await.text("product.stock.availability"), "IN_STOCK");
        // What is in stock may be had beyond it.
        for (sku, on_demand) in [(STEAM_50, true), (YEN_1000, false)] {
            let document = "query($id: ID!) { product(id: $id) { stock { availability onDemand } } }";
            let shown = partner.graphql(document, json!({ "id": sku })).await;
            assert_eq!(shown.at("product.stock"), &json!({ "availability": "IN_STOCK", "onDemand": on_demand }));
        }
        let one = partner.rest(Method::GET, &format!("/api/v1/products/{EURO_20}"), &Value::Null).await;
        assert_eq!(one.body["stock"], json!({ "availability": "ON_DEMAND", "available": 0, "on_demand": true,
            "max_quantity": 1000 }));
        assert_eq!(one.body["orderable"], true);
        assert_eq!(place(&partner, EURO_20, "bought").await, json!([]));
        // Own codes go first.
        app.load_stock(&stock_csv(EURO_20, "20", 1, 2)).await;
        shows(&partner, EURO_20, "IN_STOCK").await;
    }

    async fn what_a_vendor_does_not_sell_any_more_is_not_shown_as_to_be_had(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        offer(&app, &vendor, euro_20("0.95")).await;
        shows(&partner, EURO_20, "ON_DEMAND").await;
        let is_gone = async |reference: &str| {
            shows(&partner, EURO_20, "UNAVAILABLE").await;
            assert!(!is_listed(&partner, EURO_20).await);
            assert_eq!(place(&partner, EURO_20, reference).await[0]["code"], "OUT_OF_STOCK");
        };
        fulfillment::set_vendor_status(&app.system(), "only", VendorStatus::Paused).await.unwrap();
        is_gone("paused").await;
        fulfillment::set_vendor_status(&app.system(), "only", VendorStatus::Active).await.unwrap();
        shows(&partner, EURO_20, "ON_DEMAND").await;
        offer(&app, &vendor, NewOffer { status: OfferStatus::Vanished, ..euro_20("0.95") }).await;
        is_gone("vanished").await;
        offer(&app, &vendor, NewOffer { available: Some(3), ..euro_20("0.95") }).await;
        shows(&partner, EURO_20, "ON_DEMAND").await;
        offer(&app, &vendor, NewOffer { available: Some(0), ..euro_20("0.95") }).await;
        is_gone("sold-out").await;
        offer(&app, &vendor, NewOffer { min_face_minor: Some(2_001), ..euro_20("0.95") }).await;
        is_gone("other-face").await;
        offer(&app, &vendor, euro_20("1.5")).await;
        is_gone("dear").await;
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 0);
    }

    /// A fee of every partner makes up for what the vendor takes; a failing vendor is a passing thing.
    async fn it_follows_prices_and_takes_no_heed_of_a_vendor_that_fails_for_a_while(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        offer(&app, &vendor, euro_20("1.05")).await;
        let target = RuleTarget {
            partner: None,
            subject_kind: PriceRuleSubject::Product,
            subject: EURO_20.to_owned(),
        };
        let fee = RuleValue::Fee(Money::from_minor(200, "EUR".parse().unwrap()));
        pricing::set_rule(&app.system(), target, fee).await.unwrap();
        shows(&partner, EURO_20, "ON_DEMAND").await;
        app.database.execute(&format!("INSERT INTO vendor_health (vendor_id, product_id, failures, open_until, message, changed_at)
            VALUES ('{}', '', 9, {}, 'down', 0)", vendor.row.id, i64::MAX)).await;
        offer(&app, &vendor, NewOffer { available: Some(7), ..euro_20("1.05") }).await;
        let sold = product(&partner, EURO_20).await;
        assert_eq!(sold.text("product.stock.availability"), "ON_DEMAND");
        let placed = order(&partner, json!({ "productId": EURO_20, "reference": "waits", "waitMs": 0 })).await;
        placed.payload("createOrder");
    }

    /// What the vendor takes beside its share is more than small values bring.
    async fn a_range_is_had_if_it_is_at_any_of_its_values(app: SmallCatalog) {
        let partner = app.partner().await;
        let vendor = TestVendor::open(&app, "only").await;
        let ranged = |max_face_minor| NewOffer {
            product: TOPUP_RANGE.to_owned(),
            cost: CostRule {
                currency: "JPY".parse().unwrap(),
                factor: "0.8".parse().unwrap(),
                fee_micros: 300_000_000,
            },
            min_face_minor: Some(1_200),
            max_face_minor,
            ..euro_20("1")
        };
        offer(&app, &vendor, ranged(None)).await;
        shows(&partner, TOPUP_RANGE, "ON_DEMAND").await;
        offer(&app, &vendor, ranged(Some(1_300))).await;
        shows(&partner, TOPUP_RANGE, "UNAVAILABLE").await;
        offer(&app, &vendor, ranged(Some(9_000))).await;
        shows(&partner, TOPUP_RANGE, "ON_DEMAND").await;
    }
}
