//! What lives here: the playground as a person uses it, in headless Chromium with every outside address blocked.
//! What is always true: the page logs no error and asks for nothing from elsewhere; `tests/browser/playground.mjs` says
//! what is done, step by step.
//! What is not here: how the files are served (`served.rs`).

use std::path::Path;
use std::process::Command;

/// Lets a browser do everything that the playground offers.
///
/// # Panics
/// If a step fails, with the step's name.
fn drive(url: &str, username: &str, password: &str, screenshot: &Path) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    assert!(folder.join("node_modules").exists(), "install the browser's driver: make judges");
    let output = Command::new("node")
        .args(["playground.mjs", url, username, password])
        .arg(screenshot)
        .current_dir(&folder)
        .output()
        .expect("Node.js starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}
