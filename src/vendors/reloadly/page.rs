//! Pages of Reloadly's listings.
//!
//! What lives here: a page, and whether another one follows.
//! What is always true: pages are counted from 1 (page 0 is page 1 again, and would be read twice).
//! What is not here: what stands on a page.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A page. What stands on it is read one by one, so that one that cannot be read is no harm to the others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<'a> {
    #[serde(borrow)]
    pub(super) content: Vec<&'a RawValue>,
    pub(super) total_elements: Option<usize>,
    total_pages: Option<u32>,
    last: Option<bool>,
}

impl Page<'_> {
    /// Whether this is the last one, being the one of this number. Where nothing tells, it is the first that is empty.
    pub(super) fn is_last(&self, number: u32) -> bool {
        let told = self.last.or_else(|| Some(number >= self.total_pages?));
        self.content.is_empty() || told.unwrap_or(false)
    }
}
