//! How a vendor is opened.
//!
//! What lives here: our account at a vendor, the kinds of vendor that this program can speak to, and how one is found by name.
//! What is always true: credentials travel in `Secret`; an account that cannot be used is refused with the setting that is wrong.
//! What is not here: which kinds there are: `app.rs` registers those of `src/vendors`.

use std::collections::BTreeMap;
use std::sync::Arc;

use entity::currency::Currency;

use super::vendor::Vendor;
use crate::clock::Clock;
use crate::domain::vouchers::Secret;

/// Our account at a vendor, as an adapter is opened with.
#[derive(Debug)]
pub struct VendorAccount {
    /// The vendor's address, without a slash at its end.
    pub base_url: String,
    /// What the operator set for this adapter, by name, such as `auth_url`.
    pub options: BTreeMap<String, String>,
    /// Keys and passwords, by name, such as `client_secret`.
    pub credentials: BTreeMap<String, Secret>,
    /// The currency of our account there.
    pub currency: Currency,
    /// How long a call may take, in milliseconds.
    pub timeout_ms: u32,
}

/// Why an account cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct BadAccount {
    /// The setting: `base_url`, or the name of an option or a credential.
    pub field: String,
    /// What is wrong with it, and what it should be.
    pub reason: String,
}

/// How an adapter is opened.
pub type OpenVendor = fn(VendorAccount, Arc<dyn Clock>) -> Result<Arc<dyn Vendor>, BadAccount>;

/// A kind of vendor that this program can speak to.
#[derive(Debug, Clone, Copy)]
pub struct Adapter {
    /// Its name, such as `reloadly`.
    pub name: &'static str,
    /// The options that it takes, each with what it is for.
    pub options: &'static [(&'static str, &'static str)],
    /// The credentials that it needs, each with what it is.
    pub credentials: &'static [(&'static str, &'static str)],
    /// Whether it plays a vendor, and what it sells is worth nothing.
    pub is_simulator: bool,
    /// Opens an account.
    pub open: OpenVendor,
}

impl Adapter {
    /// Refuses options and credentials that it does not know: a slip of the pen would be left without a word.
    ///
    /// # Errors
    /// With the name, and those that it knows.
    pub fn check_names(&self, account: &VendorAccount) -> Result<(), BadAccount> {
        let options = unknown(account.options.keys(), self.options, "option");
        let credentials = || unknown(account.credentials.keys(), self.credentials, "credential");
        options.or_else(credentials).map_or(Ok(()), Err)
    }
}

/// The first name that is not among the known ones.
fn unknown<'a>(
    mut given: impl Iterator<Item = &'a String>,
    known: &[(&str, &str)],
    kind: &str,
) -> Option<BadAccount> {
    let field = given.find(|name| known.iter().all(|(known, _)| known != name))?.clone();
    let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let reason = match known.as_slice() {
        [] => format!("is no {kind} of this adapter: it has none"),
        known => format!("is no {kind} of this adapter: it has {}", known.join(", ")),
    };
    Some(BadAccount { field, reason })
}

/// Every kind of vendor: `app.rs` registers those of `src/vendors`.
#[derive(Debug, Clone, Copy)]
pub struct Adapters(pub &'static [Adapter]);

impl Adapters {
    /// The adapter of a name.
    pub fn find(self, name: &str) -> Option<&'static Adapter> {
        self.0.iter().find(|adapter| adapter.name == name)
    }
}
