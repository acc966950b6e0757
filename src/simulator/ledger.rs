//! The sandbox vendor's own books.
//!
//! What lives here: a purchase as it is kept, and the file of them, one line of JSON each.
//! What is always true: a purchase is known only once its line is synced; lines are never changed; a last line that a crash cut
//! off is no purchase, and is removed; one process at a time writes a file.
//! What is not here: what is bought (`shop.rs`). The books are the vendor's, in the clear: its codes are worth nothing.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::state::RecipientKind;
use entity::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::refusal::Reason;

/// Who receives what has no code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipient {
    pub(super) kind: RecipientKind,
    pub(super) value: String,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    pub(super) reference: String,
    pub(super) sku: String,
    pub(super) quantity: i32,
    pub(super) face_value: Decimal,
    pub(super) currency: Currency,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recipient: Option<Recipient>,
}

/// A unit that was sold.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unit {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pin: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) serial: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) receipt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
    pub(super) face_value: Decimal,
    pub(super) currency: Currency,
}

/// A purchase that was received. What it is at an instant follows from it and the instant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Purchase {
    pub(super) id: String,
    pub(super) wanted: Wanted,
    pub(super) at: Timestamp,
    /// When it is delivered or refused.
    pub(super) settles_at: Timestamp,
    /// When look-ups begin to know it.
    pub(super) shown_at: Timestamp,
    /// Why it is refused; `None` if it is delivered.
    pub(super) refusal: Option<Reason>,
    pub(super) units: Vec<Unit>,
    /// How many units will not come.
    pub(super) undelivered: i32,
    /// What all units cost, at scale 6 of the currency.
    pub(super) cost_micros: i64,
}

/// The books.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    purchases: Vec<Arc<Purchase>>,
    by_reference: HashMap<String, usize>,
    file: Option<Lines>,
}

/// The file that they are kept in.
#[derive(Debug)]
struct Lines {
    file: File,
    length: u64,
    /// Once a line could not be synced, nobody knows what the file holds: nothing is sold any more.
    is_broken: bool,
}

impl Ledger {
    /// The books of a file, which is made if it is not there.
    ///
    /// # Errors
    /// A file that cannot be used, that another process writes, or that holds something else.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.try_lock().map_err(|_| io::Error::other("another process writes it"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last.saturating_add(1));
        let length = u64::try_from(whole).map_err(io::Error::other)?;
        if whole < bytes.len() {
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
        }
        file.sync_all()?;
        let mut ledger = Self::default();
        for (index, line) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
            let purchase = serde_json::from_slice(line)
                .map_err(|error| io::Error::other(format!("line {}: {error}", index.saturating_add(1))))?;
            ledger.remember(Arc::new(purchase));
        }
        ledger.file = Some(Lines { file, length, is_broken: false });
        Ok(ledger)
    }

    /// Takes a purchase in; it is durable when this returns.
    ///
    /// # Errors
    /// What the file says; then the purchase was not made.
    pub(super) fn append(&mut self, purchase: Purchase) -> io::Result<Arc<Purchase>> {
        if let Some(lines) = &mut self.file {
            lines.append(&purchase)?;
        }
        let purchase = Arc::new(purchase);
        self.remember(Arc::clone(&purchase));
        Ok(purchase)
    }

    pub(super) fn find(&self, reference: &str) -> Option<&Arc<Purchase>> {
        self.purchases.get(*self.by_reference.get(reference)?)
    }

    /// All purchases, in the order in which they were received.
    pub(super) fn all(&self) -> &[Arc<Purchase>] {
        &self.purchases
    }

    fn remember(&mut self, purchase: Arc<Purchase>) {
        self.by_reference.insert(purchase.wanted.reference.clone(), self.purchases.len());
        self.purchases.push(purchase);
    }
}

impl Lines {
    fn append(&mut self, purchase: &Purchase) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("the file could not be synced"));
        }
        let mut line = serde_json::to_vec(purchase)?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.is_broken = true;
            // So that the line is not taken for a purchase at the next start.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length = self.length.saturating_add(u64::try_from(line.len()).map_err(io::Error::other)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purchase(reference: &str) -> Purchase {
        let at = Timestamp::from_micros(1_795_373_640_000_000);
        let wanted = Wanted {
            reference: reference.to_owned(),
            sku: "s".to_owned(),
            quantity: 1,
            face_value: "50".parse().unwrap(),
            currency: Currency::USD,
            recipient: None,
        };
        let refusal = Some(Reason::OutOfStock);
        Purchase {
            id: format!("id-{reference}"),
            wanted,
            at,
            settles_at: at,
            shown_at: at,
            refusal,
            units: Vec::new(),
            undelivered: 0,
            cost_micros: 0,
        }
    }

    fn references(ledger: &Ledger) -> Vec<&str> {
        ledger.all().iter().map(|purchase| purchase.wanted.reference.as_str()).collect()
    }

    #[test]
    fn books_are_read_again_and_a_torn_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let mut ledger = Ledger::open(&path).unwrap();
        ledger.append(purchase("a")).unwrap();
        assert!(Ledger::open(&path).is_err(), "two processes write one file");
        drop(ledger);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], &whole[..whole.len() - 20]].concat()).unwrap();
        let mut ledger = Ledger::open(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        ledger.append(purchase("b")).unwrap();
        drop(ledger);
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(references(&ledger), ["a", "b"]);
        assert_eq!(ledger.find("b").unwrap().id, "id-b");
        drop(ledger);
        std::fs::write(&path, [&b"{}\n"[..], &whole].concat()).unwrap();
        assert!(Ledger::open(&path).unwrap_err().to_string().starts_with("line 1: "));
    }
}
