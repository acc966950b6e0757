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
