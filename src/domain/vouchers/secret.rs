//! Plaintext.
//!
//! What lives here: `Secret`, the one type that holds a code, pin, serial or link outside its seal, and the four together.
//! What is always true: a secret prints as nothing, does not serialise, is not copied, and is wiped from memory when dropped.
//! What is not here: sealing and opening; that is `vault.rs`.

use std::fmt;

use zeroize::Zeroizing;

/// A code, pin, serial number or redemption link in the clear.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over a text, which is wiped when the secret is dropped.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for an answer to the one who owns it and for sealing. Nothing else may read it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// What a voucher holds, in the clear. What is absent was never part of it.
#[derive(Debug, Default)]
pub struct Opened {
    /// The code.
    pub code: Option<Secret>,
    /// The pin that goes with it.
    pub pin: Option<Secret>,
    /// The serial number.
    pub serial: Option<Secret>,
    /// The page on which it is redeemed.
    pub redemption_url: Option<Secret>,
}

/// What a voucher is sealed from: the same four.
pub type Contents = Opened;

const FIELDS: usize = 4;

impl Opened {
    /// The four as bytes: for each, its length plus one as four bytes (nought if absent), then its text.
    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let fields = [&self.code, &self.pin, &self.serial, &self.redemption_url];
        let length: usize = fields.iter().map(|field| 4 + text(field).map_or(0, str::len)).sum();
        // Reserved at once: a buffer that grows leaves copies behind that nobody wipes.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        for field in fields {
            let prefix = text(field).map_or(0, |text| text.len().saturating_add(1));
            bytes.extend_from_slice(&u32::try_from(prefix).unwrap_or(0).to_be_bytes());
            bytes.extend_from_slice(text(field).unwrap_or_default().as_bytes());
        }
        bytes
    }

    /// The four out of their bytes; `None` if the bytes are not what `to_bytes` makes.
    pub(super) fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut fields: [Option<Secret>; FIELDS] = [None, None, None, None];
        for field in &mut fields {
            let (prefix, rest) = bytes.split_first_chunk::<4>()?;
            let (text, rest) = match usize::try_from(u32::from_be_bytes(*prefix)).ok()?.checked_sub(1) {
                None => (None, rest),
                Some(length) => {
                    let (text, rest) = rest.split_at_checked(length)?;
                    (Some(Secret::new(std::str::from_utf8(text).ok()?.to_owned())), rest)
                }
            };
            *field = text;
            bytes = rest;
        }
        let [code, pin, serial, redemption_url] = fields;
        bytes.is_empty().then_some(Self { code, pin, serial, redemption_url })
    }
}

fn text(field: &Option<Secret>) -> Option<&str> {
    field.as_ref().map(Secret::expose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_survive_the_way_through_bytes_and_print_nothing() {
        let secret = |text: &str| Some(Secret::new(text.to_owned()));
        let contents = Opened { code: secret("AB-12"), pin: None, serial: secret(""), redemption_url: None };
        let again = Opened::from_bytes(&contents.to_bytes()).unwrap();
        assert_eq!(again.code.as_ref().unwrap().expose(), "AB-12");
        assert!(again.pin.is_none() && again.redemption_url.is_none());
        assert_eq!(again.serial.as_ref().unwrap().expose(), "");
        assert!(!format!("{again:?}").contains("AB"));
        assert!(Opened::from_bytes(&contents.to_bytes()[1..]).is_none());
    }
}
