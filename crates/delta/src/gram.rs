//! Hashes of short grams, in 32 bits.

use crate::bytes::{word32, word64};

const MULTIPLIER_LOW: u32 = 0x9e37_79b1;
const MULTIPLIER_HIGH: u32 = 0x85eb_ca77;

/// Of `bytes[at..at + 8]`, the highest `bits` of 32.
#[inline(always)]
pub(crate) fn hash8(bytes: &[u8], at: usize, bits: u32) -> usize {
    let word = word64(bytes, at);
    let low = (word as u32).wrapping_mul(MULTIPLIER_LOW);
    let high = ((word >> 32) as u32).wrapping_mul(MULTIPLIER_HIGH);
    (low.wrapping_add(high) >> (32 - bits)) as usize
}

/// Of `bytes[at..at + 5]`.
#[inline(always)]
pub(crate) fn hash5(bytes: &[u8], at: usize, bits: u32) -> usize {
    let low = word32(bytes, at).wrapping_mul(MULTIPLIER_LOW);
    let high = u32::from(bytes[at + 4]).wrapping_mul(MULTIPLIER_HIGH);
    (low.wrapping_add(high) >> (32 - bits)) as usize
}

/// Of `bytes[at..at + 4]`.
#[inline(always)]
pub(crate) fn hash4(bytes: &[u8], at: usize, bits: u32) -> usize {
    (word32(bytes, at).wrapping_mul(MULTIPLIER_LOW) >> (32 - bits)) as usize
}
