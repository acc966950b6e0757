//! What lives here: the ready operations, the page as it is served, and the page as a person uses it.
//! What is not here: the operations' answers, which `examples.rs` compares.

mod operations;
mod served;
