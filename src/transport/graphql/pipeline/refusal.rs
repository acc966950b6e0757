//! Why a request goes no further, in the form in which the caller reads it.
//!
//! Lives here: [`Refusal`] (what a step of the pipeline answers instead of its result) and [`Fault`] (one error of it).
//! Always true: a refusal has one code and at least one fault; its text names what the caller wrote, never what the
//! server is made of, and is cut to [`MESSAGE_CHARS`]; at most [`FAULTS`] faults are told.
//! Not here: errors of resolvers (graphql/errors.rs) and HTTP status codes (answer.rs).

use async_graphql::Pos;

use crate::problem::ErrorCode;

/// The most errors that one answer tells; a document with five thousand mistakes is told the first ten.
pub const FAULTS: usize = 10;

/// The most characters of one message; syntax errors would otherwise echo the whole document.
pub const MESSAGE_CHARS: usize = 400;

/// One error of a refused request.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What is wrong, for a human.
    pub message: String,
    /// Where in the document, 1-based.
    pub locations: Vec<Pos>,
    /// Which part of the variables or arguments, outermost first; empty if none is meant.
    pub field: Vec<String>,
}

impl Fault {
    /// A fault that points at nothing.
    #[must_use]
    pub fn new(message: impl AsRef<str>) -> Self {
        Self { message: cut(message.as_ref()), locations: Vec::new(), field: Vec::new() }
    }

    /// The same fault, pointing into the document.
    #[must_use]
    pub fn at(mut self, location: Option<Pos>) -> Self {
        self.locations.extend(location);
        self
    }

    /// What is wrong with a value that the caller gave, in the document or for a variable: one form for both.
    #[must_use]
    pub fn of_value(path: &[String], what: &str) -> Self {
        Self::new(format!("`{}`: {what}.", path.join("."))).of_field(path.to_vec())
    }

    /// The same fault, naming a part of the input.
    #[must_use]
    pub fn of_field(mut self, field: Vec<String>) -> Self {
        self.field = field;
        self
    }
}

/// Why a request goes no further.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The code that every fault carries in `extensions.code`.
    pub code: ErrorCode,
    /// What is wrong, at most [`FAULTS`].
    pub faults: Vec<Fault>,
    /// After how many milliseconds the same request may pass.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal for one reason.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl AsRef<str>) -> Self {
        Self::of_faults(code, vec![Fault::new(message)])
    }

    /// A refusal for several reasons of one kind.
    #[must_use]
    pub fn of_faults(code: ErrorCode, mut faults: Vec<Fault>) -> Self {
        faults.truncate(FAULTS);
        Self { code, faults, retry_after_ms: None }
    }

    /// The refusal of a token that was valid once.
    #[must_use]
    pub fn expired() -> Self {
        Self::new(ErrorCode::Unauthenticated, "The token has expired: refresh it.")
    }

    /// The same refusal, saying when to try again.
    #[must_use]
    pub fn retry_after_ms(mut self, retry_after_ms: u64) -> Self {
        self.retry_after_ms = Some(retry_after_ms);
        self
    }
}

/// The text, cut on a character boundary.
#[must_use]
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_long_messages_and_many_faults() {
        let long = "é".repeat(5_000);
        let refusal = Refusal::of_faults(ErrorCode::GraphqlParseFailed, vec![Fault::new(&long); 5_000]);
        assert_eq!(refusal.faults.len(), 10);
        assert_eq!(refusal.faults[0].message.chars().count(), 401);
    }
}
