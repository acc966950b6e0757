//! Adapters, each on a replica of its vendor: the contract that all owe (`contract.rs`), and what is peculiar to one.
//! Always true: no test needs the network. Not here: what follows from what an adapter says.

mod behaviours;
mod contract;
pub mod hostile;
mod octopus;
mod program;
pub mod reloadly;
pub mod reloadly_replica;
mod sandbox;
pub mod stage;
