//! What Reloadly says that it sells, and what it says that it costs.

use bigdecimal::{BigDecimal, RoundingMode};
use entity::currency::Currency;
use entity::state::DeliveryKind;
use octopus_cards::domain::fulfillment::{CatalogItem, CostRule, Faces, LeftOut, Part, Trouble};

use super::super::reloadly_replica::{
    ANY_AMOUNT, APP_STORE_FR, Canned, DONG, FREE_FIRE, MASTERCARD, Product, XBOX_US, number, shown,
};
use super::super::stage::Stage;
use super::ReloadlyStage;

fn item(product: &Product, faces: Faces, factor: &str, fee_micros: i64) -> CatalogItem {
    CatalogItem {
        vendor_sku: product.id.to_string(),
        name: product.name.to_owned(),
        brand: product.name.to_owned(),
        category: "Gaming".to_owned(),
        country: Some("US".to_owned()),
        face_currency: product.currency.parse().unwrap(),
        faces,
        cost: CostRule { currency: Currency::USD, factor: factor.parse().unwrap(), fee_micros },
        delivery: DeliveryKind::Code,
        recipient: None,
        redemption_instructions: Some("Enter the code.".to_owned()),
        available: None,
        max_quantity: None,
        is_active: true,
    }
}

#[tokio::test]
async fn the_catalog_is_told_page_by_page() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let first = vendor.catalog(None).await.unwrap();
    assert_eq!((first.items.len(), first.total, first.next.as_deref()), (200, Some(204), Some("2")));
    assert_eq!(
        first.items[198],
        Ok(item(&XBOX_US, Faces::Fixed(vec![500, 1_000, 2_500]), "0.95", 1_000_000))
    );
    assert_eq!(
        first.items[199],
        Ok(item(&APP_STORE_FR, Faces::Fixed(vec![500, 2_500]), "1.1767765", 1_000_000))
    );
    let second = vendor.catalog(first.next).await.unwrap();
    let any = |min, max| Faces::Range { min, max, step: 1 };
    assert_eq!(
        second,
        Part {
            items: vec![
                Ok(item(&ANY_AMOUNT, any(100, 10_000), "0.98", 1_000_000)),
                Ok(item(&DONG, Faces::Fixed(vec![10_000_000, 50_000_000]).in_dong(), "0.00003811", 0)),
                Ok(item(&MASTERCARD, any(100, 5_000), "1", 1_000_000)),
                Err(LeftOut::new(&FREE_FIRE.id.to_string(), "it needs a user id")),
            ],
            next: None,
            total: Some(204),
            bytes: second.bytes,
        }
    );
    let lines: Vec<String> = stage.replica.seen("GET /products").into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines, ["GET /products?page=1&size=200", "GET /products?page=2&size=200"]);
    let told = vendor.catalog(Some("two".to_owned())).await;
    assert_eq!(told, Err(Trouble::Failed("the catalog has no such part".to_owned())));
}

trait InDong {
    fn in_dong(self) -> Self;
}

impl InDong for Faces {
    /// The dong has no minor unit.
    fn in_dong(self) -> Self {
        match self {
            Self::Fixed(values) => Self::Fixed(values.into_iter().map(|value| value / 100).collect()),
            range @ Self::Range { .. } => range,
        }
    }
}

#[tokio::test]
async fn a_unit_never_costs_more_than_the_catalog_says() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let mut items = vendor.catalog(Some("1".to_owned())).await.unwrap().items;
    items.extend(vendor.catalog(Some("2".to_owned())).await.unwrap().items);
    let items: Vec<CatalogItem> = items.into_iter().flatten().collect();
    for (product, face, expected, charged) in [
        (&XBOX_US, "5", "5.750000", "5.75000"),
        // The published rate would say 6.883880 and 30.419400, which is too little.
        (&APP_STORE_FR, "5", "6.883883", "6.88388"),
        (&APP_STORE_FR, "25", "30.419413", "30.41941"),
        (&ANY_AMOUNT, "1.21", "2.185800", "2.18580"),
        // The published rate alone would leave room for 19.25.
        (&DONG, "500000", "19.055000", "19.05000"),
    ] {
        let item = items.iter().find(|item| item.vendor_sku == product.id.to_string()).unwrap();
        let factor = number(&item.cost.factor.to_string());
        let fee = BigDecimal::from(item.cost.fee_micros) / number("1000000");
        let cost = (number(face) * factor + fee).with_scale_round(6, RoundingMode::HalfUp);
        assert_eq!(shown(&cost, 6), expected, "{} {face}", product.name);
        let price = product.price(&number(face), 1);
        assert_eq!(shown(&price, 5), charged, "{} {face}", product.name);
        assert!(price <= cost, "{} {face}", product.name);
    }
}

#[tokio::test]
async fn odd_rows_are_read_or_left_out() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    let row = XBOX_US.row();
    for (from, to, check) in [
        (r#""global":false"#, r#""global":true"#, Some("country None")),
        (r#""status":"ACTIVE""#, r#""status":"INACTIVE""#, Some("inactive")),
        (r#""senderFee":1.0"#, r#""senderFee":"1.0""#, Some("the same")),
        (r#""senderFee":1.0"#, r#""senderFee":1.0E0"#, Some("the same")),
        (r#""productId":13948"#, r#""productId":"13948""#, Some("the same")),
        (r#""recipientCurrencyToSenderCurrencyExchangeRate":1.000000"#, r#""x":0"#, Some("the same")),
        ("[5.0,10.0,25.0]", "[25.00,5,10.0,5.0]", Some("the same")),
        // Dollars have two digits.
        ("[5.0,10.0,25.0]", "[5.0,10.0,25.0,0.999]", Some("the same")),
        ("[5.0,10.0,25.0]", "[]", None),
        ("[5.0,10.0,25.0]", "null", None),
        (r#""senderCurrencyCode":"USD""#, r#""senderCurrencyCode":"BTC""#, None),
        (r#""recipientCurrencyCode":"USD""#, r#""recipientCurrencyCode":null"#, None),
        (r#""denominationType":"FIXED""#, r#""denominationType":"OPEN""#, None),
        (r#""denominationType":"FIXED""#, r#""denominationType":"RANGE""#, None),
        (r#""senderFee":1.0"#, r#""senderFee":"one""#, None),
        (r#""userIdRequired":false"#, r#""userIdRequired":true"#, None),
    ] {
        assert!(row.contains(from), "{from}");
        let body = format!(r#"{{"content":[{},7],"last":true}}"#, row.replacen(from, to, 1));
        stage.replica.answer_once(Canned("GET /products", 200, "application/json", body));
        let part = vendor.catalog(None).await.unwrap();
        let mut expected = item(&XBOX_US, Faces::Fixed(vec![500, 1_000, 2_500]), "0.95", 1_000_000);
        match check {
            Some("country None") => expected.country = None,
            Some("inactive") => expected.is_active = false,
            _ => {}
        }
        assert_eq!((part.next, part.total, part.items.len()), (None, None, 2), "{to}");
        match (&part.items[0], check) {
            (Ok(item), Some(_)) => assert_eq!(*item, expected, "{to}"),
            (Err(left_out), None) => {
                assert_eq!(left_out.vendor_sku.as_deref(), Some("13948"), "{to}");
            }
            (told, _) => panic!("{to}: {told:?}"),
        }
        assert!(part.items[1].as_ref().is_err_and(|left_out| left_out.vendor_sku.is_none()), "{to}");
    }
}
