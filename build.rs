//! Builds the crate again when the playground was built again: a release binary holds its files, whose names carry
//! the hash of their content, so that the compiler alone would never look for the new ones.

use std::path::Path;

fn main() {
    let page = "playground/dist";
    // A path that is not there would build the crate at every call. `make playground` touches this file instead.
    let watched = if Path::new(page).exists() { page } else { "build.rs" };
    println!("cargo::rerun-if-changed={watched}");
    println!("cargo::rerun-if-changed=build.rs");
}
