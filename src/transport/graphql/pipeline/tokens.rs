//! Step 3, first half: what a document is made of, told without building anything.
//!
//! Lives here: [`scan`], one pass over the text: how many tokens it has, how many lines, and the text without what the
//! language ignores.
//! Always true: it is linear; commas and comments become blanks of the same length, so that every token keeps its
//! place, and the parser, which counts each comma and each run of blanks as a token, meets at most one run a token.
//! Not here: whether the tokens make a document (parse.rs).
//!
//! Source: GraphQL specification, 2.1 (Source Text): lexical and ignored tokens.

use async_graphql::Pos;

/// What a text is made of.
#[derive(Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The text, commas and comments blanked.
    pub text: String,
    /// Punctuators, names, numbers and strings.
    pub tokens: usize,
    /// Lines.
    pub lines: usize,
}

/// Scans a text. What is no token counts as one for each of its bytes: the parser refuses it.
///
/// # Errors
/// The place of a `"string"` that does not end on its line, which apollo-parser lets pass and the specification does
/// not: only block strings span lines.
pub fn scan(text: &str) -> Result<Scanned, Pos> {
    let bytes = text.as_bytes();
    let mut kept = Vec::with_capacity(bytes.len());
    let (mut at, mut tokens, mut lines, mut line_start) = (0, 0, 1, 0);
    while at < bytes.len() {
        let end = match bytes[at] {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => at + 1,
            b'#' => end_of_line(bytes, at),
            b'"' if bytes[at..].starts_with(b"\"\"\"") => end_of_block(bytes, at + 3),
            b'"' => end_of_string(bytes, at + 1).ok_or(Pos { line: lines, column: at - line_start + 1 })?,
            _ if bytes[at..].starts_with(BYTE_ORDER_MARK) => at + BYTE_ORDER_MARK.len(),
            b'.' if bytes[at..].starts_with(b"...") => at + 3,
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => end_of_run(bytes, at, is_of_name),
            b'-' | b'0'..=b'9' => end_of_run(bytes, at, is_of_number),
            _ => at + 1,
        };
        let lexeme = &bytes[at..end];
        match lexeme[0] {
            b',' | b'#' => kept.resize(end, b' '),
            _ => kept.extend_from_slice(lexeme),
        }
        tokens += usize::from(!is_ignored(lexeme));
        if let Some(last) = lexeme.iter().rposition(|byte| *byte == b'\n') {
            lines += lexeme.iter().filter(|byte| **byte == b'\n').count();
            line_start = at + last + 1;
        }
        at = end;
    }
    let text = String::from_utf8(kept).expect("whole characters were kept, or became blanks");
    Ok(Scanned { text, tokens, lines })
}

/// Editors put it at the beginning of files; the language ignores it anywhere.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

fn is_ignored(lexeme: &[u8]) -> bool {
    matches!(lexeme[0], b' ' | b'\t' | b'\r' | b'\n' | b',' | b'#') || lexeme == BYTE_ORDER_MARK
}

fn is_of_name(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'.' | b'+' | b'-') || is_of_name(byte)
}

fn end_of_run(bytes: &[u8], start: usize, is_of: fn(u8) -> bool) -> usize {
    bytes[start..].iter().position(|byte| !is_of(*byte)).map_or(bytes.len(), |length| start + length)
}

fn end_of_line(bytes: &[u8], start: usize) -> usize {
    end_of_run(bytes, start, |byte| !matches!(byte, b'\n' | b'\r'))
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
    bytes.len()
}

fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at + 1),
            b'\\' if matches!(bytes.get(at + 1), Some(b'"' | b'\\')) => at += 2,
            b'\n' | b'\r' => return None,
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_the_language_calls_tokens() {
        for (text, tokens) in [
            ("", 0),
            (" ,\t\r\n\u{feff}# a comment, \"{\" and all", 0),
            ("{a}", 3),
            ("{a,b c}", 5),
            ("query A($x: [Int!]! = -1.5e+3) @d { ...F ... on T { b } }", 26),
            ("{ a(s: \"x # y, \\\" z\", t: \"\"\"two\nlines \\\"\"\" \"\"\", u: \"\\\\\") }", 14),
            ("{é}", 4),
        ] {
            assert_eq!(scan(text).map(|scanned| scanned.tokens), Ok(tokens), "{text}");
        }
    }

    #[test]
    fn keeps_each_token_in_its_place() {
        let scanned = scan("{a, # é, \"\n b(s: \"x,#y\")}\n").unwrap();
        assert_eq!(scanned.text, "{a         \n b(s: \"x,#y\")}\n");
        assert_eq!(scanned.lines, 3);
    }

    #[test]
    fn finds_the_string_that_does_not_end_on_its_line() {
        for (text, line, column) in [
            ("{a(s: \"x\ny\")}", 1, 7),
            ("{\n a(s: \"x\\\n\")}", 2, 7),
            ("{a(s: \"", 1, 7),
            ("\"\"\"a\n\"\"\" \"", 2, 5),
        ] {
            assert_eq!(scan(text), Err(Pos { line, column }), "{text}");
        }
    }
}
