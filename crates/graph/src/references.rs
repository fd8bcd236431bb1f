//! What later editions of the codec write and this crate does not know: shared references and instances of classes.

/// Second bytes of such prefixes.
const KINDS: [u8; 3] = [0x69, 0x72, 0x63];

/// Whether such a prefix may be in the bytes. Other bytes may look like one: then the caller's other engine does the work.
pub(crate) fn may_have(bytes: &[u8]) -> bool {
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
