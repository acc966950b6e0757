//! Keys that are not in the database.
//!
//! What lives here: the master keys and the index key, where they come from (`KeyProvider`), and how a production's are made.
//! What is always true: a key file has 32 bytes as hex or base64, is readable by its owner alone, and is never overwritten;
//! keys are wiped from memory when dropped and print nothing.
//! What is not here: data keys, which the database keeps wrapped; that is `vault.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::clock::Ids;

/// The key from which tokens are signed.
const TOKEN_KEY: &str = "jwt.key";
/// The key of the blind index and of keyed digests.
const INDEX_KEY: &str = "index.key";
/// The first master key.
const FIRST_MASTER_KEY: &str = "master-1.key";
/// The most master keys that are looked for.
const MOST_MASTER_KEYS: i32 = 1_000;

/// Thirty-two secret bytes.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// A key of bytes that came from a source of randomness.
    pub(super) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, for a cipher or a digest.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(…)")
    }
}

/// The keys that a process is given.
#[derive(Debug)]
pub struct Keys {
    /// The master keys by version, from 1.
    pub masters: BTreeMap<i32, Key>,
    /// The key of the blind index and of keyed digests.
    pub index: Key,
}

/// Where keys come from: files here, a key service elsewhere.
pub trait KeyProvider: Send + Sync {
    /// The keys.
    ///
    /// # Errors
    /// What is missing or wrong, naming no key.
    fn keys(&self) -> Result<Keys, KeyError>;
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key file is missing.
    #[error("{path} is missing; `octopus keys init` makes the keys of a new installation")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A key file is there already.
    #[error("{path} exists; keys are never overwritten")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A key file is not what it should be.
    #[error("{path} must have 32 bytes as hex or base64")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// A key file can be read by others than its owner.
    #[error("{path} can be read by others; `chmod 600` it")]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// A key file cannot be read or written.
    #[error("{path}: {cause}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// Keys as files of one folder: `master-1.key`, `master-2.key`, … and `index.key`.
#[derive(Debug, Clone)]
pub struct KeyFiles {
    folder: PathBuf,
}

impl KeyFiles {
    /// The keys in a folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }
}

impl KeyProvider for KeyFiles {
    fn keys(&self) -> Result<Keys, KeyError> {
        let mut masters = BTreeMap::new();
        for version in 1..=MOST_MASTER_KEYS {
            match read(&self.folder.join(format!("master-{version}.key"))) {
                Ok(key) => masters.insert(version, key),
                Err(KeyError::Missing { .. }) if version > 1 => break,
                Err(error) => return Err(error),
            };
        }
        Ok(Keys { masters, index: read(&self.folder.join(INDEX_KEY))? })
    }
}

/// The key from which tokens are signed; `None` if there is no such file.
///
/// # Errors
/// A file that is malformed, exposed or cannot be read.
pub fn token_key(folder: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, KeyError> {
    match read(&folder.join(TOKEN_KEY)) {
        Ok(key) => Ok(Some(key.0)),
        Err(KeyError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a folder has any key of an installation.
pub fn are_there(folder: &Path) -> bool {
    [FIRST_MASTER_KEY, INDEX_KEY, TOKEN_KEY].iter().any(|name| folder.join(name).exists())
}

/// Makes the keys of a new installation: the first master key, the index key and the token key, each 32 random bytes as hex.
///
/// Tells the files that it made.
///
/// # Errors
/// `Exists` if any of them is there already, before anything is written; `Unusable` if the folder cannot be written.
pub fn init(folder: &Path, ids: &dyn Ids) -> Result<Vec<PathBuf>, KeyError> {
    let paths = [FIRST_MASTER_KEY, INDEX_KEY, TOKEN_KEY].map(|name| folder.join(name));
    if let Some(path) = paths.iter().find(|path| path.exists()) {
        return Err(KeyError::Exists { path: path.clone() });
    }
    make_folder(folder).map_err(|cause| KeyError::Unusable { path: folder.to_owned(), cause })?;
    for path in &paths {
        let mut bytes = Zeroizing::new([0; 32]);
        ids.fill(bytes.as_mut_slice());
        write(path, &to_hex(bytes.as_slice())).map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.clone() },
            _ => KeyError::Unusable { path: path.clone(), cause },
        })?;
    }
    Ok(paths.to_vec())
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // Never an existing file: a key that is lost takes every code with it.
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn read(path: &Path) -> Result<Key, KeyError> {
    let unusable = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => KeyError::Missing { path: path.to_owned() },
        _ => KeyError::Unusable { path: path.to_owned(), cause },
    };
    if is_exposed(&fs::metadata(path).map_err(unusable)?) {
        return Err(KeyError::Exposed { path: path.to_owned() });
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(unusable)?);
    parse(text.trim()).map(Key::new).ok_or_else(|| KeyError::Malformed { path: path.to_owned() })
}

#[cfg(unix)]
fn is_exposed(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_exposed(_: &fs::Metadata) -> bool {
    false
}

fn parse(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(from_hex(text).or_else(|| STANDARD.decode(text).ok())?);
    <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new)
}

/// Bytes as lower-case hex.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let decoded = pairs.iter().map(|[high, low]| Some((digit(*high)? << 4) | digit(*low)?));
    decoded.collect::<Option<Vec<u8>>>().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_hex_and_from_base64_and_nothing_else() {
        let bytes = [7_u8; 32];
        assert_eq!(parse(&to_hex(&bytes)).as_deref(), Some(&bytes));
        assert_eq!(parse(&STANDARD.encode(bytes)).as_deref(), Some(&bytes));
        for text in ["", "00", &to_hex(&[7; 31]), &STANDARD.encode([7; 33]), "not a key"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
