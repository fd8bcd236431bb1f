//! Words out of bytes, and how far two byte strings agree.

#[inline(always)]
pub(crate) fn word32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[inline(always)]
pub(crate) fn word64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Bytes that `a` and `b` have in common from their start.
#[inline]
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let near = n.min(32);
    let mut i = 0;
    while i + 8 <= near {
        let differ = word64(a, i) ^ word64(b, i);
        if differ != 0 {
            return i + (differ.trailing_zeros() / 8) as usize;
        }
        i += 8;
    }
    if i == 32 {
        i = far_prefix(a, b);
    }
    while i < n && a[i] == b[i] {
        i += 1;
    }
    i
}

/// `common_prefix`, rounded down, of inputs that agree in their first 32 bytes. Slice equality is the C library's memcmp.
fn far_prefix(a: &[u8], b: &[u8]) -> usize {
    let n = a.len();
    let mut i = 32;
    while i + 4096 <= n && a[i..i + 4096] == b[i..i + 4096] {
        i += 4096;
    }
    while i + 256 <= n && a[i..i + 256] == b[i..i + 256] {
        i += 256;
    }
    while i + 8 <= n {
        let differ = word64(a, i) ^ word64(b, i);
        if differ != 0 {
            return i + (differ.trailing_zeros() / 8) as usize;
        }
        i += 8;
    }
    i
}

/// Bytes that `a` and `b` have in common from their end.
#[inline]
pub(crate) fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let n = a.len().min(b.len());
    let (a, b) = (&a[a.len() - n..], &b[b.len() - n..]);
    let mut i = n;
    while i >= 4096 && a[i - 4096..i] == b[i - 4096..i] {
        i -= 4096;
    }
    while i >= 256 && a[i - 256..i] == b[i - 256..i] {
        i -= 256;
    }
    while i >= 8 {
        let differ = word64(a, i - 8) ^ word64(b, i - 8);
        if differ != 0 {
            return n - i + (differ.leading_zeros() / 8) as usize;
        }
        i -= 8;
    }
    while i > 0 && a[i - 1] == b[i - 1] {
        i -= 1;
    }
    n - i
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "slow under Miri")]
    fn prefix_and_suffix_find_every_position() {
        for n in [0usize, 1, 7, 8, 9, 31, 32, 33, 40, 255, 300, 4095, 4200, 9001] {
            let a: Vec<u8> = (0..n).map(|i| (i * 7 + i / 256) as u8).collect();
            assert_eq!(common_prefix(&a, &a), n);
            assert_eq!(common_suffix(&a, &a), n);
            for at in (0..n).step_by(1 + n / 97) {
                let mut b = a.clone();
                b[at] ^= 0x10;
                assert_eq!(common_prefix(&a, &b), at, "{n} {at}");
                assert_eq!(common_suffix(&a, &b), n - 1 - at, "{n} {at}");
                assert_eq!(common_prefix(&a, &a[..at]), at);
                assert_eq!(common_suffix(&a, &a[at..]), n - at);
            }
        }
    }
}
