//! The keys of identity.
//!
//! What lives here: the keys derived from the token key: one for access tokens, one that seals refresh tokens, one for the
//! digests under which sign-ins are counted.
//! What is always true: each purpose has a key of its own, so that nothing made for one is ever good for another.
//! What is not here: the token key's file, and the keys that seal vouchers.

use std::fmt;
use std::net::IpAddr;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use entity::secret::Sealed;
use hmac::{Hmac, Mac};
use jsonwebtoken::{DecodingKey, EncodingKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::secrets::{Secret, hexadecimal};
use crate::clock::Ids;

const LENGTH: usize = 32;
const NONCE: usize = 24;

/// The keys.
pub(super) struct Keys {
    /// Signs access tokens.
    pub(super) encoding: EncodingKey,
    /// Checks access tokens.
    pub(super) decoding: DecodingKey,
    sealing: XChaCha20Poly1305,
    counting: Zeroizing<[u8; LENGTH]>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Keys(…)")
    }
}

impl Keys {
    /// The keys of a root of 32 random bytes.
    pub(super) fn derived_from(root: &[u8; LENGTH]) -> Self {
        let signing = keyed_digest(root, &[b"octopus access token 1"]);
        let sealing = keyed_digest(root, &[b"octopus refresh successor 1"]);
        Self {
            encoding: EncodingKey::from_secret(signing.as_slice()),
            decoding: DecodingKey::from_secret(signing.as_slice()),
            sealing: XChaCha20Poly1305::new_from_slice(sealing.as_slice())
                .expect("the digest is as long as the key: 32 bytes"),
            counting: keyed_digest(root, &[b"octopus sign-in count 1"]),
        }
    }

    /// Seals a refresh token so that it opens only in the row of its predecessor.
    pub(super) fn seal(&self, ids: &dyn Ids, token: &Secret, predecessor: &[u8]) -> Sealed {
        let mut nonce = [0; NONCE];
        ids.fill(&mut nonce);
        let payload = Payload { msg: token.expose().as_bytes(), aad: predecessor };
        let sealed = self
            .sealing
            .encrypt(&XNonce::from(nonce), payload)
            .expect("sealing fails only beyond 256 GiB, and a token is short");
        Sealed([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what `seal` sealed; `None` if it was made under another key or for another row.
    pub(super) fn unseal(&self, sealed: &Sealed, predecessor: &[u8]) -> Option<Secret> {
        let (nonce, sealed) = sealed.0.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: sealed, aad: predecessor };
        let opened = self.sealing.decrypt(&XNonce::from(*nonce), payload).ok()?;
        String::from_utf8(opened).ok().map(Secret::new)
    }

    /// Under which key the sign-ins of an account are counted: a digest, for a caller may have typed a secret as its name.
    pub(super) fn account_digest(&self, username: &str) -> String {
        hexadecimal(keyed_digest(self.counting.as_slice(), &[b"account", username.as_bytes()]).as_slice())
    }

    /// Under which key the sign-ins from an address are counted.
    pub(super) fn address_digest(&self, address: IpAddr) -> String {
        self.digest_of_address(b"address", address)
    }

    /// Under which key the refreshes from an address are counted.
    pub(super) fn refresh_digest(&self, address: IpAddr) -> String {
        self.digest_of_address(b"refresh", address)
    }

    /// Whoever has one IPv6 address has its network of 64 bits.
    fn digest_of_address(&self, purpose: &[u8], address: IpAddr) -> String {
        let octets = match address.to_canonical() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets()[..8].to_vec(),
        };
        hexadecimal(keyed_digest(self.counting.as_slice(), &[purpose, &octets]).as_slice())
    }
}

/// HMAC-SHA256 over parts, each led by its length, so that no two lists of parts are the same text.
fn keyed_digest(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; LENGTH]> {
    let mut mac =
        <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededIds;

    #[test]
    fn a_sealed_token_opens_only_in_its_own_row_and_under_its_own_key() {
        let (keys, others) = (Keys::derived_from(&[7; 32]), Keys::derived_from(&[8; 32]));
        let sealed = keys.seal(&SeededIds::new(1), &Secret::new("ocr_x"), b"row");
        assert_eq!(keys.unseal(&sealed, b"row").unwrap().expose(), "ocr_x");
        assert!(keys.unseal(&sealed, b"another row").is_none());
        assert!(others.unseal(&sealed, b"row").is_none());
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together_and_mapped_ones_as_ipv4() {
        let keys = Keys::derived_from(&[7; 32]);
        let of = |text: &str| keys.address_digest(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.2"), of("192.0.2.1"));
        assert_ne!(
            keys.refresh_digest("192.0.2.1".parse().unwrap()),
            of("192.0.2.1"),
            "refreshes count apart"
        );
    }
}
