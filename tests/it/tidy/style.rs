//! What a file looks like: sizes, headers, names, and tests that neither sleep nor are skipped.
//! Not here: what a file may import (`layers.rs`).

use super::{assert_none, names_after, rust_sources, sources};

/// Near 400 is what a file may have, so a few lines more do no harm.
const FILE_LINES: usize = 420;
const FUNCTION_LINES: usize = 70;

#[test]
fn a_file_has_one_subject_and_is_not_long() {
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
            // A table is named by one noun; more would repeat the columns.
            let table = source.path.starts_with("entity/src/");
            let needed = if front_page {
                25
            } else if table {
                2
            } else {
                4
            };
            (words < needed).then(|| format!("{}: {words} words, at least {needed} are due", source.path))
        })
        .collect();
    assert_none("a header tells: what lives here, what is always true, what is not here", &broken);
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
            // The one loop that polls with a deadline has to wait between two looks, and a slow network is slow.
            let may_wait = ["tests/it/support/poll.rs", "tests/it/support/wire.rs"].contains(&&*source.path);
            if line.contains(ignored) || (line.contains(sleep) && !may_wait) {
                broken.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none("poll with a deadline (support::poll); mend a test or remove it", &broken);
}
