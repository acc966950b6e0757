//! The README's tour and the getting-started guide, typed by a machine: every command of them, in one shell, against a
//! real sandbox; and what such a sandbox begins with.
//! Always true: the page is the script; nothing is typed here that is not on it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::support::process::{Binary, Process};

/// The lines of the fenced `sh` blocks below this heading, up to the next heading of its rank.
fn commands<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let section =
        page.split("\n## ").find(|section| section.starts_with(heading)).expect("the page has the heading");
    let blocks = section.split("```sh\n").skip(1);
    blocks.filter_map(|block| block.split("```").next()).collect()
}

/// The binary as `make run` starts it: nothing set but the sandbox; the data folder is `var` below the current one.
fn sandbox(folder: &Path) -> Binary {
    Binary::in_folder(folder).with("OCTOPUS_ENV", "sandbox")
}

/// Types the commands below a heading, each block after the other, and looks at what each prints.
fn every_command_works(page: &str, heading: &str, folder: &Path, server: &Process) {
    let blocks = commands(page, heading);
    assert!(blocks.len() >= 4, "the tour is short: {blocks:?}");
    let script = blocks.join("\necho '== next'\n").replace("http://localhost:8080", &server.client.url);
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_octopus")).parent().unwrap();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", r#"PATH="$1:$PATH"; eval "$2""#, "tour"])
        .args([programs.to_str().unwrap(), &script])
        .current_dir(folder)
        .output()
        .unwrap();

    let printed = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{complaints}\n{}", server.log());
    let answers: Vec<_> = printed.split("== next").collect();
    assert_eq!(answers.len(), blocks.len());
    for (block, answer) in blocks.iter().zip(&answers) {
        assert!(!answer.contains(r#""errors""#), "{block}\n{answer}");
        assert!(!answer.contains(r#""userErrors":[{"#), "{block}\n{answer}");
        // Whoever orders gets a code.
        let orders = block.contains("/api/v1/orders") || block.contains("createOrder");
        assert!(!orders || answer.contains(r#""code":""#), "{block}\n{answer}");
    }
}

/// What the first start of an empty sandbox makes, as its partner and its operator see it.
async fn a_sandbox_begins_with_everything(folder: &Path, server: &Process) {
    let file = folder.join("var/sandbox-credentials.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    let kept: Value = serde_json::from_str(&text).unwrap();
    let said = |who: &str, what: &str| kept[who][what].as_str().unwrap().to_owned();
    let url = &server.client.url;
    let signs_in =
        |who: &str| json!({ "username": said(who, "username"), "password": said(who, "password") });
    assert_eq!(
        kept,
        json!({
            "url": url, "graphql_url": format!("{url}/graphql"), "ws_url": format!("{}/graphql", url.replace("http", "ws")),
            "partner": signs_in("partner"), "admin": signs_in("admin"),
        })
    );
    let log = server.log();
    for secret in [said("partner", "password"), said("admin", "password")] {
        assert!(secret.len() >= 26, "a short secret");
        assert_eq!(log.matches(&secret).count(), 1, "a secret is printed once");
    }

    let client = &server.client;
    client.login(&said("admin", "username"), &said("admin", "password")).await;
    let token = client.login(&said("partner", "username"), &said("partner", "password")).await.token;
    let document = "{ viewer { partner { name } } wallets { nodes { currency available { amount } } }
        steam: product(id: \"steam_wallet_50_usd\") { stock { available } }
        all: products { totalCount } toBeHad: products(filter: { availableOnly: true }) { totalCount } }";
    let answer = client.graphql(&token, document, json!({})).await;
    assert_eq!(answer.text("viewer.partner.name"), "demo");
    let money =
        |currency: &str, amount: &str| json!({ "currency": currency, "available": { "amount": amount } });
    let wallets = [
        money("EUR", "880000.00"),
        money("JPY", "150000000"),
        money("KWD", "307000.000"),
        money("USD", "1000000.00"),
    ];
    assert_eq!(answer.list("wallets.nodes"), wallets);
    assert_eq!(answer.number("steam.stock.available"), 5_000);
    // 201 with codes in stock, and what the sandbox's own vendor delivers: top-ups, direct products, rehearsals.
    assert_eq!((answer.number("all.totalCount"), answer.number("toBeHad.totalCount")), (12_879, 6_983));

    let binary = sandbox(folder);
    let admins = binary.run(&["admin", "list", "--json"]).await.json();
    assert_eq!((admins.as_array().unwrap().len(), &admins[0]["username"]), (1, &json!("admin")));
    let listed = binary.run(&["partner", "list", "--json"]).await.json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["name"]), (1, &json!("demo")));
}

/// A hundred codes of each product that the sandbox stocks beside the first.
async fn each_other_product_has_a_hundred_codes(folder: &Path) {
    use sqlx::Connection as _;
    let url = format!("sqlite:{}", folder.join("var/octopus.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let sql = "SELECT count(*), min(n), max(n) FROM (SELECT count(*) AS n FROM vouchers
        WHERE product_id <> 'steam_wallet_50_usd' GROUP BY product_id)";
    let found: (i64, i64, i64) = sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(found, (200, 100, 100));
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_tour_works() {
    let folder = tempfile::tempdir().unwrap();
    let server = sandbox(folder.path()).serve().await;
    every_command_works(include_str!("../../README.md"), "Five minutes", folder.path(), &server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_begins_with_everything_and_the_getting_started_guide_works_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = sandbox(folder.path()).serve().await;
    a_sandbox_begins_with_everything(folder.path(), &server).await;
    each_other_product_has_a_hundred_codes(folder.path()).await;
    let page = include_str!("../../docs/getting-started.md");
    every_command_works(page, "From a program", folder.path(), &server);

    // The next start finds everything as it was, and shows no secret again.
    let file = folder.path().join("var/sandbox-credentials.json");
    let kept = fs::read_to_string(&file).unwrap();
    assert_eq!(server.stop().await, Some(0));
    let again = sandbox(folder.path()).serve().await;
    assert_eq!(fs::read_to_string(&file).unwrap(), kept);
    assert!(again.log().contains("(sandbox)") && !again.log().contains("password"), "{}", again.log());
    let kept: Value = serde_json::from_str(&kept).unwrap();
    for who in ["partner", "admin"] {
        assert!(!again.log().contains(kept[who]["password"].as_str().unwrap()), "{who}");
    }
    assert_eq!(again.stop().await, Some(0));
    each_other_product_has_a_hundred_codes(folder.path()).await;
}
