//! What lives here: the reference in `docs/reference`, made from the contract, and the test that it is not stale.
//! What is always true: nobody edits those pages by hand; `make docs` writes them.
//! What is not here: the pages written by people (`docs/getting-started.md`, `docs/examples`).

mod markdown;
mod rest_page;
mod schema_pages;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use schema_pages::ReadyOperation;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|failure| panic!("{}: {failure}", path.display()))
}

/// The files of a folder by name, those with this extension.
fn files(folder: &Path, extension: &str) -> BTreeMap<String, String> {
    fs::read_dir(folder)
        .unwrap_or_else(|failure| panic!("{}: {failure}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|of| of == extension))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), read(&path)))
        .collect()
}

/// Whether this run writes what it would otherwise compare: `make docs`.
#[allow(
    clippy::disallowed_methods,
    reason = "a switch for whoever runs the tests, not a setting of the server"
)]
pub(crate) fn writes_docs() -> bool {
    std::env::var_os("OCTOPUS_WRITE_DOCS").is_some()
}

#[test]
fn the_reference_is_what_the_contract_makes() {
    let operations: Vec<_> = files(&root().join("playground/operations"), "graphql")
        .into_iter()
        .map(|(file, text)| ReadyOperation::parse(file, &text))
        .collect();
    let mut pages = schema_pages::pages(&read(&root().join("schema.graphql")), &operations);

    let openapi = serde_json::from_str(&read(&root().join("openapi.json"))).expect("it is JSON");
    pages.insert("rest.md".to_owned(), rest_page::page(&openapi));

    let folder = root().join("docs/reference");
    if writes_docs() {
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &pages {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let committed = files(&folder, "md");
    let stale: Vec<_> = pages
        .iter()
        .filter(|(name, text)| committed.get(*name) != Some(text))
        .map(|(name, _)| name)
        .collect();
    assert!(stale.is_empty(), "run `make docs`: {stale:?} differ from what the contracts make");
    let unknown: Vec<_> = committed.keys().filter(|name| !pages.contains_key(*name)).collect();
    assert!(unknown.is_empty(), "nothing makes {unknown:?} in docs/reference");
}
