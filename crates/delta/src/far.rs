//! Finds far matches: 24-byte grams of the whole base at evenly spaced positions. One that occurs twice is known to.

use core::hint::select_unpredictable;

use crate::bytes::word32;

pub(crate) const FAR_GRAM: usize = 24;
const SPACING: usize = 16;
/// A base with more grams than this is sampled more thinly, which bounds the table to 16 MB.
const GRAMS_MAX: usize = 1 << 20;
const TAG_BITS: u32 = 6;
const TAG_MASK: u32 = (1 << TAG_BITS) - 1;
const REPEATED: u32 = 1 << 31;
const MULTIPLIERS: [u32; 6] = [0x9e37_79b1, 0x85eb_ca77, 0xc2b2_ae3d, 0x27d4_eb2f, 0x1656_67b1, 0xd3a2_646d];

/// The shape of a table whose entries are a gram's number + 1, a tag of its hash, and whether another has both slot and tag.
pub(crate) struct Far {
    shift: u32,
    spacing: usize,
}

/// Where a gram was found, and whether it is one of several.
#[derive(Clone, Copy)]
pub(crate) struct FarGram {
    pub(crate) source: usize,
    pub(crate) is_repeated: bool,
}

impl Far {
    /// Fills `table` with the grams of `base`, without branches: each would wait for memory that is far.
    pub(crate) fn new(base: &[u8], table: &mut Vec<u32>) -> Self {
        let mut spacing = SPACING;
        while base.len() / spacing > GRAMS_MAX {
            spacing *= 2;
        }
        let count = (base.len() + spacing).saturating_sub(FAR_GRAM) / spacing;
        let bits = (usize::BITS - count.leading_zeros() + 1).max(6);
        let far = Self { shift: 32 - bits, spacing };
        table.clear();
        table.resize(1 << bits, 0);
        for number in 0..count {
            let (slot, tag) = far.place(base, number * spacing);
            let entry = &mut table[slot];
            let again = *entry | select_unpredictable(*entry & TAG_MASK == tag, REPEATED, 0);
            *entry = select_unpredictable(*entry == 0, (number as u32 + 1) << TAG_BITS | tag, again);
        }
        far
    }

    /// What the table has for the gram at `bytes[at..]`: perhaps another gram.
    #[inline(always)]
    pub(crate) fn find(&self, table: &[u32], bytes: &[u8], at: usize) -> Option<FarGram> {
        let (slot, tag) = self.place(bytes, at);
        let entry = table[slot];
        if entry == 0 || entry & TAG_MASK != tag {
            return None;
        }
        let number = ((entry & !REPEATED) >> TAG_BITS) as usize - 1;
        Some(FarGram { source: number * self.spacing, is_repeated: entry & REPEATED != 0 })
    }

    #[inline(always)]
    fn place(&self, bytes: &[u8], at: usize) -> (usize, u32) {
        let gram = &bytes[at..at + FAR_GRAM];
        let mut hash = 0u32;
        for (i, multiplier) in MULTIPLIERS.into_iter().enumerate() {
            hash = hash.wrapping_add(word32(gram, 4 * i).wrapping_mul(multiplier));
        }
        hash = (hash ^ hash >> 15).wrapping_mul(MULTIPLIERS[0]);
        ((hash >> self.shift) as usize, (hash ^ hash >> 7) & TAG_MASK)
    }
}
