//! The house rules that a machine can check: layers, sizes, headers, names, and what must never be committed.
//! Each test lists everything that breaks its rule, with file and line.
//! Not here: what the linters say already (see `clippy.toml` and the workspace's lints).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES: usize = 450;
const FUNCTION_LINES: usize = 80;

/// One committed text file: its path from the root, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The lines without comments, numbered from 1; a `use` that spans lines is one. Strings stay: this is good
    /// enough for imports and names.
    fn code(&self) -> Vec<(usize, String)> {
        let mut lines: Vec<(usize, String)> = Vec::new();
        let mut inside_use = false;
        for (index, line) in self.text.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            match lines.last_mut() {
                Some((_, joined)) if inside_use => joined.push_str(line.trim()),
                _ if line.trim().is_empty() => continue,
                _ => lines.push((index + 1, line.to_owned())),
            }
            inside_use = inside_use || line.trim_start().trim_start_matches("pub ").starts_with("use ");
            inside_use = inside_use && !line.contains(';');
        }
        lines
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below these folders with one of these endings, in path order.
fn sources(folders: &[&str], endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&root().join(folder), endings, &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(folder: &Path, endings: &[&str], found: &mut Vec<Source>) {
    const NOT_OURS: [&str; 6] = ["target", "node_modules", "dist", "var", ".git", "results"];
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !NOT_OURS.contains(&name.as_str()) {
                collect(&path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            found.push(Source { path, text });
        }
    }
}

fn rust_sources() -> Vec<Source> {
    let found = sources(&["src", "entity/src", "migration/src", "tests/it", "benches"], &[".rs"]);
    assert!(found.len() > 10, "the tests look for the sources in the wrong place");
    found
}

#[track_caller]
fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n  {}\n", broken.join("\n  "));
}

#[test]
fn a_file_has_one_subject_and_fits_450_lines() {
    let broken: Vec<_> = rust_sources()
        .iter()
        .map(|source| (source, source.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES)
        .map(|(source, lines)| format!("{}: {lines} lines", source.path))
        .collect();
    assert_none("a longer file has a second subject: give that a file of its own", &broken);
}

#[test]
fn a_function_fits_a_screen() {
    let mut broken = Vec::new();
    for source in rust_sources() {
        let mut open: Option<(usize, String, String)> = None;
        for (index, line) in source.text.lines().enumerate() {
            if let Some((start, end, name)) = &open {
                if line == end {
                    let length = index - start + 1;
                    if length > FUNCTION_LINES {
                        broken.push(format!("{}:{}: {name} has {length} lines", source.path, start + 1));
                    }
                    open = None;
                }
            } else if let Some(name) = function_name(line)
                && !line.trim_end().ends_with('}')
                && !line.trim_end().ends_with(';')
            {
                let indent: String = line.chars().take_while(|c| *c == ' ').collect();
                open = Some((index, format!("{indent}}}"), name));
            }
        }
    }
    assert_none("split it where it changes its subject", &broken);
}

/// The function that this line declares. rustfmt puts its closing brace at the same indent.
fn function_name(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    loop {
        match words.next()? {
            "pub" | "pub(crate)" | "pub(super)" | "async" | "const" | "unsafe" => {}
            "fn" => break,
            _ => return None,
        }
    }
    let name = words.next()?;
    Some(name.split(['(', '<']).next().unwrap_or(name).to_owned())
}

#[test]
fn a_file_begins_by_saying_what_lives_in_it() {
    let broken: Vec<_> = rust_sources()
        .iter()
        .filter_map(|source| {
            let header = source.text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>();
            let words = header.iter().flat_map(|line| line[3..].split_whitespace()).count();
            // A feature's front page also says what is always true and what is not here.
            let front_page = source.path.starts_with("src/domain/") && source.path.ends_with("/mod.rs");
            let needed = if front_page { 25 } else { 4 };
            (words < needed).then(|| format!("{}: {words} words, at least {needed} are due", source.path))
        })
        .collect();
    assert_none("a header tells: what lives here, what is always true, what is not here", &broken);
}

/// How far out a module of the main crate is; imports go to the same or a smaller number.
/// Adapters of the outside (`vendors`) are beside the domain and know only its trait.
fn layer(module: &str) -> Option<u8> {
    Some(match module {
        "main" | "lib" => 9,
        "cli" => 8,
        "app" => 7,
        "transport" => 6,
        "vendors" => 5,
        "domain" => 4,
        "jobs" => 3,
        "store" => 2,
        "ctx" | "problem" | "clock" | "config" | "telemetry" => 1,
        _ => return None,
    })
}

/// The module of the main crate that a path of a source file belongs to.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    Some(inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs"))
}

/// The names that follow `prefix` in a line: after `crate::`, both `crate::domain::orders` and
/// `crate::{domain::orders, ctx}` name `domain`, the latter also `ctx`.
fn names_after<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for (at, _) in line.match_indices(prefix) {
        let rest = &line[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(outermost(group).into_iter().map(first_name)),
            None => names.push(first_name(rest)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn first_name(path: &str) -> &str {
    let path = path.trim();
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
    &path[..end]
}

/// The parts of a `use` group's inside, up to its closing brace, split at the commas that are not nested.
fn outermost(group: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_u32, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
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

/// Which features each may call. Events and audit are shared by all and call none.
fn may_call(feature: &str, other: &str) -> bool {
    match other {
        "events" | "audit" => !matches!(feature, "events" | "audit"),
        "catalog" => matches!(feature, "orders" | "fulfillment" | "pricing" | "admin"),
        "vouchers" => matches!(feature, "orders" | "fulfillment" | "admin"),
        "pricing" | "wallet" | "fulfillment" => matches!(feature, "orders" | "admin"),
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

#[test]
fn a_name_says_what_a_thing_is() {
    const EMPTY: [&str; 6] = ["Manager", "Helper", "Helpers", "Util", "Utils", "Service"];
    let mut broken = Vec::new();
    for source in rust_sources() {
        for (number, line) in source.code() {
            for keyword in ["struct ", "enum ", "trait ", "mod "] {
                for name in names_after(&line, keyword) {
                    let lower = name.to_lowercase();
                    let empty = EMPTY.iter().any(|word| name.ends_with(word))
                        || ["util", "utils", "helper", "helpers", "common", "misc"].contains(&lower.as_str());
                    if empty && line.trim_start().trim_start_matches("pub ").starts_with(keyword) {
                        broken.push(format!("{}:{number}: {name}", source.path));
                    }
                }
            }
        }
    }
    assert_none("needing such a word means that the concept has no name yet", &broken);
}

#[test]
fn tests_never_sleep_and_are_never_skipped() {
    // Taken apart, so that this file does not name them.
    let ignored = concat!("#[", "ignore");
    let sleep = concat!("sleep", "(");
    let mut broken = Vec::new();
    for source in sources(&["tests/it"], &[".rs"]) {
        for (number, line) in source.code() {
            // The one loop that polls with a deadline has to wait between two looks.
            let polls = source.path == "tests/it/support/poll.rs";
            if line.contains(ignored) || (line.contains(sleep) && !polls) {
                broken.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none("poll with a deadline (support::poll); mend a test or remove it", &broken);
}

#[test]
fn nothing_committed_names_a_machine() {
    // Taken apart, so that this file does not name them.
    let private = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("../sha", "red"),
    ];
    let endings = [
        ".rs", ".toml", ".md", ".graphql", ".json", ".ts", ".tsx", ".js", ".mjs", ".html", ".css", ".csv",
        ".sh", "Makefile", "run", "deps", "check", "test",
    ];
    let mut broken = Vec::new();
    for source in sources(&["."], &endings) {
        for (index, line) in source.text.lines().enumerate() {
            for path in private {
                if line.contains(path) {
                    broken.push(format!("{}:{}: {path}", source.path, index + 1));
                }
            }
        }
    }
    assert_none("a path of one machine is of no use to a stranger", &broken);
}

#[test]
fn the_pages_are_there_and_their_links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "LICENSE",
        "schema.graphql",
        "docs/getting-started.md",
        "data/SOURCES.md",
    ] {
        if !root().join(page).is_file() {
            broken.push(format!("{page} is missing"));
        }
    }
    for source in sources(&["."], &[".md"]) {
        let folder = root().join(&source.path).parent().unwrap().to_path_buf();
        for (index, line) in source.text.lines().enumerate() {
            for link in links(line) {
                if !folder.join(link).exists() {
                    broken.push(format!("{}:{}: {link} is not there", source.path, index + 1));
                }
            }
        }
    }
    assert_none("write the page or mend the link", &broken);
}

/// The relative targets of a line's Markdown links, without their anchors.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
}

#[test]
fn the_readme_names_only_make_targets_that_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut broken = Vec::new();
    for page in ["README.md", "ARCHITECTURE.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for line in text.lines().filter(|line| line.starts_with("make ")) {
            let target = line[5..].split_whitespace().next().unwrap_or_default();
            if !makefile.contains(&format!("\n{target}:")) {
                broken.push(format!("{page}: {line}"));
            }
        }
    }
    assert_none("a reader will type it", &broken);
}
