//! The quotes of a stock file, as RFC 4180 has them.
//!
//! What lives here: a reader that passes a file through, and fails where a quote is out of place.
//! What is always true: a reason names a line and a rule, never what stands in the file. The library for CSV reads on whatever
//! the quotes say: it would make one code of `"A"B`, and take the end of a file that was cut off for the end of a code.
//! What is not here: what the fields hold (`csv_rows.rs`).

use std::io::{self, Read};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    FieldStart,
    Bare,
    Quoted,
    /// Behind a quote in a quoted field: it closes the field, or is the first of two that stand for one.
    Closing,
}

/// Passes a file through, and fails where a quote is out of place.
#[derive(Debug)]
pub struct Quoting<R> {
    inner: R,
    place: Place,
    /// How many bytes have passed.
    passed: usize,
    line: u64,
    /// On which line the last quoted field began.
    opened: u64,
}

impl<R: Read> Quoting<R> {
    /// Passes this on.
    pub fn new(inner: R) -> Self {
        Self { inner, place: Place::FieldStart, passed: 0, line: 1, opened: 1 }
    }

    fn pass(&mut self, byte: u8) -> io::Result<()> {
        let is_mark = BYTE_ORDER_MARK.get(self.passed) == Some(&byte);
        self.passed = self.passed.saturating_add(1);
        self.place = match (self.place, byte) {
            (Place::FieldStart, _) if is_mark => Place::FieldStart,
            (Place::FieldStart, b'"') => {
                self.opened = self.line;
                Place::Quoted
            }
            (Place::Quoted, b'"') => Place::Closing,
            (Place::Quoted, _) | (Place::Closing, b'"') => Place::Quoted,
            (_, b',' | b'\r' | b'\n') => Place::FieldStart,
            (Place::Closing, _) => {
                return Err(misplaced(self.line, "something stands behind a closing quote"));
            }
            (Place::Bare, b'"') => {
                return Err(misplaced(self.line, "a quote stands in a field that does not begin with one"));
            }
            (Place::FieldStart | Place::Bare, _) => Place::Bare,
        };
        self.line = self.line.saturating_add(u64::from(byte == b'\n'));
        Ok(())
    }
}

impl<R: Read> Read for Quoting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        buffer.iter().take(read).try_for_each(|byte| self.pass(*byte))?;
        if read == 0 && !buffer.is_empty() && self.place == Place::Quoted {
            return Err(misplaced(
                self.opened,
                "a quote opens here that is never closed: is the file whole?",
            ));
        }
        Ok(read)
    }
}

fn misplaced(line: u64, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("line {line}: {what}"))
}
