//! Which module may know which: imports run one way, and a feature's store is its own.
//! The map is in ARCHITECTURE.md; this is what keeps it true.

use std::collections::BTreeMap;
use std::fs;

use super::{assert_none, names_after, root, sources};

/// How far out a module of the main crate is; imports go to the same or a smaller number.
/// Adapters of the outside (`vendors`) are beside the domain and know only its trait.
fn layer(module: &str) -> Option<u8> {
    Some(match module {
        "main" | "lib" => 9,
        "cli" => 8,
        "app" => 7,
        "transport" => 6,
        "vendors" | "simulator" | "rates" => 5,
        "domain" => 4,
        "jobs" => 3,
        "store" => 2,
        "ctx" | "problem" | "clock" | "config" | "crash" | "drain" | "outgoing" | "telemetry" => 1,
        _ => return None,
    })
}

/// The module of the main crate that a path of a source file belongs to.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    Some(inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs"))
}

#[test]
fn imports_run_one_way() {
    let mut broken = Vec::new();
    for source in sources(&["src"], &[".rs"]) {
        let module = module_of(&source.path).expect("it is below src/");
        let Some(own) = layer(module) else {
            broken.push(format!("{}: the map in ARCHITECTURE.md has no place for `{module}`", source.path));
            continue;
        };
        for (number, line) in source.code() {
            let names =
                names_after(&line, "crate::").into_iter().chain(names_after(&line, "octopus_cards::"));
            for name in names {
                if layer(name).is_some_and(|other| other > own) {
                    broken.push(format!("{}:{number}: {module} -> {name}", source.path));
                }
            }
        }
    }
    assert_none("main -> cli -> app -> transport -> domain -> {jobs, store} -> ctx -> entity", &broken);
}

#[test]
fn the_vocabulary_and_the_schema_know_nothing_of_the_product() {
    let mut broken = Vec::new();
    for (manifest, allowed) in [("entity/Cargo.toml", ""), ("migration/Cargo.toml", "entity")] {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        for name in ["octopus-cards", "migration", "entity"] {
            let depends = text
                .lines()
                .any(|line| line.starts_with(&format!("{name}.")) || line.starts_with(&format!("{name} ")));
            if depends && name != allowed {
                broken.push(format!("{manifest}: {name}"));
            }
        }
    }
    assert_none("entity imports none of ours, migration only entity", &broken);
}

#[test]
fn the_sandbox_vendor_knows_nothing_of_the_product() {
    let mut broken = Vec::new();
    for source in sources(&["src/simulator"], &[".rs"]) {
        for (number, line) in source.code() {
            for name in names_after(&line, "crate::") {
                if name != "clock" {
                    broken.push(format!("{}:{number}: {name}", source.path));
                }
            }
        }
    }
    assert_none("it stands for somebody else's server: the clock is all that they share", &broken);
}

#[test]
fn transport_never_names_the_database() {
    let mut broken = Vec::new();
    for source in sources(&["src/transport"], &[".rs"]) {
        for (number, line) in source.code() {
            for library in ["sea_orm", "sqlx", "sea_query"] {
                if line.contains(library) {
                    broken.push(format!("{}:{number}: {}", source.path, line.trim()));
                }
            }
        }
    }
    assert_none("a resolver parses, calls, wraps; SQL lives in the domain", &broken);
}

/// Which features each may call. Events, their feed and audit are shared by all and call none.
fn may_call(feature: &str, other: &str) -> bool {
    match other {
        "events" | "audit" | "feed" => !matches!(feature, "events" | "audit"),
        "catalog" => matches!(feature, "orders" | "fulfillment" | "pricing" | "admin"),
        "vouchers" => matches!(feature, "orders" | "fulfillment" | "admin"),
        // Codes taken into stock are posted: what they cost, and what is owed for them.
        // So is what a vendor's statement corrects.
        "wallet" => matches!(feature, "orders" | "vouchers" | "fulfillment" | "admin"),
        // An order asks whether its session still lives, and waits for its end.
        "pricing" | "fulfillment" | "identity" => matches!(feature, "orders" | "admin"),
        _ => feature == "admin",
    }
}

#[test]
fn a_feature_calls_only_those_below_it_and_never_their_store() {
    let mut features = BTreeMap::new();
    for source in sources(&["src/domain"], &[".rs"]) {
        let inside = source.path.trim_start_matches("src/domain/");
        let feature = inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs").to_owned();
        features.entry(feature).or_insert_with(Vec::new).push(source);
    }
    // The list of features itself, and checks that read across all of them, belong to none.
    let across = ["mod", "verify"];
    let mut broken = Vec::new();
    for (feature, files) in &features {
        for source in files {
            for (number, line) in source.code() {
                for other in names_after(&line, "domain::") {
                    let known = features.contains_key(other) && other != feature;
                    if known && !across.contains(&feature.as_str()) && !may_call(feature, other) {
                        broken.push(format!("{}:{number}: {feature} -> {other}", source.path));
                    }
                    if known && names_after(&line, &format!("{other}::")).contains(&"store") {
                        broken.push(format!("{}:{number}: the store of {other} is its own", source.path));
                    }
                }
                if line.contains("super::super::") {
                    broken.push(format!(
                        "{}:{number}: name another feature from the crate's root",
                        source.path
                    ));
                }
            }
        }
    }
    assert_none("a feature calls another through its mod.rs; only orders orchestrates", &broken);
}

#[test]
fn nobody_outside_the_domain_names_a_store_of_a_feature() {
    let mut broken = Vec::new();
    for source in sources(&["src"], &[".rs"]).iter().filter(|source| !source.path.starts_with("src/domain/"))
    {
        for (number, line) in source.code() {
            for feature in names_after(&line, "domain::") {
                if names_after(&line, &format!("{feature}::")).contains(&"store") {
                    broken.push(format!("{}:{number}: {}", source.path, line.trim()));
                }
            }
        }
    }
    assert_none("call the feature's public functions", &broken);
}

#[test]
fn rules_are_pure() {
    let mut broken = Vec::new();
    for source in sources(&["src/domain"], &["model.rs"]) {
        for (number, line) in source.code() {
            for impure in ["async fn", ".await", "sea_orm", "sqlx", "crate::store", "Clock"] {
                if line.contains(impure) {
                    broken.push(format!("{}:{number}: {}", source.path, line.trim()));
                }
            }
        }
    }
    assert_none("model.rs computes: no database, no clock, no await", &broken);
}

/// Whether this line begins a transaction that writes.
fn opens_a_transaction(line: &str) -> bool {
    let calls = ["write(&", "write(deps", "write::<", "begin(&", "begin(database"];
    let other = ["fs::write", "fn ", "begin_snapshot"];
    calls.iter().any(|call| line.contains(call)) && !other.iter().any(|word| line.contains(word))
}

#[test]
fn only_a_command_opens_a_transaction() {
    // Rules, reads, rows and front pages; whatever else is below the domain is a command, a job or a desk.
    let reads = [
        "mod.rs",
        "model.rs",
        "queries.rs",
        "rows.rs",
        "snapshot.rs",
        "live.rs",
        "entries.rs",
        "statement.rs",
    ];
    let mut broken = Vec::new();
    for source in sources(&["src"], &[".rs"]) {
        let name = source.path.rsplit('/').next().unwrap_or_default();
        let in_domain = source.path.starts_with("src/domain/");
        let may =
            in_domain && !reads.contains(&name) && !name.ends_with("store.rs") && !name.ends_with("_rows.rs");
        if may || source.path.starts_with("src/store/") {
            continue;
        }
        for (number, line) in source.code() {
            if opens_a_transaction(&line) {
                broken.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none("a command, a job or a desk owns its transaction; everything else is handed one", &broken);
}

#[test]
fn only_orders_write_the_orders_table() {
    let mut broken = Vec::new();
    let statements = ["INTO orders", "UPDATE orders", "DELETE FROM orders", "insertion(backend, \"orders\""];
    let entities =
        ["orders::Entity::insert", "orders::Entity::update", "orders::Entity::delete", "orders::ActiveModel"];
    let mut own = 0;
    for source in sources(&["src"], &[".rs"]) {
        for (number, line) in source.code() {
            if !statements.iter().chain(&entities).any(|words| line.contains(words)) {
                continue;
            }
            if source.path.starts_with("src/domain/orders/") {
                own += 1;
            } else {
                broken.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert!(own > 0, "the test looks for the wrong words");
    assert_none("the desks and the worker are the only writers of orders", &broken);
}
