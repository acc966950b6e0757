//! Pages by key.
//!
//! What lives here: what a caller asks for (Relay's `first/after/last/before`), checked, and what it gets.
//! What is always true: a page has 1 to 100 items, 20 if nothing is said; cursors are opaque, tied to a key and not to a place.
//! What is not here: the order of any list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::problem::Problem;

/// How many items a page has when nothing is said.
const DEFAULT_SIZE: u32 = 20;
/// How many items a page has at most.
const LARGEST_SIZE: u32 = 100;

/// From which end a page is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slice {
    /// The first so many behind `after`.
    First,
    /// The last so many ahead of `before`.
    Last,
}

/// Which page a caller asks for; the keys are the cursors' contents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// From which end.
    pub slice: Slice,
    /// How many, 1 to 100.
    pub size: u32,
    /// Only items behind this key.
    pub after: Option<String>,
    /// Only items ahead of this key.
    pub before: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items in the list's order.
    pub items: Vec<T>,
    /// Whether items follow.
    pub has_next: bool,
    /// Whether items precede.
    pub has_previous: bool,
}

impl PageRequest {
    /// Checks Relay's arguments.
    ///
    /// # Errors
    /// BAD_USER_INPUT naming the argument: both `first` and `last`, a size outside 1 to 100, a malformed cursor.
    pub fn new(
        first: Option<i32>,
        after: Option<&str>,
        last: Option<i32>,
        before: Option<&str>,
    ) -> Result<Self, Problem> {
        let (slice, size) = match (first, last) {
            (Some(_), Some(_)) => {
                return Err(Problem::bad_argument("last", "give `first` or `last`, not both"));
            }
            (Some(size), None) => (Slice::First, check_size("first", size)?),
            (None, Some(size)) => (Slice::Last, check_size("last", size)?),
            (None, None) => (Slice::First, DEFAULT_SIZE),
        };
        Ok(Self {
            slice,
            size,
            after: check_cursor("after", after)?,
            before: check_cursor("before", before)?,
        })
    }

    /// Cuts a page out of `size + 1` rows that were read in the slice's direction (backwards for `Last`). A cursor is an
    /// item's, so that this item lies beyond the page that the cursor bounds.
    pub fn cut<T>(&self, mut rows: Vec<T>) -> Page<T> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        let (more_behind, more_ahead) = match self.slice {
            Slice::First => (more, false),
            Slice::Last => {
                rows.reverse();
                (false, more)
            }
        };
        Page {
            items: rows,
            has_next: more_behind || self.before.is_some(),
            has_previous: more_ahead || self.after.is_some(),
        }
    }
}

/// A page of items that number from 1 without gaps: the numbers themselves say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberedPage {
    /// The first number.
    pub low: i32,
    /// The last number; below `low` on an empty page.
    pub high: i32,
    /// Whether items follow.
    pub has_next: bool,
    /// Whether items precede.
    pub has_previous: bool,
}

impl PageRequest {
    /// Which of so many numbered items are wanted; the key is the number.
    ///
    /// # Errors
    /// BAD_USER_INPUT for a cursor of another list.
    pub fn number(&self, count: i32) -> Result<NumberedPage, Problem> {
        let first =
            number_key("after", self.after.as_deref())?.map_or(1, |after| after.saturating_add(1)).max(1);
        let last = number_key("before", self.before.as_deref())?
            .map_or(count, |before| before.saturating_sub(1))
            .min(count);
        let size = i32::try_from(self.size).unwrap_or(i32::MAX);
        let (low, high) = match self.slice {
            Slice::First => (first, last.min(first.saturating_add(size - 1))),
            Slice::Last => (first.max(last.saturating_sub(size - 1)), last),
        };
        Ok(NumberedPage { low, high, has_next: high < count, has_previous: low > 1 })
    }
}

fn number_key(argument: &str, key: Option<&str>) -> Result<Option<i32>, Problem> {
    let malformed = |_| Problem::bad_argument(argument, format!("`{argument}` is not a cursor of this list"));
    key.map(|key| key.parse().map_err(malformed)).transpose()
}

fn check_size(argument: &str, size: i32) -> Result<u32, Problem> {
    u32::try_from(size)
        .ok()
        .filter(|size| (1..=LARGEST_SIZE).contains(size))
        .ok_or_else(|| Problem::bad_argument(argument, format!("`{argument}` must be 1 to {LARGEST_SIZE}")))
}

fn check_cursor(argument: &str, cursor: Option<&str>) -> Result<Option<String>, Problem> {
    cursor.map(|cursor| decode_cursor(argument, cursor)).transpose()
}

/// The opaque text of a key.
pub fn encode_cursor(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

/// The key in an opaque text.
///
/// # Errors
/// BAD_USER_INPUT naming the argument.
pub fn decode_cursor(argument: &str, cursor: &str) -> Result<String, Problem> {
    let malformed = || Problem::bad_argument(argument, format!("`{argument}` is not a cursor of this list"));
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| malformed())?;
    String::from_utf8(bytes).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_what_lies_beyond_it_on_either_side() {
        let cut = |first, after: bool, last, before: bool, rows: &[i32]| {
            let cursor = |given: bool| given.then(|| encode_cursor("k"));
            let (after, before) = (cursor(after), cursor(before));
            let request = PageRequest::new(first, after.as_deref(), last, before.as_deref()).unwrap();
            let page = request.cut(rows.to_vec());
            (page.items, (page.has_previous, page.has_next))
        };
        for (cut, items, more) in [
            (cut(Some(2), false, None, false, &[1, 2, 3]), [1, 2], (false, true)),
            (cut(Some(2), false, None, false, &[1, 2]), [1, 2], (false, false)),
            (cut(Some(2), true, None, false, &[5, 6]), [5, 6], (true, false)),
            (cut(Some(2), false, None, true, &[1, 2]), [1, 2], (false, true)),
            (cut(Some(2), true, None, true, &[3, 4, 5]), [3, 4], (true, true)),
            (cut(None, false, Some(2), false, &[9, 8, 7]), [8, 9], (true, false)),
            (cut(None, false, Some(2), true, &[9, 8]), [8, 9], (false, true)),
            (cut(None, true, Some(2), false, &[9, 8]), [8, 9], (true, false)),
            (cut(None, true, Some(2), true, &[9, 8, 7]), [8, 9], (true, true)),
        ] {
            assert_eq!(cut, (items.to_vec(), more));
        }
        assert_eq!(cut(Some(2), true, None, true, &[]), (Vec::new(), (true, true)));
    }

    #[test]
    fn numbered_items_are_paged_from_either_end() {
        let page = |first, after: Option<&str>, last, before: Option<&str>| {
            let cursor = |key: Option<&str>| key.map(encode_cursor);
            let (after, before) = (cursor(after), cursor(before));
            let request = PageRequest::new(first, after.as_deref(), last, before.as_deref()).unwrap();
            let page = request.number(10).unwrap();
            ((page.low, page.high), (page.has_previous, page.has_next))
        };
        for (asked, numbers, more) in [
            (page(Some(3), None, None, None), (1, 3), (false, true)),
            (page(Some(3), Some("3"), None, None), (4, 6), (true, true)),
            (page(Some(3), Some("7"), None, None), (8, 10), (true, false)),
            (page(Some(3), Some("10"), None, None), (11, 10), (true, false)),
            (page(Some(9), Some("2"), None, Some("6")), (3, 5), (true, true)),
            (page(Some(2), None, None, Some("4")), (1, 2), (false, true)),
            (page(Some(2), None, None, Some("3")), (1, 2), (false, true)),
            (page(None, Some("7"), Some(3), None), (8, 10), (true, false)),
            (page(None, Some("2"), Some(9), Some("6")), (3, 5), (true, true)),
            (page(None, None, Some(3), None), (8, 10), (true, false)),
            (page(None, None, Some(3), Some("8")), (5, 7), (true, true)),
            (page(None, None, Some(9), Some("4")), (1, 3), (false, true)),
            (page(None, None, None, None), (1, 10), (false, false)),
        ] {
            assert_eq!(asked, (numbers, more));
        }
        let alien = encode_cursor("x");
        assert!(PageRequest::new(None, Some(&alien), None, None).unwrap().number(10).is_err());
    }
}
