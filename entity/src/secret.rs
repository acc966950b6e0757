//! Secrets as they lie in tables.
//!
//! What lives here: ciphertext and hashes, in types that print nothing and do not serialise.
//! What is always true: no value of these types reaches a log, an event or an answer by accident.
//! What is not here: plaintext and keys; they live in `domain/vouchers`.

use std::fmt;

use sea_orm::DeriveValueType;

/// Ciphertext: nonce, sealed bytes and tag, as the vault wrote them.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct Sealed(pub Vec<u8>);

/// A keyed or plain digest of a secret: of a token, or of a voucher for the blind index.
#[derive(Clone, PartialEq, Eq, Hash, DeriveValueType)]
pub struct Digest(pub Vec<u8>);

never_auto_incremented!(Digest);

impl fmt::Debug for Sealed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Sealed(…)")
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Digest(…)")
    }
}
