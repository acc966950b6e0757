//! What is peculiar to another Octopus: its session, its prices, its references.
//! Always true: what the adapter says is held against what the vendor's other doors say. Not here: the contract (`mod.rs`).

use std::sync::Arc;

use bigdecimal::{BigDecimal, RoundingMode};
use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::money::Money;
use entity::state::DeliveryKind;
use entity::timestamp::Timestamp;
use octopus_cards::domain::fulfillment::{
    CatalogItem, Cost, Faces, Goods, Outcome, PurchaseRequest, RefusalKind, Sighting, Vendor,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::proxy::Proxy;
use super::{open, request, unit_micros};
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::{EURO_20, RANGE_USD, STEAM_50, YEN_1000, stock_csv};
use crate::support::poll;
use crate::support::vendor::TestVendor;
use crate::vendors::contract::{delivered, refused, sighted, statement};

/// The adapter on the first partner's account, straight at the server.
fn straight(app: &TestApp) -> Arc<dyn Vendor> {
    let seeded = &app.database.seed.partners[0];
    open(app, &app.client.url, &seeded.username, &seeded.password, 20_000)
}

async fn everything(vendor: &dyn Vendor) -> Vec<CatalogItem> {
    let (mut items, mut from) = (Vec::new(), None);
    loop {
        let part = vendor.catalog(from).await.expect("it has a catalog");
        items.extend(part.items.into_iter().flatten());
        from = part.next;
        if from.is_none() {
            return items;
        }
    }
}

fn big(text: impl ToString) -> BigDecimal {
    text.to_string().parse().unwrap()
}

/// What the vendor would charge for a unit, by its binding prices.
async fn charged(partner: &Partner, product: &str, face: Money) -> String {
    let input = json!({ "product_id": product, "face_value": face.amount(), "currency": "USD" });
    let charge = partner.rest(Method::POST, "/api/v1/charges", &input).await;
    charge.expect_status(201).body["unit_price"]["amount"].as_str().unwrap().to_owned()
}

both_databases! {
    async fn many_calls_share_a_session_which_is_renewed_and_begun_again(app: SmallCatalog) {
        let proxy = Proxy::before(&app).await;
        let seeded = &app.database.seed.partners[0];
        let vendor = open(&app, &proxy.address, &seeded.username, &seeded.password, 20_000);
        let asked = |what: &str| proxy.seen.lock().unwrap().iter().filter(|line| line.ends_with(what)).count();
        let all = futures_util::future::join_all((0..8).map(|_| vendor.balance())).await;
        assert!(all.iter().all(|balance| balance.as_ref().unwrap().is_some()), "{all:?}");
        assert_eq!((asked("/auth/login"), asked("/auth/refresh")), (1, 0));
        app.advance_secs(3_539);
        vendor.balance().await.unwrap();
        assert_eq!((asked("/auth/login"), asked("/auth/refresh")), (1, 0));
        app.advance_secs(1);
        vendor.balance().await.unwrap();
        assert_eq!((asked("/auth/login"), asked("/auth/refresh")), (1, 1));
        // The session is ended at the vendor: the token is refused before its time, and the call is made all the same.
        app.database.execute("UPDATE sessions SET revoked_at = 1 WHERE revoked_at IS NULL").await;
        app.advance_secs(10);
        let delivery = delivered(vendor.purchase(&request("after-all", 1, unit_micros(&app).await)).await);
        assert_eq!(delivery.goods.len(), 1);
        assert_eq!((asked("/auth/login"), asked("/auth/refresh"), asked("POST /api/v1/orders")), (2, 1, 2));
        // Neither can it be renewed.
        app.database.execute("UPDATE sessions SET revoked_at = 1 WHERE revoked_at IS NULL").await;
        app.advance_secs(3_600);
        vendor.balance().await.unwrap();
        assert_eq!((asked("/auth/login"), asked("/auth/refresh")), (3, 2));
    }

    async fn its_catalog_costs_what_its_orders_cost(app: SmallCatalog) {
        let partner = app.partner().await;
        let ctx = app.system();
        let set = octopus_cards::domain::pricing::set_rule;
        let about = |subject: &str| octopus_cards::domain::pricing::RuleTarget {
            partner: Some(app.database.seed.partners[0].id.parse().unwrap()),
            subject_kind: entity::state::PriceRuleSubject::Product,
            subject: subject.to_owned(),
        };
        let fee = octopus_cards::domain::pricing::RuleValue::Fee(Money::from_minor(37, Currency::USD));
        set(&ctx, about(RANGE_USD), fee).await.unwrap();
        octopus_cards::domain::pricing::refresh(&app.deps).await.unwrap();
        let items = everything(&*straight(&app)).await;
        assert_eq!(items.len(), 44);
        for item in &items {
            let faces = match &item.faces {
                Faces::Fixed(faces) => faces.clone(),
                Faces::Range { min, max, step } => vec![*min, min + step * ((max - min) / step / 3), *max],
            };
            if item.delivery != DeliveryKind::Code || !item.is_active {
                continue;
            }
            for face in faces {
                let face = Money::from_minor(face, item.face_currency);
                let unit = big(Decimal::new(face.minor.into(), face.currency.minor_units())) * big(item.cost.factor)
                    + BigDecimal::new(item.cost.fee_micros.into(), 6);
                let unit = unit.with_scale_round(2, RoundingMode::HalfUp);
                assert_eq!(unit, big(charged(&partner, &item.vendor_sku, face).await), "{item:?} {}", face.amount());
            }
        }
        let steam = items.iter().find(|item| item.vendor_sku == STEAM_50).unwrap();
        assert_eq!(steam.max_quantity, Some(1_000));
        assert_eq!((steam.available, steam.country.as_deref(), &*steam.brand), (Some(200), Some("US"), "Steam Wallet"));
        let topup = items.iter().find(|item| item.delivery == DeliveryKind::Topup).unwrap();
        assert!(topup.recipient.is_some() && !topup.is_active && topup.available == Some(0), "{topup:?}");
    }

    async fn its_stock_is_all_that_it_has_only_if_nobody_sells_it_more(app: SmallCatalog) {
        let behind = TestVendor::open(&app, "behind").await;
        behind.sell(&app, &[(STEAM_50, "sandbox_ok"), (EURO_20, "sandbox_ok")]).await;
        let vendor = straight(&app);
        let told = async |sku: &str| {
            let items = everything(&*vendor).await;
            items.into_iter().find(|item| item.vendor_sku == sku).unwrap().available
        };
        poll::until_true("it is sold on demand", async || told(EURO_20).await.is_none()).await;
        assert_eq!((told(STEAM_50).await, told(YEN_1000).await), (None, Some(50)));
    }

    async fn the_price_of_another_currency_is_told_with_the_line_that_it_lies_on(app: SmallCatalog) {
        let partner = app.partner().await;
        let told = async |query: &str| {
            let path = format!("/api/v1/products/{RANGE_USD}{query}");
            partner.rest(Method::GET, &path, &Value::Null).await.body["price"].clone()
        };
        let yen = told("?currency=JPY").await;
        assert_eq!(yen["unit_price"]["currency"], "JPY");
        let unit = big(yen["face_value"]["amount"].as_str().unwrap()) * big(yen["factor"].as_str().unwrap())
            + big(yen["fee"].as_str().unwrap());
        assert_eq!(unit.with_scale_round(0, RoundingMode::HalfUp), big(yen["unit_price"]["amount"].as_str().unwrap()));
        assert_eq!(told("").await, told("?currency=USD").await);
        let listed = partner.rest(Method::GET, "/api/v1/products?currency=JPY&limit=100", &Value::Null).await;
        let listed = listed.body["data"].as_array().unwrap();
        let same = listed.iter().find(|product| product["id"] == RANGE_USD).unwrap();
        assert_eq!(same["price"], yen);
        let refused = partner.rest(Method::GET, "/api/v1/products?currency=yen", &Value::Null).await;
        refused.expect_problem(422, "BAD_USER_INPUT");
    }

    async fn an_order_of_other_inputs_under_our_reference_is_a_doubt(app: SmallCatalog) {
        let (vendor, unit) = (straight(&app), unit_micros(&app).await);
        delivered(vendor.purchase(&request("taken", 1, unit)).await);
        let other = request("taken", 2, unit);
        let outcome = vendor.purchase(&other).await;
        let Outcome::Unknown(doubt) = outcome else { panic!("{outcome:?}") };
        assert_eq!(doubt.http_status, Some(409));
        let sighting = vendor.find(&other).await;
        let Sighting::Unclear(doubt) = sighting else { panic!("{sighting:?}") };
        assert!(doubt.message.contains("another quantity") && doubt.vendor_ref.is_some(), "{doubt:?}");
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 1);
    }

    async fn what_costs_more_than_it_may_is_refused_and_half_a_cent_is_rounding(app: SmallCatalog) {
        let (vendor, unit) = (straight(&app), unit_micros(&app).await);
        let may_cost = |our_ref: &str, highest: Option<i64>| PurchaseRequest {
            highest_cost: highest.map(|micros| Cost { micros, currency: Currency::USD }),
            ..request(our_ref, 1, unit - 1_000_000)
        };
        assert_eq!(refused(vendor.purchase(&may_cost("over", Some(unit - 10_000))).await).kind, RefusalKind::PriceChanged);
        for (our_ref, highest) in [("margin", Some(unit)), ("charge", None)] {
            let delivery = delivered(vendor.purchase(&may_cost(our_ref, highest)).await);
            assert_eq!(delivery.cost.unwrap().micros, unit, "{our_ref}");
        }
        let less = |our_ref: &str, micros: i64| PurchaseRequest { ..request(our_ref, 3, unit - micros) };
        let refusal = refused(vendor.purchase(&less("dear", 5_001)).await);
        assert_eq!(refusal.kind, RefusalKind::PriceChanged);
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 2);
        let delivery = delivered(vendor.purchase(&less("rounded", 5_000)).await);
        assert_eq!(delivery.cost.unwrap().micros, unit * 3);
        // What is expected in another currency than our account's is not sent.
        let mut foreign = request("foreign", 1, unit);
        foreign.expected_cost.currency = "EUR".parse().unwrap();
        assert_eq!(refused(vendor.purchase(&foreign).await).kind, RefusalKind::Other);
    }

    async fn a_credential_that_may_not_read_codes_leaves_a_doubt_that_says_so(app: SmallCatalog) {
        let owner = app.partner().await;
        let create = "mutation Create($input: CreateApiCredentialInput!) { createApiCredential(input: $input) {
            credential { username } password userErrors { code } } }";
        let input = json!({ "name": "blind", "scopes": ["ORDERS_READ", "ORDERS_WRITE", "CATALOG_READ"] });
        let made = owner.graphql(create, json!({ "input": input })).await;
        let (username, password) =
            (made.text("createApiCredential.credential.username"), made.text("createApiCredential.password"));
        let blind = open(&app, &app.client.url, username, password, 20_000);
        let wanted = request("blind", 2, unit_micros(&app).await);
        let outcome = blind.purchase(&wanted).await;
        let Outcome::Unknown(doubt) = outcome else { panic!("{outcome:?}") };
        assert!(doubt.message.contains("vouchers:reveal"), "{doubt:?}");
        assert_eq!(sighted(straight(&app).find(&wanted).await).goods.len(), 2);
        assert_eq!(refused_kind(&app, &["CATALOG_READ"]).await, RefusalKind::NotAuthorized);
    }

    async fn its_statement_has_what_was_delivered_oldest_first_in_parts(app: SmallCatalog) {
        let (vendor, unit) = (straight(&app), unit_micros(&app).await);
        app.load_stock(&stock_csv(STEAM_50, "50", 1_000, 20)).await;
        let began = app.now();
        for number in 0..105 {
            delivered(vendor.purchase(&request(&format!("n-{number:03}"), 1, unit)).await);
            app.advance_secs(1);
        }
        let first = vendor.statement(began, None).await.unwrap();
        assert_eq!((first.items.len(), first.next.is_some()), (100, true));
        let lines = statement(&*vendor, began.plus_seconds(2)).await;
        assert_eq!(lines.len(), 103);
        for (number, line) in (2..).zip(&lines) {
            assert_eq!(line.our_ref.as_deref(), Some(format!("n-{number:03}").as_str()));
            assert_eq!((line.vendor_sku.as_deref(), line.quantity), (Some(STEAM_50), 1));
            assert_eq!((line.cost.micros, line.at), (unit, began.plus_seconds(number)));
        }
        assert_eq!(statement(&*vendor, Timestamp::NEVER).await, []);
    }

    /// Its codes go through as they are, whatever they hold.
    async fn a_code_is_delivered_to_the_letter(app: SmallCatalog) {
        let vendor = straight(&app);
        let delivery = delivered(vendor.purchase(&request("letters", 3, unit_micros(&app).await)).await);
        let partner = app.partner().await;
        let shown = partner.rest(Method::GET, "/api/v1/orders?reference=letters", &Value::Null).await;
        assert_eq!(shown.body["data"][0]["id"], json!(delivery.vendor_ref));
        for (goods, voucher) in delivery.goods.iter().zip(shown.body["data"][0]["vouchers"].as_array().unwrap()) {
            let Goods::Code { contents, expires_at, face } = goods else { panic!("{goods:?}") };
            assert_eq!(contents.code.as_ref().unwrap().expose(), voucher["code"].as_str().unwrap());
            assert_eq!(expires_at.map(|at| json!(at.to_string())), Some(voucher["expires_at"].clone()).filter(Value::is_string));
            assert_eq!(*face, Some(Money::from_minor(5_000, Currency::USD)));
        }
    }
}

/// How an order is refused to a credential that may do only this much.
async fn refused_kind(app: &TestApp, scopes: &[&str]) -> RefusalKind {
    let owner = app.partner().await;
    let create = "mutation Create($input: CreateApiCredentialInput!) { createApiCredential(input: $input) {
        credential { username } password userErrors { code } } }";
    let made = owner.graphql(create, json!({ "input": { "name": "narrow", "scopes": scopes } })).await;
    let (username, password) =
        (made.text("createApiCredential.credential.username"), made.text("createApiCredential.password"));
    let vendor = open(app, &app.client.url, username, password, 20_000);
    refused(vendor.purchase(&request("narrow", 1, unit_micros(app).await)).await).kind
}
