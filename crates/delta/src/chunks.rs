//! Content-defined chunks: boundaries that depend on nearby bytes only, so that equal stretches give equal chunks wherever they lie.
//!
//! FastCDC (Xia et al., USENIX ATC 2016; IEEE TPDS 2020): a gear hash, no boundary before the least length, and normalised sizes: a
//! harder condition before the average length, an easier one after it.

use crate::format::{CDC_BITS_MAX, CDC_BITS_MIN, CDC_LEVEL, CDC_MAX_SHIFT, CDC_MIN_SHIFT, GEAR_SEED};
use crate::hash64;

/// One content-defined chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it starts.
    pub offset: usize,
    /// Its bytes.
    pub length: usize,
    /// XXH3-64, seed 0, of them.
    pub hash: u64,
}

/// The gear hash's term for each byte: MurmurHash3's finaliser of a Weyl sequence.
const GEAR: [u32; 256] = {
    let mut gear = [0u32; 256];
    let mut i = 0;
    while i < 256 {
        let mut h = (i as u32 + 1).wrapping_mul(GEAR_SEED);
        h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
        h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
        gear[i] = h ^ h >> 16;
        i += 1;
    }
    gear
};

/// Most chunks that a byte string of this length has.
#[must_use]
pub const fn chunks_max(length: usize, average_bits: u8) -> usize {
    length.div_ceil(1 << (average_bits as u32 - CDC_MIN_SHIFT))
}

/// The chunks of `bytes` in turn: 2^`average_bits` bytes long on average, from a quarter of that (the last: 1) to eight times it.
///
/// # Panics
/// Where `average_bits` is not `CDC_BITS_MIN..=CDC_BITS_MAX`.
pub fn chunks(bytes: &[u8], average_bits: u8) -> impl Iterator<Item = Chunk> + '_ {
    assert!((CDC_BITS_MIN..=CDC_BITS_MAX).contains(&average_bits), "average_bits is out of range");
    let mut offset = 0;
    core::iter::from_fn(move || {
        let rest = &bytes[offset..];
        if rest.is_empty() {
            return None;
        }
        let length = cut(rest, u32::from(average_bits));
        let chunk = Chunk { offset, length, hash: hash64(&rest[..length]) };
        offset += length;
        Some(chunk)
    })
}

/// Length of the chunk that starts `bytes`.
fn cut(bytes: &[u8], average_bits: u32) -> usize {
    let least = 1 << (average_bits - CDC_MIN_SHIFT);
    let end = bytes.len().min(1 << (average_bits + CDC_MAX_SHIFT));
    if end <= least {
        return end;
    }
    let middle = end.min(1 << average_bits);
    let mut h = 0u32;
    let mut search = |from: usize, to: usize, bits: u32| {
        let found = bytes[from..to].iter().position(|byte| {
            h = (h << 1).wrapping_add(GEAR[usize::from(*byte)]);
            h >> (32 - bits) == 0
        });
        found.map(|i| from + i + 1)
    };
    search(least, middle, average_bits + CDC_LEVEL)
        .or_else(|| search(middle, end, average_bits - CDC_LEVEL))
        .unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as u8
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow under Miri")]
    fn chunks_cover_everything_within_their_bounds() {
        for bytes in [vec![], vec![1], vec![0; 100_000], noise(1_000_000)] {
            for bits in [8, 10, 13] {
                let all: Vec<Chunk> = chunks(&bytes, bits).collect();
                assert_eq!(all.iter().map(|chunk| chunk.length).sum::<usize>(), bytes.len());
                assert!(all.len() <= chunks_max(bytes.len(), bits));
                for (i, chunk) in all.iter().enumerate() {
                    assert!(chunk.length <= 8 << bits);
                    assert!(chunk.length >= 1 << (bits - 2) || i + 1 == all.len());
                    assert_eq!(chunk.hash, hash64(&bytes[chunk.offset..chunk.offset + chunk.length]));
                }
            }
        }
        let count = chunks(&noise(1_000_000), 13).count();
        assert!((90..190).contains(&count), "{count} chunks of about 8 KB");
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow under Miri")]
    fn an_insertion_leaves_far_chunks_alone() {
        let bytes = noise(1_000_000);
        let edited = [&bytes[..500_000], b"inserted", &bytes[500_000..]].concat();
        let known: Vec<u64> = chunks(&bytes, 13).map(|chunk| chunk.hash).collect();
        let fresh = chunks(&edited, 13).filter(|chunk| !known.contains(&chunk.hash)).count();
        assert!(fresh <= 4, "{fresh} new chunks");
    }
}
