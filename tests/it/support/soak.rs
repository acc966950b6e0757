//! How much of a long proof is run: a part of it in `make test`, all of it in `make soak`.
//! Always true: both run the same code on the same seeds, the part on the first of them. Not here: what is proven.

/// So many in `make test`, so many in `make soak`.
#[expect(
    clippy::disallowed_methods,
    reason = "it is a setting of the tests, and this is the one place that reads it"
)]
pub fn part_of(part: u32, whole: u32) -> u32 {
    if std::env::var_os("OCTOPUS_SOAK").is_some() { whole } else { part }
}
