//! Signatures: hashes of a base's chunks, which stand for the base where its bytes are not at hand.
//!
//! The idea of two hashes per chunk, one that rolls and one that decides, is rsync's (Tridgell and Mackerras 1996).

use crate::bytes::{word32, word64};
use crate::error::SignatureError;
use crate::format::{
    CHUNK_BITS_MAX, CHUNK_BITS_MIN, MAX_LEN, SIGNATURE_CHECK, SIGNATURE_ENTRY, SIGNATURE_HEADER, SIGNATURE_MAGIC,
    SIGNATURE_VERSION,
};
use crate::hash64;

/// Bytes of the signature of a base of this length, in chunks of 2^`chunk_bits` bytes.
#[must_use]
pub const fn signature_length(base: usize, chunk_bits: u8) -> usize {
    SIGNATURE_HEADER + SIGNATURE_ENTRY * base.div_ceil(1 << chunk_bits) + SIGNATURE_CHECK
}

/// A new signature of `base` in chunks of 2^`chunk_bits` bytes.
pub fn signature(base: &[u8], chunk_bits: u8) -> Result<Vec<u8>, SignatureError> {
    check_bits(chunk_bits)?;
    let mut out = vec![0; signature_length(base.len(), chunk_bits)];
    signature_into(base, chunk_bits, &mut out)?;
    Ok(out)
}

/// `signature`, written to the start of `out`; its length, `signature_length`.
pub fn signature_into(base: &[u8], chunk_bits: u8, out: &mut [u8]) -> Result<usize, SignatureError> {
    check_bits(chunk_bits)?;
    if base.len() > MAX_LEN {
        return Err(SignatureError::InputTooLong { length: base.len() });
    }
    let needed = signature_length(base.len(), chunk_bits);
    let out = out.get_mut(..needed).ok_or(SignatureError::OutTooSmall { needed })?;
    let (header, rest) = out.split_at_mut(SIGNATURE_HEADER);
    let count = base.len().div_ceil(1 << chunk_bits);
    let (weak, rest) = rest.split_at_mut(4 * count);
    let (strong, _) = rest.split_at_mut(8 * count);
    for (chunk, place) in base.chunks(1 << chunk_bits).zip(weak.chunks_exact_mut(4)) {
        place.copy_from_slice(&weak_hash(chunk).to_le_bytes());
    }
    put_leaves(base, chunk_bits, strong);
    header[..4].copy_from_slice(&[SIGNATURE_MAGIC, SIGNATURE_VERSION, chunk_bits, 0]);
    header[4..8].copy_from_slice(&(base.len() as u32).to_le_bytes());
    header[8..].copy_from_slice(&hash64(strong).to_le_bytes());
    let (body, check) = out.split_at_mut(needed - SIGNATURE_CHECK);
    check.copy_from_slice(&(hash64(body) as u32).to_le_bytes());
    Ok(needed)
}

fn check_bits(chunk_bits: u8) -> Result<(), SignatureError> {
    let is_known = (CHUNK_BITS_MIN..=CHUNK_BITS_MAX).contains(&chunk_bits);
    if is_known { Ok(()) } else { Err(SignatureError::BadChunk { bits: chunk_bits }) }
}

/// A signature that has been found whole.
pub(crate) struct Signature<'a> {
    pub(crate) chunk_bits: u8,
    pub(crate) base_length: usize,
    pub(crate) base_hash: u64,
    pub(crate) count: usize,
    weak: &'a [u8],
    strong: &'a [u8],
}

impl<'a> Signature<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, SignatureError> {
        let length = bytes.len();
        let body = length.checked_sub(SIGNATURE_CHECK).filter(|body| *body >= SIGNATURE_HEADER);
        let body = body.ok_or(SignatureError::Truncated { length })?;
        if bytes[0] != SIGNATURE_MAGIC || bytes[1] != SIGNATURE_VERSION || bytes[3] != 0 {
            return Err(SignatureError::Unknown);
        }
        check_bits(bytes[2])?;
        let base_length = word32(bytes, 4) as usize;
        if base_length > MAX_LEN || signature_length(base_length, bytes[2]) != length {
            return Err(SignatureError::WrongLength { length, base_length });
        }
        let count = base_length.div_ceil(1 << bytes[2]);
        let (weak, strong) = bytes[SIGNATURE_HEADER..body].split_at(4 * count);
        let base_hash = word64(bytes, 8);
        if hash64(&bytes[..body]) as u32 != word32(bytes, body) || hash64(strong) != base_hash {
            return Err(SignatureError::BadCheck);
        }
        Ok(Self { chunk_bits: bytes[2], base_length, base_hash, count, weak, strong })
    }

    pub(crate) fn weak(&self, chunk: usize) -> u32 {
        word32(self.weak, 4 * chunk)
    }

    pub(crate) fn strong(&self, chunk: usize) -> u64 {
        word64(self.strong, 8 * chunk)
    }

    /// Only the last chunk may be shorter than the others.
    pub(crate) fn chunk_length(&self, chunk: usize) -> usize {
        (self.base_length - (chunk << self.chunk_bits)).min(1 << self.chunk_bits)
    }
}

/// Writes XXH3-64 of each chunk.
pub(crate) fn put_leaves(bytes: &[u8], chunk_bits: u8, leaves: &mut [u8]) {
    for (chunk, place) in bytes.chunks(1 << chunk_bits).zip(leaves.chunks_exact_mut(8)) {
        place.copy_from_slice(&hash64(chunk).to_le_bytes());
    }
}

/// XXH3-64 over the hashes of the chunks: one pass over the bytes yields both.
pub(crate) fn tree_hash(bytes: &[u8], chunk_bits: u8) -> u64 {
    let mut leaves = vec![0; 8 * bytes.len().div_ceil(1 << chunk_bits)];
    put_leaves(bytes, chunk_bits, &mut leaves);
    hash64(&leaves)
}

/// Bytes that are summed side by side.
const LANES: usize = 32;

/// rsync's sums modulo 2^16: the bytes, and the bytes each times its distance from the end (the last byte's is 1); the second in
/// the upper half.
pub(crate) fn weak_hash(bytes: &[u8]) -> u32 {
    let (mut sums, mut weighted) = ([0u16; LANES], [0u16; LANES]);
    let (blocks, rest) = bytes.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            sums[lane] = sums[lane].wrapping_add(u16::from(block[lane]));
            weighted[lane] = weighted[lane].wrapping_add(sums[lane]);
        }
    }
    let (mut low, mut high) = (0u16, 0u16);
    for lane in 0..LANES {
        low = low.wrapping_add(sums[lane]);
        let total = weighted[lane].wrapping_mul(LANES as u16).wrapping_sub(sums[lane].wrapping_mul(lane as u16));
        high = high.wrapping_add(total);
    }
    for byte in rest {
        low = low.wrapping_add(u16::from(*byte));
        high = high.wrapping_add(low);
    }
    u32::from(high) << 16 | u32::from(low)
}

/// The weak hash of a window of a fixed length as it moves on.
pub(crate) struct Roller {
    low: u16,
    high: u16,
    length: u16,
}

impl Roller {
    pub(crate) fn new(window: &[u8]) -> Self {
        let hash = weak_hash(window);
        Self { low: hash as u16, high: (hash >> 16) as u16, length: window.len() as u16 }
    }

    #[inline(always)]
    pub(crate) fn hash(&self) -> u32 {
        u32::from(self.high) << 16 | u32::from(self.low)
    }

    #[inline(always)]
    pub(crate) fn roll(&mut self, leaves: u8, enters: u8) {
        self.low = self.low.wrapping_add(u16::from(enters)).wrapping_sub(u16::from(leaves));
        self.high = self.high.wrapping_add(self.low).wrapping_sub(self.length.wrapping_mul(u16::from(leaves)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolling_gives_the_hash_of_each_window() {
        let bytes: Vec<u8> = (0..500u32).map(|i| ((i * i * 7) >> 3) as u8).collect();
        for length in [64, 77] {
            let mut roller = Roller::new(&bytes[..length]);
            for at in 1..=bytes.len() - length {
                roller.roll(bytes[at - 1], bytes[at + length - 1]);
                assert_eq!(roller.hash(), weak_hash(&bytes[at..at + length]));
            }
        }
    }
}
