//! Codes on their way into stock, and the keys that seal them: through `octopus stock import` and `octopus keys init`.
//! Not here: how orders take codes.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use octopus_cards::ctx::Ctx;
use octopus_cards::domain::vouchers::{
    self, BadRows, GenerateCodes, Import, ImportError, Opened, Secret, Vault, vault,
};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::json;

use super::support::app::TestApp;
use super::support::catalog::{DINAR_10, DIRECT_PLAYER, EURO_20, RANGE_USD, STEAM_50, code, stock_csv};
use super::support::poll;
use super::support::process::{Binary, Ended};

const HEADER: &str = "sku,face_value,code,pin,serial,url,expires_at,cost,cost_currency,lot\n";

fn write(app: &TestApp, name: &str, rows: &str) -> PathBuf {
    let path = app.database.folder.path().join(name);
    fs::write(&path, format!("{HEADER}{rows}")).unwrap();
    path
}

async fn import(app: &TestApp, rows: &str, extra: &[&str]) -> Ended {
    let path = write(app, "codes.csv", rows);
    let mut arguments = vec!["stock", "import", path.to_str().unwrap(), "--json"];
    arguments.extend(extra);
    Binary::on(&app.database).run(&arguments).await
}

async fn opened(app: &TestApp, product: &str) -> Vec<Opened> {
    let ctx = app.system();
    let rows = entity::vouchers::Entity::find()
        .order_by_asc(entity::vouchers::Column::Id)
        .all(&ctx.database().reader)
        .await
        .unwrap();
    let rows: Vec<_> = rows.into_iter().filter(|row| row.product_id == product).collect();
    vault(&ctx).know(&ctx, &rows).await.unwrap();
    rows.iter().map(|row| vault(&ctx).open_voucher(row).unwrap()).collect()
}

fn shown(secret: &Option<Secret>) -> Option<&str> {
    secret.as_ref().map(Secret::expose)
}

async fn count(app: &TestApp, table: &str) -> i64 {
    app.database.number(&format!("SELECT count(*) FROM {table}")).await
}

both_databases! {
    async fn a_file_beside_a_running_server_becomes_stock_within_moments(app: SmallCatalog) {
        let rows = format!(
            "{EURO_20},20.00,AT-0001-AAAA,4711,S-1,,2027-01-31,18.123456,EUR,spring\n\
             {EURO_20},,AT-0002-AAAA,,,,2027-06-30T12:00:00Z,18,EUR,spring\n\
             {EURO_20},20,,,,https://redeem.example/at/3,,,,\n"
        );
        let ended = import(&app, &rows, &[]).await.json();
        assert_eq!((&ended["loaded"], &ended["skipped"]), (&json!(3), &json!([])));
        let partner = app.partner().await;
        let document = "query Stock($id: ID!) { product(id: $id) { stock { available } } }";
        poll::until("the server sees the codes", async || {
            let answer = partner.graphql(document, json!({ "id": EURO_20 })).await;
            (answer.number("product.stock.available") == 3).then_some(())
        })
        .await;
        let codes = opened(&app, EURO_20).await;
        assert_eq!(shown(&codes[0].code), Some("AT-0001-AAAA"));
        assert_eq!(shown(&codes[0].pin), Some("4711"));
        assert_eq!(shown(&codes[0].serial), Some("S-1"));
        assert_eq!(shown(&codes[0].redemption_url), None);
        assert_eq!(shown(&codes[2].redemption_url), Some("https://redeem.example/at/3"));
        let expiries = "SELECT count(*) FROM vouchers WHERE usable_until = 1801439999999999";
        assert_eq!(app.database.number(expiries).await, 1, "a day means its last moment");
    }

    async fn what_codes_cost_is_posted_with_them(app: SmallCatalog) {
        let rows = format!(
            "{EURO_20},,COST-AAAA-0001,,,,,18.123456,EUR,\n{EURO_20},,COST-AAAA-0002,,,,,2,EUR,\n\
             {EURO_20},,COST-AAAA-0003,,,,,2500,JPY,\n{EURO_20},,COST-AAAA-0004,,,,,0,USD,\n"
        );
        import(&app, &rows, &[]).await.json();
        let posted = async |account: &str, currency: &str| {
            let sum = format!(
                "SELECT sum(amount) FROM postings WHERE account = '{account}' AND currency = '{currency}' AND scale = 6"
            );
            app.database.number(&sum).await
        };
        assert_eq!(posted("INVENTORY", "EUR").await, 20_123_456);
        assert_eq!(posted("PAYABLE", "EUR").await, -20_123_456);
        assert_eq!(posted("INVENTORY", "JPY").await, 2_500_000_000);
        assert_eq!(posted("INVENTORY", "USD").await, 0);
        assert_eq!(count(&app, "audit_log WHERE action = 'stock.loaded' AND detail LIKE '%\"codes\":4%'").await, 1);
    }

    async fn a_bad_row_refuses_the_file_by_line_and_reason_and_names_no_secret(app: SmallCatalog) {
        let before = (count(&app, "vouchers").await, count(&app, "stock_moves").await);
        let rows = format!(
            "{STEAM_50},,CANARY-GOOD-01,,,,,,,\n{STEAM_50},,canary good01,,,,,,,\n{STEAM_50},49,CANARY-0002,,,,,,,\n\
             no_such_sku,,CANARY-0003,,,,,,,\n{RANGE_USD},,CANARY-0004,,,,,,,\n{RANGE_USD},2000.01,CANARY-0005,,,,,,,\n\
             {DIRECT_PLAYER},,CANARY-0006,,,,,,,\n{STEAM_50},,,CANARY-PIN,,,,,,\n{STEAM_50},,CANARY-0007,,,,2020-01-01,,,\n\
             {STEAM_50},,CANARY-0008,,,,soon,,,\n{STEAM_50},,CANARY-0009,,,,,1,,\n{STEAM_50},,CANARY-0010,,,,,0.1234567,USD,\n\
             {STEAM_50},,CANARY-0011,,,ftp://x.example,,,,\n{STEAM_50},,CANARY-0012\n{STEAM_50},,{},,,,,,,\n",
            code(STEAM_50, 1)
        );
        let ended = import(&app, &rows, &[]).await.expect_code(3);
        let told: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap();
        let bad: Vec<(u64, &str)> = told["bad"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["line"].as_u64().unwrap(), row["reason"].as_str().unwrap()))
            .collect();
        let expected = [
            (3, "the same code as in line 2"),
            (4, "face_value is not the product's"),
            (5, "no product has this sku"),
            (6, "face_value is missing; the product has no fixed one"),
            (7, "face_value is not one that the product comes in"),
            (8, "the product is not delivered as a code"),
            (9, "code and url are both missing"),
            (10, "expires_at has passed"),
            (11, "expires_at is neither a day (2027-01-31) nor an RFC 3339 instant"),
            (12, "cost and cost_currency go together"),
            (13, "cost has more than 6 decimal digits"),
            (14, "url does not begin with https:// or http://"),
            (15, "it has 3 columns where the header has 10"),
            (16, "this code was loaded before"),
        ];
        assert_eq!(bad, expected);
        let printed = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!printed.to_uppercase().contains("CANARY") && !printed.contains(&code(STEAM_50, 1)), "{printed}");
        assert_eq!((count(&app, "vouchers").await, count(&app, "stock_moves").await), before);

        let ended = import(&app, &rows, &["--skip-bad"]).await.json();
        assert_eq!(ended["loaded"], 1);
        assert_eq!(ended["skipped"].as_array().unwrap().len(), expected.len());
        assert_eq!(count(&app, "vouchers").await, before.0 + 1);
    }

    async fn the_same_file_twice_is_refused_whole(app: SmallCatalog) {
        let csv = stock_csv(EURO_20, "20", 1, 1_203);
        let rows = csv.strip_prefix(HEADER).unwrap();
        assert_eq!(import(&app, rows, &[]).await.json()["loaded"], 1_203);
        let moves = "stock_moves WHERE kind = 'LOADED' AND product_id = 'steam_wallet_at_20_eur'";
        assert_eq!(count(&app, moves).await, 3, "a transaction has at most 500 codes");
        import(&app, rows, &[]).await.expect_code(3);
        assert_eq!(import(&app, rows, &["--skip-bad"]).await.json()["loaded"], 0);
        assert_eq!(count(&app, "vouchers WHERE product_id = 'steam_wallet_at_20_eur'").await, 1_203);
    }

    async fn files_that_are_no_stock_are_told_why(app: SmallCatalog) {
        let folder = app.database.folder.path();
        for (text, reason) in [
            ("", "the file is empty"),
            ("sku,code,colour\n", "column 3 of the header is none of"),
            ("sku,sku,code\n", "the header has the column sku twice"),
            ("code\n", "the header lacks the column sku"),
            ("sku,pin\n", "the header has neither the column code nor the column url"),
            ("sku,code\nx,\"A\"B\n", "line 2: something stands behind a closing quote"),
            ("sku,code\nx,\"A\nB\" \n", "line 3: something stands behind a closing quote"),
            ("sku,code\nx,A\"B\"\n", "line 2: a quote stands in a field that does not begin with one"),
            ("sku,code\nx,A\nx,\"12\nx,B\n", "line 3: a quote opens here that is never closed: is the file whole?"),
        ] {
            let path = folder.join("odd.csv");
            fs::write(&path, text).unwrap();
            let ended = Binary::on(&app.database).run(&["stock", "import", path.to_str().unwrap()]).await.expect_code(2);
            assert!(ended.stderr.contains(reason), "{ended:?}");
        }
        Binary::on(&app.database).run(&["stock", "import", "absent.csv"]).await.expect_code(2);
    }

    async fn quotes_that_are_in_their_place_are_taken(app: SmallCatalog) {
        let rows = format!("\u{feff}\"sku\",\"code\",\"pin\"\r\n\"{EURO_20}\",\"A \"\"quoted\"\", code\",\"\"\r\n{EURO_20},B,\"2\"");
        let path = app.database.folder.path().join("quoted.csv");
        fs::write(&path, rows).unwrap();
        Binary::on(&app.database).run(&["stock", "import", path.to_str().unwrap()]).await.expect_code(0);
        let codes = opened(&app, EURO_20).await;
        let shown: Vec<_> = codes.iter().map(|one| (shown(&one.code), shown(&one.pin))).collect();
        assert_eq!(shown, [(Some("A \"quoted\", code"), None), (Some("B"), Some("2"))]);
    }

    /// What some suppliers write for "never" is a day like any other, and the last there is.
    async fn a_code_may_expire_on_the_last_day_there_is(app: SmallCatalog) {
        import(&app, &format!("{EURO_20},,LAST-DAY,,,,9999-12-31,,,\n"), &[]).await.expect_code(0);
        let partner = app.partner().await;
        let buy = "mutation($input: CreateOrderInput!) { createOrder(input: $input) { order { vouchers { code expiresAt } } userErrors { code } } }";
        let input = json!({ "productId": EURO_20, "reference": "last", "currency": "EUR" });
        let bought = partner.graphql(buy, json!({ "input": input })).await;
        let voucher = json!({ "code": "LAST-DAY", "expiresAt": "9999-12-31T23:59:59.999999Z" });
        assert_eq!(bought.at("createOrder.order.vouchers"), &json!([voucher]));
    }

    async fn a_short_code_is_told_from_another_by_its_pin(app: SmallCatalog) {
        let rows = format!("{EURO_20},,1234,11,,,,,,\n{EURO_20},,1234,12,,,,,,\n{EURO_20},,12-34,11,,,,,,\n");
        let ended = import(&app, &rows, &["--skip-bad"]).await.json();
        assert_eq!(ended["loaded"], 2);
        assert_eq!(ended["skipped"], json!([{ "line": 4, "reason": "the same code as in line 2" }]));
    }

    async fn of_two_imports_of_one_file_at_once_each_code_is_taken_once(app: SmallCatalog) {
        let csv = stock_csv(EURO_20, "20", 1, 900);
        let path = app.database.folder.path().join("twice.csv");
        fs::write(&path, csv).unwrap();
        let run = async |ctx: Ctx| {
            let import = Import { path: path.clone(), bad_rows: BadRows::Skip };
            vouchers::import(&ctx, import, Arc::new(|_| ())).await
        };
        let (one, two) = tokio::join!(run(app.system()), run(app.system()));
        for outcome in [one, two] {
            assert!(matches!(outcome, Ok(_) | Err(ImportError::LoadedMeanwhile { .. })), "{outcome:?}");
        }
        run(app.system()).await.unwrap();
        assert_eq!(count(&app, "vouchers WHERE product_id = 'steam_wallet_at_20_eur'").await, 900);
    }

    async fn a_sealed_code_opens_in_its_own_row_alone(app: SmallCatalog) {
        let ctx = app.system();
        let rows = entity::vouchers::Entity::find().all(&ctx.database().reader).await.unwrap();
        let (one, other) = (&rows[0], &rows[1]);
        assert!(vault(&ctx).open_voucher(one).is_ok());
        let moved = entity::vouchers::Model { sealed: other.sealed.clone(), ..one.clone() };
        assert!(vault(&ctx).open_voucher(&moved).is_err());
        let product = entity::vouchers::Model { product_id: DINAR_10.to_owned(), ..one.clone() };
        let face = entity::vouchers::Model { face_minor: one.face_minor + 1, ..one.clone() };
        assert!(vault(&ctx).open_voucher(&product).is_err() || one.product_id == DINAR_10);
        assert!(vault(&ctx).open_voucher(&face).is_err());
        assert!(!format!("{rows:?}{:?}", opened(&app, DINAR_10).await).contains("CODE-"));
    }

    async fn data_keys_rest_after_a_month_and_still_open(app: SmallCatalog) {
        let keys = "data_keys WHERE purpose = 'stock'";
        assert_eq!((count(&app, keys).await, count(&app, &format!("{keys} AND retired_at IS NULL")).await), (1, 1));
        app.advance_secs(31 * 86_400);
        app.load_stock(&stock_csv(EURO_20, "20", 1, 5)).await;
        assert_eq!((count(&app, keys).await, count(&app, &format!("{keys} AND retired_at IS NULL")).await), (2, 1));
        assert_eq!(count(&app, "vouchers v JOIN data_keys k ON k.id = v.data_key_id AND k.retired_at IS NULL").await, 5);
        assert_eq!(shown(&opened(&app, EURO_20).await[4].code), Some(code(EURO_20, 5).as_str()));
        assert_eq!(opened(&app, STEAM_50).await.len(), 200);
    }

    async fn a_wrong_or_missing_key_refuses_and_writes_nothing(app: SmallCatalog) {
        use std::os::unix::fs::PermissionsExt;
        let ctx = app.system();
        let folder = &ctx.config().keys_dir;
        let canaries = "SELECT count(*) FROM master_keys";
        for name in ["master-1.key", "index.key"] {
            let path = folder.join(name);
            let good = fs::read_to_string(&path).unwrap();
            fs::write(&path, "00".repeat(32)).unwrap();
            let ended = import(&app, "", &[]).await.expect_code(4);
            assert!(ended.stderr.contains("is not the one that this database was"), "{ended:?}");
            fs::write(&path, "too short").unwrap();
            let ended = import(&app, "", &[]).await.expect_code(4);
            assert!(ended.stderr.contains("must have 32 bytes"), "{ended:?}");
            fs::write(&path, &good).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            let ended = import(&app, "", &[]).await.expect_code(4);
            assert!(ended.stderr.contains("can be read by others"), "{ended:?}");
            fs::remove_file(&path).unwrap();
            let ended = import(&app, "", &[]).await.expect_code(4);
            assert!(ended.stderr.contains("is missing"), "{ended:?}");
            fs::write(&path, &good).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(app.database.number(canaries).await, 1);
        }
        import(&app, &format!("{EURO_20},,AFTER-ALL-0001,,,,,,,\n"), &[]).await.json();
    }

    async fn a_sandbox_is_filled_with_codes_and_a_production_is_not(app: SmallCatalog) {
        let ctx = app.system();
        let wanted = vouchers::choose_sandbox_products(&ctx).await.unwrap();
        assert_eq!(wanted[0], GenerateCodes { product: STEAM_50.to_owned(), count: 5_000 });
        assert!(wanted[1..].iter().all(|codes| codes.count == 100) && wanted.len() > 20, "{wanted:?}");
        let some = [GenerateCodes { product: STEAM_50.to_owned(), count: 1_000 }, wanted[1].clone()];
        let loaded = vouchers::generate(&ctx, &some, &|_| ()).await.unwrap();
        assert_eq!(loaded.codes, 1_100);
        assert_eq!(count(&app, "vouchers WHERE lot = 'sandbox' AND cost_micros = 45000000").await, 1_000);
        app.database.execute("DELETE FROM installation").await;
        app.database.execute("INSERT INTO installation (id, environment, created_at) VALUES (1, 'production', 0)").await;
        assert!(vouchers::generate(&ctx, &some, &|_| ()).await.is_err());
        assert_eq!(count(&app, "vouchers WHERE lot = 'sandbox'").await, 1_100);
    }
}

#[tokio::test]
async fn keys_are_made_once_and_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let binary = Binary::in_folder(folder.path());
    let made = binary.run(&["keys", "init", "--json"]).await.json();
    assert_eq!(made["made"].as_array().unwrap().len(), 3);
    let read = |name: &str| fs::read_to_string(folder.path().join("var/keys").join(name)).unwrap();
    let first: Vec<String> = ["master-1.key", "index.key", "jwt.key"].map(read).to_vec();
    for name in ["master-1.key", "index.key", "jwt.key"] {
        let mode = fs::metadata(folder.path().join("var/keys").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(first[0] != first[1] && first[1] != first[2] && first[0].trim().len() == 64);
    let again = binary.run(&["keys", "init"]).await.expect_code(1);
    assert!(again.stderr.contains("keys are never overwritten"), "{again:?}");
    assert_eq!(["master-1.key", "index.key", "jwt.key"].map(read).to_vec(), first);
}

#[test]
fn the_vault_prints_nothing_of_its_keys() {
    fn prints<T: std::fmt::Debug>() {}
    prints::<Vault>();
    prints::<Secret>();
    assert_eq!(format!("{:?}", Secret::new("4711".to_owned())), "Secret(…)");
}
