//! Rates: how they are crossed, how old they are, and which are taken in.
//! Always true: the age of a rate is judged by the test's clock. Not here: what a charge does with a rate (`charges.rs`).

use std::str::FromStr;

use bigdecimal::{BigDecimal, RoundingMode};
use octopus_cards::domain::pricing::{self, RatesRefusal};
use octopus_cards::problem::Failure;
use serde_json::json;

use super::{big, charge, create, octopus};
use crate::support::answer::Answer;
use crate::support::app::Partner;
use crate::support::catalog::STEAM_50;
use crate::support::poll::until;

async fn rate(partner: &Partner, base: &str, quote: &str) -> Answer {
    let document = "query Rate($base: CurrencyCode!, $quote: CurrencyCode!) {
        exchangeRate(base: $base, quote: $quote) { base quote rate source asOf stale } }";
    partner.graphql(document, json!({ "base": base, "quote": quote })).await
}

both_databases! {
    async fn a_rate_is_crossed_through_the_dollar_with_eighteen_digits(app: SmallCatalog) {
        let partner = app.partner().await;
        let crossed = rate(&partner, "EUR", "JPY").await;
        let exact = BigDecimal::from_str("157.47729333").unwrap() / BigDecimal::from_str("0.88022588").unwrap();
        let rounded = exact.with_precision_round(18.try_into().unwrap(), RoundingMode::HalfUp);
        assert_eq!(big(crossed.at("exchangeRate.rate")), rounded);
        assert_eq!(crossed.text("exchangeRate.source"), "currency-api");
        assert_eq!(crossed.text("exchangeRate.asOf"), "2026-09-29T00:00:00.000000Z");
        assert_eq!(crossed.at("exchangeRate.stale"), false);
        assert_eq!(rate(&partner, "USD", "USD").await.text("exchangeRate.rate"), "1");
        let malformed = rate(&partner, "usd", "EUR").await;
        assert_eq!(malformed.body_at("errors.0.extensions.code"), "BAD_USER_INPUT");
    }

    async fn a_running_server_uses_imported_rates_and_bad_ones_change_nothing(app: SmallCatalog) {
        let partner = app.partner().await;
        let file = app.database.folder.path().join("rates.csv");
        let path = file.to_str().unwrap();
        let heading = "base,quote,rate,as_of,source";
        std::fs::write(&file, format!("{heading}\nUSD,JPY,160.5,2026-11-22T09:00:00Z,own\n\
            EUR,JPY,180,2026-11-22,own\nUSD,XYZ,1,2026-11-22,own\nUSD,EUR,-1,2026-11-22,own\n\
            USD,EUR,1e3,2026-11-22,own\nUSD,GBP,0.7,yesterday,own\nUSD,GBP,0.7,2126-11-22,own\n\
            USD,GBP,0.7,2026-11-22,\nUSD,JPY,161,2026-11-22,own\nUSD,GBP\nUSD,USD,2,2026-11-22,own\n")).unwrap();
        let refused = octopus(&app, &["rates", "import", path]).await.expect_code(3);
        for line in 3..=12 {
            assert!(refused.stderr.contains(&format!("line {line}: ")), "{line} {refused:#?}");
        }
        assert!(!refused.stderr.contains("line 2: "));
        assert_eq!(app.database.number("SELECT count(*) FROM exchange_rates WHERE source = 'own'").await, 0);

        std::fs::write(&file, format!("{heading}\nUSD,JPY,160.5,2026-11-22T09:00:00Z,own\n")).unwrap();
        let report = octopus(&app, &["--json", "rates", "import", path]).await.json();
        assert_eq!(report, json!({ "imported": 1, "unchanged": 0, "older": 0 }));
        let report = octopus(&app, &["--json", "rates", "import", path]).await.json();
        assert_eq!(report, json!({ "imported": 0, "unchanged": 1, "older": 0 }));
        until("the server uses the new rate", async || {
            (rate(&partner, "USD", "JPY").await.text("exchangeRate.rate") == "160.5").then_some(())
        }).await;
        let crossed = rate(&partner, "EUR", "JPY").await;
        assert_eq!(crossed.text("exchangeRate.source"), "currency-api, own");
        assert_eq!(crossed.text("exchangeRate.asOf"), "2026-09-29T00:00:00.000000Z");
        assert_eq!(app.database.number("SELECT count(*) FROM audit_log WHERE action = 'rates.imported'
            AND detail LIKE '%\"imported\":1,%'").await, 1);
    }

    /// A file that lay about for a day would put yesterday's rate over today's.
    async fn an_older_rate_is_passed_over_unless_it_is_to_replace_what_is_there(app: SmallCatalog) {
        let file = app.database.folder.path().join("rates.csv");
        let path = file.to_str().unwrap();
        let heading = "base,quote,rate,as_of,source";
        let import = async |lines: &str, words: &[&str]| {
            std::fs::write(&file, format!("{heading}\n{lines}\n")).unwrap();
            octopus(&app, &[&["--json", "rates", "import", path], words].concat()).await.json()
        };
        let rates = |rate: &str| format!("SELECT count(*) FROM exchange_rates WHERE quote = 'JPY' AND rate = '{rate}'");
        import("USD,JPY,160.5,2026-11-22T09:00:00Z,own", &[]).await;
        let report = import("USD,JPY,150,2026-11-22T08:59:59Z,own\nUSD,EUR,0.9,2026-11-22,own", &[]).await;
        assert_eq!(report, json!({ "imported": 1, "unchanged": 0, "older": 1 }));
        assert_eq!(app.database.number(&rates("160.5")).await, 1);
        // At one instant the later word counts: a slip is put right without ado.
        let report = import("USD,JPY,160.6,2026-11-22T09:00:00Z,own", &[]).await;
        assert_eq!(report, json!({ "imported": 1, "unchanged": 0, "older": 0 }));
        let report = import("USD,JPY,150,2026-11-22T08:59:59Z,own", &["--replace"]).await;
        assert_eq!(report, json!({ "imported": 1, "unchanged": 0, "older": 0 }));
        assert_eq!(app.database.number(&rates("150")).await, 1);
    }

    /// In a production rates have an age limit of four days; the bundled ones are older.
    async fn stale_rates_refuse_conversions_and_nothing_else(app: SmallCatalog) {
        let partner = app.partner().await;
        app.database.execute("UPDATE installation SET environment = 'production'").await;
        app.database.execute("UPDATE versions SET version = version + 1 WHERE subject = 'rates'").await;
        let yen = json!({ "productId": STEAM_50, "currency": "JPY" });
        until("the server judges by the limit", async || {
            (rate(&partner, "USD", "JPY").await.at("exchangeRate.stale") == true).then_some(())
        }).await;
        create(&partner, yen.clone()).await.expect_user_errors("createCharge", &[("RATES_STALE", "")]);
        assert_eq!(app.database.number("SELECT count(*) FROM charges").await, 0);
        charge(&create(&partner, json!({ "productId": STEAM_50, "currency": "USD" })).await);

        // By the test's clock: the command line has the machine's, to which a fresh date may lie far ahead.
        let fresh = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/fx-rates.csv")).unwrap();
        let fresh = fresh.replace("2026-09-29", "2026-11-22");
        pricing::import_rates(&app.system(), fresh.as_bytes()).await.unwrap();
        until("the server uses the fresh rates", async || {
            (rate(&partner, "USD", "JPY").await.at("exchangeRate.stale") == false).then_some(())
        }).await;
        charge(&create(&partner, yen.clone()).await);
        // Four days after their midnight they are still good; a second later they are not.
        app.advance_secs(3 * 86_400 + 43_200);
        let partner = app.partner().await;
        charge(&create(&partner, yen.clone()).await);
        app.advance_secs(1);
        create(&partner, yen).await.expect_user_errors("createCharge", &[("RATES_STALE", "")]);
    }

    /// The base buys one of itself whenever that was written down: only the rates that are used can be old.
    async fn a_rate_is_as_old_as_the_rates_that_it_is_made_of(app: SmallCatalog) {
        let partner = app.partner().await;
        app.database.execute("UPDATE installation SET environment = 'production'").await;
        let file = "base,quote,rate,as_of,source\nUSD,EUR,0.9,2026-11-22T09:00:00Z,own\n";
        pricing::import_rates(&app.system(), file.as_bytes()).await.unwrap();
        until("the server uses the new rate", async || {
            (rate(&partner, "USD", "EUR").await.text("exchangeRate.rate") == "0.9").then_some(())
        }).await;
        let rows = "SELECT count(*) FROM exchange_rates WHERE quote = 'USD' AND source = 'currency-api'";
        assert_eq!(app.database.number(rows).await, 1, "the row of the base is old");
        let shown = async |base: &str, quote: &str| {
            let shown = rate(&partner, base, quote).await;
            json!([shown.at("exchangeRate.rate"), shown.at("exchangeRate.source"), shown.at("exchangeRate.asOf"),
                shown.at("exchangeRate.stale")])
        };
        let (now, observed) = ("2026-11-22T12:00:00.000000Z", "2026-11-22T09:00:00.000000Z");
        assert_eq!(shown("USD", "EUR").await, json!(["0.9", "own", observed, false]));
        assert_eq!(shown("EUR", "USD").await, json!(["1.11111111111111111", "own", observed, false]));
        for same in ["USD", "EUR", "JPY"] {
            assert_eq!(shown(same, same).await, json!(["1", "the same currency", now, false]), "{same}");
        }
        // The yen's own row is old, and no fresh euro makes it younger.
        assert_eq!(shown("EUR", "JPY").await[3], true);

        let made = charge(&create(&partner, json!({ "productId": STEAM_50, "currency": "EUR" })).await);
        let of = |factor: &str| made["conversion"][factor].clone();
        assert_eq!((of("rate"), of("source"), of("asOf")), (json!("0.9"), json!("own"), json!(observed)));
        create(&partner, json!({ "productId": STEAM_50, "currency": "JPY" })).await
            .expect_user_errors("createCharge", &[("RATES_STALE", "")]);
    }

    /// A rate dated ahead would pass for fresh until its date has come and gone. A sandbox, whose rates do not age, begins all
    /// the same on a machine whose clock is wrong.
    async fn a_rate_of_tomorrow_is_fresh_and_one_of_next_year_is_a_slip(app: SmallCatalog) {
        let import = async |quote: &str, as_of: &str| {
            let file = format!("base,quote,rate,as_of,source\nUSD,{quote},0.5,{as_of},ahead\n");
            pricing::import_rates(&app.system(), file.as_bytes()).await
        };
        let bad = |outcome| match outcome {
            Err(Failure::Refused(RatesRefusal::BadRates(bad))) => bad,
            other => panic!("{other:?}"),
        };
        import("EUR", "2027-11-23").await.unwrap();
        let refused = bad(import("EUR", "2027-11-24").await);
        assert_eq!((refused.len(), refused[0].line), (1, 2));
        assert!(refused[0].reason.contains("in a sandbox a rate may be dated 366 days ahead of now"), "{refused:?}");
        app.database.execute("UPDATE installation SET environment = 'production'").await;
        import("GBP", "2026-11-23T12:00:00Z").await.unwrap();
        let refused = bad(import("GBP", "2026-11-23T12:00:01Z").await);
        assert_eq!(refused[0].reason, "as_of 2026-11-23T12:00:01.000000Z lies in the future, behind \
            2026-11-23T12:00:00.000000Z: in a production a rate may be dated 1 day ahead of now, \
            2026-11-22T12:00:00.000000Z, at most");
        bad(import("GBP", "2027-11-22").await);
        // Nobody has said what the database is for: then it is judged as a production.
        app.database.execute("DELETE FROM installation").await;
        bad(import("GBP", "2027-11-22").await);
        let imported = "SELECT count(*) FROM exchange_rates WHERE source = 'ahead'";
        assert_eq!(app.database.number(imported).await, 2);
    }
}
