//! Secrets in memory.
//!
//! What lives here: the type that carries a password or a token, how new ones are made, and the digest under which tokens lie
//! in tables.
//! What is always true: a `Secret` prints nothing and is wiped when it is dropped; a new one has at least 256 random bits.
//! What is not here: hashing passwords (`passwords.rs`), keys (`keys.rs`).

use std::fmt;

use entity::secret::Digest;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::clock::Ids;

/// Crockford's base 32 in lower case: no letter that is mistaken for a digit.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Digits of 5 bits that hold 256 bits.
pub(super) const SECRET_DIGITS: usize = 52;

/// A password or a token.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the one who is meant to have it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A new secret: a prefix that scanners find, and 260 random bits.
    pub(super) fn random(ids: &dyn Ids, prefix: &str) -> Self {
        Self(Zeroizing::new(random_text(ids, prefix, SECRET_DIGITS)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// A prefix and so many random digits of 5 bits each.
pub(super) fn random_text(ids: &dyn Ids, prefix: &str, digits: usize) -> String {
    let mut bytes = Zeroizing::new(vec![0; digits]);
    ids.fill(&mut bytes);
    // Five bits of each byte: every digit is equally likely.
    let text = bytes.iter().map(|byte| char::from(DIGITS[usize::from(byte & 31)]));
    prefix.chars().chain(text).collect()
}

/// The digest of a token. Plain SHA-256 will do: nobody guesses 256 random bits.
pub(super) fn digest(token: &str) -> Digest {
    Digest(Sha256::digest(token.as_bytes()).to_vec())
}

/// Bytes in hexadecimal.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let pair = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    bytes.iter().flat_map(pair).map(char::from).collect()
}
