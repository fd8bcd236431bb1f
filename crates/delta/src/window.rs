//! Finds nearby matches: all 8-byte grams of the base within a window around the expected position.

use crate::bytes::{common_prefix, word32, word64};

/// Widest window, in bytes to either side.
pub(crate) const WINDOW_MAX: usize = 4096;
pub(crate) const WINDOW_MIN: usize = 64;
pub(crate) const GRAM: usize = 8;
/// A match of this length is taken without more ado.
pub(crate) const STRONG: usize = 48;
/// With a match of this length no other candidate is looked at.
pub(crate) const SETTLED: usize = 256;
const HEAD_BITS: u32 = 12;
const RING: usize = 2 * WINDOW_MAX;
const CANDIDATES: usize = 8;
/// After the first match the scan goes on at most this far for a longer one.
const LOOK_ON: usize = 8;
const MULTIPLIER_LOW: u32 = 0x9e37_79b1;
const MULTIPLIER_HIGH: u32 = 0x85eb_ca77;

/// `target[at..at + length]` equals `base[source..source + length]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) at: usize,
    pub(crate) source: usize,
    pub(crate) length: usize,
}

/// Chains of base positions (plus one; zero ends) by hash. Stale entries do no harm: every candidate is compared.
pub(crate) struct Window {
    head: Box<[u32; 1 << HEAD_BITS]>,
    /// A power of two long; a position's place is its lowest bits.
    previous: Vec<u32>,
    low: usize,
    high: usize,
    /// Positions indexed and looked at, and candidates compared.
    pub(crate) work: u64,
}

impl Window {
    pub(crate) fn new(base: &[u8]) -> Self {
        let ring = base.len().next_power_of_two().min(RING);
        Self { head: Box::new([0; 1 << HEAD_BITS]), previous: vec![0; ring], low: 0, high: 0, work: 0 }
    }

    /// Indexes the grams that start in `base[low..high]`, those already there left out.
    pub(crate) fn cover(&mut self, base: &[u8], low: usize, high: usize) {
        let high = high.min((base.len() + 1).saturating_sub(GRAM));
        if low >= high {
            return;
        }
        if high < self.low || low > self.high {
            self.low = low;
            self.high = low;
        }
        for position in self.high..high {
            self.insert(base, position);
        }
        for position in (low..self.low).rev() {
            self.insert(base, position);
        }
        self.work += (high.saturating_sub(self.high) + self.low.saturating_sub(low)) as u64;
        self.low = self.low.min(low);
        self.high = self.high.max(high);
    }

    #[inline(always)]
    fn insert(&mut self, base: &[u8], position: usize) {
        let slot = slot(base, position);
        let entry = position as u32 + 1;
        if self.head[slot] != entry {
            let place = position & (self.previous.len() - 1);
            self.previous[place] = self.head[slot];
            self.head[slot] = entry;
        }
    }

    /// The best match that starts in `target[at..end]`: the first strong one, or the longest that starts soon after the first.
    /// `best` is one that is known already.
    pub(crate) fn scan(
        &mut self,
        base: &[u8],
        target: &[u8],
        at: usize,
        end: usize,
        best: Option<Match>,
    ) -> Option<Match> {
        let mut best = best;
        let mut end = best.map_or(end, |best| end.min(best.at + best.length));
        let mut i = at;
        while i < end {
            if let Some(found) = self.longest(base, target, i) {
                if best.is_none() {
                    end = end.min(i + found.length.min(LOOK_ON));
                }
                if best.is_none_or(|best| found.length > best.length) {
                    best = Some(found);
                }
                if found.length >= SETTLED {
                    break;
                }
            }
            i += 1;
        }
        self.work += (i - at) as u64;
        best
    }

    /// The longest match that starts at `target[at]`, none shorter than a gram. `target` ends where the search ends.
    #[inline]
    fn longest(&mut self, base: &[u8], target: &[u8], at: usize) -> Option<Match> {
        let mut entry = self.head[slot(target, at)] as usize;
        let gram = word64(target, at);
        let mut best = None;
        let mut length = GRAM - 1;
        for _ in 0..CANDIDATES {
            if entry == 0 {
                break;
            }
            self.work += 1;
            let source = entry - 1;
            if word64(base, source) == gram {
                let same = common_prefix(&base[source..], &target[at..]);
                if same > length {
                    length = same;
                    best = Some(Match { at, source, length });
                    if length >= SETTLED {
                        break;
                    }
                }
            }
            entry = self.previous[source & (self.previous.len() - 1)] as usize;
        }
        best
    }
}

#[inline(always)]
fn slot(bytes: &[u8], at: usize) -> usize {
    let low = word32(bytes, at).wrapping_mul(MULTIPLIER_LOW);
    let high = word32(bytes, at + 4).wrapping_mul(MULTIPLIER_HIGH);
    (low.wrapping_add(high) >> (32 - HEAD_BITS)) as usize
}
