//! Settings: where each comes from, which one wins, and what they may be.
//! Always true: the real binary is asked, in an environment that has nothing but what the test sets. Not here: what a setting
//! does, but for those that nobody else tests.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use reqwest::Method;
use serde_json::{Value, json};

use super::support::catalog::STEAM_50;
use super::support::process::Binary;

/// A setting: its name in the file, what stands there, what the variable says, what the flag says.
type Setting = (&'static str, &'static str, &'static str, &'static str);

const SETTINGS: [Setting; 33] = [
    ("listen", "\"127.0.0.1:1001\"", "127.0.0.1:1002", "127.0.0.1:1003"),
    ("ops_listen", "\"127.0.0.1:2001\"", "127.0.0.1:2002", "[::1]:2003"),
    ("public_url", "\"http://one.example\"", "https://two.example:8443", "https://three.example/shop"),
    ("database_url", "\"sqlite:one.db\"", "sqlite:two.db", "postgres://three@host/name"),
    ("data_dir", "\"one\"", "two", "three"),
    ("seed_dir", "\"one\"", "two", "three"),
    ("env", "\"production\"", "sandbox", "production"),
    ("keys_dir", "\"one\"", "two", "three"),
    ("trusted_proxies", "[\"10.0.0.0/8\"]", "10.1.0.0/16,::1/128", "10.2.0.0/16"),
    ("charge_ttl_secs", "1", "2", "3"),
    ("unit_deadline_secs", "1", "2", "3"),
    ("rate_max_age_secs", "61", "62", "63"),
    ("rate_provider", "\"ecb\"", "currency-api", "open-exchange-rates"),
    ("rate_provider_url", "\"http://one.example\"", "https://two.example", "https://three.example/api"),
    ("rate_provider_key", "\"one\"", "two", "three"),
    ("rate_poll_secs", "61", "62", "63"),
    ("rate_max_jump_bps", "1", "2", "3"),
    ("rate_stale_alarm_secs", "31", "32", "33"),
    ("reconcile_secs", "61", "62", "63"),
    ("vendor_sync_secs", "0", "62", "63"),
    ("default_margin_bps", "1", "2", "3"),
    ("min_validity_secs", "1", "2", "3"),
    ("access_token_secs", "61", "62", "63"),
    ("refresh_token_secs", "1001", "1002", "1003"),
    ("logins_per_minute", "1", "2", "3"),
    ("order_queue", "1", "2", "3"),
    ("requests_per_second", "1", "2", "3"),
    ("sockets_per_address", "1", "2", "3"),
    ("cost_per_second", "101", "102", "103"),
    ("log", "\"one=info\"", "two=info", "three=info"),
    ("log_format", "\"json\"", "text", "json"),
    ("event_retention_days", "31", "32", "33"),
    ("database_connections", "8", "9", "10"),
];

/// What a bad setting is told, by its name.
const BOUNDS: [(&str, &str, &str); 27] = [
    ("public_url", "x", "http:// or https://"),
    ("public_url", "ftp://cards.example", "http:// or https://"),
    ("public_url", "https://", "http:// or https://"),
    ("public_url", "https://cards.example?a=b", "http:// or https://"),
    ("database_url", "mysql://host/name", "sqlite:PATH or postgres://"),
    ("database_url", "sqlite:", "sqlite:PATH or postgres://"),
    ("charge_ttl_secs", "0", "at least 1"),
    ("unit_deadline_secs", "0", "at least 1"),
    ("rate_max_age_secs", "0", "at least 60"),
    ("rate_provider_url", "ftp://rates.example", "http:// or https://"),
    ("rate_provider_url", "https://rates.example?key=1", "http:// or https://"),
    ("rate_provider_key", "a&base=EUR", "letters and digits"),
    ("rate_poll_secs", "59", "at least 60"),
    ("rate_max_jump_bps", "0", "at least 1"),
    ("rate_stale_alarm_secs", "345600", "less than rate_max_age_secs"),
    ("reconcile_secs", "59", "at least 60"),
    ("vendor_sync_secs", "59", "0, which is never, or at least 60"),
    ("default_margin_bps", "10000", "less than 10000"),
    ("access_token_secs", "59", "60 to 86400"),
    ("refresh_token_secs", "3600", "more than access_token_secs"),
    ("logins_per_minute", "0", "at least 1"),
    ("order_queue", "0", "at least 1"),
    ("requests_per_second", "0", "at least 1"),
    ("sockets_per_address", "0", "at least 1"),
    ("cost_per_second", "0", "at least 1"),
    ("event_retention_days", "29", "at least 30"),
    ("database_connections", "7", "at least 8"),
];

fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

fn variable(name: &str) -> String {
    format!("OCTOPUS_{}", name.to_uppercase())
}

/// Runs the binary in a folder, with these variables and no others.
fn octopus(folder: &Path, variables: &[(String, &str)], arguments: &[String]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octopus"));
    command.current_dir(folder).env_clear().envs(variables.iter().map(|(name, value)| (name, value)));
    command.args(["settings", "--json"]).args(arguments).output().unwrap()
}

#[track_caller]
fn shown(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(told["code"], "USAGE");
    told["message"].as_str().unwrap().to_owned()
}

/// What a setting shows once it is read: a number, a list, or the text; a key never.
fn read(name: &str, text: &str) -> Value {
    match (name, text.parse::<u32>()) {
        ("rate_provider_key", _) => json!("…"),
        (_, Ok(number)) => json!(number),
        ("trusted_proxies", _) => json!(text.split(',').collect::<Vec<_>>()),
        _ => json!(text),
    }
}

/// The settings file with what every setting has there.
fn write_all(path: &Path) {
    let lines: String =
        SETTINGS.iter().map(|(name, written, _, _)| format!("{name} = {written}\n")).collect();
    fs::write(path, lines).unwrap();
}

#[test]
fn flags_win_over_variables_and_those_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    write_all(&folder.path().join("octopus.toml"));
    let of_file = shown(&octopus(folder.path(), &[], &[]));
    let names: Vec<&String> = of_file.as_object().unwrap().keys().collect();
    let mut known = SETTINGS.map(|(name, ..)| name);
    known.sort_unstable();
    assert_eq!(names, known, "a setting is not in the table");

    let variables: Vec<_> = SETTINGS.iter().map(|(name, _, value, _)| (variable(name), *value)).collect();
    let of_variables = shown(&octopus(folder.path(), &variables, &[]));
    let flags: Vec<String> =
        SETTINGS.iter().flat_map(|(name, _, _, value)| [flag(name), (*value).to_owned()]).collect();
    let of_flags = shown(&octopus(folder.path(), &variables, &flags));
    for (name, written, by_variable, by_flag) in SETTINGS {
        let written = serde_json::from_str::<Value>(written).unwrap();
        let shown = if name == "rate_provider_key" { json!("…") } else { written };
        assert_eq!(of_file[name], shown, "{name} from the file");
        assert_eq!(of_variables[name], read(name, by_variable), "{name} from {}", variable(name));
        assert_eq!(of_flags[name], read(name, by_flag), "{name} from {}", flag(name));
    }
    let long = octopus(folder.path(), &variables, &["--environment".to_owned(), "production".to_owned()]);
    assert_eq!(shown(&long)["env"], "production");
}

#[test]
fn without_any_setting_the_defaults_hold() {
    let folder = tempfile::tempdir().unwrap();
    let shown = shown(&octopus(folder.path(), &[], &[]));
    assert_eq!(shown["listen"], "127.0.0.1:8080");
    assert_eq!(shown["public_url"], "http://localhost:8080");
    assert_eq!(shown["database_url"], "sqlite:var/octopus.db");
    assert_eq!(shown["env"], Value::Null);
    assert_eq!(shown["charge_ttl_secs"], 600);
}

#[test]
fn a_settings_file_is_named_by_flag_or_variable_and_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["octopus.toml", "two.toml", "three.toml"] {
        fs::write(folder.path().join(name), format!("log = \"{name}\"\n")).unwrap();
    }
    let by_variable = [("OCTOPUS_CONFIG".to_owned(), "two.toml")];
    let by_flag = ["--config".to_owned(), "three.toml".to_owned()];
    assert_eq!(shown(&octopus(folder.path(), &[], &[]))["log"], "octopus.toml");
    assert_eq!(shown(&octopus(folder.path(), &by_variable, &[]))["log"], "two.toml");
    assert_eq!(shown(&octopus(folder.path(), &by_variable, &by_flag))["log"], "three.toml");
    let absent = octopus(folder.path(), &[], &["--config".to_owned(), "four.toml".to_owned()]);
    assert!(refused(&absent).contains("four.toml"));
}

#[test]
fn a_file_with_an_unknown_or_malformed_setting_is_refused_by_line() {
    let folder = tempfile::tempdir().unwrap();
    for (text, told) in [
        ("charge_ttl = 5\n", "unknown field `charge_ttl`"),
        ("order_queue = 5\nenvironment = \"sandbox\"\n", "unknown field `environment`"),
        ("charge_ttl_secs = \"long\"\n", "charge_ttl_secs"),
        ("env = \"staging\"\n", "staging"),
        ("listen = 8080\n", "listen"),
        ("order_queue = -1\n", "order_queue"),
        ("order_queue\n", "line 1"),
    ] {
        fs::write(folder.path().join("octopus.toml"), text).unwrap();
        let told_by_octopus = refused(&octopus(folder.path(), &[], &[]));
        assert!(told_by_octopus.contains(told), "{text}: {told_by_octopus}");
        assert!(told_by_octopus.contains("octopus.toml"), "{text}: {told_by_octopus}");
    }
}

#[test]
fn a_setting_outside_its_bounds_is_refused_by_name_wherever_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("octopus.toml");
    for (name, value, bounds) in BOUNDS {
        let written =
            value.parse::<u32>().map_or_else(|_| format!("\"{value}\""), |number| number.to_string());
        fs::write(&file, format!("{name} = {written}\n")).unwrap();
        let from_file = refused(&octopus(folder.path(), &[], &[]));
        fs::write(&file, "").unwrap();
        let from_variable = refused(&octopus(folder.path(), &[(variable(name), value)], &[]));
        let from_flag = refused(&octopus(folder.path(), &[], &[flag(name), value.to_owned()]));
        for told in [from_file, from_variable, from_flag] {
            for part in [name, bounds, &flag(name), &variable(name)] {
                assert!(told.contains(part), "{name} = {value}: {told}");
            }
        }
    }
    for (name, value) in
        [("env", "staging"), ("listen", "8080"), ("trusted_proxies", "10.0.0.0/99"), ("log_format", "xml")]
    {
        let told = refused(&octopus(folder.path(), &[(variable(name), value)], &[]));
        assert!(told.contains(&flag(name)) && told.contains(value), "{told}");
        assert!(told.contains(&variable(name)), "{told}");
    }
    for (name, value) in [("order_queue", "many"), ("charge_ttl_secs", "-1"), ("cost_per_second", "")] {
        let told = refused(&octopus(folder.path(), &[(variable(name), value)], &[]));
        assert!(
            told.contains(&format!("mend {}, or {} in the environment", flag(name), variable(name))),
            "{told}"
        );
    }
}

#[test]
fn no_password_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    for (url, shown_as) in [
        ("postgres://octopus:se%40cret@db.example/cards", "postgres://octopus:…@db.example/cards"),
        ("postgres://octopus:se@cret@db.example/cards", "postgres://octopus:…@db.example/cards"),
        (
            "postgres://db.example/cards?user=a&password=secret",
            "postgres://db.example/cards?user=a&password=…",
        ),
        (
            "postgres://octopus@db.example/cards?sslmode=require",
            "postgres://octopus@db.example/cards?sslmode=require",
        ),
        ("sqlite://var/cards.db", "sqlite://var/cards.db"),
    ] {
        let output = octopus(folder.path(), &[("OCTOPUS_DATABASE_URL".to_owned(), url)], &[]);
        assert_eq!(shown(&output)["database_url"], shown_as);
    }
}

#[test]
fn a_key_is_never_shown_and_the_provider_that_needs_one_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let provider = (variable("rate_provider"), "open-exchange-rates");
    let refused = refused(&octopus(folder.path(), std::slice::from_ref(&provider), &[]));
    assert!(refused.contains("rate_provider_key = null cannot be used"), "{refused}");
    for arguments in [vec![], vec!["--rate-poll-secs".to_owned(), "0".to_owned()]] {
        let output =
            octopus(folder.path(), &[provider.clone(), (variable("rate_provider_key"), "k3y")], &arguments);
        let told = format!("{output:?}");
        assert!(!told.contains("k3y"), "{told}");
    }
    let output = octopus(folder.path(), &[(variable("rate_provider_key"), "s3cret/k3y")], &[]);
    assert!(!format!("{output:?}").contains("k3y"), "{output:?}");
}

const CREATE_CHARGE: &str = "mutation Charge($input: CreateChargeInput!) { createCharge(input: $input) {
    charge { createdAt expiresAt } userErrors { code } } }";

both_databases! {
    async fn a_charge_lives_as_long_as_is_set_and_metrics_are_where_they_are_set(app: SmallCatalog) {
        app.stop().await;
        let spare = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Binary::on(&app.database)
            .with("OCTOPUS_CHARGE_TTL_SECS", "77")
            .with("OCTOPUS_OPS_LISTEN", &spare.to_string())
            .serve()
            .await;
        let account = &app.database.seed.partners[0];
        let token = process.client.login(&account.username, &account.password).await.token;
        let input = json!({ "input": { "productId": STEAM_50, "quantity": 1 } });
        let made = process.client.graphql(&token, CREATE_CHARGE, input).await;
        let instant = |field: &str| -> entity::timestamp::Timestamp {
            made.text(&format!("createCharge.charge.{field}")).parse().unwrap()
        };
        assert_eq!(instant("expiresAt").micros() - instant("createdAt").micros(), 77_000_000);

        octopus_cards::outgoing::install_cryptography();
        let metrics = reqwest::get(format!("http://{spare}/metrics")).await.unwrap();
        assert_eq!(metrics.headers()["content-type"], "text/plain; version=0.0.4");
        let metrics = metrics.text().await.unwrap();
        assert!(metrics.contains("octopus_http_requests_total{status=\"200\"}"), "{metrics}");
        // Partners do not see them.
        assert_eq!(process.client.request(Method::GET, "/metrics").send().await.unwrap().status(), 404);
        assert_eq!(process.stop().await, Some(0));
    }
}
