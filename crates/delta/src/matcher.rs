//! Finds what the target has in common with the base and with itself: anchors first, then what lies between them.

use crate::bytes::common_prefix;
use crate::far::Far;
use crate::gram::hash8;
use crate::script::{Operation, Script};
use crate::tables::{RECENT_BITS, RECENT_BITS_WIDE, Tables};

/// Bytes of an anchor that later anchors may be found in.
const NOTED: usize = 64;
/// The target's own text is noted once the debt has reached this, and in a larger table once it has reached that.
pub(crate) const DEBT_MIN: usize = 64;
const DEBT_WIDE: usize = 8192;
/// Work is limited to this, and so much per byte of the edited part.
const WORK_FIXED: u64 = 1 << 13;
const WORK_PER_BYTE: u64 = 3;
/// Longer gaps are passed in stretches of this.
const STRETCH: usize = 4096;
/// What was found is poor if the operations take more than this part of what they make, and this much.
const POOR: u64 = 5;
const POOR_MIN: u64 = 1536;

/// What base and target have in common at both ends.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) prefix: usize,
    pub(crate) suffix: usize,
}

/// A stretch of positions that a table has.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    pub(crate) low: usize,
    pub(crate) high: usize,
}

/// One call's search. All decisions are made in integers, so that the differ in JavaScript repeats them.
pub(crate) struct Matcher<'a> {
    pub(crate) base: &'a [u8],
    pub(crate) target: &'a [u8],
    /// Where the edited part starts in both, where it ends in the target, and where in the base.
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) base_end: usize,
    pub(crate) tables: &'a mut Tables,
    pub(crate) stamp: u32,
    pub(crate) script: Script,
    pub(crate) near: Span,
    pub(crate) fill: Span,
    pub(crate) far: Option<Far>,
    /// Bits of the hash of `Tables::dense`; 0: it is not there yet.
    pub(crate) dense_bits: u32,
    /// Bits of the hash of the table of recent grams; 0: none is noted yet.
    pub(crate) recent_bits: u32,
    recent_to: usize,
    /// Bytes that had to be passed to come to anchors, and something for each: what a wider search might have saved.
    pub(crate) debt: usize,
    /// Bytes between anchors.
    pub(crate) gaps: usize,
    /// Positions looked at, noted, and compared.
    pub(crate) work: u64,
    budget: u64,
}

/// The operations that make `target` from `base`. Adds the steps that were taken to `work`.
pub(crate) fn match_all(base: &[u8], target: &[u8], ends: Ends, tables: &mut Tables, work: &mut u64) -> Vec<Operation> {
    let script = Script::new(core::mem::take(&mut tables.operations), base.len());
    let mut matcher = Matcher {
        base,
        target,
        start: ends.prefix,
        end: target.len() - ends.suffix,
        base_end: base.len() - ends.suffix,
        stamp: tables.stamp,
        tables,
        script,
        near: Span::default(),
        fill: Span::default(),
        far: None,
        dense_bits: 0,
        recent_bits: 0,
        recent_to: 0,
        debt: 0,
        gaps: 0,
        work: 0,
        budget: WORK_FIXED + WORK_PER_BYTE * (target.len() - ends.suffix - ends.prefix) as u64,
    };
    matcher.script.copy(0, ends.prefix);
    matcher.walk();
    *work += matcher.work;
    matcher.script.finish(ends.suffix)
}

impl Matcher<'_> {
    fn walk(&mut self) {
        let mut at = self.start;
        while at < self.end {
            if self.is_lost(at) {
                at = self.skim(at, self.end);
                continue;
            }
            let expected = self.script.left();
            let Some(anchor) = self.anchor(at, expected) else {
                self.pass_gap(at, self.end, self.base_end);
                return;
            };
            let right = if anchor.is_own { expected + (anchor.at - at) } else { anchor.source };
            self.pass_gap(at, anchor.at, right.min(self.base.len()));
            let source = if anchor.is_own { self.base.len() + anchor.source } else { anchor.source };
            self.script.copy(source, anchor.length);
            self.note(at, anchor.at + anchor.length.min(NOTED));
            at = anchor.at + anchor.length;
        }
    }

    /// Makes `target[from..to]`, between anchors; the base goes on at `right` with what is after it.
    fn pass_gap(&mut self, mut from: usize, to: usize, right: usize) {
        while from < to {
            if self.is_lost(from) {
                from = self.skim(from, to);
                continue;
            }
            let end = to.min(from + STRETCH);
            self.fill_gap(from, end, self.script.left(), right.saturating_sub(to - end));
            from = end;
        }
    }

    /// Whether what was found up to `at` is too little for the search, or took too much work.
    fn is_lost(&self, at: usize) -> bool {
        self.work > self.budget || POOR * self.script.cost() > POOR_MIN + (at - self.start) as u64
    }

    /// Notes recent grams in the larger table from now on.
    pub(crate) fn use_wide(&mut self) {
        self.recent_bits = RECENT_BITS_WIDE;
        if self.tables.recent_wide.is_empty() {
            self.tables.recent_wide.resize(1 << RECENT_BITS_WIDE, 0);
        }
    }

    /// Remembers the grams of `target[from..to]`.
    fn note(&mut self, from: usize, to: usize) {
        if self.recent_bits == 0 {
            if self.debt < DEBT_MIN {
                return;
            }
            self.recent_bits = RECENT_BITS;
        } else if self.recent_bits == RECENT_BITS && self.debt > DEBT_WIDE {
            self.use_wide();
        }
        let to = to.min(self.target.len().saturating_sub(8));
        let bits = self.recent_bits;
        let table = match bits {
            RECENT_BITS => &mut self.tables.recent[..],
            _ => &mut self.tables.recent_wide[..],
        };
        self.work += to.saturating_sub(from.max(self.recent_to)) as u64;
        for position in from.max(self.recent_to)..to {
            table[hash8(self.target, position, bits)] = self.stamp + position as u32 + 1;
        }
        self.recent_to = self.recent_to.max(to);
    }

    /// Where in the target the gram at `target[at..]` was last noted, if it is that gram.
    #[inline(always)]
    pub(crate) fn recent(&self, at: usize) -> Option<usize> {
        let slot = match self.recent_bits {
            0 => return None,
            RECENT_BITS => self.tables.recent[hash8(self.target, at, RECENT_BITS)],
            bits => self.tables.recent_wide[hash8(self.target, at, bits)],
        };
        (slot > self.stamp).then(|| (slot - self.stamp) as usize - 1).filter(|&source| source < at)
    }

    /// The match of `target[at..]` with `source`, made longer to both sides: source, position and length.
    #[inline(always)]
    pub(crate) fn extend(&self, source: usize, at: usize, floor: usize) -> (usize, usize, usize) {
        let length = common_prefix(&self.base[source..], &self.target[at..self.end]);
        let back = common_back(&self.base[..source], &self.target[floor..at]);
        (source - back, at - back, length + back)
    }

    /// As `extend`, within the target.
    #[inline(always)]
    pub(crate) fn extend_own(&self, source: usize, at: usize, floor: usize) -> (usize, usize, usize) {
        let length = common_prefix(&self.target[source..], &self.target[at..self.end]);
        let back = common_back(&self.target[..source], &self.target[floor..at]);
        (source - back, at - back, length + back)
    }
}

/// Bytes that `a` and `b` have in common from their end; few, as a rule.
#[inline(always)]
fn common_back(a: &[u8], b: &[u8]) -> usize {
    a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}
