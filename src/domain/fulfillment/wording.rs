//! Vendors' words, as they may be kept and shown.
//!
//! What lives here: what becomes of a text of a vendor's before it is kept.
//! What is always true: nothing that a terminal would obey is left in it, and it has an end.
//! What is not here: names by which a vendor knows its things, which are kept to the letter or not at all.

/// How many characters are kept of what a vendor says to people.
const LONGEST: usize = 200;

/// What a vendor says to people: control characters are blanks, and it is cut to 200 characters.
pub fn plain_words(words: &str) -> String {
    plain_text(words, LONGEST)
}

/// A text of one line, control characters being blanks, cut to so many characters.
pub(super) fn plain_text(text: &str, longest: usize) -> String {
    let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.take(longest).collect()
}

/// A text of many lines, without control characters but those that part its lines and columns, cut to so many characters.
pub(super) fn plain_lines(text: &str, longest: usize) -> String {
    let is_plain = |letter: &char| !letter.is_control() || matches!(letter, '\n' | '\t');
    text.chars().filter(is_plain).take(longest).collect()
}
