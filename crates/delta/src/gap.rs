//! Fills what lies between two anchors: short copies from the base around both ends, from the whole base where much is new, and
//! from the target's own gaps.

use crate::anchor::bits;
use crate::bytes::{common_prefix, common_suffix};
use crate::gram::{hash4, hash5, hash8};
use crate::matcher::{DEBT_MIN, Matcher, Span};
use crate::tables::{FILL_BITS, OWN_BITS};

/// A shorter gap is left as it is.
const GAP_MIN: usize = 4;
/// In a gap of at least this much the base around it is looked at: so many bytes per byte of the gap and more, at most that.
const FILL_GAP_MIN: usize = 8;
const REACH_PER_BYTE: usize = 2;
const REACH_MORE: usize = 112;
const REACH_MAX: usize = 2048;
/// The base's grams are looked at in steps.
const FILL_STEP: usize = 2;
/// Shortest copies.
const FILL_MIN: usize = 6;
const DENSE_MIN: usize = 8;
const OWN_MIN: usize = 4;
/// The whole base is looked at, every fourth gram, once the gaps have come to this and such a part of the base.
const DENSE_AFTER: usize = 256;
const DENSE_PER_BASE: usize = 64;
const DENSE_STEP: usize = 4;
const DENSE_BITS_MIN: u32 = 8;
const DENSE_BITS_MAX: u32 = 20;
/// A copy shorter than this gives way to one that starts a byte later and gains more than this more.
const LAZY_BELOW: usize = 32;
const LAZY_GAIN: i64 = 2;
/// A copied byte gains as many quarters of a byte; what the kinds of copies cost.
const GAIN: i64 = 3;
const COST_LEFT: i64 = 5;
const COST_RIGHT: i64 = 8;
const COST_BASE: i64 = 9;
const COST_OWN: i64 = 7;

/// Steps of work per byte.
const FILL_WORK: usize = 4;

#[derive(Clone, Copy)]
struct Copy {
    source: usize,
    length: usize,
    gain: i64,
}

/// A gap: `target[at..to]`, whose ends lie on two diagonals, as source - position.
struct Gap {
    to: usize,
    left: isize,
    right: isize,
    uses_base: bool,
}

impl Matcher<'_> {
    /// Makes `target[from..to]`, where the base goes on at `left` after what is before it, and at `right` with what is after it.
    pub(crate) fn fill_gap(&mut self, from: usize, to: usize, left: usize, right: usize) {
        let length = to - from;
        self.gaps += length;
        self.work += (FILL_WORK * length) as u64;
        if length < GAP_MIN {
            self.script.literal(length);
            return;
        }
        let uses_base = length >= FILL_GAP_MIN;
        if uses_base {
            self.cover_gap(length, left, right);
        }
        if self.dense_bits == 0 && self.gaps > DENSE_AFTER + self.base.len() / DENSE_PER_BASE {
            self.index_base();
        }
        let (left, right) = (left as isize - from as isize, right as isize - to as isize);
        self.fill_with_copies(from, Gap { to, left, right, uses_base });
    }

    fn fill_with_copies(&mut self, from: usize, mut gap: Gap) {
        let uses_own = self.gaps > DEBT_MIN;
        let mut at = from;
        let mut ahead = None;
        while at < gap.to {
            let Some(copy) = ahead.take().or_else(|| self.best_copy(at, &gap, uses_own)) else {
                self.pass(at, 1, uses_own);
                self.script.literal(1);
                at += 1;
                continue;
            };
            if at + 1 < gap.to && copy.length < LAZY_BELOW {
                let next = self.best_copy(at + 1, &gap, uses_own);
                if next.is_some_and(|next| next.gain > copy.gain + LAZY_GAIN) {
                    self.pass(at, 1, uses_own);
                    self.script.literal(1);
                    at += 1;
                    ahead = next;
                    continue;
                }
            }
            let back = self.common_back(copy.source, at);
            self.script.take_back(back);
            self.script.copy(copy.source - back, copy.length + back);
            self.pass(at, copy.length, uses_own);
            at += copy.length;
            if copy.source < self.base.len() {
                gap.left = (copy.source + copy.length) as isize - at as isize;
            }
        }
    }

    /// Bytes before `target[at]` that were passed as new, and that are before the source as well.
    #[inline]
    fn common_back(&self, source: usize, at: usize) -> usize {
        let new = &self.target[at - self.script.new_bytes()..at];
        match source.checked_sub(self.base.len()) {
            Some(source) => common_suffix(&self.target[..source], new),
            None => common_suffix(&self.base[..source], new),
        }
    }

    /// Notes the grams that start in `target[at..at + length]`.
    #[inline]
    fn pass(&mut self, at: usize, length: usize, uses_own: bool) {
        if uses_own {
            for position in at..(at + length).min((self.target.len() + 1).saturating_sub(4)) {
                self.tables.own[hash4(self.target, position, OWN_BITS)] = self.stamp + position as u32 + 1;
            }
        }
    }

    /// The copy that gains most at `target[at]`.
    #[inline]
    fn best_copy(&self, at: usize, gap: &Gap, uses_own: bool) -> Option<Copy> {
        let (base, target) = (self.base, self.target);
        let goal = &target[at..gap.to];
        let mut best: Option<Copy> = None;
        let mut weigh = |source: usize, length: usize, cost: i64| {
            let gain = GAIN * length as i64 - cost;
            if gain > best.map_or(0, |best| best.gain) {
                best = Some(Copy { source, length, gain });
            }
        };
        for (diagonal, cost) in [(gap.left, COST_LEFT), (gap.right, COST_RIGHT)] {
            let source = (at as isize + diagonal) as usize;
            if source < base.len() && base[source] == goal[0] {
                weigh(source, common_prefix(&base[source..], goal), cost);
            }
        }
        if at + 8 > target.len() || goal.len() < OWN_MIN {
            return best;
        }
        let expected = (at as isize + gap.left) as usize;
        let mut weigh_base = |entry: u32, least: usize| {
            if entry > self.stamp {
                let source = (entry - self.stamp) as usize - 1;
                let length = common_prefix(&base[source..], goal);
                if length >= least {
                    weigh(source, length, COST_BASE + bits(source.abs_diff(expected)) / 2);
                }
            }
        };
        if gap.uses_base && goal.len() >= FILL_MIN {
            for entry in self.tables.fill[hash5(target, at, FILL_BITS)] {
                weigh_base(entry, FILL_MIN);
            }
        }
        if self.dense_bits > 0 && goal.len() >= DENSE_MIN {
            weigh_base(self.tables.dense[hash8(target, at, self.dense_bits)], DENSE_MIN);
        }
        if uses_own {
            let entry = self.tables.own[hash4(target, at, OWN_BITS)];
            let source = entry.wrapping_sub(self.stamp + 1) as usize;
            if entry > self.stamp && source < at {
                let length = common_prefix(&target[source..], goal);
                if length >= OWN_MIN {
                    weigh(base.len() + source, length, COST_OWN + bits(at - source) / 2);
                }
            }
        }
        best
    }

    /// Puts the base's grams around both ends of a gap into the table.
    fn cover_gap(&mut self, length: usize, left: usize, right: usize) {
        let reach = (REACH_PER_BYTE * length + REACH_MORE).min(REACH_MAX);
        let limit = self.base.len().saturating_sub(7);
        let mut first = Span { low: left.saturating_sub(reach / 2), high: (left + reach).min(limit) };
        let mut second = Span { low: right.saturating_sub(reach), high: (right + reach / 2).min(limit) };
        if second.low < first.high && first.low < second.high {
            first = Span { low: first.low.min(second.low), high: first.high.max(second.high) };
            second = Span::default();
        }
        for span in [second, first] {
            if span.low >= span.high {
                continue;
            }
            let is_known = (self.fill.low..=self.fill.high).contains(&span.low);
            if !is_known {
                self.fill = Span { low: span.low, high: span.low };
            }
            let mut position = self.fill.high;
            self.work += (span.high.saturating_sub(position) / FILL_STEP) as u64;
            while position < span.high {
                let pair = &mut self.tables.fill[hash5(self.base, position, FILL_BITS)];
                *pair = [self.stamp + position as u32 + 1, pair[0]];
                position += FILL_STEP;
            }
            self.fill.high = position;
        }
    }

    /// Puts grams of the whole base into a table.
    pub(crate) fn index_base(&mut self) {
        let count = self.base.len() / DENSE_STEP;
        let bits = (usize::BITS - count.leading_zeros()).clamp(DENSE_BITS_MIN, DENSE_BITS_MAX);
        let table = &mut self.tables.dense;
        if table.len() < 1 << bits {
            table.resize(1 << bits, 0);
        }
        for position in (0..self.base.len().saturating_sub(7)).step_by(DENSE_STEP) {
            table[hash8(self.base, position, bits)] = self.stamp + position as u32 + 1;
        }
        self.work += count as u64;
        self.dense_bits = bits;
    }
}
