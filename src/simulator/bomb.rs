//! A gzip file that is small and unpacks to much.
//!
//! Always true: it is made once. It is written by hand, since a compressor would have to chew through all that it unpacks to.
//! Not here: when it is sent. Source: RFC 1951, 3.2.6 (fixed codes); RFC 1952, 2.3 (header).

use std::sync::LazyLock;

use axum::body::Bytes;

/// No name, no time, no system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// The last block, with fixed codes: bits in the order in which they stand.
const BLOCK: &[u8] = &[1, 1, 0];
/// A blank, as a literal.
const BLANK: &[u8] = &[0, 1, 0, 1, 0, 0, 0, 0];
/// "The last byte again, 258 times": length symbol 285, distance symbol 0.
const AGAIN: &[u8] = &[1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0];
/// "It ends here."
const END: &[u8] = &[0, 0, 0, 0, 0, 0, 0];
/// How often, to make 100 MB.
const TIMES: usize = 400_000;

static BOMB: LazyLock<Bytes> = LazyLock::new(|| make(TIMES).into());

/// The file. Its checksum is none: whoever reads that far has taken all of it.
pub(super) fn gzip() -> Bytes {
    BOMB.clone()
}

fn make(times: usize) -> Vec<u8> {
    let bits = BLOCK.iter().chain(BLANK).chain(std::iter::repeat_n(AGAIN, times).flatten()).chain(END);
    let mut file = HEADER.to_vec();
    let (mut byte, mut place) = (0_u8, 0_u32);
    for bit in bits {
        byte |= bit.wrapping_shl(place);
        place = place.saturating_add(1);
        if place == 8 {
            file.push(byte);
            (byte, place) = (0, 0);
        }
    }
    if place > 0 {
        file.push(byte);
    }
    file.extend([0; 8]);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_those_that_zlib_unpacks() {
        // zlib makes 259 and 775 blanks of these.
        for (times, bits) in
            [(1, &[0x53, 0x18, 0x05, 0x00][..]), (3, &[0x53, 0x18, 0x05, 0xa3, 0x60, 0x14, 0, 0])]
        {
            assert_eq!(make(times), [&HEADER[..], bits, &[0; 8]].concat());
        }
        assert!(gzip().len() < 700_000, "{}", gzip().len());
    }
}
