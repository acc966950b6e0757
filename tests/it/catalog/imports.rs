//! Imports of the catalog by the command line, beside a running server.
//! Always true: what the operator set, and every line that was not wrong, is as it was. Not here: what a page shows.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::product;
use crate::support::app::TestApp;
use crate::support::catalog::{EURO_20, STEAM_50, write_folder};
use crate::support::database::Contents;
use crate::support::poll::until;
use crate::support::process::Binary;

const HEADING: &str = "sku,brand_slug,product_name,category,country,face_currency,denomination_kind,face_value,\
    min_value,max_value,step,unit_label,delivery,recipient_field,denom_basis,discount_pct,discount_basis";

/// A catalog.csv of these lines.
fn catalog(app: &TestApp, lines: &[&str]) -> PathBuf {
    let path = app.database.folder.path().join("catalog.csv");
    fs::write(&path, format!("{HEADING}\n{}\n", lines.join("\n"))).unwrap();
    path
}

async fn import(app: &TestApp, path: &Path, skip: bool) -> crate::support::process::Ended {
    let mut arguments = vec!["--json", "catalog", "import", path.to_str().unwrap()];
    if skip {
        arguments.push("--skip-bad");
    }
    Binary::on(&app.database).run(&arguments).await
}

const GOOD: &str =
    "steam_wallet_7_usd,steam_wallet,Steam Wallet 7 USD,gaming,US,USD,fixed,7,,,,,code,,curated,4,own";

both_databases! {
    async fn importing_the_same_files_again_writes_nothing(app: SmallCatalog) {
        let folder = app.database.folder.path().join("again");
        fs::create_dir(&folder).unwrap();
        write_folder(Contents::SmallCatalog, &folder);
        let version = "SELECT version FROM versions WHERE subject = 'catalog'";
        let before = app.database.number(version).await;
        let report = import(&app, &folder, false).await.json();
        assert_eq!((&report["added"], &report["changed"]), (&json!(0), &json!(0)));
        assert_eq!(report["skipped"], json!([]));
        assert_eq!(app.database.number(version).await, before);
    }

    async fn an_import_changes_what_the_file_says_and_never_what_the_operator_set(app: SmallCatalog) {
        let partner = app.partner().await;
        app.database.execute(&format!("UPDATE products SET status = 'PAUSED', max_quantity = 7,
            redemption_instructions = 'Ask.', expiry_rule = 'Never.' WHERE id = '{STEAM_50}'")).await;
        let unchanged = "SELECT updated_at FROM products WHERE id = 'google_play_10_usd'";
        let before = app.database.number(unchanged).await;
        let path = catalog(&app, &[
            GOOD,
            "steam_wallet_50_usd,steam_wallet,Steam Wallet fifty USD,gaming,US,USD,fixed,50,,,,,code,,sourced,2.5,own",
            "google_play_10_usd,google_play,Google Play Gift Code 10 USD,app_store,US,USD,fixed,10,,,,,code,,sourced,0,\
             reloadly_fixture",
        ]);
        let report = import(&app, &path, false).await.json();
        assert_eq!((&report["added"], &report["changed"], &report["unchanged"]), (&json!(1), &json!(1), &json!(1)));
        assert_eq!(app.database.number(unchanged).await, before);

        // The running server notices by itself.
        let changed = until("the server reloads the catalog", async || {
            let answer = product(&partner, STEAM_50).await;
            (answer.text("product.name") == "Steam Wallet fifty USD").then_some(answer)
        }).await;
        assert_eq!(changed.text("product.discount"), "0.025");
        assert_eq!(changed.text("product.status"), "PAUSED");
        assert_eq!(changed.text("product.redemptionInstructions"), "Ask.");
        assert_eq!(changed.text("product.expiryRule"), "Never.");
        assert_eq!(changed.at("product.orderable"), false);
        assert_eq!(app.database.number("SELECT max_quantity FROM products WHERE id = 'steam_wallet_50_usd'").await, 7);
        assert_eq!(product(&partner, "steam_wallet_7_usd").await.text("product.name"), "Steam Wallet 7 USD");
        assert_eq!(app.database.number("SELECT count(*) FROM audit_log WHERE action = 'catalog.imported'
            AND detail LIKE '%\"added\":1,%'").await, 1);
    }

    async fn a_bad_line_leaves_everything_as_it_was_and_is_told_by_its_number(app: SmallCatalog) {
        let long = format!("{}_usd,steam_wallet,S,gaming,US,USD,fixed,5,,,,,code,,own,4,own", "x".repeat(100));
        let bad: Vec<(&str, &str)> = vec![
            ("ord_1_usd,steam_wallet,S,gaming,US,USD,fixed,5,,,,,code,,own,4,own", "begins with ord_"),
            ("BIG,steam_wallet,S,gaming,US,USD,fixed,5,,,,,code,,own,4,own", "sku \"BIG\""),
            (&long, "1 to 100"),
            ("a,no_brand,S,gaming,US,USD,fixed,5,,,,,code,,own,4,own", "brand_slug \"no_brand\" is unknown"),
            ("b,steam_wallet,S,no_category,US,USD,fixed,5,,,,,code,,own,4,own", "category \"no_category\""),
            ("c,steam_wallet,S,gaming,ZZ,USD,fixed,5,,,,,code,,own,4,own", "country \"ZZ\""),
            ("d,steam_wallet,S,gaming,US,usd,fixed,5,,,,,code,,own,4,own", "face_currency \"usd\""),
            ("e,steam_wallet,S,gaming,US,USD,fixed,5.001,,,,,code,,own,4,own", "more than the 2 digits of USD"),
            ("f,steam_wallet,S,gaming,US,USD,fixed,0,,,,,code,,own,4,own", "greater than nought"),
            ("g,steam_wallet,S,gaming,US,USD,range,,5,20,7,,code,,own,4,own", "so many steps"),
            ("h,steam_wallet,S,gaming,US,USD,range,,20,5,1,,code,,own,4,own", "less than min_value"),
            ("i,steam_wallet,S,gaming,US,USD,fixed,5,1,,,,code,,own,4,own", "min_value has no place"),
            ("j,steam_wallet,S,gaming,US,USD,fixed,5,,,,,topup,,own,4,own", "does not go with"),
            ("k,steam_wallet,S,gaming,US,USD,fixed,5,,,,,code,phone,own,4,own", "does not go with"),
            ("l,steam_wallet,S,gaming,US,USD,fixed,5,,,,,code,,own,100,own", "less than 100"),
            ("m,steam_wallet,S,gaming,US,USD,fixed,5,,,,,code,,own,-1,own", "at least 0"),
            ("n,steam_wallet,,gaming,US,USD,fixed,5,,,,,code,,own,4,own", "product_name"),
            ("o,steam_wallet,S,gaming,US", "it has 5 fields, and the heading 17"),
            ("steam_wallet_7_usd,steam_wallet,S,gaming,US,USD,fixed,5,,,,,code,,own,4,own", "stands on line 2 already"),
            ("steam_wallet_50_usd,steam_wallet,S,gaming,US,EUR,fixed,5,,,,,code,,own,4,own", "never changes"),
        ];
        let mut lines = vec![GOOD];
        lines.extend(bad.iter().map(|(line, _)| *line));
        let path = catalog(&app, &lines);
        let products = "SELECT count(*) FROM products";
        let before = app.database.number(products).await;
        let refused = import(&app, &path, false).await.expect_code(3);
        assert_eq!(app.database.number(products).await, before);
        let told: Value = serde_json::from_str(&refused.stderr).unwrap();
        assert_eq!(told["code"], "INVALID_INPUT");
        let told = told["bad"].as_array().unwrap();
        assert_eq!(told.len(), bad.len(), "{told:#?}");
        for (((_, reason), line), number) in bad.iter().zip(told).zip(3..) {
            assert_eq!((&line["file"], &line["line"]), (&json!("catalog.csv"), &json!(number)));
            assert!(line["reason"].as_str().unwrap().contains(reason), "{line} does not say {reason}");
        }

        let report = import(&app, &path, true).await.json();
        assert_eq!(report["added"], 1);
        assert_eq!(report["skipped"].as_array().unwrap().len(), bad.len());
        assert_eq!(report["skipped"][0]["line"], 3);
        assert_eq!(app.database.number(products).await, before + 1);
    }

    async fn a_file_without_a_column_or_that_is_not_there_is_refused(app: SmallCatalog) {
        let path = app.database.folder.path().join("catalog.csv");
        fs::write(&path, "sku,brand_slug\nx,y\n").unwrap();
        // Leave to skip bad lines does not help a file that is no catalog.
        for skip in [true, false] {
            let refused = import(&app, &path, skip).await.expect_code(2);
            assert!(refused.stderr.contains("catalog.csv:1: the column product_name is missing"), "{refused:#?}");
        }
        import(&app, Path::new("no/such/folder"), false).await.expect_code(2);
        assert_eq!(app.database.number(&format!("SELECT count(*) FROM products WHERE id = '{EURO_20}'")).await, 1);
    }

    /// What an import brings stands in the files; a rule and what the operator decided stand in the database alone.
    async fn importing_again_never_touches_price_rules_or_what_the_operator_set(app: SmallCatalog) {
        let binary = Binary::on(&app.database);
        for rule in [
            ["price", "set", "--product", STEAM_50, "--discount", "0.07"].as_slice(),
            &["price", "set", "--brand", "steam_wallet", "--fee", "0.25", "--currency", "USD"],
            &["price", "set", "--partner", "Acme Games", "--all", "--margin-bps", "20"],
        ] {
            binary.run(rule).await.expect_code(0);
        }
        app.database.execute("UPDATE products SET status = 'PAUSED', max_quantity = 7, redemption_instructions = 'Ask.',
            expiry_rule = 'Never.'").await;
        let rules = binary.run(&["--json", "price", "list"]).await.json();
        let versions = "SELECT version FROM versions WHERE subject = 'price_rules'";
        let version = app.database.number(versions).await;
        let touched = "SELECT count(*) FROM products WHERE status <> 'PAUSED' OR max_quantity <> 7
            OR redemption_instructions <> 'Ask.' OR expiry_rule <> 'Never.'";
        let count = app.database.number("SELECT count(*) FROM products").await;

        let folder = app.database.folder.path().join("again");
        fs::create_dir(&folder).unwrap();
        write_folder(Contents::SmallCatalog, &folder);
        // Once as it was, once with every product named otherwise.
        assert_eq!(import(&app, &folder, false).await.json()["changed"], 0);
        let file = folder.join("catalog.csv");
        let text = fs::read_to_string(&file).unwrap();
        let rename = |(line, number): (&str, usize)| match line.splitn(4, ',').collect::<Vec<_>>().as_slice() {
            [sku, brand, _, rest] if number > 0 && !line.contains('"') => {
                format!("{sku},{brand},Product {number},{rest}\n")
            }
            _ => format!("{line}\n"),
        };
        let renamed = text.lines().zip(0..).map(rename);
        fs::write(&file, renamed.collect::<String>()).unwrap();
        let changed = import(&app, &folder, false).await.json()["changed"].as_i64().unwrap();
        assert!(changed > count / 2, "{changed} of {count} products were named otherwise");

        assert_eq!(app.database.number(touched).await, 0);
        assert_eq!(app.database.number("SELECT count(*) FROM products").await, count);
        assert_eq!(binary.run(&["--json", "price", "list"]).await.json(), rules);
        assert_eq!(rules.as_array().unwrap().len(), 3);
        assert_eq!(app.database.number(versions).await, version);
    }
}
