//! What lives here: the examples of `docs/examples`, run: each request is sent, each answer compared.
//! What is always true: a page is played from its top to its end on a server of its own; `make docs` writes what the
//! server answered into the page, abridged, wherever it differs from what stands there.
//! What is not here: the reference (`reference.rs`).

mod answer;
mod page;
mod player;

use std::fs;
use std::path::{Path, PathBuf};

use octopus_cards::transport::rest::OPENAPI;
use serde_json::Value;

use super::reference::writes_docs;
use super::support::app::TestApp;
use super::support::catalog::stock_csv;
use page::Piece;
use player::Player;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples")
}

async fn play(app: &TestApp, name: &str) {
    let path = folder().join(name).with_extension("md");
    let markdown =
        fs::read_to_string(&path).unwrap_or_else(|failure| panic!("{}: {failure}", path.display()));
    let account = &app.database.seed.partners[0];
    let mut player = Player::sign_in(app.client.clone(), &account.username, &account.password).await;
    let (page, differences) = player.play(&markdown).await;
    if writes_docs() {
        fs::write(&path, page).unwrap();
        return;
    }
    assert!(differences.is_empty(), "mend the server, or run `make docs`\n{}", differences.join("\n\n"));
}

both_databases! {
    async fn the_examples_of_identity_answer_as_written(app: FullCatalog) {
        play(&app, "identity").await;
    }

    async fn the_examples_of_the_catalog_answer_as_written(app: FullCatalog) {
        play(&app, "catalog").await;
    }

    async fn the_examples_of_charges_answer_as_written(app: FullCatalog) {
        play(&app, "charges").await;
    }

    async fn the_examples_of_orders_answer_as_written(app: FullCatalog) {
        play(&app, "orders").await;
    }

    async fn the_examples_of_wallets_answer_as_written(app: FullCatalog) {
        play(&app, "wallets").await;
    }

    async fn the_examples_of_events_answer_as_written(app: FullCatalog) {
        play(&app, "events").await;
    }

    async fn the_examples_of_the_rest_facade_answer_as_written(app: FullCatalog) {
        // As many as a sandbox begins with.
        app.load_stock(&stock_csv("barnes_and_noble_100_usd", "100", 1, 100)).await;
        play(&app, "rest").await;
    }
}

/// What succeeds is shown: a page that shows only how a call is refused teaches nobody to make it.
#[test]
fn every_operation_of_the_rest_facade_is_on_its_page_with_an_answer_that_is_no_problem() {
    let description: Value = serde_json::from_str(OPENAPI).unwrap();
    let page = fs::read_to_string(folder().join("rest.md")).unwrap();
    let mut shown = Vec::new();
    let mut request = None;
    for piece in page::parse(&page) {
        let Piece::Block(block) = piece else { continue };
        if block.info == "http" {
            let line = block.text.lines().next().unwrap_or_default().to_owned();
            request = line.split_once(' ').map(|(verb, path)| (verb.to_lowercase(), path.to_owned()));
        } else if ["json answer", "json answer 201"].contains(&block.info.as_str()) {
            shown.extend(request.take());
        }
    }
    let mut missing = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            if !shown.iter().any(|(given, address)| given == verb && fits(path, address)) {
                missing.push(operation["operationId"].as_str().unwrap().to_owned());
            }
        }
    }
    // A vendor's message is signed by the vendor, over the instant at which it is sent: nobody writes one by hand.
    missing.retain(|operation| operation != "takeHint");
    assert!(missing.is_empty(), "docs/examples/rest.md shows no success of {missing:?}");
}

/// Whether an address is one of this path; `{id}` stands for anything.
fn fits(path: &str, address: &str) -> bool {
    let address = address.split('?').next().unwrap_or(address);
    let (wanted, given): (Vec<_>, Vec<_>) = (path.split('/').collect(), address.split('/').collect());
    let same = |(wanted, given): (&&str, &&str)| wanted == given || wanted.starts_with('{');
    wanted.len() == given.len() && wanted.iter().zip(&given).all(same)
}

#[test]
fn every_ready_operation_is_on_a_page() {
    let pages: String = fs::read_dir(folder())
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let operations = Path::new(env!("CARGO_MANIFEST_DIR")).join("playground/operations");
    let missing: Vec<_> = fs::read_dir(operations)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|of| of == "graphql"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| !pages.contains(&format!("```graphql {name}\n")))
        .collect();
    assert!(missing.is_empty(), "no page of docs/examples shows {missing:?}");
}
