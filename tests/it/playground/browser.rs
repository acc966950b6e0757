//! What lives here: the playground as a person uses it, in headless Chromium with every outside address blocked.
//! What is always true: the page logs no error and asks for nothing from elsewhere; `tests/browser/playground.mjs` says
//! what is done, step by step. `make docs` takes the pictures for `docs/`.
//! What is not here: how the files are served (`served.rs`).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::reference::writes_docs;
use crate::support::app::TestApp;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Lets a browser do everything that the playground offers.
///
/// # Panics
/// If a step fails, with the step's name.
async fn drive(app: TestApp, pictures: &Path) {
    let folder = root().join("tests/browser");
    assert!(folder.join("node_modules").exists(), "install the browser's driver: make judges");
    assert!(root().join("playground/dist/index.html").exists(), "build the page: make playground");
    let account = &app.database.seed.partners[0];
    let mut command = Command::new("node");
    command.args(["playground.mjs", &app.client.url, &account.username, &account.password]);
    command.arg(pictures).current_dir(&folder);
    let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let output = ended.expect("Node.js starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

both_databases! {
    async fn a_browser_signs_in_orders_and_watches(app: FullCatalog) {
        let folder = if writes_docs() { root().join("docs") } else { app.database.folder.path().to_owned() };
        drive(app.clone(), &folder).await;
        for picture in ["playground-catalog.png", "playground-subscription.png"] {
            let bytes = std::fs::read(folder.join(picture)).expect("the browser took a picture");
            assert!(bytes.starts_with(b"\x89PNG"), "{picture} is a picture");
        }
    }
}
