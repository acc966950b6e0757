//! `octopus schema`: the contract.

/// Prints schema.graphql as this binary has it.
#[expect(clippy::print_stdout, reason = "the command line speaks to its user")]
pub(super) fn run() {
    print!("{}", include_str!("../../schema.graphql"));
}
