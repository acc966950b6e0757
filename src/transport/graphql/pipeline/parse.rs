//! Step 3, second half: the document, parsed within limits.
//!
//! Lives here: [`parse`] and the conversion of apollo-compiler's diagnostics into faults.
//! Always true: what comes out has at most [`TOKENS`] tokens and is nested at most [`RECURSION`] deep, so that each
//! later step may recurse over it.
//! Not here: what counts as a token (tokens.rs); any question about types (validate.rs).

use apollo_compiler::ast::Document;
use apollo_compiler::diagnostic::{Diagnostic, ToCliReport};
use apollo_compiler::parser::{LineColumn, Parser};
use async_graphql::Pos;

use super::refusal::{FAULTS, Fault, Refusal};
use super::tokens;
use crate::problem::ErrorCode;

/// The most bytes of a document.
pub const DOCUMENT_BYTES: usize = 64 * 1024;

/// The most tokens of a document; blanks, commas and comments are none.
pub const TOKENS: usize = 2_000;

/// What the parser counts at most of such a document: each token, a run of blanks behind each, and the two ends.
const PARSED_TOKENS: usize = TOKENS * 2 + 2;

/// How deep a document may be nested, values and selections alike.
pub const RECURSION: usize = 64;

/// Parses a document.
///
/// # Errors
///
/// PAYLOAD_TOO_LARGE, QUERY_TOO_COMPLEX (a limit was met) or GRAPHQL_PARSE_FAILED with locations.
pub fn parse(text: &str) -> Result<Document, Refusal> {
    if text.len() > DOCUMENT_BYTES {
        let message = format!("The document has {} bytes; at most {DOCUMENT_BYTES} are taken.", text.len());
        return Err(Refusal::new(ErrorCode::PayloadTooLarge, message));
    }
    let scanned = tokens::scan(text).map_err(|place| {
        let fault = Fault::new("Syntax error: a string does not end on its line.").at(Some(place));
        Refusal::of_faults(ErrorCode::GraphqlParseFailed, vec![fault])
    })?;
    let mut parser = Parser::new().token_limit(PARSED_TOKENS).recursion_limit(RECURSION);
    if scanned.tokens > TOKENS {
        return Err(too_many_tokens());
    }
    let failed = match parser.parse_ast(scanned.text, "document") {
        Ok(document) if document.definitions.is_empty() => {
            return Err(Refusal::new(ErrorCode::GraphqlParseFailed, "Syntax error: the document is empty."));
        }
        Ok(document) => return Ok(document),
        Err(failed) => failed,
    };
    if parser.tokens_reached() > PARSED_TOKENS {
        return Err(too_many_tokens());
    }
    if parser.recursion_reached() > RECURSION {
        let message = format!("The document is nested too deeply; at most {RECURSION} levels are taken.");
        return Err(Refusal::new(ErrorCode::QueryTooComplex, message));
    }
    let faults =
        failed.errors.iter().take(FAULTS).map(|diagnostic| fault("Syntax error: ", &diagnostic)).collect();
    Err(Refusal::of_faults(ErrorCode::GraphqlParseFailed, faults))
}

fn too_many_tokens() -> Refusal {
    let message = format!("The document has too many tokens; at most {TOKENS} are taken.");
    Refusal::new(ErrorCode::QueryTooComplex, message)
}

/// A diagnostic as a fault: its text and where it starts.
pub(super) fn fault<T: ToCliReport + std::fmt::Display>(
    prefix: &str,
    diagnostic: &Diagnostic<'_, T>,
) -> Fault {
    let location = diagnostic.line_column_range().map(|range| position(range.start));
    Fault::new(format!("{prefix}{}", diagnostic.error)).at(location)
}

/// A position in a document, in async-graphql's type.
pub(super) fn position(at: LineColumn) -> Pos {
    Pos { line: at.line, column: at.column }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<ErrorCode> {
        parse(text).err().map(|refusal| refusal.code)
    }

    #[test]
    fn takes_ordinary_documents() {
        for text in [
            "{a}",
            "query A($x: Int = 1) { a(x: $x) { ...F } } fragment F on T { b }",
            "{ a(s: \"\"\"two\nlines \\\"\"\" \"\"\") } # a \"comment",
            "{ a(s: \"\\\"\", t: \"\") }",
            "{ a(s: \"\\u{1F600}\") }",
        ] {
            assert_eq!(code(text), None, "{text}");
        }
    }

    #[test]
    fn tells_syntax_errors_with_their_place() {
        for (text, line, column) in [("{a", 1, 3), ("{\n a(\n}", 3, 1), ("{a(s: \"x\ny\")}", 1, 7)] {
            let refusal = parse(text).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::GraphqlParseFailed, "{text}");
            assert_eq!(refusal.faults[0].locations, [Pos { line, column }], "{text}");
        }
        assert_eq!(code(""), Some(ErrorCode::GraphqlParseFailed));
        assert_eq!(code(" # nothing\n"), Some(ErrorCode::GraphqlParseFailed));
        assert_eq!(code("{"), Some(ErrorCode::GraphqlParseFailed));
    }

    #[test]
    fn takes_two_thousand_tokens_whatever_stands_between_them() {
        for between in [" ", ",", " , ", "\n\t", " #a, \"b\"\n,, "] {
            let fields =
                |number: usize| format!("{between}{{{}}}{between}", format!("a{between}").repeat(number));
            assert_eq!(code(&fields(TOKENS - 2)), None, "{between:?}");
            assert_eq!(code(&fields(TOKENS - 1)), Some(ErrorCode::QueryTooComplex), "{between:?}");
        }
        let list = |number: usize| format!("{{a(x:[{}])}}", "\"x\"".repeat(number));
        assert_eq!(code(&list(TOKENS - 9)), None);
        let refusal = parse(&list(TOKENS - 8)).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::QueryTooComplex);
        assert_eq!(refusal.faults[0].message, "The document has too many tokens; at most 2000 are taken.");
        assert_eq!(code(&format!("{{a}}{}", ",".repeat(60_000))), None);
        assert_eq!(code(&",".repeat(60_000)), Some(ErrorCode::GraphqlParseFailed), "it is empty");
    }

    #[test]
    fn refuses_documents_past_the_limits() {
        assert_eq!(code(&"{a".repeat(70)), Some(ErrorCode::QueryTooComplex));
        assert_eq!(
            code(&format!("{{a(x: {}1{})}}", "[".repeat(70), "]".repeat(70))),
            Some(ErrorCode::QueryTooComplex)
        );
        assert_eq!(code(&format!("{{a}}#{}", "x".repeat(DOCUMENT_BYTES))), Some(ErrorCode::PayloadTooLarge));
    }
}
