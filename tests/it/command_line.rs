//! The command line as a whole: its help, its exit codes, and what programs read of it.
//! Always true: every command of the tree is in the table, with an end that is done and one that is not. Not here: what a
//! command does (the features' files), how it opens a database (`opening.rs`).

use std::fs;

use clap::{Command, CommandFactory as _};
use octopus_cards::cli::Cli;
use serde_json::{Value, json};

use super::support::app::TestApp;
use super::support::catalog::{EURO_20, STEAM_50, stock_csv};
use super::support::process::{Binary, Ended};

/// The commands that do something, each with the words that lead to it.
fn leaves() -> Vec<(String, Command)> {
    fn walk(path: &str, command: &Command, found: &mut Vec<(String, Command)>) {
        for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
            let path = format!("{path} {}", child.get_name()).trim().to_owned();
            if child.has_subcommands() {
                walk(&path, child, found);
            } else {
                found.push((path, child.clone()));
            }
        }
    }
    let mut root = Cli::command();
    root.build();
    let mut found = Vec::new();
    walk("", &root, &mut found);
    assert!(found.len() > 20, "the tree is walked wrongly: {found:?}");
    found
}

/// An argument that has the name of a setting would take the setting's value, from the environment for instance.
#[test]
fn no_argument_of_a_command_has_the_name_of_a_setting() {
    fn walk(command: &Command, settings: &[clap::Id], found: &mut Vec<String>) {
        for child in command.get_subcommands() {
            let own = child.get_arguments().map(clap::Arg::get_id).filter(|id| settings.contains(id));
            found.extend(own.map(|id| format!("{} --{id}", child.get_name())));
            walk(child, settings, found);
        }
    }
    let root = Cli::command();
    let settings: Vec<clap::Id> = root.get_arguments().map(|argument| argument.get_id().clone()).collect();
    assert!(settings.len() > 20, "{settings:?}");
    let mut found = Vec::new();
    walk(&root, &settings, &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn every_command_and_every_argument_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    let binary = Binary::in_folder(folder.path());
    let mut mute = Vec::new();
    for (path, command) in leaves() {
        for argument in command.get_arguments() {
            if argument.get_help().is_none_or(|help| help.to_string().trim().is_empty()) {
                mute.push(format!("{path}: {}", argument.get_id()));
            }
        }
        let Some(about) = command.get_about() else {
            mute.push(path);
            continue;
        };
        let words: Vec<&str> = path.split(' ').chain(["--help"]).collect();
        let help = binary.run(&words).await.expect_code(0).stdout;
        let first = about.to_string().split_whitespace().take(4).collect::<Vec<_>>().join(" ");
        assert!(help.contains(&first) && help.contains("Usage: octopus"), "{path}\n{help}");
    }
    assert!(mute.is_empty(), "without help: {mute:#?}");
    let help = binary.run(&["--help"]).await.expect_code(0).stdout;
    for code in ["0  done", "1  failed", "2  usage", "3  refused", "4  the database or the machine"] {
        assert!(help.contains(code), "{help}");
    }
}

/// What a command itself takes comes first; what every command takes stands under a heading of its own, at the end.
#[tokio::test]
async fn settings_stand_behind_a_command_s_own_options() {
    let folder = tempfile::tempdir().unwrap();
    let binary = Binary::in_folder(folder.path());
    for command in ["partner create", "serve", "wallet statement"] {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = binary.run(&words).await.expect_code(0).stdout;
        let (own, settings) = help.split_once("\nSettings:\n").unwrap_or_else(|| panic!("{command}\n{help}"));
        assert!(settings.contains("--database-url") && settings.contains("--listen"), "{settings}");
        assert!(!own.contains("OCTOPUS_") && own.contains("--json"), "{own}");
        assert!(!settings.contains("--name") && !settings.contains("--partner"), "{settings}");
    }
}

#[test]
fn the_page_of_the_command_line_has_the_table_of_the_help() {
    let help = Cli::command().get_after_help().expect("the help has a table").to_string();
    let page = include_str!("../../docs/command-line.md");
    for code in 0..5 {
        let says = help.lines().find_map(|line| line.trim().strip_prefix(&format!("{code}  "))).unwrap();
        let says = says.split(", such as").next().unwrap();
        let row = page.lines().find(|line| line.starts_with(&format!("| {code} |"))).unwrap();
        assert!(row.contains(says.split(';').next().unwrap()), "{row} does not say {says}");
    }
}

/// A command line, what it exits with, and the code that a program reads.
type Case = (&'static str, i32, &'static str);

/// In this order: some lean on what others made. The words are split at blanks.
const CASES: [Case; 108] = [
    ("settings", 0, ""),
    ("settings --cost-per-second 0", 2, "USAGE"),
    ("schema", 0, ""),
    ("schema more", 2, "USAGE"),
    ("vendor-sim --catalog absent", 2, "USAGE"),
    ("vendor-sim --catalog heading.csv", 2, "USAGE"),
    ("vendor-sim --fault-rate 1.5", 2, "USAGE"),
    ("vendor-sim --at-quantity 13=magic", 2, "USAGE"),
    ("serve --order-queue 0", 2, "USAGE"),
    ("serve --listen nowhere", 2, "USAGE"),
    ("migrate status", 0, ""),
    ("migrate status more", 2, "USAGE"),
    ("migrate up", 0, ""),
    ("migrate up more", 2, "USAGE"),
    ("migrate down", 3, "INVALID_INPUT"),
    ("migrate down --steps 0", 2, "USAGE"),
    ("keys init", 1, "FAILED"),
    ("keys init --keys-dir other", 0, ""),
    ("partner create --name New --currency EUR", 0, ""),
    ("partner create --name New --currency XXX", 2, "USAGE"),
    ("partner create --name= --currency EUR", 3, "INVALID_INPUT"),
    ("partner create --name New --currency USD", 3, "INVALID_INPUT"),
    ("partner list", 0, ""),
    ("partner list more", 2, "USAGE"),
    ("partner suspend New", 0, ""),
    ("partner suspend Nobody", 3, "NOT_FOUND"),
    ("partner resume New", 0, ""),
    ("partner resume prt_00000000000000000000000000", 3, "NOT_FOUND"),
    ("partner credential create New --name first", 0, ""),
    ("partner credential create Nobody --name first", 3, "NOT_FOUND"),
    ("partner credential create New --name first --scopes all", 2, "USAGE"),
    ("partner credential list New", 0, ""),
    ("partner credential list Nobody", 3, "NOT_FOUND"),
    ("partner credential list prt_00000000000000000000000000", 3, "NOT_FOUND"),
    ("partner credential revoke crd_00000000000000000000000000", 3, "NOT_FOUND"),
    ("partner credential revoke first", 2, "USAGE"),
    ("catalog import absent", 2, "USAGE"),
    ("catalog import heading.csv", 2, "USAGE"),
    ("catalog import heading.csv --skip-bad", 2, "USAGE"),
    ("catalog import catalog.csv", 3, "INVALID_INPUT"),
    ("catalog import catalog.csv --skip-bad", 0, ""),
    ("rates import absent", 2, "USAGE"),
    ("rates import heading.csv", 2, "USAGE"),
    ("rates import bad-rates.csv", 3, "INVALID_INPUT"),
    ("rates import rates.csv", 0, ""),
    ("rates poll", 2, "USAGE"),
    ("rates status", 0, ""),
    ("rates status more", 2, "USAGE"),
    ("stock import absent", 2, "USAGE"),
    ("stock import heading.csv", 2, "USAGE"),
    ("stock import stock.csv", 3, "INVALID_INPUT"),
    ("stock import stock.csv --skip-bad", 0, ""),
    ("price set --partner New --all --discount 0.01", 0, ""),
    ("price set --partner Nobody --all --discount 0.01", 3, "NOT_FOUND"),
    ("price set --product steam_wallet_50_usd --fee 0.10 --currency EUR", 3, "INVALID_INPUT"),
    ("price set --all --discount 1", 3, "INVALID_INPUT"),
    ("price set --all", 2, "USAGE"),
    ("price list", 0, ""),
    ("price list more", 2, "USAGE"),
    ("price remove prl_00000000000000000000000000", 3, "NOT_FOUND"),
    ("price remove it", 2, "USAGE"),
    ("admin create operator", 0, ""),
    ("admin create operator", 3, "INVALID_INPUT"),
    ("admin list", 0, ""),
    ("admin list more", 2, "USAGE"),
    (
        "vendor add only --adapter sandbox --base-url http://127.0.0.1:1 --currency USD --credentials absent",
        2,
        "USAGE",
    ),
    ("vendor add only --adapter none --base-url http://127.0.0.1:1 --currency USD", 3, "INVALID_INPUT"),
    ("vendor add only --adapter sandbox --base-url http://127.0.0.1:1 --currency USD", 3, "INVALID_INPUT"),
    (
        "vendor add only --adapter sandbox --base-url http://127.0.0.1:1 --currency USD --credentials vendor.json",
        0,
        "",
    ),
    (
        "vendor add only --adapter sandbox --base-url http://127.0.0.1:1 --currency USD --credentials vendor.json",
        3,
        "INVALID_INPUT",
    ),
    ("vendor list", 0, ""),
    ("vendor list more", 2, "USAGE"),
    ("vendor pause only", 0, ""),
    ("vendor pause nobody", 3, "NOT_FOUND"),
    ("vendor resume only", 0, ""),
    ("vendor resume vnd_00000000000000000000000000", 3, "NOT_FOUND"),
    ("vendor retention only ttl=48h", 0, ""),
    ("vendor retention only ttl=2h", 2, "USAGE"),
    ("vendor retention nobody store", 3, "NOT_FOUND"),
    ("vendor adapters", 0, ""),
    ("vendor adapters more", 2, "USAGE"),
    ("offers import only absent", 2, "USAGE"),
    ("offers import only heading.csv", 3, "INVALID_INPUT"),
    ("offers import only bad-offers.csv", 3, "INVALID_INPUT"),
    ("offers import nobody offers.csv", 3, "NOT_FOUND"),
    ("offers import only offers.csv", 0, ""),
    ("attempts list", 0, ""),
    ("attempts list --state gone", 2, "USAGE"),
    ("attempts resolve --operator Ada pur_00000000000000000000000000 --refused --note it", 3, "NOT_FOUND"),
    ("refund-unit --operator Ada nothing 1 --reference T-1 --note it", 3, "NOT_FOUND"),
    ("replace-voucher nothing vch_00000000000000000000000000 --reason it --operator Ada", 3, "NOT_FOUND"),
    ("replace-voucher nothing 1 --reason it --operator Ada", 2, "USAGE"),
    ("work more", 2, "USAGE"),
    ("vendor balance nobody", 3, "NOT_FOUND"),
    ("vendor reconcile nobody", 3, "NOT_FOUND"),
    ("vendor sync nobody", 3, "NOT_FOUND"),
    ("vendor sync only more", 2, "USAGE"),
    ("wallet credit --partner New --currency EUR --amount 5 --reference b1", 0, ""),
    ("wallet credit --partner New --currency EUR --amount 0 --reference b2", 3, "INVALID_INPUT"),
    ("wallet credit --partner New --currency EUR --amount five --reference b2", 2, "USAGE"),
    ("wallet credit --partner Nobody --currency EUR --amount 5 --reference b2", 3, "NOT_FOUND"),
    ("wallet list", 0, ""),
    ("wallet list --partner Nobody", 3, "NOT_FOUND"),
    ("wallet statement --partner New --currency EUR", 0, ""),
    ("wallet statement --partner New --currency CHF", 3, "NOT_FOUND"),
    ("wallet statement --partner New --currency EUR --output no/such/folder.csv", 2, "USAGE"),
    ("verify", 0, ""),
    ("verify --database-url mysql://localhost/octopus", 2, "USAGE"),
];

/// What the cases read: a file with other columns, and files with one bad line behind a good one.
fn write_files(app: &TestApp) {
    let folder = app.database.folder.path();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("heading.csv", "one,two\n1,2\n");
    write("key.json", "{\"api_key\":\"key\"}");
    write("offers.csv", &format!("product,vendor_sku,cost_currency,cost_factor\n{EURO_20},E-20,EUR,0.95\n"));
    let heading = "sku,brand_slug,product_name,category,country,face_currency,denomination_kind,face_value,min_value,\
        max_value,step,unit_label,delivery,recipient_field,denom_basis,discount_pct,discount_basis";
    let product = |sku: &str| format!("{sku},steam_wallet,S,gaming,US,USD,fixed,7,,,,,code,,own,4,own\n");
    write("catalog.csv", &format!("{heading}\n{}{}", product("new_7_usd"), product("NEW")));
    let rate = |quote: &str| format!("USD,{quote},0.5,2026-10-01,own\n");
    let heading = "base,quote,rate,as_of,source";
    write("rates.csv", &format!("{heading}\n{}", rate("EUR")));
    write("bad-rates.csv", &format!("{heading}\n{}{}", rate("EUR"), rate("XXX")));
    write("vendor.json", "{\"api_key\": \"the-key\"}");
    let offers =
        format!("product,vendor_sku,cost_currency,cost_factor\n{STEAM_50},any_sandbox_ok,USD,0.95\n");
    write("bad-offers.csv", &format!("{offers}nothing,any_sandbox_ok,USD,0.95\n"));
    write("offers.csv", &offers);
    write("stock.csv", &format!("{}{EURO_20},21,ANOTHER-CODE,,,,,,,\n", stock_csv(EURO_20, "20", 1, 1)));
}

/// A failure as a program reads it: one object on the standard error, and nothing where answers stand.
fn told(ended: &Ended) -> Value {
    assert_eq!(ended.stdout, "", "{ended:#?}");
    serde_json::from_str(&ended.stderr).unwrap_or_else(|error| panic!("{error}: {ended:#?}"))
}

both_databases! {
    async fn every_command_ends_as_the_table_says(app: SmallCatalog) {
        write_files(&app);
        let binary = Binary::on(&app.database);
        for (line, code, word) in CASES {
            let words: Vec<&str> = ["--json"].into_iter().chain(line.split(' ')).collect();
            let ended = binary.run(&words).await;
            assert_eq!(ended.code, Some(code), "{line}: {ended:#?}");
            if code != 0 {
                let told = told(&ended);
                assert_eq!(told["code"], word, "{line}: {told}");
                assert!(!told["message"].as_str().unwrap().is_empty(), "{line}: {told}");
            } else if line != "schema" {
                for answer in ended.stdout.lines() {
                    serde_json::from_str::<Value>(answer).unwrap_or_else(|error| panic!("{line}: {error}: {answer}"));
                }
            }
        }
        // Whatever takes an id that only the database knows.
        let rule = &binary.run(&["price", "list", "--json"]).await.json()[0]["id"];
        binary.run(&["price", "remove", rule.as_str().unwrap()]).await.expect_code(0);
        let credential = &binary.run(&["partner", "credential", "list", "New", "--json"]).await.json()[0]["id"];
        binary.run(&["partner", "credential", "revoke", credential.as_str().unwrap()]).await.expect_code(0);
    }

    async fn bad_lines_are_a_list_for_programs_and_lines_for_people(app: SmallCatalog) {
        write_files(&app);
        let binary = Binary::on(&app.database);
        for (line, bad) in [
            ("catalog import catalog.csv", json!([{ "file": "catalog.csv", "line": 3,
                "reason": "sku \"NEW\" must have 1 to 100 of the characters a-z 0-9 _ . -" }])),
            ("rates import bad-rates.csv", json!([{ "line": 3, "reason": "\"XXX\" is no ISO 4217 code" }])),
            ("stock import stock.csv", json!([{ "line": 3, "reason": "face_value is not the product's" }])),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let told = told(&binary.run(&[&words, ["--json"].as_slice()].concat()).await);
            assert_eq!(told["bad"], bad, "{told}");
            assert!(!told["message"].as_str().unwrap().contains('\n'), "{told}");
            let ended = binary.run(&words).await.expect_code(3);
            let last = ended.stderr.lines().last().unwrap();
            assert!(last.ends_with(bad[0]["reason"].as_str().unwrap()) && last.contains('3'), "{ended:#?}");
        }
    }

    async fn a_statement_goes_to_a_file_and_says_how_long_it_is(app: SmallCatalog) {
        let binary = Binary::on(&app.database);
        let words = ["wallet", "statement", "--partner", "Acme Games", "--currency", "USD"];
        let printed = binary.run(&words).await.expect_code(0).stdout;
        let told = binary.run(&[&words, ["--output", "usd.csv", "--json"].as_slice()].concat()).await.json();
        assert_eq!(told, json!({ "entries": 1, "file": "usd.csv" }));
        assert_eq!(fs::read_to_string(app.database.folder.path().join("usd.csv")).unwrap(), printed);
        assert_eq!(printed.lines().count(), 2);
        let told = binary.run(&[&words, ["--json"].as_slice()].concat()).await.json();
        assert_eq!(told["reference"], "funds-USD");
    }

    /// Ids of ten thousand others come before those of the seed.
    async fn a_partner_is_found_among_more_than_ten_thousand(app: SmallCatalog) {
        app.database.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001)
            INSERT INTO partners (id, name, status, default_currency, created_at)
            SELECT 'prt_00000000000000000000' || CAST(100000 + i AS TEXT), 'Crowd ' || CAST(i AS TEXT), 'ACTIVE', 'USD', 0
            FROM n").await;
        app.database.execute("INSERT INTO wallets (id, partner_id, currency, available, sequence, created_at)
            SELECT 'wal_' || substr(id, 5), id, 'USD', 0, 0, 0 FROM partners WHERE name LIKE 'Crowd 1%'").await;
        let binary = Binary::on(&app.database);
        let id = &app.database.seed.partners[0].id;
        for (name, reference) in [("Acme Games", "by-name"), (id.as_str(), "by-id")] {
            let paid = ["wallet", "credit", "--partner", name, "--currency", "CHF", "--amount", "1", "--reference", reference];
            binary.run(&paid).await.expect_code(0);
        }
        assert_eq!(app.database.number("SELECT available FROM wallets WHERE currency = 'CHF'").await, 200);
        let listed = binary.run(&["partner", "list", "--json"]).await.json();
        assert_eq!(listed.as_array().unwrap().len(), 10_003);
        assert_eq!(listed[10_001]["name"], "Acme Games");
        let wallets = "SELECT count(*) FROM wallets";
        let listed = binary.run(&["wallet", "list", "--json"]).await.json();
        let listed: Vec<&str> = listed["wallets"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert_eq!(i64::try_from(listed.len()).unwrap(), app.database.number(wallets).await);
        assert!(listed.len() > 1_000, "one page: {}", listed.len());
        let mut distinct = listed.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), listed.len());
    }

    /// Commands find a partner by its name: a second one of the name would shut both out.
    async fn a_name_is_given_to_one_partner_alone(app: SmallCatalog) {
        let binary = Binary::on(&app.database);
        let partners = "SELECT count(*) FROM partners";
        let before = app.database.number(partners).await;
        let refused = binary.run(&["partner", "create", "--name", "Acme Games", "--currency", "EUR", "--json"]).await;
        let told = told(&refused.expect_code(3));
        let message = told["message"].as_str().unwrap();
        assert!(message.starts_with("a partner has this name already"), "{message}");
        assert_eq!(app.database.number(partners).await, before);
        binary.run(&["partner", "suspend", "Acme Games"]).await.expect_code(0);
    }

    async fn a_fee_says_which_products_it_is_for(app: SmallCatalog) {
        let binary = Binary::on(&app.database);
        let set = async |words: &[&str]| binary.run(&[&["price", "set"], words].concat()).await;
        let told = set(&["--brand", "steam_wallet", "--fee", "0.10", "--currency", "EUR"]).await.expect_code(0).stdout;
        assert!(told.trim_end().ends_with("fee 0.1 EUR a unit, for face values in EUR alone"), "{told}");
        let refused = set(&["--product", STEAM_50, "--fee", "0.10", "--currency", "EUR"]).await.expect_code(3);
        assert!(refused.stderr.contains("whose face value is in USD: give it in USD"), "{refused:#?}");
        assert_eq!(app.database.number("SELECT count(*) FROM price_rules").await, 1);
        set(&["--product", STEAM_50, "--fee", "0.10", "--currency", "USD"]).await.expect_code(0);
    }

    async fn a_name_like_an_id_hides_nobody(app: SmallCatalog) {
        let binary = Binary::on(&app.database);
        let id = app.database.seed.partners[0].id.as_str();
        binary.run(&["partner", "create", "--name", id, "--currency", "USD"]).await.expect_code(0);
        let listed = binary.run(&["partner", "credential", "list", id, "--json"]).await.json();
        assert_eq!(listed[0]["partner_id"], id);
        let rule = ["price", "set", "--partner", id, "--product", STEAM_50, "--discount", "0.02", "--json"];
        assert_eq!(binary.run(&rule).await.json()["partner"], id);
    }
}

#[test]
fn the_table_has_every_command() {
    // What takes an id that only the database knows ends well behind the table; a server that ends well is stopped elsewhere,
    // and a provider of rates is asked where there is one (`rates.rs`); attempts and refunds need orders, and listings a vendor
    // that answers (`operators.rs`).
    let done_elsewhere = [
        "serve",
        "vendor-sim",
        "migrate down",
        "price remove",
        "partner credential revoke",
        "rates poll",
        "attempts resolve",
        "refund-unit",
        "replace-voucher",
        "vendor balance",
        "vendor reconcile",
        "vendor sync",
        "work",
    ];
    for (path, _) in leaves() {
        let of_it = |line: &str| line == path || line.starts_with(&format!("{path} "));
        let codes: Vec<i32> =
            CASES.iter().filter(|(line, _, _)| of_it(line)).map(|(_, code, _)| *code).collect();
        assert!(codes.iter().any(|code| *code != 0), "no case of `octopus {path}` fails");
        let done = codes.contains(&0) || done_elsewhere.contains(&path.as_str());
        assert!(done, "no case of `octopus {path}` is done");
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_told_from_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let binary = Binary::in_folder(folder.path())
        .with("OCTOPUS_DATABASE_URL", "postgres://octopus@127.0.0.1:1/octopus");
    let told = told(&binary.run(&["verify", "--json"]).await.expect_code(4));
    assert_eq!(told["code"], "SERVICE_UNAVAILABLE");
}
