//! What an order of another Octopus is taken for: the answers that a real server gives too seldom to wait for.

use entity::currency::Currency;
use entity::money::Money;
use entity::state::RecipientKind;
use serde_json::{Value, json};

use super::*;
use crate::domain::fulfillment::{Recipient, RefusalKind};

fn request(quantity: i32) -> PurchaseRequest {
    PurchaseRequest {
        our_ref: "r-1".to_owned(),
        vendor_sku: "s".to_owned(),
        quantity,
        face: Money::from_minor(5_000, Currency::USD),
        expected_cost: Cost { micros: 96_000_000, currency: Currency::USD },
        highest_cost: None,
        recipient: None,
        vendor_ref: None,
        created_at: Timestamp::from_micros(0),
    }
}

/// An order of two, of which one is delivered, with changes.
fn order(changes: Value) -> Order {
    let face = json!({ "amount": "50.00", "currency": "USD" });
    let mut order = json!({
        "id": "ord_1", "reference": "r-1", "status": "PARTIALLY_DELIVERED", "quantity": 2, "delivered_quantity": 1,
        "product": { "id": "s" }, "currency": "USD", "face_value": face,
        "unit_price": { "amount": "48.00", "currency": "USD" }, "created_at": "2026-11-22T12:00:00Z", "failure": null,
        "vouchers": [{ "unit_index": 1, "face_value": face, "code": "CODE-1", "pin": "", "serial": null,
            "redemption_url": null, "expires_at": null }],
    });
    for (name, value) in changes.as_object().unwrap() {
        order[name] = value.clone();
    }
    serde_json::from_str(&order.to_string()).unwrap()
}

#[test]
fn what_has_ended_is_a_fact_and_what_has_not_is_none() {
    let standing = |changes| order(changes).standing(&request(2));
    let Ok(Standing::Delivered(delivery)) = standing(json!({})) else { panic!("it is delivered in part") };
    assert_eq!((delivery.goods.len(), delivery.cost.map(|cost| cost.micros)), (1, Some(48_000_000)));
    let Goods::Code { contents, .. } = &delivery.goods[0] else { panic!("no code") };
    assert!(contents.pin.is_none(), "an empty text is none");
    for status in ["PENDING", "PROCESSING"] {
        assert!(matches!(standing(json!({ "status": status })), Ok(Standing::Open)), "{status}");
    }
    for (status, failure, kind) in [
        ("FAILED", json!({ "code": "DEADLINE_PASSED" }), RefusalKind::OutOfStock),
        ("FAILED", json!({ "code": "NOT_ALL_AVAILABLE" }), RefusalKind::OutOfStock),
        ("FAILED", json!({ "code": "SOMETHING_NEW" }), RefusalKind::Other),
        ("CANCELLED", json!({ "code": "CANCELLED" }), RefusalKind::Other),
        ("FAILED", Value::Null, RefusalKind::Other),
    ] {
        let told = standing(
            json!({ "status": status, "delivered_quantity": 0, "vouchers": [], "failure": failure }),
        );
        let Ok(Standing::Failed(refusal)) = told else { panic!("{status} {failure}") };
        assert_eq!(refusal.kind, kind, "{status} {failure}");
    }
}

#[test]
fn what_does_not_agree_with_itself_or_with_us_is_a_doubt() {
    let voucher = |changes: Value| {
        let mut voucher = json!({ "unit_index": 1, "face_value": { "amount": "50.00", "currency": "USD" },
            "code": "CODE-1", "pin": null, "serial": null, "redemption_url": null, "expires_at": null });
        for (name, value) in changes.as_object().unwrap() {
            voucher[name] = value.clone();
        }
        voucher
    };
    for changes in [
        json!({ "status": "DELIVERED" }),
        json!({ "status": "FAILED" }),
        json!({ "status": "SHIPPED" }),
        json!({ "delivered_quantity": 2 }),
        json!({ "delivered_quantity": 0 }),
        json!({ "delivered_quantity": -1 }),
        json!({ "quantity": 3 }),
        json!({ "reference": "r-2" }),
        json!({ "product": { "id": "t" } }),
        json!({ "currency": "EUR" }),
        json!({ "unit_price": { "amount": "48.00", "currency": "EUR" } }),
        json!({ "unit_price": { "amount": "48.005", "currency": "USD" } }),
        json!({ "unit_price": { "amount": "-48.00", "currency": "USD" } }),
        json!({ "face_value": { "amount": "5.00", "currency": "USD" } }),
        json!({ "id": "" }),
        json!({ "id": "ord\n1" }),
        json!({ "vouchers": null }),
        json!({ "vouchers": [] }),
        json!({ "vouchers": [voucher(json!({ "code": null }))] }),
        json!({ "vouchers": [voucher(json!({ "code": "" }))] }),
        json!({ "vouchers": [voucher(json!({ "face_value": { "amount": "5.00", "currency": "USD" } }))] }),
        json!({ "status": "DELIVERED", "delivered_quantity": 2, "vouchers": [voucher(json!({})), voucher(json!({}))] }),
    ] {
        assert!(order(changes.clone()).standing(&request(2)).is_err(), "{changes}");
    }
}

#[test]
fn an_order_without_codes_is_its_own_receipt() {
    let value = Secret::new("+4915112345678".to_owned());
    let wanted =
        PurchaseRequest { recipient: Some(Recipient { kind: RecipientKind::Phone, value }), ..request(2) };
    let told =
        order(json!({ "status": "DELIVERED", "delivered_quantity": 2, "vouchers": [] })).standing(&wanted);
    let Ok(Standing::Delivered(delivery)) = told else { panic!("it is delivered") };
    let numbers: Vec<&str> = delivery
        .goods
        .iter()
        .filter_map(|goods| match goods {
            Goods::Receipt { number, .. } => Some(number.as_str()),
            Goods::Code { .. } => None,
        })
        .collect();
    assert_eq!(numbers, ["ord_1/1", "ord_1/2"]);
}
