//! The cipher, and what each sealed text is bound to.
//!
//! What lives here: sealing and opening bytes under a key, keyed digests, and the binding of each kind of text.
//! What is always true: a sealed text is `format, nonce, ciphertext and tag` of XChaCha20-Poly1305 with a random nonce; its
//! binding names table, column, row and key, so that a text that was moved does not open.
//! What is not here: which key seals what; that is `vault.rs`.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use entity::ids::{DataKeyId, VoucherId};
use entity::secret::Sealed;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::keys::Key;
use super::model::join;
use crate::clock::Ids;

/// How a sealed text is laid out; its first byte.
const FORMAT: u8 = 1;
const FORMAT_WORD: &str = "1";
const NONCE_BYTES: usize = 24;
const CANARY: &str = "octopus cards canary";

/// The cipher of a key.
pub(super) fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new_from_slice(key).expect("the cipher's keys have 32 bytes")
}

/// HMAC-SHA256 of words.
pub(super) fn digest(key: &Key, words: &[u8]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(key.bytes()).expect("HMAC takes keys of any length");
    mac.update(words);
    mac.finalize().into_bytes().into()
}

/// Seals a text so that it opens only with the same binding.
pub(super) fn seal(cipher: &XChaCha20Poly1305, ids: &dyn Ids, text: &[u8], binding: &[u8]) -> Sealed {
    let mut nonce = [0; NONCE_BYTES];
    ids.fill(&mut nonce);
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: text, aad: binding })
        .expect("texts are far shorter than what the cipher can take");
    Sealed([&[FORMAT], nonce.as_slice(), sealed.as_slice()].concat())
}

/// Opens what `seal` sealed; `None` with another key or another binding.
pub(super) fn open(
    cipher: &XChaCha20Poly1305,
    sealed: &Sealed,
    binding: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (format, rest) = sealed.0.split_first()?;
    let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload { msg: text, aad: binding };
    let opened = cipher.decrypt(&XNonce::from(*nonce), payload).ok()?;
    (*format == FORMAT).then(|| Zeroizing::new(opened))
}

/// What a voucher is bound to.
pub(super) fn voucher_binding(
    voucher: VoucherId,
    product: &str,
    face_minor: i64,
    key: DataKeyId,
) -> Zeroizing<Vec<u8>> {
    let (voucher, face, key) = (voucher.to_string(), face_minor.to_string(), key.to_string());
    join(&["vouchers", "sealed", &voucher, product, &face, &key, FORMAT_WORD])
}

/// Where a sealed text stands, other than a code.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's key.
    pub row: &'a str,
}

/// What a text is bound to.
pub(super) fn place_binding(place: &Place<'_>, key: DataKeyId) -> Zeroizing<Vec<u8>> {
    join(&[place.table, place.column, place.row, &key.to_string(), FORMAT_WORD])
}

/// What a data key is bound to.
pub(super) fn data_key_binding(key: DataKeyId, purpose: &str, master: i32) -> Zeroizing<Vec<u8>> {
    join(&["data_keys", "wrapped", &key.to_string(), purpose, &master.to_string(), FORMAT_WORD])
}

/// What a canary is bound to.
pub(super) fn canary_binding(master: i32) -> Zeroizing<Vec<u8>> {
    join(&["master_keys", "canary", &master.to_string(), FORMAT_WORD])
}

/// The canary's text: it also tells the index key, for with another one every code could be loaded twice.
pub(super) fn canary(index: &Key) -> Vec<u8> {
    [CANARY.as_bytes(), &digest(index, &join(&[CANARY]))].concat()
}
