//! Goes fast through what has little in common with the base, or has cost too much work: the first match of 8 bytes is taken.

use crate::bytes::{common_prefix, common_suffix, word64};
use crate::gram::hash8;
use crate::matcher::Matcher;
use crate::tables::RECENT_BITS_WIDE;

const GRAM: usize = 8;
/// After a match of this length in the base a careful search may go on.
const STRONG: usize = 64;
/// After this many misses (as a power of two) steps grow by one, and by another after as many.
const PATIENCE_BITS: usize = 5;

impl Matcher<'_> {
    /// Makes `target[from..to]`, or as much of it until it agrees with the base for long; where that ends.
    pub(crate) fn skim(&mut self, from: usize, to: usize) -> usize {
        if self.dense_bits == 0 {
            self.index_base();
        }
        self.use_wide();
        let (mut new, mut at, mut misses) = (from, from, 0);
        while at + GRAM <= to {
            let expected = self.script.left() + self.script.new_bytes() + at - new;
            let Some((source, length)) = self.first_match(at, to, expected) else {
                at += 1 + (misses >> PATIENCE_BITS);
                misses += 1;
                self.work += 1;
                continue;
            };
            let before = match source.checked_sub(self.base.len()) {
                Some(own) => &self.target[..own],
                None => &self.base[..source],
            };
            let back = common_suffix(before, &self.target[new..at]);
            self.script.literal(at - back - new);
            self.script.copy(source - back, length + back);
            self.work += 1 + (length / GRAM) as u64;
            at += length;
            new = at;
            misses = 0;
            if source < self.base.len() && length >= STRONG {
                return at;
            }
        }
        self.script.literal(to - new);
        to
    }

    /// The match of the gram at `target[at..]` where the base is expected to go on, or else anywhere in the base, or else in the
    /// target so far, where the gram is noted.
    #[inline(always)]
    fn first_match(&mut self, at: usize, to: usize, expected: usize) -> Option<(usize, usize)> {
        let word = word64(self.target, at);
        let entry = &mut self.tables.recent_wide[hash8(self.target, at, RECENT_BITS_WIDE)];
        let own = core::mem::replace(entry, self.stamp + at as u32 + 1);
        if expected + GRAM <= self.base.len() && word64(self.base, expected) == word {
            return Some((expected, common_prefix(&self.base[expected..], &self.target[at..to])));
        }
        let entry = self.tables.dense[hash8(self.target, at, self.dense_bits)];
        if entry > self.stamp {
            let source = (entry - self.stamp) as usize - 1;
            if word64(self.base, source) == word {
                return Some((source, common_prefix(&self.base[source..], &self.target[at..to])));
            }
        }
        if own > self.stamp {
            let source = (own - self.stamp) as usize - 1;
            if source < at && word64(self.target, source) == word {
                return Some((self.base.len() + source, common_prefix(&self.target[source..], &self.target[at..to])));
            }
        }
        None
    }
}
