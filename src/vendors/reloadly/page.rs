//! Pages of Reloadly's listings.
//!
//! What lives here: a page, and whether another one follows.
//! What is always true: pages are counted from 1 (page 0 is page 1 again, and would be read twice); nothing counts as read whole
//! that tells less than it says that there is.
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

/// A listing that ends before it has told as many as it says that there are: it was not read from its beginning.
const SHORT: &str = "the listing is shorter than it says";

impl Page<'_> {
    /// Whether this is the last page, being the one of this number. Where nothing tells, it is the first that is empty.
    ///
    /// # Errors
    /// `SHORT`: were pages counted otherwise than is known, what is there would not be found.
    pub(super) fn is_last(&self, number: u32, size: u32) -> Result<bool, &'static str> {
        let told = self.last.or_else(|| Some(number >= self.total_pages?));
        if !self.content.is_empty() && !told.unwrap_or(false) {
            return Ok(false);
        }
        let before = usize::try_from(number.saturating_sub(1).saturating_mul(size)).unwrap_or(usize::MAX);
        let seen = before.saturating_add(self.content.len());
        if self.total_elements.is_some_and(|total| seen < total) { Err(SHORT) } else { Ok(true) }
    }
}
