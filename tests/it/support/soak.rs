//! How much of a long proof is run: a part of it in `make test`, all of it in `make soak`.
//! Always true: both run the same code on the same seeds, the part on the first of them; `OCTOPUS_SEED` runs one seed alone, to
//! see again what a failure named. Not here: what is proven.

use std::ops::Range;

/// The seeds of a proof: so many in `make test`, so many in `make soak`.
pub fn seeds(part: u32, whole: u32) -> Range<u32> {
    match setting("OCTOPUS_SEED") {
        Some(seed) => {
            let seed = seed.parse().expect("OCTOPUS_SEED is a number");
            seed..seed + 1
        }
        None => 0..part_of(part, whole),
    }
}

/// So many in `make test`, so many in `make soak`.
pub fn part_of(part: u32, whole: u32) -> u32 {
    if setting("OCTOPUS_SOAK").is_some() { whole } else { part }
}

/// Tells what a proof has covered.
#[expect(clippy::print_stdout, reason = "a proof that met nothing proves nothing: what it met is part of it")]
pub fn tell(covered: &str) {
    println!("{covered}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests have settings, too, and this is the one place that reads these"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
