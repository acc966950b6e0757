//! Step 2: documents that clients name by their hash (Apollo's automatic persisted queries).
//!
//! Lives here: [`PersistedDocuments`], a bounded store for each principal (the bound: memory.rs).
//! Always true: a document is found only under the SHA-256 of its own text, and only by the principal who sent it, so
//! that nobody can put a document into another's requests or learn which documents others use.
//! Not here: whether a stored document is valid: it takes every later step like any other.
//!
//! Source: Apollo's protocol for automatic persisted queries, version 1.

use std::sync::Arc;

use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::memory;
use super::refusal::Refusal;
use super::shape::Call;
use crate::problem::ErrorCode;

/// The SHA-256 of a document.
pub type DocumentHash = [u8; 32];

/// The text of a request's document and its hash.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// The document.
    pub text: Arc<str>,
    /// Its hash.
    pub hash: DocumentHash,
}

/// The documents that were sent with their hash.
pub struct PersistedDocuments {
    stored: Cache<(Arc<str>, DocumentHash), Arc<str>>,
}

impl Default for PersistedDocuments {
    fn default() -> Self {
        let weigher = |(principal, _): &(Arc<str>, DocumentHash), text: &Arc<str>| {
            memory::weight(memory::of_persisted(principal, text))
        };
        Self { stored: Cache::builder().weigher(weigher).max_capacity(memory::PERSISTED_BYTES).build() }
    }
}

impl PersistedDocuments {
    /// The document of a call: the one sent, or the one stored under its hash. A document sent with its hash is stored.
    ///
    /// # Errors
    ///
    /// PERSISTED_QUERY_NOT_FOUND: send the text too; BAD_REQUEST: the hash is not the document's.
    pub fn find(&self, principal: &Arc<str>, call: &Call) -> Result<Text, Refusal> {
        match (&call.query, &call.persisted_hash) {
            (Some(text), None) => Ok(Text { text: Arc::from(text.as_str()), hash: hash(text) }),
            (Some(text), Some(named)) => {
                let hash = hash(text);
                if hexadecimal(&hash) != *named {
                    let message = "`extensions.persistedQuery.sha256Hash` is not the hash of `query`.";
                    return Err(Refusal::new(ErrorCode::BadRequest, message));
                }
                let text: Arc<str> = Arc::from(text.as_str());
                if text.len() <= super::parse::DOCUMENT_BYTES {
                    self.stored.insert((Arc::clone(principal), hash), Arc::clone(&text));
                    // Else what waits to be counted could outgrow the bound.
                    self.stored.run_pending_tasks();
                }
                Ok(Text { text, hash })
            }
            (None, named) => {
                let hash = named.as_deref().and_then(bytes);
                let found = hash.and_then(|hash| {
                    let text = self.stored.get(&(Arc::clone(principal), hash))?;
                    Some(Text { text, hash })
                });
                // Apollo's clients look for this very message.
                found.ok_or_else(|| Refusal::new(ErrorCode::PersistedQueryNotFound, "PersistedQueryNotFound"))
            }
        }
    }
}

#[cfg(test)]
impl PersistedDocuments {
    /// What they take now, by weight.
    pub fn bytes(&self) -> u64 {
        self.stored.weighted_size()
    }
}

/// The SHA-256 of a text.
#[must_use]
pub fn hash(text: &str) -> DocumentHash {
    Sha256::digest(text.as_bytes()).into()
}

fn hexadecimal(hash: &DocumentHash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(text: &str) -> Option<DocumentHash> {
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(query: Option<&str>, hash: Option<String>) -> Call {
        Call { query: query.map(str::to_owned), persisted_hash: hash, ..Call::default() }
    }

    #[test]
    fn finds_a_document_by_its_hash_once_it_was_sent() {
        let store = PersistedDocuments::default();
        let (me, other): (Arc<str>, Arc<str>) = (Arc::from("me"), Arc::from("other"));
        let named = hexadecimal(&hash("{a}"));
        let missing = store.find(&me, &call(None, Some(named.clone()))).unwrap_err();
        assert_eq!(
            (missing.code, missing.faults[0].message.as_str()),
            (ErrorCode::PersistedQueryNotFound, "PersistedQueryNotFound")
        );
        assert_eq!(&*store.find(&me, &call(Some("{a}"), Some(named.clone()))).unwrap().text, "{a}");
        assert_eq!(&*store.find(&me, &call(None, Some(named.clone()))).unwrap().text, "{a}");
        assert!(store.find(&other, &call(None, Some(named))).is_err(), "stores are apart");
    }

    #[test]
    fn refuses_a_hash_that_is_not_the_documents() {
        let store = PersistedDocuments::default();
        let me: Arc<str> = Arc::from("me");
        let named = hexadecimal(&hash("{b}"));
        assert_eq!(store.find(&me, &call(Some("{a}"), Some(named))).unwrap_err().code, ErrorCode::BadRequest);
    }
}
