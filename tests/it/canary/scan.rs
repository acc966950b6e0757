//! The search for secrets.
//! Always true: a secret is looked for as it is, and as base64 and hex, which is how bytes reach a log or a dump.
//! Not here: how the secrets came to be (`canary.rs`).

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::support::database::{Dialect, TestDatabase};

/// Everything that must stay inside, each with what it is.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    known: Vec<(String, String)>,
    keys: Vec<(String, String)>,
}

impl Secrets {
    pub(super) fn add(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= 8, "{what} is too short to be told from other text");
        self.known.push((what.to_owned(), secret.to_owned()));
    }

    /// A signed token: whole, and its signature, which is what makes it one.
    pub(super) fn token(&mut self, what: &str, token: &str) {
        self.add(what, token);
        let (_, signature) = token.rsplit_once('.').expect("an access token has three parts");
        self.add(&format!("the signature of {what}"), signature);
    }

    /// The contents of a key file: 32 bytes as hex.
    pub(super) fn key(&mut self, what: &str, text: &str) {
        let text = text.trim();
        assert_eq!(text.len(), 64, "{what} is not the hex that it was");
        let bytes: Vec<u8> =
            (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect();
        self.add(what, text);
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes), format!("{bytes:?}")] {
            self.add(what, &text);
        }
        self.keys.push((what.to_owned(), text.to_lowercase()));
    }

    /// One secret of each kind, for mistakes to be made around it.
    pub(super) fn samples(&self) -> Vec<String> {
        ["stock row 19", "the partner's password", "a renewed refresh token"]
            .into_iter()
            .map(|what| self.named(what))
            .collect()
    }

    pub(super) fn named(&self, what: &str) -> String {
        let found = self.known.iter().find(|(name, _)| name == what);
        found.unwrap_or_else(|| panic!("no secret is {what}")).1.clone()
    }

    /// What of them stands in a text, each with where.
    pub(super) fn find_in(&self, place: &str, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (what, secret) in &self.known {
            for form in [secret.clone(), STANDARD.encode(secret), hex(secret.as_bytes())] {
                if let Some(at) = text.find(&form).or_else(|| text.find(&form.to_uppercase())) {
                    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
                    let line = text[start..].lines().next().unwrap_or_default();
                    let shown: String = line.chars().take(500).collect();
                    found.push(format!("{what} ({form}) is in {place:.300}: {shown}"));
                }
            }
        }
        found
    }

    /// The same for bytes, among which a key may stand as it is used.
    pub(super) fn find_in_bytes(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let mut found = self.find_in(place, &String::from_utf8_lossy(bytes));
        let all = hex(bytes);
        let keys = self.keys.iter().filter(|(_, key)| all.contains(key));
        found.extend(keys.map(|(what, _)| format!("the bytes of {what} are in {place}")));
        found
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text takes more text");
        text
    })
}

/// The files of an SQLite database as they are now, or a dump of a PostgreSQL one.
pub(super) fn database_bytes(database: &TestDatabase) -> Vec<(String, Vec<u8>)> {
    match database.dialect() {
        Dialect::Sqlite => fs::read_dir(database.folder.path())
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("octopus.db"))
            .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
            .collect(),
        Dialect::Postgres => {
            let dump = Command::new("pg_dump").arg(&database.url).output().expect("pg_dump starts");
            assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
            vec![("the dump".to_owned(), dump.stdout)]
        }
    }
}
