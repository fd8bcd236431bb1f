//! The check that binds a delta to its own bytes and to its base.

use crate::format::{CRC_POLY, FINGERPRINT_END, FINGERPRINT_SEED, FINGERPRINT_STEP, SAMPLE_LEN, SHORT_MAX};
use crate::hash64;

const CRC_TABLE: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ CRC_POLY };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

/// 32 bits of the base's length and of a sample of it: eight 8-byte words spread evenly, or all of a short base.
#[must_use]
pub fn fingerprint(base: &[u8]) -> u32 {
    let mut sample = [0u8; SAMPLE_LEN];
    let n = base.len();
    if n < SAMPLE_LEN {
        sample[..n].copy_from_slice(base);
    } else {
        let step = (n - 8) / 7;
        for (i, word) in sample.chunks_exact_mut(8).enumerate() {
            let at = if i == 7 { n - 8 } else { i * step };
            word.copy_from_slice(&base[at..at + 8]);
        }
    }
    let mut h = FINGERPRINT_SEED ^ n as u32;
    for word in sample.as_chunks::<4>().0 {
        h = (h ^ u32::from_le_bytes(*word)).wrapping_mul(FINGERPRINT_STEP);
        h ^= h >> 15;
    }
    h = h.wrapping_mul(FINGERPRINT_END);
    h ^ h >> 16
}

/// Bytes of the check after a body of this length.
#[must_use]
pub const fn seal_length(body: usize) -> usize {
    if body < SHORT_MAX { 1 } else { 2 }
}

/// The check of `body` against `base`: the low 8 or 16 bits count.
#[must_use]
pub fn seal_value(base: &[u8], body: &[u8]) -> u16 {
    let print = fingerprint(base);
    if seal_length(body.len()) == 1 {
        let crc = body.iter().fold(print as u8, |crc, byte| CRC_TABLE[usize::from(crc ^ byte)]);
        return u16::from(crc);
    }
    hash64(body) as u16 ^ print as u16
}

/// Writes the check after the body of `length` bytes in `out`; the delta's length, or `None` where it does not fit.
pub(crate) fn seal(base: &[u8], out: &mut [u8], length: usize) -> Option<usize> {
    let end = length + seal_length(length);
    let value = seal_value(base, out.get(..length)?).to_le_bytes();
    out.get_mut(length..end)?.copy_from_slice(&value[..end - length]);
    Some(end)
}

/// Length of the body of a delta of this length. A delta of `SHORT_MAX + 1` bytes has none: no body yields it.
pub(crate) const fn body_length(delta: usize) -> Option<usize> {
    if delta > SHORT_MAX + 1 {
        Some(delta - 2)
    } else if delta > SHORT_MAX {
        None
    } else {
        delta.checked_sub(1)
    }
}
