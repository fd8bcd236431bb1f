//! Anchors: where base, or the target's own text, agrees with the target again for long. Chosen by score: what an anchor copies,
//! less what its address costs and what is left out before it.

use crate::bytes::word64;
use crate::far::{FAR_GRAM, Far};
use crate::gram::hash8;
use crate::matcher::{DEBT_MIN, Matcher, Span};
use crate::script::LANES;
use crate::tables::NEAR_BITS;

const GRAM: usize = 8;
/// No anchor is shorter.
const LENGTH_MIN: usize = 13;
/// The next equal word on the diagonal is looked for this far; from this length on its match needs no comparing.
const DIAGONAL_REACH: usize = 64;
const DIAGONAL_ENOUGH: usize = 32;
/// With less left than this there is no search off the diagonal.
const SEARCH_MIN: usize = 16;
/// A value that grew or shrank a little: words so far ahead are looked for as far to either side, and such a match is enough.
const SHIFTS: [(usize, usize); 2] = [(16, 12), (40, 24)];
const SHIFTS_ROOM: usize = 80;
const SHIFT_ENOUGH: usize = 192;
/// Where all of the base has been copied but this much, an insertion of up to so many bytes is only filled.
const REST_MAX: usize = 16;
const INSERTION_MAX: usize = 1024;
/// How far around the expected position the base's grams are looked at, every eighth.
const NEAR_BACK: usize = 192;
const NEAR_AHEAD: usize = 384;
const NEAR_STEP: usize = 8;
/// After an anchor a better one is looked for in this many bytes; after one of such a length in fewer, where the search has taken
/// more steps than it has passed bytes.
const LOOK_ON: usize = 24;
const LOOK_ON_HURRIED: usize = 8;
const HURRIED_LENGTH: usize = 32;
const HURRIED_MIN: u64 = 2048;
/// What is this long, or this long at a low address cost, is taken.
const ENOUGH: usize = 512;
const ENOUGH_CHEAP: usize = 96;
const CHEAP: i64 = 16;
/// Address costs above the one are raised by the other: a far jump is often one of chance.
const JUMP: i64 = 13;
const JUMP_MORE: i64 = 8;
/// After this many misses (as a power of two) the scan goes on with wider steps, up to 31.
const PATIENCE_BITS: usize = 9;
const STEP_MAX: usize = 15;
/// Far grams are asked once the debt has reached `DEBT_MIN` + base / this, at most that; after a scan of so much, of an
/// edit of at least so much, unless there is an anchor of such a length.
const DEBT_PER_BASE: usize = 256;
const DEBT_MAX: usize = 384;
const FAR_AFTER: usize = 64;
const FAR_ROOM: usize = 48;
const FAR_NEEDLESS: usize = 64;
/// A far gram takes so many steps of work.
const FAR_WORK: u64 = 2;
/// A match that is compared takes so many steps, and one more per so many bytes.
const WEIGH_WORK: u64 = 2;
const COMPARED: usize = 16;
/// No address costs less.
const COST_MIN: i64 = 4;
/// What an anchor off the diagonal adds to the debt.
const DEBT_OF_SHIFT: usize = 4;
const DEBT_OF_SCAN: usize = 8;

#[derive(Clone, Copy)]
pub(crate) struct Anchor {
    pub(crate) at: usize,
    pub(crate) source: usize,
    pub(crate) length: usize,
    /// The source is in the target.
    pub(crate) is_own: bool,
    score: i64,
}

/// A scan under way.
struct Scan {
    from: usize,
    at: usize,
    /// Where it ends, and where it ends at the latest.
    limit: usize,
    stop: usize,
    best: Option<Anchor>,
    /// The search has taken much work so far.
    is_hurried: bool,
}

impl Matcher<'_> {
    /// The anchor at or after `target[at]`, where `base[expected]` differs from it.
    pub(crate) fn anchor(&mut self, at: usize, expected: usize) -> Option<Anchor> {
        let best = self.on_diagonal(at, expected);
        if let Some(found) = best
            && found.length >= DIAGONAL_ENOUGH.max(2 * (found.at - at))
        {
            self.debt += found.at - at;
            return best;
        }
        if self.end - at < SEARCH_MIN {
            return best;
        }
        if let Some(found) = self.shifted(at, expected) {
            self.debt += found.at - at + DEBT_OF_SHIFT;
            return Some(found);
        }
        let is_rest = (expected..expected + REST_MAX).contains(&self.base_end);
        if is_rest && self.end - at < INSERTION_MAX {
            return None;
        }
        let best = self.scan(at, expected, best);
        if let Some(found) = best {
            self.debt += found.at - at + DEBT_OF_SCAN;
        }
        best
    }

    /// The first anchor on the diagonal, or the first that will do.
    fn on_diagonal(&self, at: usize, expected: usize) -> Option<Anchor> {
        let reach = (self.base.len() - expected).min(self.end - at).min(DIAGONAL_REACH);
        let mut best = None;
        let mut i = 0;
        while i + GRAM <= reach {
            let differ = word64(self.base, expected + i) ^ word64(self.target, at + i);
            if differ != 0 {
                i += GRAM - (differ.leading_zeros() / 8) as usize;
                continue;
            }
            let (source, start, length) = self.extend(expected + i, at + i, at);
            let score = 4 * length as i64 - 3 * (start - at) as i64;
            let found = Some(Anchor { at: start, source, length, is_own: false, score });
            if length >= DIAGONAL_ENOUGH.max(2 * (start - at)) {
                return found;
            }
            if best.is_none() && length >= LENGTH_MIN {
                best = found;
            }
            i = start + length - at + 1;
        }
        best
    }

    /// Looks without a table for words that are a little further on.
    fn shifted(&self, at: usize, expected: usize) -> Option<Anchor> {
        if self.base.len() - expected < SHIFTS_ROOM || self.end - at < SHIFTS_ROOM {
            return None;
        }
        SHIFTS.into_iter().find_map(|(ahead, reach)| {
            let word = word64(self.target, at + ahead);
            let from = expected + ahead - reach;
            let area = &self.base[from..from + 2 * reach + GRAM];
            let i = (0..=2 * reach).find(|&i| word64(area, i) == word)?;
            let (source, at, length) = self.extend(from + i, at + ahead, at);
            (length >= SHIFT_ENOUGH).then_some(Anchor { at, source, length, is_own: false, score: 0 })
        })
    }

    fn scan(&mut self, from: usize, expected: usize, best: Option<Anchor>) -> Option<Anchor> {
        self.cover_near(expected);
        let stop = self.end + 1 - GRAM;
        let limit = best.map_or(stop, |best| stop.min(best.at + best.length.min(LOOK_ON)));
        let is_hurried = self.work > HURRIED_MIN + (from - self.start) as u64;
        let mut scan = Scan { from, at: from, limit, stop, best, is_hurried };
        let near_stop = from + NEAR_AHEAD;
        let mut misses = 0usize;
        let mut is_far = self.far.is_some();
        while scan.at < scan.limit {
            let is_near = scan.at < near_stop;
            self.look(&mut scan, is_near, is_far);
            self.work += if is_far { FAR_WORK } else { 1 };
            scan.at += 1 + 2 * (misses >> PATIENCE_BITS).min(STEP_MAX);
            misses += 1;
            if !is_far && scan.at >= scan.limit.min(from + FAR_AFTER) && self.wants_far(&scan) {
                is_far = true;
                if self.far.is_none() {
                    self.work += (self.base.len() / NEAR_STEP) as u64;
                    self.far = Some(Far::new(self.base, &mut self.tables.far));
                }
                scan.at = from;
                scan.limit = scan.best.map_or(stop, |best| stop.min(best.at + best.length.min(LOOK_ON)));
            }
        }
        scan.best
    }

    fn wants_far(&self, scan: &Scan) -> bool {
        let passed = scan.best.map_or(self.end, |best| best.at) - scan.from;
        let debt = self.debt + passed.min(scan.at - scan.from + 32);
        self.end - scan.from >= FAR_ROOM
            && scan.best.is_none_or(|best| best.length < FAR_NEEDLESS)
            && debt > (DEBT_MIN + self.base.len() / DEBT_PER_BASE).min(DEBT_MAX)
    }

    /// Weighs what the tables have for one position.
    #[inline(always)]
    fn look(&mut self, scan: &mut Scan, is_near: bool, is_far: bool) {
        let at = scan.at;
        let word = word64(self.target, at);
        if is_near {
            for entry in self.tables.near[hash8(self.target, at, NEAR_BITS)] {
                let source = entry.wrapping_sub(self.stamp + 1) as usize;
                if entry > self.stamp && word64(self.base, source) == word {
                    self.weigh(scan, at, source);
                }
            }
        }
        if !scan.is_nearly_done()
            && let Some(source) = self.recent(at)
            && word64(self.target, source) == word
        {
            self.weigh_own(scan, at, source);
        }
        if is_far
            && at + FAR_GRAM <= self.end
            && !scan.is_nearly_done()
            && let Some(far) = &self.far
            && let Some(found) = far.find(&self.tables.far, self.target, at)
            && (!found.is_repeated || scan.best.is_none())
            && self.base[found.source..found.source + FAR_GRAM] == self.target[at..at + FAR_GRAM]
        {
            self.weigh(scan, at, found.source);
        }
        if let Some(best) = scan.best {
            scan.limit = scan.limit.min(best.at + best.length.min(scan.look_on(best.length)) + 1);
        }
    }

    /// Whether a match of `target[at..]` with `text[source..]` ends too early to be better than the best, however far it goes back:
    /// one look where it would have to end, in place of comparing all of it.
    #[inline(always)]
    fn is_beaten(&self, scan: &Scan, text: &[u8], source: usize, at: usize) -> bool {
        let Some(best) = scan.best else { return false };
        let least = ((best.score + COST_MIN) >> 2) + 1 - (at - scan.from) as i64;
        if least < 2 * GRAM as i64 {
            return false;
        }
        let last = least as usize - GRAM;
        at + last + GRAM > self.end
            || source + last + GRAM > text.len()
            || word64(text, source + last) != word64(self.target, at + last)
    }

    #[inline]
    fn weigh(&mut self, scan: &mut Scan, at: usize, source: usize) {
        self.work += 1;
        if scan.goes_along(at, source, false) || self.is_beaten(scan, self.base, source, at) {
            return;
        }
        let (source, start, length) = self.extend(source, at, scan.from);
        self.work += WEIGH_WORK + (length / COMPARED) as u64;
        if length >= LENGTH_MIN {
            let cost = self.address_cost(source, start - scan.from);
            let cost = if cost > JUMP { cost + JUMP_MORE } else { cost };
            scan.take(at, Anchor { at: start, source, length, is_own: false, score: 0 }, cost);
        }
    }

    #[inline]
    fn weigh_own(&mut self, scan: &mut Scan, at: usize, source: usize) {
        self.work += 1;
        if scan.goes_along(at, source, true) || self.is_beaten(scan, self.target, source, at) {
            return;
        }
        let (source, start, length) = self.extend_own(source, at, scan.from);
        self.work += WEIGH_WORK + (length / COMPARED) as u64;
        if length >= LENGTH_MIN {
            let cost = 6 + bits(start - source) / 2;
            scan.take(at, Anchor { at: start, source, length, is_own: true, score: 0 }, cost);
        }
    }

    /// What it costs about to tell a copy's source, in quarters of a byte.
    fn address_cost(&self, source: usize, passed: usize) -> i64 {
        let left = self.script.left();
        let diagonal = left + passed;
        if source == diagonal || source == left {
            return 4;
        }
        let mut cost = bits(source.abs_diff(left).min(source.abs_diff(diagonal)));
        for lane in &self.script.lanes[1..LANES] {
            cost = cost.min(bits(source.abs_diff(*lane)) + 3);
        }
        6 + cost / 2
    }

    /// Puts the grams around `expected` into the table, unless they are there.
    fn cover_near(&mut self, expected: usize) {
        let low = expected.saturating_sub(NEAR_BACK) & !(NEAR_STEP - 1);
        let high = (expected + NEAR_AHEAD).min(self.base.len().saturating_sub(GRAM - 1));
        if low < self.near.low || low > self.near.high {
            self.near = Span { low, high: low };
        }
        let mut position = self.near.high;
        self.work += (high.saturating_sub(position) / NEAR_STEP) as u64;
        while position < high {
            let pair = &mut self.tables.near[hash8(self.base, position, NEAR_BITS)];
            *pair = [self.stamp + position as u32 + 1, pair[0]];
            position += NEAR_STEP;
        }
        self.near.high = position;
    }
}

impl Scan {
    /// Whether the match is on the best anchor's diagonal, within it.
    #[inline(always)]
    fn goes_along(&self, at: usize, source: usize, is_own: bool) -> bool {
        self.best.is_some_and(|best| {
            best.is_own == is_own && best.source + at == source + best.at && at < best.at + best.length
        })
    }

    /// In how many bytes an anchor better than one of this length is looked for.
    #[inline(always)]
    fn look_on(&self, length: usize) -> usize {
        if self.is_hurried && length >= HURRIED_LENGTH { LOOK_ON_HURRIED } else { LOOK_ON }
    }

    /// In a hurry, a long anchor gives way to what is near, and to nothing else.
    #[inline(always)]
    fn is_nearly_done(&self) -> bool {
        self.is_hurried && self.best.is_some_and(|best| best.length >= HURRIED_LENGTH)
    }

    #[inline]
    fn take(&mut self, at: usize, anchor: Anchor, cost: i64) {
        let score = 4 * anchor.length as i64 - cost - 3 * (anchor.at - self.from) as i64;
        if self.best.is_some_and(|best| score <= best.score) {
            return;
        }
        self.best = Some(Anchor { score, ..anchor });
        self.limit = self.stop.min(at + self.look_on(anchor.length).min(anchor.length / 2 + 1));
        if anchor.length >= ENOUGH || (cost <= CHEAP && anchor.length >= ENOUGH_CHEAP) {
            self.at = self.stop;
        }
    }
}

/// The length of a number in bits.
#[inline(always)]
pub(crate) fn bits(number: usize) -> i64 {
    (usize::BITS - number.leading_zeros()) as i64
}
