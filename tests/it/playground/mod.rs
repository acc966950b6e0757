//! What lives here: the ready operations, the page as it is served, and the page as a person uses it.
//! What is always true: what is tested is what `make playground` built from the sources beside it.
//! What is not here: the operations' answers, which `examples.rs` compares.

mod browser;
mod operations;
mod served;
