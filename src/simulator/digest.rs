//! What looks random and is not: codes, names and draws of the sandbox vendor.
//!
//! Always true: the same seed and the same words give the same; no code is one that anybody sells. Not here: which words.

use sha2::{Digest as _, Sha256};

/// Letters and digits that nobody mistakes for each other. There are 32, so that five bits choose one.
const LETTERS: [char; 32] = [
    '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
];

fn digest(seed: u64, words: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    for word in words {
        // With its length, so that no two lists of words are one text.
        hash.update(u64::try_from(word.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(word.as_bytes());
    }
    hash.finalize().into()
}

/// A number below `bound`; nought if that is nought.
pub(super) fn draw(seed: u64, words: &[&str], bound: u64) -> u64 {
    let bytes = digest(seed, words);
    let first = std::array::from_fn(|index| bytes[index]);
    u64::from_be_bytes(first).checked_rem(bound).unwrap_or(0)
}

/// A text of so many letters.
pub(super) fn letters(seed: u64, words: &[&str], count: usize) -> String {
    digest(seed, words).iter().take(count).map(|byte| LETTERS[usize::from(byte % 32)]).collect()
}

/// A text of so many digits.
pub(super) fn digits(seed: u64, words: &[&str], count: usize) -> String {
    digest(seed, words).iter().take(count).map(|byte| char::from(b'0' + byte % 10)).collect()
}

/// A code. It begins with `SIM-`, as no real one does.
pub(super) fn code(seed: u64, words: &[&str]) -> String {
    let text = letters(seed, words, 16);
    format!("SIM-{}-{}-{}-{}", &text[..4], &text[4..8], &text[8..12], &text[12..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_give_the_same_code_and_others_another() {
        assert_eq!(code(1, &["a", "bc"]), code(1, &["a", "bc"]));
        assert_ne!(code(1, &["a", "bc"]), code(1, &["ab", "c"]));
        assert_ne!(code(1, &["a", "bc"]), code(2, &["a", "bc"]));
        assert_eq!(code(1, &["a"]).len(), 23);
        assert!(digits(1, &["a"], 4).bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(draw(1, &["a"], 0), 0);
    }
}
