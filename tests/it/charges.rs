//! Charges and price rules through their doors.
//! Always true: what a charge costs is computed again here, with big decimals, from the factors that it shows. Not here:
//! rates (`charges/rates.rs`), orders on charges (`orders.rs`); the formula over all currencies has its property tests beside
//! it.

mod rates;

use std::str::FromStr;

use bigdecimal::{BigDecimal, RoundingMode};
use entity::currency::Currency;
use serde_json::{Value, json};

use super::support::answer::{Answer, find};
use super::support::app::{Partner, TestApp};
use super::support::catalog::{DINAR_10, EURO_20, RANGE_USD, STEAM_50, TOPUP_RANGE, YEN_1000};
use super::support::poll::until;
use super::support::process::{Binary, Ended};

const CHARGE: &str = "id product { id } quantity faceValue { amount currency } faceTotal { amount currency }
    discount { rate amount { amount currency } rule } fee { perUnit { amount currency } rule }
    conversion { from to rate marginBps rule source asOf }
    unitPrice { amount currency } total { amount currency } createdAt expiresAt";

async fn create(partner: &Partner, input: Value) -> Answer {
    let document = format!(
        "mutation Create($input: CreateChargeInput!) {{ createCharge(input: $input) {{
        charge {{ {CHARGE} }} userErrors {{ code message field }} }} }}"
    );
    partner.graphql(&document, json!({ "input": input })).await
}

async fn read(partner: &Partner, id: &str) -> Answer {
    partner
        .graphql(&format!("query Read($id: ID!) {{ charge(id: $id) {{ {CHARGE} }} }}"), json!({ "id": id }))
        .await
}

async fn octopus(app: &TestApp, arguments: &[&str]) -> Ended {
    Binary::on(&app.database).run(arguments).await
}

fn big(value: &Value) -> BigDecimal {
    BigDecimal::from_str(value.as_str().unwrap()).unwrap()
}

/// Computes a charge's unit price and total again from the factors that it shows.
fn check(charge: &Value) {
    let at = |path: &str| find(charge, path).unwrap();
    let one = BigDecimal::from(1);
    let (rate, margin) = match at("conversion") {
        Value::Null => (one.clone(), BigDecimal::from(0)),
        conversion => {
            (big(&conversion["rate"]), BigDecimal::new(conversion["marginBps"].as_i64().unwrap().into(), 4))
        }
    };
    let goods = big(at("faceValue.amount")) * (&one - big(at("discount.rate")));
    let exact = (goods + big(at("fee.perUnit.amount"))) * rate * (&one + margin);
    let currency: Currency = at("unitPrice.currency").as_str().unwrap().parse().unwrap();
    let digits = i64::from(currency.minor_units());
    let unit = exact.with_scale_round(digits, RoundingMode::HalfUp);
    assert_eq!(big(at("unitPrice.amount")), unit, "{charge:#}");
    let quantity = BigDecimal::from(at("quantity").as_i64().unwrap());
    assert_eq!(big(at("total.amount")), &unit * &quantity);
    assert_eq!(big(at("faceTotal.amount")), big(at("faceValue.amount")) * quantity);
    // Exactly the currency's digits, no more and no fewer.
    let text = at("total.amount").as_str().unwrap();
    assert_eq!(
        text.split_once('.').map_or(0, |(_, fraction)| fraction.len()),
        usize::try_from(digits).unwrap()
    );
}

fn charge(answer: &Answer) -> Value {
    let charge = answer.payload("createCharge")["charge"].clone();
    check(&charge);
    charge
}

both_databases! {
    async fn a_charge_shows_every_factor_of_its_price(app: SmallCatalog) {
        let partner = app.partner().await;
        let made = charge(&create(&partner, json!({ "productId": STEAM_50, "quantity": 3, "currency": "JPY" })).await);
        // (50 × (1 − 0.012) + 0) × 157.47729333 × 1.015 = 7896.0…, rounded once.
        assert_eq!(made["unitPrice"], json!({ "amount": "7896", "currency": "JPY" }));
        assert_eq!(made["total"], json!({ "amount": "23688", "currency": "JPY" }));
        assert_eq!(made["faceTotal"], json!({ "amount": "150.00", "currency": "USD" }));
        assert_eq!(made["discount"], json!({ "rate": "0.012", "amount": { "amount": "1.80", "currency": "USD" },
            "rule": "catalog" }));
        assert_eq!(made["fee"], json!({ "perUnit": { "amount": "0.00", "currency": "USD" }, "rule": "default" }));
        assert_eq!(made["conversion"], json!({ "from": "USD", "to": "JPY", "rate": "157.47729333", "marginBps": 150,
            "rule": "default", "source": "currency-api", "asOf": "2026-09-29T00:00:00.000000Z" }));
        assert_eq!(made["createdAt"], "2026-11-22T12:00:00.000000Z");
        assert_eq!(made["expiresAt"], "2026-11-22T12:10:00.000000Z");
        let id = made["id"].as_str().unwrap();
        assert!(id.starts_with("chg_"));
        assert_eq!(read(&partner, id).await.at("charge"), &made);
        // Another's charge reads as none, in the same words.
        assert_eq!(read(&app.other_partner().await, id).await.at("charge"), &Value::Null);
        assert_eq!(read(&partner, "chg_nonsense").await.at("charge"), &Value::Null);
    }

    async fn the_default_currency_is_the_partners_and_the_same_currency_converts_nothing(app: SmallCatalog) {
        let made = charge(&create(&app.partner().await, json!({ "productId": STEAM_50 })).await);
        assert_eq!((&made["quantity"], &made["conversion"]), (&json!(1), &Value::Null));
        assert_eq!(made["total"], json!({ "amount": "49.40", "currency": "USD" }));
        let made = charge(&create(&app.other_partner().await, json!({ "productId": DINAR_10 })).await);
        assert_eq!(made["total"]["currency"], "JPY");
        assert_eq!(made["conversion"]["from"], "KWD");
    }

    async fn a_range_is_priced_at_the_face_value_asked_for(app: SmallCatalog) {
        let partner = app.partner().await;
        for (product, face) in [(RANGE_USD, "0.15"), (RANGE_USD, "1999.99"), (TOPUP_RANGE, "1234")] {
            let input = json!({ "productId": product, "faceValue": face, "currency": "KWD", "quantity": 1 });
            assert_eq!(charge(&create(&partner, input).await)["faceValue"]["amount"], face);
        }
    }

    async fn every_settlement_currency_is_exact(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut settled = Vec::new();
        let mut after = Value::Null;
        loop {
            let page = partner.graphql("query Settled($after: String) {
                currencies(settlementOnly: true, first: 100, after: $after) {
                    nodes { code } pageInfo { hasNextPage endCursor } } }", json!({ "after": after })).await;
            settled.extend(page.list("currencies.nodes").iter().map(|node| node["code"].clone()));
            after = page.at("currencies.pageInfo.endCursor").clone();
            if page.at("currencies.pageInfo.hasNextPage") == false {
                break;
            }
        }
        assert!(settled.len() > 50);
        for currency in settled {
            for product in [STEAM_50, YEN_1000, DINAR_10] {
                let made = create(&partner, json!({ "productId": product, "quantity": 7, "currency": currency })).await;
                charge(&made);
            }
        }
    }

    async fn a_product_shows_the_price_that_a_charge_would_bind(app: SmallCatalog) {
        let partner = app.other_partner().await;
        let document = "query Price($id: ID!, $face: MoneyAmount, $currency: CurrencyCode) { product(id: $id) {
            price(faceValue: $face, currency: $currency) { faceValue { amount } unitPrice { amount currency } } } }";
        for (product, face) in [(STEAM_50, Value::Null), (RANGE_USD, json!("25"))] {
            for currency in [Value::Null, json!("EUR"), json!("KWD")] {
                let shown = partner
                    .graphql(document, json!({ "id": product, "face": face, "currency": currency }))
                    .await;
                let bound = create(&partner, json!({ "productId": product, "faceValue": face, "currency": currency }));
                assert_eq!(shown.at("product.price.unitPrice"), &charge(&bound.await)["unitPrice"]);
            }
        }
        // The least of a range where none is named; nothing where it is off the step or cannot be settled.
        let least = partner.graphql(document, json!({ "id": RANGE_USD })).await;
        assert_eq!(least.text("product.price.faceValue.amount"), "0.15");
        for variables in [json!({ "id": RANGE_USD, "face": "0.001" }), json!({ "id": STEAM_50, "currency": "IRR" })] {
            assert_eq!(partner.graphql(document, variables).await.at("product.price"), &Value::Null);
        }
    }

    async fn what_cannot_be_priced_is_refused_by_field_and_nothing_is_written(app: SmallCatalog) {
        let partner = app.partner().await;
        app.database.execute(&format!("UPDATE products SET status = 'PAUSED' WHERE id = '{EURO_20}'")).await;
        app.database.execute("UPDATE versions SET version = version + 1 WHERE subject = 'catalog'").await;
        for (input, code, field) in [
            (json!({ "productId": "no_such_sku" }), "PRODUCT_NOT_FOUND", "input.productId"),
            (json!({ "productId": STEAM_50, "quantity": 0 }), "QUANTITY_OUT_OF_RANGE", "input.quantity"),
            (json!({ "productId": STEAM_50, "quantity": -1 }), "QUANTITY_OUT_OF_RANGE", "input.quantity"),
            (json!({ "productId": STEAM_50, "quantity": 1001 }), "QUANTITY_OUT_OF_RANGE", "input.quantity"),
            (json!({ "productId": STEAM_50, "faceValue": "49" }), "INVALID_FACE_VALUE", "input.faceValue"),
            (json!({ "productId": STEAM_50, "faceValue": "50.001" }), "INVALID_FACE_VALUE", "input.faceValue"),
            (json!({ "productId": RANGE_USD }), "INVALID_FACE_VALUE", "input.faceValue"),
            (json!({ "productId": RANGE_USD, "faceValue": "2000.01" }), "INVALID_FACE_VALUE", "input.faceValue"),
            (json!({ "productId": STEAM_50, "currency": "IRR" }), "CURRENCY_NOT_SUPPORTED", "input.currency"),
        ] {
            create(&partner, input).await.expect_user_errors("createCharge", &[(code, field)]);
        }
        until("the paused product is refused", async || {
            let answer = create(&partner, json!({ "productId": EURO_20 })).await;
            (find(&answer.body, "data.createCharge.userErrors.0.code")? == "PRODUCT_UNAVAILABLE").then_some(())
        }).await;
        let malformed = create(&partner, json!({ "productId": STEAM_50, "currency": "usd" })).await;
        assert_eq!(malformed.body_at("errors.0.extensions.code"), "BAD_USER_INPUT");
        assert_eq!(malformed.body_at("errors.0.extensions.field"), &json!(["input", "currency"]));
        let nobody = app.client.graphql("", "mutation { createCharge(input: { productId: \"x\" }) { charge { id } } }",
            json!({})).await;
        nobody.expect_errors(&[("UNAUTHENTICATED", "")]);
        // While the server had not noticed, the product that is paused now could be priced.
        let written = format!("SELECT count(*) FROM charges WHERE product_id <> '{EURO_20}'");
        assert_eq!(app.database.number(&written).await, 0);
    }

    async fn a_charge_is_never_changed(app: SmallCatalog) {
        charge(&create(&app.partner().await, json!({ "productId": STEAM_50 })).await);
        app.database.try_execute("UPDATE charges SET total_minor = 1").await.unwrap_err();
    }

    async fn the_most_particular_price_rule_sets_a_factor(app: SmallCatalog) {
        let (partner, other) = (app.partner().await, app.other_partner().await);
        let id = partner.account.id.as_str();
        let levels: [(&[&str], &str); 8] = [
            (&["--all"], "default"),
            (&["--category", "gaming"], "category"),
            (&["--brand", "steam_wallet"], "brand"),
            (&["--product", STEAM_50], "product"),
            (&["--partner", id, "--all"], "partner"),
            (&["--partner", id, "--category", "gaming"], "partner_category"),
            (&["--partner", id, "--brand", "steam_wallet"], "partner_brand"),
            (&["--partner", "Acme Games", "--product", STEAM_50], "partner_product"),
        ];
        let input = json!({ "productId": STEAM_50, "quantity": 2, "currency": "JPY" });
        for ((target, rule), level) in levels.iter().zip(1..) {
            let (fee, bps) = (format!("0.{level}0"), format!("{}", level * 10));
            let discount = format!("0.0{level}");
            for value in [
                vec!["--fee", &fee, "--currency", "USD"],
                vec!["--margin-bps", &bps],
                vec!["--discount", &discount],
            ] {
                octopus(&app, &[&["price", "set"], *target, &value].concat()).await.expect_code(0);
            }
            let made = until("the server uses the rule", async || {
                let made = charge(&create(&partner, input.clone()).await);
                (made["conversion"]["marginBps"] == level * 10 && made["fee"]["rule"] == *rule
                    && (*rule == "default" || made["discount"]["rule"] == *rule)).then_some(made)
            }).await;
            assert_eq!(made["fee"]["perUnit"]["amount"], json!(fee));
            assert_eq!(made["conversion"]["rule"], *rule);
            // The catalog's own discount stands before the rule for all products.
            let expected = if *rule == "default" { ("0.012", "catalog") } else { (discount.as_str(), *rule) };
            assert_eq!((&made["discount"]["rate"], &made["discount"]["rule"]), (&json!(expected.0), &json!(expected.1)));
        }
        // Another partner has none of them but those for all; a fee in dollars never applies to euros.
        let theirs = charge(&create(&other, input.clone()).await);
        assert_eq!(theirs["discount"]["rule"], "product");
        let euro = charge(&create(&partner, json!({ "productId": EURO_20 })).await);
        assert_eq!(euro["fee"], json!({ "perUnit": { "amount": "0.00", "currency": "EUR" }, "rule": "default" }));

        // What is removed applies no more.
        let rules = octopus(&app, &["--json", "price", "list"]).await.json();
        assert_eq!(rules.as_array().unwrap().len(), 24);
        for rule in rules.as_array().unwrap().iter().filter(|rule| !rule["partner"].is_null()) {
            octopus(&app, &["price", "remove", rule["id"].as_str().unwrap()]).await.expect_code(0);
        }
        until("the server drops the rules", async || {
            let made = charge(&create(&partner, input.clone()).await);
            (made["fee"]["rule"] == "product" && made["discount"]["rule"] == "product").then_some(())
        }).await;
        let audited = |action: &str| format!("SELECT count(*) FROM audit_log WHERE action = '{action}'");
        assert_eq!(app.database.number(&audited("price_rules.set")).await, 24);
        assert_eq!(app.database.number(&audited("price_rules.removed")).await, 12);
    }

    async fn a_price_rule_that_could_not_be_used_is_refused(app: SmallCatalog) {
        for (arguments, code) in [
            (vec!["--all", "--discount", "1"], 3),
            (vec!["--all", "--discount", "-0.1"], 2),
            (vec!["--all", "--discount", "five"], 2),
            (vec!["--all", "--discount", "0.123456789"], 3),
            (vec!["--all", "--margin-bps", "10000"], 3),
            (vec!["--all", "--fee", "0.001", "--currency", "USD"], 2),
            (vec!["--all", "--fee", "1"], 2),
            (vec!["--discount", "0.1"], 2),
            (vec!["--all", "--brand", "steam_wallet", "--discount", "0.1"], 2),
            (vec!["--all", "--discount", "0.1", "--margin-bps", "3"], 2),
            (vec!["--product", "no_such_sku", "--discount", "0.1"], 3),
            (vec!["--partner", "Nobody", "--all", "--discount", "0.1"], 3),
        ] {
            octopus(&app, &[&["price", "set"], arguments.as_slice()].concat()).await.expect_code(code);
        }
        octopus(&app, &["price", "remove", "prl_00000000000000000000000000"]).await.expect_code(3);
        assert_eq!(app.database.number("SELECT count(*) FROM price_rules").await, 0);
    }
}
