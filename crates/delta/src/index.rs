//! Finds far matches: 16-byte grams of the whole base at evenly spaced positions.

use crate::bytes::{common_prefix, word32, word64};
use crate::window::{Match, SETTLED};

pub(crate) const GRAM: usize = 16;
/// A base with more grams than this is sampled more thinly, which bounds the index to 8 MB.
const GRAMS_MAX: usize = 1 << 20;
const CANDIDATES: usize = 8;
/// After this many misses the scan goes on with wider steps. Steps are odd, so that they meet every phase of the grid.
const PATIENCE_BITS: u32 = 8;
const STEP_MAX: usize = 31;
const MULTIPLIERS: [u32; 4] = [0x9e37_79b1, 0x85eb_ca77, 0xc2b2_ae3d, 0x27d4_eb2f];

/// Chains of gram numbers (plus one; zero ends) by hash, nearest to the base's start first.
pub(crate) struct Index {
    head: Vec<u32>,
    next: Vec<u32>,
    spacing: usize,
    shift: u32,
}

impl Index {
    pub(crate) fn new(base: &[u8]) -> Self {
        let mut spacing = GRAM;
        while base.len() / spacing > GRAMS_MAX {
            spacing *= 2;
        }
        let count = if base.len() < GRAM { 0 } else { (base.len() - GRAM) / spacing + 1 };
        let bits = (usize::BITS - count.leading_zeros()).max(4);
        let mut index = Self { head: vec![0; 1 << bits], next: vec![0; count], spacing, shift: 32 - bits };
        for number in (0..count).rev() {
            let slot = index.slot(base, number * spacing);
            index.next[number] = index.head[slot];
            index.head[slot] = number as u32 + 1;
        }
        index
    }

    /// The first match of at least a gram that is starts in `target[from..end]`, and the positions looked at.
    pub(crate) fn scan(&self, base: &[u8], target: &[u8], from: usize, end: usize) -> (Option<Match>, usize) {
        let mut at = from;
        let mut misses = 0;
        while at < end && at + GRAM <= target.len() {
            if let Some(found) = self.longest(base, target, at) {
                return (Some(found), misses + 1);
            }
            at += (1 + 2 * (misses >> PATIENCE_BITS)).min(STEP_MAX);
            misses += 1;
        }
        (None, misses)
    }

    #[inline(always)]
    fn longest(&self, base: &[u8], target: &[u8], at: usize) -> Option<Match> {
        let mut entry = self.head[self.slot(target, at)] as usize;
        let gram = word64(target, at);
        let mut best = None;
        let mut length = GRAM - 1;
        for _ in 0..CANDIDATES {
            if entry == 0 {
                break;
            }
            let source = (entry - 1) * self.spacing;
            let is_gram = word64(base, source) == gram;
            let same = if is_gram { common_prefix(&base[source..], &target[at..]) } else { 0 };
            if same > length {
                length = same;
                best = Some(Match { at, source, length });
                if length >= SETTLED {
                    break;
                }
            }
            entry = self.next[entry - 1] as usize;
        }
        best
    }

    #[inline(always)]
    fn slot(&self, bytes: &[u8], at: usize) -> usize {
        let mut hash = 0u32;
        for (i, multiplier) in MULTIPLIERS.iter().enumerate() {
            hash = hash.wrapping_add(word32(bytes, at + 4 * i).wrapping_mul(*multiplier));
        }
        (hash >> self.shift) as usize
    }
}
