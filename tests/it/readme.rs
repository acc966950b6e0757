//! The README's tour and the getting-started guide, typed by a machine: every command of them, in one shell, against a
//! real sandbox.
//! Always true: the page is the script; nothing is typed here that is not on it.

use std::process::Command;

use super::support::process::Binary;

/// The lines of the fenced `sh` blocks below this heading, up to the next heading of its rank.
fn commands<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let section =
        page.split("\n## ").find(|section| section.starts_with(heading)).expect("the page has the heading");
    let blocks = section.split("```sh\n").skip(1);
    blocks.filter_map(|block| block.split("```").next()).collect()
}

/// Types the commands below a heading, each block after the other, and looks at what each prints.
async fn every_command_works(page: &str, heading: &str) {
    let folder = tempfile::tempdir().unwrap();
    // As `make run` starts it: nothing set but the sandbox; the data folder is `var` below the current one.
    let server = Binary::in_folder(folder.path()).with("OCTOPUS_ENV", "sandbox").serve().await;

    let blocks = commands(page, heading);
    assert!(blocks.len() >= 4, "the tour is short: {blocks:?}");
    let script = blocks.join("\necho '== next'\n").replace("http://localhost:8080", &server.client.url);
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_octopus")).parent().unwrap();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", r#"PATH="$1:$PATH"; eval "$2""#, "tour"])
        .args([programs.to_str().unwrap(), &script])
        .current_dir(folder.path())
        .output()
        .unwrap();

    let printed = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{complaints}\n{}", server.log());
    let answers: Vec<_> = printed.split("== next").collect();
    assert_eq!(answers.len(), blocks.len());
    for (block, answer) in blocks.iter().zip(&answers) {
        assert!(!answer.contains(r#""errors""#), "{block}\n{answer}");
        assert!(!answer.contains(r#""userErrors":[{"#), "{block}\n{answer}");
        // Whoever orders gets a code.
        let orders = block.contains("/api/v1/orders") || block.contains("createOrder");
        assert!(!orders || answer.contains(r#""code":""#), "{block}\n{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_tour_works() {
    every_command_works(include_str!("../../README.md"), "Five minutes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_getting_started_guide_works() {
    every_command_works(include_str!("../../docs/getting-started.md"), "From a program").await;
}
