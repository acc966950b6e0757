//! What a vendor delivered, out of a file that a person wrote.
//!
//! What lives here: reading the CSV of `octopus attempts resolve --delivered`: code, pin, serial, url and expires_at, or receipt.
//! What is always true: a reason names a column and a rule, never what stands in the file.
//! What is not here: whether a purchase can have come to this (`resolve.rs`).

use std::collections::HashMap;

use csv::{ByteRecord, ErrorKind, ReaderBuilder};

use crate::domain::fulfillment::Goods;
use crate::domain::vouchers::{Quoting, read_contents, read_expiry};

/// The columns of codes, and the one of receipts.
const OF_CODES: [&str; 5] = ["code", "pin", "serial", "url", "expires_at"];
const OF_RECEIPTS: &str = "receipt";
/// How many characters a receipt's number may have.
const LONGEST_RECEIPT: usize = 200;

/// A line that is no unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadDeliveredLine {
    /// The line, from 1, the heading included.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadDelivered {
    /// It is no such file as a whole.
    File(String),
    /// Lines of it are bad.
    Lines(Vec<BadDeliveredLine>),
}

/// Reads what was delivered, one line a unit.
///
/// # Errors
/// What is wrong with the file, or with every bad line.
pub fn read_delivered(text: &[u8]) -> Result<Vec<Goods>, BadDelivered> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(Quoting::new(text));
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(unreadable)? {
        return Err(BadDelivered::File("the file is empty".to_owned()));
    }
    let heading = Heading::read(&record).map_err(BadDelivered::File)?;
    let (mut goods, mut bad) = (Vec::new(), Vec::new());
    while reader.read_byte_record(&mut record).map_err(unreadable)? {
        match heading.goods(&record) {
            Ok(one) => goods.push(one),
            Err(reason) => {
                let line = record.position().map_or(0, csv::Position::line);
                bad.push(BadDeliveredLine { line, reason });
            }
        }
    }
    if bad.is_empty() { Ok(goods) } else { Err(BadDelivered::Lines(bad)) }
}

/// The library's own words could quote what it read.
fn unreadable(error: csv::Error) -> BadDelivered {
    BadDelivered::File(match error.into_kind() {
        ErrorKind::Io(misplaced) => misplaced.to_string(),
        _ => "it is no CSV".to_owned(),
    })
}

struct Heading {
    places: HashMap<&'static str, usize>,
    width: usize,
}

impl Heading {
    fn read(record: &ByteRecord) -> Result<Self, String> {
        let mut places = HashMap::new();
        for (place, name) in record.iter().enumerate() {
            let name = String::from_utf8_lossy(name);
            let name = name.trim().trim_start_matches('\u{feff}').to_ascii_lowercase();
            let known = OF_CODES.into_iter().chain([OF_RECEIPTS]).find(|column| *column == name);
            let column = known.ok_or_else(|| {
                format!(
                    "column {} of the header is none of {}, {OF_RECEIPTS}",
                    place + 1,
                    OF_CODES.join(", ")
                )
            })?;
            if places.insert(column, place).is_some() {
                return Err(format!("the header has the column {column} twice"));
            }
        }
        let is_of_codes = places.contains_key("code") || places.contains_key("url");
        match (places.contains_key(OF_RECEIPTS), places.len()) {
            (true, 1) => {}
            (true, _) => return Err("a receipt has no other columns: leave them out".to_owned()),
            (false, _) if is_of_codes => {}
            (false, _) => return Err("the header needs the column code, url or receipt".to_owned()),
        }
        Ok(Self { places, width: record.len() })
    }

    fn cell<'r>(&self, record: &'r ByteRecord, column: &str) -> Result<Option<&'r str>, String> {
        let bytes = self.places.get(column).and_then(|place| record.get(*place)).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| format!("{column} is not UTF-8"))?.trim();
        Ok((!text.is_empty()).then_some(text))
    }

    fn goods(&self, record: &ByteRecord) -> Result<Goods, String> {
        if record.len() != self.width {
            return Err(format!("it has {} columns where the header has {}", record.len(), self.width));
        }
        if !self.places.contains_key(OF_RECEIPTS) {
            return Ok(Goods::Code {
                contents: read_contents(&|column| self.cell(record, column))?,
                expires_at: read_expiry(self.cell(record, "expires_at")?)?,
                face: None,
            });
        }
        let number = self.cell(record, OF_RECEIPTS)?.ok_or("receipt is missing")?;
        if number.chars().count() > LONGEST_RECEIPT || number.chars().any(char::is_control) {
            return Err(format!("receipt has control characters, or more than {LONGEST_RECEIPT} in all"));
        }
        Ok(Goods::Receipt { number: number.to_owned(), face: None })
    }
}
