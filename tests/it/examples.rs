//! What lives here: the examples of `docs/examples`, run: each request is sent, each answer compared.
//! What is always true: a page is played from its top to its end on a server of its own; `make docs` writes what the
//! server answered into the page, abridged, wherever it differs from what stands there.
//! What is not here: the reference (`reference.rs`).
#![allow(dead_code, reason = "the pages are played as soon as there is a server to play them on")]

mod answer;
mod page;
mod player;
