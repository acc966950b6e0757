//! Lines of the catalog's files: the pure part below a row's meaning.
//!
//! What lives here: a file's lines by the columns of its heading, a field by its form, and bad lines.
//! What is always true: a field is read by its column's name and refused by it; no key stands twice in a file.
//! What is not here: which columns a file has, and what they mean together (`rows.rs`).

use std::collections::{HashMap, HashSet};
use std::fmt;

use csv::StringRecord;
use entity::currency::Currency;
use entity::money::{Money, ParseMoneyError};
use serde::Serialize;

/// The line of a file that names its columns. No row stands on it.
pub(super) const HEADING: u64 = 1;

/// How long a sku, slug or name may be, in bytes.
const LONGEST_SLUG: usize = 100;
const LONGEST_NAME: usize = 200;

/// A line that cannot be taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// The file's name.
    pub file: &'static str,
    /// The line, from 1, the heading included.
    pub line: u64,
    /// Why.
    pub reason: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// A line's fields by the names of the heading.
pub(super) struct Line<'a> {
    columns: &'a HashMap<String, usize>,
    record: &'a StringRecord,
}

impl Line<'_> {
    pub(super) fn text(&self, column: &str) -> &str {
        self.columns.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default().trim()
    }

    pub(super) fn optional(&self, column: &str) -> Option<String> {
        Some(self.text(column)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    pub(super) fn name(&self, column: &str) -> Result<String, String> {
        let text = self.text(column);
        if text.is_empty() || text.len() > LONGEST_NAME || text.contains(char::is_control) {
            return Err(format!("{column} must have 1 to {LONGEST_NAME} bytes, and no control characters"));
        }
        Ok(text.to_owned())
    }

    pub(super) fn slug(&self, column: &str) -> Result<String, String> {
        let text = self.text(column);
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        if text.is_empty() || text.len() > LONGEST_SLUG || !text.bytes().all(plain) {
            return Err(format!(
                "{column} {text:?} must have 1 to {LONGEST_SLUG} of the characters a-z 0-9 _ . -"
            ));
        }
        Ok(text.to_owned())
    }

    pub(super) fn parsed<T: std::str::FromStr>(&self, column: &str, wanted: &str) -> Result<T, String> {
        let text = self.text(column);
        text.parse().map_err(|_| format!("{column} {text:?} is not {wanted}"))
    }

    pub(super) fn state<T: std::str::FromStr>(&self, column: &str, wanted: &str) -> Result<T, String> {
        let text = self.text(column);
        text.to_ascii_uppercase().parse().map_err(|_| format!("{column} {text:?} is not {wanted}"))
    }

    pub(super) fn letters(&self, column: &str, length: usize) -> Result<String, String> {
        let text = self.text(column);
        if text.len() != length || !text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(format!("{column} {text:?} must be {length} capital letters"));
        }
        Ok(text.to_owned())
    }

    pub(super) fn digits(&self, column: &str) -> Result<String, String> {
        let text = self.text(column);
        if text.len() != 3 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("{column} {text:?} must be three digits"));
        }
        Ok(text.to_owned())
    }

    pub(super) fn amount(&self, column: &str, currency: Currency) -> Result<i64, String> {
        let text = self.text(column);
        let why = match Money::parse(text, currency) {
            Ok(money) if money.minor > 0 => return Ok(money.minor),
            Ok(_) => "must be greater than nought".to_owned(),
            Err(ParseMoneyError::Malformed) => "is not a plain decimal number".to_owned(),
            Err(ParseMoneyError::TooPrecise) => {
                format!("has more than the {} digits of {currency}", currency.minor_units())
            }
            Err(ParseMoneyError::TooLarge) => "is too large".to_owned(),
        };
        Err(format!("{column} {text:?} {why}"))
    }

    pub(super) fn known(&self, column: &str, known: &HashSet<String>) -> Result<String, String> {
        let text = self.text(column);
        if known.contains(text) { Ok(text.to_owned()) } else { Err(format!("{column} {text:?} is unknown")) }
    }
}

/// Reads a file: `row` says what a line is, and `key` what must not occur twice.
pub(super) fn read<T>(
    file: &'static str,
    text: &[u8],
    needed: &[&str],
    bad: &mut Vec<BadRow>,
    row: impl Fn(&Line<'_>) -> Result<T, String>,
    key: impl Fn(&T) -> String,
) -> Vec<T> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text);
    let columns: HashMap<String, usize> = match reader.headers() {
        Ok(heading) => heading.iter().map(|name| name.trim().to_owned()).zip(0..).collect(),
        Err(error) => {
            bad.push(BadRow { file, line: HEADING, reason: format!("the heading cannot be read: {error}") });
            return Vec::new();
        }
    };
    if let Some(missing) = needed.iter().find(|column| !columns.contains_key(**column)) {
        bad.push(BadRow { file, line: HEADING, reason: format!("the column {missing} is missing") });
        return Vec::new();
    }
    let mut rows = Vec::new();
    let mut first_seen: HashMap<String, u64> = HashMap::new();
    for record in reader.records() {
        let (line, outcome) = match &record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                (line, row(&Line { columns: &columns, record }))
            }
            Err(error) => (error.position().map_or(0, csv::Position::line), Err(plain_reason(error))),
        };
        match outcome {
            Err(reason) => bad.push(BadRow { file, line, reason }),
            Ok(found) => match first_seen.get(&key(&found)) {
                Some(first) => {
                    let reason = format!("{} stands on line {first} already", key(&found));
                    bad.push(BadRow { file, line, reason });
                }
                None => {
                    first_seen.insert(key(&found), line);
                    rows.push(found);
                }
            },
        }
    }
    rows
}

fn plain_reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} fields, and the heading {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => "it cannot be read".to_owned(),
    }
}
