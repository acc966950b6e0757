//! The rules of orders: states, recipients, and what a charge binds.
//! Always true: every rule is tried on both sides of its edge.
//! Not here: what needs a database.

use entity::decimal::Decimal;
use entity::ids::PartnerId;
use entity::state::ProductStatus;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::catalog::{Brand, Category, Country, Denomination, MOST_ORDER_UNITS};
use crate::domain::orders::Reveals;

#[test]
fn the_state_of_an_order_follows_from_its_units() {
    use Work::{HasBegun, IsAhead};
    let cases = [
        (10, 0, 0, None, OrderStatus::Pending),
        (10, 3, 0, None, OrderStatus::Processing),
        (10, 10, 0, None, OrderStatus::Delivered),
        (10, 3, 7, Some(OrderFailureCode::DeadlinePassed), OrderStatus::PartiallyDelivered),
        (10, 0, 10, Some(OrderFailureCode::DeadlinePassed), OrderStatus::Failed),
        (10, 0, 10, Some(OrderFailureCode::Cancelled), OrderStatus::Cancelled),
        (10, 3, 7, Some(OrderFailureCode::Cancelled), OrderStatus::PartiallyDelivered),
    ];
    for (quantity, delivered, refunded, failure, expected) in cases {
        let tally = Tally { quantity, delivered, refunded };
        assert_eq!(status_of(tally, IsAhead, failure), expected);
        // That a vendor was asked shows only while nothing else does.
        let asked = if expected == OrderStatus::Pending { OrderStatus::Processing } else { expected };
        assert_eq!(status_of(tally, HasBegun, failure), asked);
    }
}

#[test]
fn an_end_is_never_left() {
    for from in OrderStatus::ALL {
        for to in OrderStatus::ALL {
            let legal = may_follow(Some(*from), *to);
            assert!(!(legal && is_terminal(*from)), "{from} to {to}");
            assert!(!(legal && *to == OrderStatus::Pending), "{from} to {to}");
        }
    }
}

#[test]
fn a_recipient_has_the_form_of_its_kind() {
    let check = |kind, value: &str| is_well_formed(&Recipient { kind, value: value.to_owned() });
    assert!(check(RecipientKind::Phone, "+14155550123"));
    for bad in ["14155550123", "+0415555012", "+1415555012345678", "+1 415 555", "+", "+123456"] {
        assert!(!check(RecipientKind::Phone, bad), "{bad}");
    }
    assert!(check(RecipientKind::PlayerId, "player#1234"));
    for bad in ["", " a", "a\n"] {
        assert!(!check(RecipientKind::Username, bad), "{bad:?}");
    }
}

fn product() -> Arc<Product> {
    let category =
        Arc::new(Category { slug: "gaming".to_owned(), name: "Gaming".to_owned(), product_count: 1 });
    let brand = Brand {
        slug: "steam".to_owned(),
        name: "Steam".to_owned(),
        category: Arc::clone(&category),
        product_count: 1,
    };
    let country = Country {
        code: "US".to_owned(),
        alpha3: "USA".to_owned(),
        name: "United States".to_owned(),
        currency: Some(Currency::USD),
        product_count: 1,
    };
    Arc::new(Product {
        id: "steam_50".to_owned(),
        name: "Steam 50".to_owned(),
        brand: Arc::new(brand),
        category,
        country: Arc::new(country),
        face_currency: Currency::USD,
        denomination: Denomination::Fixed(5_000),
        unit_label: None,
        delivery: DeliveryKind::Code,
        recipient: None,
        discount: Decimal::ZERO,
        status: ProductStatus::Active,
        max_quantity: MOST_ORDER_UNITS,
        redemption_instructions: None,
        expiry_rule: None,
        updated_at: Timestamp::from_micros(0),
    })
}

fn charge(unit_price_minor: i64, quantity: i32, expires_at: Timestamp) -> charges::Model {
    charges::Model {
        id: ChargeId::from_uuid(Uuid::from_u128(1)),
        partner_id: PartnerId::from_uuid(Uuid::from_u128(2)),
        product_id: "steam_50".to_owned(),
        quantity,
        face_minor: 5_000,
        face_currency: Currency::USD,
        currency: Currency::USD,
        discount: Decimal::ZERO,
        discount_rule: "default".to_owned(),
        fee_minor: 0,
        fee_rule: "default".to_owned(),
        rate: Decimal::new(1, 0),
        rate_source: None,
        rate_as_of: None,
        margin_bps: 0,
        margin_rule: None,
        unit_price_minor,
        unit_sales_minor: unit_price_minor,
        unit_fx_minor: 0,
        unit_fee_minor: 0,
        unit_rounding_minor: 0,
        total_minor: unit_price_minor * i64::from(quantity),
        created_at: Timestamp::from_micros(0),
        expires_at,
    }
}

fn on_the_charge(max_total: Option<String>) -> PlaceOrder {
    PlaceOrder {
        product_id: None,
        quantity: None,
        reference: "r".to_owned(),
        face_value: None,
        currency: None,
        charge_id: None,
        max_total,
        recipient: None,
        wait_ms: 0,
        failure_policy: None,
        reveals: Reveals::Nothing,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_charge_binds_its_price_before_its_end_and_never_from_then_on(
        unit_price_minor in 1_i64..1_000_000_000,
        quantity in 1_i32..=MOST_ORDER_UNITS,
        ends_at in 0_i64..2_000_000_000_000_000,
        from_the_end in prop_oneof![Just(-1_i64), Just(0), Just(1), -2_000_000_000_000_000_i64..2_000_000_000_000_000],
    ) {
        let charge = charge(unit_price_minor, quantity, Timestamp::from_micros(ends_at));
        let now = Timestamp::from_micros(ends_at + from_the_end);
        let terms = terms_of_charge(&on_the_charge(None), &charge, product(), now);
        if from_the_end < 0 {
            let terms = terms.expect("it has not ended");
            let total = terms.total().map(|total| (total.minor, total.currency));
            prop_assert_eq!(total, Some((unit_price_minor * i64::from(quantity), Currency::USD)));
            prop_assert_eq!((terms.quantity, terms.charge), (quantity, Some(charge.id)));
        } else {
            prop_assert!(matches!(terms, Err(OrderRefusal::ChargeExpired)), "{terms:?}");
        }
    }

    #[test]
    fn a_limit_below_the_charge_contradicts_it(
        unit_price_minor in 1_i64..1_000_000_000,
        quantity in 1_i32..=MOST_ORDER_UNITS,
        above in -3_i64..3,
    ) {
        let charge = charge(unit_price_minor, quantity, Timestamp::from_micros(1));
        let most = Money::from_minor((charge.total_minor + above).max(0), Currency::USD);
        let now = Timestamp::from_micros(0);
        let terms = terms_of_charge(&on_the_charge(Some(most.amount())), &charge, product(), now);
        if most.minor < charge.total_minor {
            prop_assert!(matches!(terms, Err(OrderRefusal::ChargeMismatch { field: "maxTotal" })), "{terms:?}");
        } else {
            prop_assert!(terms.is_ok(), "{terms:?}");
        }
    }
}

#[test]
fn what_cannot_be_counted_has_no_total() {
    let charge = charge(1, 1_000, Timestamp::from_micros(1));
    let terms = terms_of_charge(&on_the_charge(None), &charge, product(), Timestamp::from_micros(0));
    let terms = terms.expect("it has not ended");
    let costing = |price| Terms { unit: UnitPrice { price, ..terms.unit }, ..terms.clone() };
    let most = i64::MAX.div_euclid(1_000);
    assert_eq!(costing(most).total().map(|total| total.minor), Some(most * 1_000));
    assert_eq!(costing(most + 1).total(), None);
    assert!(is_above(&costing(most + 1), Some(Money::from_minor(i64::MAX, Currency::USD))));
}
