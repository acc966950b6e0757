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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// The first so many behind `after`.
    First,
    /// The last so many ahead of `before`.
    Last,
}

/// Which page a caller asks for; the keys are the cursors' contents.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// Cuts a page out of `size + 1` rows that were read in the slice's direction (backwards for `Last`).
    pub fn cut<T>(&self, mut rows: Vec<T>) -> Page<T> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        match self.slice {
            Slice::First => Page { items: rows, has_next: more, has_previous: self.after.is_some() },
            Slice::Last => {
                rows.reverse();
                Page { items: rows, has_next: self.before.is_some(), has_previous: more }
            }
        }
    }
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
