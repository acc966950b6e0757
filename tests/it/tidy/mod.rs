//! The house rules that a machine can check: layers, sizes, headers, names, and what must never be committed.
//! Each test lists everything that breaks its rule, with file and line.
//! Not here: what the linters say already (see `clippy.toml` and the workspace's lints).

use std::fs;
use std::path::{Path, PathBuf};

mod layers;
mod pages;
mod style;

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
