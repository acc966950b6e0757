//! Step 3: the document, parsed within limits.
//!
//! Lives here: [`parse`] and the conversion of apollo-compiler's diagnostics into faults.
//! Always true: what comes out has at most [`TOKENS`] tokens and is nested at most [`RECURSION`] deep, so that each
//! later step may recurse over it.
//! Not here: any question about types (validate.rs).

use apollo_compiler::ast::Document;
use apollo_compiler::diagnostic::{Diagnostic, ToCliReport};
use apollo_compiler::parser::{LineColumn, Parser};
use async_graphql::Pos;

use super::refusal::{FAULTS, Fault, Refusal};
use crate::problem::ErrorCode;

/// The most bytes of a document.
pub const DOCUMENT_BYTES: usize = 64 * 1024;

/// The most tokens of a document. The parser counts each run of white space and each comma as a token as well, which
/// about doubles what it sees, hence the factor where it is told.
pub const TOKENS: usize = 2_000;

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
    let mut parser = Parser::new().token_limit(TOKENS * 2).recursion_limit(RECURSION);
    let failed = match parser.parse_ast(text, "document") {
        Ok(document) if document.definitions.is_empty() => {
            return Err(Refusal::new(ErrorCode::GraphqlParseFailed, "Syntax error: the document is empty."));
        }
        Ok(document) => return unbroken_strings(text).map(|()| document),
        Err(failed) => failed,
    };
    if parser.tokens_reached() > TOKENS * 2 {
        let message = format!("The document has too many tokens; at most {TOKENS} are taken.");
        return Err(Refusal::new(ErrorCode::QueryTooComplex, message));
    }
    if parser.recursion_reached() > RECURSION {
        let message = format!("The document is nested too deeply; at most {RECURSION} levels are taken.");
        return Err(Refusal::new(ErrorCode::QueryTooComplex, message));
    }
    let faults =
        failed.errors.iter().take(FAULTS).map(|diagnostic| fault("Syntax error: ", &diagnostic)).collect();
    Err(Refusal::of_faults(ErrorCode::GraphqlParseFailed, faults))
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

/// Refuses a line break inside a `"string"`, which apollo-parser lets pass and the specification does not: only block
/// strings span lines.
fn unbroken_strings(text: &str) -> Result<(), Refusal> {
    let bytes = text.as_bytes();
    let (mut at, mut line, mut line_start) = (0, 1, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => {
                line += 1;
                line_start = at + 1;
                at += 1;
            }
            b'#' => at = end_of_line(bytes, at),
            b'"' if bytes[at..].starts_with(b"\"\"\"") => {
                let end = end_of_block(bytes, at + 3);
                line += bytes[at..end].iter().filter(|byte| **byte == b'\n').count();
                if let Some(last) = bytes[at..end].iter().rposition(|byte| *byte == b'\n') {
                    line_start = at + last + 1;
                }
                at = end;
            }
            b'"' => match end_of_string(bytes, at + 1) {
                Some(end) => at = end,
                None => {
                    let location = Pos { line, column: at - line_start + 1 };
                    let fault =
                        Fault::new("Syntax error: a string does not end on its line.").at(Some(location));
                    return Err(Refusal::of_faults(ErrorCode::GraphqlParseFailed, vec![fault]));
                }
            },
            _ => at += 1,
        }
    }
    Ok(())
}

fn end_of_line(bytes: &[u8], start: usize) -> usize {
    bytes[start..]
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'))
        .map_or(bytes.len(), |length| start + length)
}

fn end_of_block(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        if bytes[at..].starts_with(b"\\\"\"\"") {
            at += 4;
        } else if bytes[at..].starts_with(b"\"\"\"") {
            return at + 3;
        } else {
            at += 1;
        }
    }
    at
}

fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            b'\n' | b'\r' => return None,
            _ => at += 1,
        }
    }
    None
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
    fn refuses_documents_past_the_limits() {
        assert_eq!(code(&format!("{{{}}}", "a ".repeat(2_100))), Some(ErrorCode::QueryTooComplex));
        assert_eq!(code(&",".repeat(60_000)), Some(ErrorCode::QueryTooComplex));
        assert_eq!(code(&"{a".repeat(70)), Some(ErrorCode::QueryTooComplex));
        assert_eq!(
            code(&format!("{{a(x: {}1{})}}", "[".repeat(70), "]".repeat(70))),
            Some(ErrorCode::QueryTooComplex)
        );
        assert_eq!(code(&format!("{{a}}#{}", "x".repeat(DOCUMENT_BYTES))), Some(ErrorCode::PayloadTooLarge));
    }
}
