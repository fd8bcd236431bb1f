//! Walks base and target along their diagonal and finds where they agree again after each edit. Work is linear in the input.

use crate::bytes::{common_prefix, word64};
use crate::index::Index;
use crate::ops::OpsWriter;
use crate::window::{GRAM, Match, STRONG, WINDOW_MAX, WINDOW_MIN, Window};

/// On the diagonal the next equal gram is looked for this far.
const DIAGONAL_REACH: usize = 24;
/// A window is at most this many times as wide as the target that is left: little is to be won there.
const WINDOW_PER_LEFT: usize = 16;
/// With less target than this left, windows (index) are not worth their set-up.
const WINDOW_LEFT_MIN: usize = 24;
const INDEX_LEFT_MIN: usize = 64;
/// Least and most weak matches in a row before a wide search.
const PATIENCE_MIN: usize = 2;
const PATIENCE_MAX: usize = 16;
/// A wide search that has a weak match stops at this window.
const WIDE_ENOUGH: usize = 1024;
/// The index is built where nothing else is found, or once the debt has reached this much and such a part of the base.
const DEBT_FIXED: usize = 64;
const DEBT_PER_BASE: usize = 1024;
/// Once the windows have done this much work, and so much per byte of the edited part, they are used no more.
const BUDGET_FIXED: u64 = 1 << 16;
const BUDGET_PER_BYTE: u64 = 2;

/// What base and target have in common at both ends.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) prefix: usize,
    pub(crate) suffix: usize,
}

/// Writes the body of an ops delta into `out`; its length, or `None` where it does not fit. Adds positions looked at to `work`.
pub(crate) fn walk(base: &[u8], target: &[u8], ends: Ends, out: &mut [u8], work: &mut u64) -> Option<usize> {
    let edited = &target[..target.len() - ends.suffix];
    let budget = BUDGET_FIXED + BUDGET_PER_BYTE * (edited.len() - ends.prefix) as u64;
    let mut finder = Finder {
        base,
        target: edited,
        window: None,
        index: None,
        budget,
        work: 0,
        weak: 0,
        patience: PATIENCE_MIN,
        debt: 0,
    };
    let mut writer = OpsWriter::new(base, target, out);
    let (mut at, mut expected) = (ends.prefix, ends.prefix);
    writer.copy(0, ends.prefix);
    loop {
        let found = if at < edited.len() { finder.find(at, expected) } else { None };
        writer.add(at, found.map_or(edited.len(), |next| next.at))?;
        let Some(next) = found else { break };
        writer.copy(next.source, next.length);
        at = next.at + next.length;
        expected = next.source + next.length;
    }
    *work += finder.work + finder.window.map_or(0, |window| window.work);
    writer.finish(ends.suffix)
}

struct Finder<'a> {
    base: &'a [u8],
    target: &'a [u8],
    window: Option<Window>,
    index: Option<Index>,
    budget: u64,
    work: u64,
    /// Weak matches taken since the last strong one or the last wide search, and how many are taken before the next.
    weak: usize,
    patience: usize,
    /// Bytes of weak matches and of literals so far: what an index might have saved.
    debt: usize,
}

impl Finder<'_> {
    /// The next match at or after `target[at]`, where `base[expected]` differs from it.
    ///
    /// A weak match may be a chance one that leads astray: after a few of them in a row a wider search looks for a strong one.
    fn find(&mut self, at: usize, expected: usize) -> Option<Match> {
        let patient = self.weak < self.patience;
        let mut best = self.on_diagonal(at, expected);
        let will_do = is_strong(best) || (patient && best.is_some());
        if !will_do {
            best = self.nearby(at, expected, best, patient);
        }
        if best.is_none() || (!patient && !is_strong(best) && self.debt >= DEBT_FIXED + self.base.len() / DEBT_PER_BASE)
        {
            best = self.anywhere(at, best);
        }
        self.judge(at, expected, best, patient);
        best
    }

    /// A strong match off the diagonal shows that wide searches pay.
    fn judge(&mut self, at: usize, expected: usize, best: Option<Match>, patient: bool) {
        let Some(best) = best else { return };
        self.debt += best.at - at;
        if best.length >= STRONG {
            self.weak = 0;
            if best.source + at != expected + best.at {
                self.patience = PATIENCE_MIN;
            }
            return;
        }
        self.debt += best.length;
        self.weak += 1;
        if !patient {
            self.weak = 0;
            self.patience = (self.patience * 2).min(PATIENCE_MAX);
        }
    }

    fn on_diagonal(&mut self, at: usize, expected: usize) -> Option<Match> {
        let (base, target) = (&self.base[expected..], &self.target[at..]);
        let reach = (base.len().min(target.len()) + 1).saturating_sub(GRAM).min(DIAGONAL_REACH);
        let i = (0..reach).find(|&i| word64(base, i) == word64(target, i));
        self.work += i.unwrap_or(reach) as u64;
        let i = i?;
        let length = common_prefix(&base[i..], &target[i..]);
        Some(Match { at: at + i, source: expected + i, length })
    }

    /// The best match in growing windows around `expected`; a patient search ends with the first window that has one.
    fn nearby(&mut self, at: usize, expected: usize, mut best: Option<Match>, patient: bool) -> Option<Match> {
        let left = self.target.len() - at;
        if left < WINDOW_LEFT_MIN || self.window.as_ref().is_some_and(|window| window.work > self.budget) {
            return best;
        }
        let window = self.window.get_or_insert_with(|| Window::new(self.base));
        let mut width = WINDOW_MIN;
        while width <= WINDOW_MAX && width <= WINDOW_PER_LEFT * left {
            window.cover(self.base, expected.saturating_sub(width), expected + width);
            let end = (at + width).min(self.target.len() + 1 - GRAM);
            best = window.scan(self.base, self.target, at, end, best);
            if is_strong(best) || (patient && best.is_some()) || (best.is_some() && width >= WIDE_ENOUGH) {
                break;
            }
            width *= 4;
        }
        best.map(|found| self.extend_back(found, at))
    }

    /// The first far match, or, where there is a match already, a better one that starts before its end.
    fn anywhere(&mut self, at: usize, best: Option<Match>) -> Option<Match> {
        if self.target.len() - at < INDEX_LEFT_MIN {
            return best;
        }
        if self.index.is_none() {
            self.work += (self.base.len() / 16) as u64;
        }
        let index = self.index.get_or_insert_with(|| Index::new(self.base));
        let end = best.map_or(self.target.len(), |best| best.at + best.length);
        let (found, looked) = index.scan(self.base, self.target, at, end);
        self.work += looked as u64;
        let found = found.map(|found| self.extend_back(found, at));
        if best.is_none() || is_strong(found) { found } else { best }
    }

    fn extend_back(&self, found: Match, floor: usize) -> Match {
        let room = (found.at - floor).min(found.source);
        let back = (0..room).take_while(|i| self.base[found.source - 1 - i] == self.target[found.at - 1 - i]).count();
        Match { at: found.at - back, source: found.source - back, length: found.length + back }
    }
}

fn is_strong(found: Option<Match>) -> bool {
    found.is_some_and(|found| found.length >= STRONG)
}
