//! What a stranger reads: pages that are there, links that lead somewhere, and no path of anybody's machine.
//! Not here: whether the commands on the pages work (`readme.rs`).

use std::fs;

use super::{assert_none, root, sources};

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

#[test]
fn the_front_pages_name_only_files_that_exist() {
    let files: Vec<String> =
        sources(&["."], &[""]).into_iter().map(|source| format!("/{}", source.path)).collect();
    let there = |path: &str| {
        let (inside, folder) = (format!("/{path}"), format!("/{}/", path.trim_end_matches('/')));
        // A module is a file, or a folder of its name.
        let module = path.strip_suffix(".rs").map(|module| format!("/{module}/mod.rs"));
        files.iter().any(|file| {
            file.ends_with(&inside)
                || file.contains(&folder)
                || module.as_ref().is_some_and(|name| file.ends_with(name))
        })
    };
    let mut broken = Vec::new();
    for page in ["README.md", "ARCHITECTURE.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with("```")) {
            for span in line.split('`').skip(1).step_by(2).filter(|span| is_path(span)) {
                if !there(span) {
                    broken.push(format!("{page}:{}: {span}", index + 1));
                }
            }
        }
    }
    assert_none("a reader will look for it", &broken);
}

/// Whether a code span names a file or a folder of the repository: no address of the server, nothing that a run makes.
fn is_path(span: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_./-".contains(letter);
    let ending =
        [".rs", ".md", ".toml", ".graphql", ".json", ".csv"].iter().any(|ending| span.ends_with(ending));
    let made = span.starts_with('/') || span.starts_with("var/");
    span.chars().all(plain) && (span.contains('/') || ending) && !made
}

#[test]
fn the_tests_that_run_alone_are_the_same_with_and_without_nextest() {
    let heavy = |file: &str| {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let (_, rest) = text.split_once("^(crash").unwrap_or_else(|| panic!("{file} names no heavy tests"));
        rest.split(')').next().unwrap_or_default().to_owned()
    };
    assert_eq!(heavy("scripts/test"), heavy(".config/nextest.toml"));
}
