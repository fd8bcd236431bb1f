//! What later editions of the codec write and this crate does not know: shared references and instances of classes.

use crate::token;

/// Second bytes of such tokens.
const KINDS: [u8; 3] = [0x69, 0x72, 0x63];

/// Whether there are such tokens. Only where bytes look like one are all tokens gone through.
pub(crate) fn has(bytes: &[u8]) -> bool {
    may_have(bytes) && token::skip(bytes, 0, 1) != Some(bytes.len())
}

fn may_have(bytes: &[u8]) -> bool {
    const PART: usize = 4096;
    let Some((_, seconds)) = bytes.split_first() else { return false };
    bytes.chunks(PART).zip(seconds.chunks(PART)).any(|(firsts, seconds)| {
        let found = firsts.iter().zip(seconds).fold(0u8, |found, (&first, &second)| {
            let is_prefix =
                (first & 0xfc == 0xd4) & ((second == KINDS[0]) | (second == KINDS[1]) | (second == KINDS[2]));
            found | u8::from(is_prefix)
        });
        found != 0
    })
}
