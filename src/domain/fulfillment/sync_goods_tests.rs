//! The rules of a catalog's reading, in tables.

use std::collections::HashSet;
use std::sync::Arc;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::state::{DeliveryKind, ProductStatus, RecipientKind};
use entity::timestamp::Timestamp;

use super::{LONGEST_SKU, limits, product_id};
use crate::domain::catalog::{Brand, Category, Country, Denomination, Product, fingerprint};
use crate::domain::fulfillment::{CatalogItem, CostRule, Faces};

fn item(vendor_sku: &str, faces: Faces) -> CatalogItem {
    CatalogItem {
        vendor_sku: vendor_sku.to_owned(),
        name: "Card".to_owned(),
        brand: "Acme".to_owned(),
        category: "gaming".to_owned(),
        country: Some("US".to_owned()),
        face_currency: Currency::USD,
        faces,
        cost: CostRule { currency: Currency::USD, factor: Decimal::new(9, 1), fee_micros: 0 },
        delivery: DeliveryKind::Code,
        recipient: None,
        redemption_instructions: None,
        available: None,
        max_quantity: None,
        is_active: true,
    }
}

fn product(denomination: Denomination) -> Product {
    let category = Arc::new(Category { slug: "gaming".into(), name: "Gaming".into(), product_count: 1 });
    Product {
        id: "card".into(),
        name: "Card".into(),
        brand: Arc::new(Brand {
            slug: "acme".into(),
            name: "Acme".into(),
            category: Arc::clone(&category),
            product_count: 1,
        }),
        category,
        country: Arc::new(Country {
            code: "US".into(),
            alpha3: "USA".into(),
            name: "United States".into(),
            currency: Some(Currency::USD),
            product_count: 1,
        }),
        face_currency: Currency::USD,
        denomination,
        unit_label: None,
        delivery: DeliveryKind::Code,
        recipient: None,
        discount: Decimal::ZERO,
        status: ProductStatus::Active,
        max_quantity: 1_000,
        redemption_instructions: None,
        expiry_rule: None,
        updated_at: Timestamp::from_micros(0),
    }
}

#[test]
fn a_product_is_sold_as_far_as_its_item_reaches() {
    let fixed = |value| product(Denomination::Fixed(value));
    let range = |min, max, step| product(Denomination::Range { min, max, step });
    let values = |values: &[i64]| Faces::Fixed(values.to_vec());
    let from_to = |min, max, step| Faces::Range { min, max, step };
    for (product, faces, expected) in [
        (fixed(500), values(&[500, 1_000]), Some((None, None))),
        (fixed(700), values(&[500, 1_000]), None),
        (fixed(700), from_to(500, 1_000, 100), Some((None, None))),
        (fixed(750), from_to(500, 1_000, 100), None),
        (range(500, 1_000, 100), values(&[500, 1_000]), None),
        (range(500, 1_000, 100), from_to(500, 1_000, 100), Some((None, None))),
        (range(500, 1_000, 100), from_to(100, 5_000, 50), Some((None, None))),
        (range(500, 1_000, 100), from_to(600, 900, 100), Some((Some(600), Some(900)))),
        // Its steps are wider, or lie between ours.
        (range(500, 1_000, 100), from_to(500, 1_000, 200), None),
        (range(500, 1_000, 100), from_to(450, 1_000, 100), None),
        (range(500, 1_000, 100), from_to(1_100, 2_000, 100), None),
        // No value of ours lies in it.
        (range(500, 1_000, 100), from_to(510, 590, 1), None),
    ] {
        assert_eq!(
            limits(&product, &item("x", faces.clone())),
            expected,
            "{:?} {faces:?}",
            product.denomination
        );
    }
    let euro = CatalogItem { face_currency: "EUR".parse().unwrap(), ..item("x", values(&[500])) };
    let topup = CatalogItem {
        delivery: DeliveryKind::Topup,
        recipient: Some(RecipientKind::Phone),
        ..item("x", values(&[500]))
    };
    for other in [euro, topup] {
        assert_eq!(limits(&fixed(500), &other), None, "{other:?}");
    }
}

#[test]
fn no_two_items_have_the_same_sku_here() {
    let id = |vendor: &str, sku: &str, denomination| {
        product_id(vendor, &item(sku, Faces::Fixed(vec![500])), denomination)
    };
    let five = Denomination::Fixed(500);
    let range = Denomination::Range { min: 100, max: 500, step: 1 };
    assert_eq!(id("acme", "4711", five), "acme.4711.5.00-usd");
    assert_eq!(id("acme", "4711", range), "acme.4711");
    assert_eq!(id("acme", "Card 5", range), format!("acme.card-5.{}", fingerprint("Card 5")));
    let long = "x".repeat(200);
    let names =
        ["4711", "4711.5.00-usd", "Card 5", "card-5", "card 5", "CARD 5", "ä", "ö", &long, &long[..199]];
    let vendors = ["acme", "acme_4711", "a", &"v".repeat(64)];
    let mut seen = HashSet::new();
    for (vendor, name) in vendors.iter().flat_map(|vendor| names.iter().map(move |name| (vendor, name))) {
        for denomination in [five, Denomination::Fixed(501), range] {
            let id = id(vendor, name, denomination);
            assert!(id.len() <= LONGEST_SKU && id.is_ascii(), "{id}");
            assert!(seen.insert(id.clone()), "{id}");
        }
    }
}
