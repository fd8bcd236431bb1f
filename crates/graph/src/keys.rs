//! Which texts the codec writes as such, and which keys, in which order.

/// UTF-8 that the codec keeps as such: a byte order mark at the start has another form.
pub(crate) fn is_text(text: &[u8]) -> bool {
    text.is_ascii() || (core::str::from_utf8(text).is_ok() && !text.starts_with(b"\xef\xbb\xbf"))
}

/// Whether a key may come where it does: numbers first, ascending, and none is `__proto__`. `least`: what the next must
/// be, if it is a number.
#[inline]
pub(crate) fn follows(key: &[u8], least: &mut u64) -> bool {
    if key.first().is_none_or(|&first| is_plain_key(first)) {
        *least = u64::MAX;
        return true;
    }
    let index = index_of(key);
    if index.is_none() && key == b"__proto__" {
        return false;
    }
    let fits = index.is_none_or(|index| index >= *least);
    *least = index.map_or(u64::MAX, |index| index + 1);
    fits
}

/// Whether a key that begins so is neither a number nor `__proto__`.
#[inline]
pub(crate) fn is_plain_key(first: u8) -> bool {
    !first.is_ascii_digit() && first != b'_'
}

/// False too for what is longer than can be seen at once, or near the end of the bytes.
#[inline]
pub(crate) fn is_short_ascii(bytes: &[u8], at: usize, length: usize) -> bool {
    const SEEN: usize = 16;
    let Some(Ok(seen)) = bytes.get(at..at + SEEN).map(<[u8; SEEN]>::try_from) else { return false };
    let high = u128::from_le_bytes(seen) & 0x8080_8080_8080_8080_8080_8080_8080_8080;
    length <= SEEN && (high.trailing_zeros() as usize) >= 8 * length
}

/// Of a key that JavaScript takes for an array's index.
fn index_of(key: &[u8]) -> Option<u64> {
    if !key.first()?.is_ascii_digit() || key.len() > 10 || (key[0] == b'0' && key.len() > 1) {
        return None;
    }
    let number =
        key.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))?;
    (number < u64::from(u32::MAX)).then_some(number)
}
