//! The rules of the catalog: face values of a denomination, names without case and accents, values between two bounds.

use super::*;

fn product(denomination: Denomination) -> Product {
    let category = Arc::new(Category { slug: "gaming".into(), name: "Gaming".into(), product_count: 1 });
    Product {
        id: "steam_wallet_usd".into(),
        name: "Steam Wallet USD".into(),
        brand: Arc::new(Brand {
            slug: "steam_wallet".into(),
            name: "Steam Wallet".into(),
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
fn a_fixed_product_comes_in_its_value_alone() {
    let product = product(Denomination::Fixed(5_000));
    let value = Money::from_minor(5_000, Currency::USD);
    assert_eq!(product.face_value(None), Ok(value));
    assert_eq!(product.face_value(Some("50")), Ok(value));
    assert_eq!(product.face_value(Some("50.00")), Ok(value));
    assert_eq!(product.face_value(Some("50.01")), Err(FaceValueRefusal::NotTheFixedValue(value)));
    assert_eq!(product.face_value(Some("fifty")), Err(FaceValueRefusal::Malformed));
    assert_eq!(product.face_value(Some("50.001")), Err(FaceValueRefusal::TooPrecise(Currency::USD)));
}

#[test]
fn a_range_needs_a_value_on_a_step() {
    let product = product(Denomination::Range { min: 500, max: 2_000, step: 250 });
    let money = |minor| Money::from_minor(minor, Currency::USD);
    for (asked, minor) in [("5", 500), ("7.5", 750), ("20.00", 2_000)] {
        assert_eq!(product.face_value(Some(asked)), Ok(money(minor)));
    }
    let (min, max, step) = (money(500), money(2_000), money(250));
    assert_eq!(product.face_value(None), Err(FaceValueRefusal::Missing { min, max }));
    assert_eq!(product.face_value(Some("6")), Err(FaceValueRefusal::OffStep { min, step }));
    for outside in ["4.99", "20.01", "-5", "0"] {
        assert_eq!(product.face_value(Some(outside)), Err(FaceValueRefusal::OutOfRange { min, max }));
    }
}

#[test]
fn names_are_compared_without_case_and_accents() {
    for (text, folded) in
        [("Curaçao", "curacao"), ("SÃO TOMÉ", "sao tome"), ("Łódź", "lodz"), ("Größe", "grosse")]
    {
        assert_eq!(fold(text), folded);
    }
    assert_eq!(words("1&1 Germany top-up 5-100 EUR"), ["1", "1", "germany", "top", "up", "5", "100", "eur"]);
}

#[test]
fn the_values_between_two_bounds_are_on_steps() {
    let range = Denomination::Range { min: 500, max: 2_100, step: 250 };
    for (min, max, expected) in [
        (None, None, Some((500, 2_000))),
        (Some(1), Some(9_000), Some((500, 2_000))),
        (Some(501), Some(1_999), Some((750, 1_750))),
        (Some(750), Some(750), Some((750, 750))),
        (Some(751), Some(999), None),
        (Some(2_001), None, None),
        (None, Some(499), None),
    ] {
        assert_eq!(range.between(min, max), expected, "{min:?} to {max:?}");
    }
    let fixed = Denomination::Fixed(5_000);
    assert_eq!(fixed.between(Some(1), Some(5_000)), Some((5_000, 5_000)));
    assert_eq!(fixed.between(Some(5_001), None), None);
    assert_eq!(fixed.between(None, Some(4_999)), None);
}
