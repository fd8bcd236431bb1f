//! An adaptive binary range coder, in integers below 2^40: each binary decision takes as much of the range as it is likely.
//!
//! Range coding is Martin's (1979); a carry goes back into the bytes that are written.

use core::hint::select_unpredictable;

use crate::format::{CHANCE_EVEN, CHANCE_STEPS, RATE_MOST};

/// A range is widened by a byte once it is below this.
const RANGE_MIN: u32 = 1 << 24;
/// Bytes that may be read past the end: a writer leaves out as many zeros.
pub(crate) const PAST_END: usize = 4;

/// How likely a decision is a 0, as learnt from those before it.
#[derive(Clone, Copy)]
pub(crate) struct Chance {
    /// Of 2^16.
    zero: u16,
    seen: u16,
}

impl Chance {
    pub(crate) const NEW: Self = Self { zero: CHANCE_EVEN, seen: 0 };

    /// The part of the range that a 0 takes.
    #[inline(always)]
    fn bound(self, range: u32) -> u32 {
        (range >> 12) * u32::from(self.zero >> 4).max(1)
    }

    /// Without a branch, as what a decision is can seldom be foreseen: a 1 lowers the chance of a 0 as a 0 lowers that of a 1.
    #[inline(always)]
    fn learn(&mut self, value: u32) {
        let rate = RATES[usize::from(self.seen) % RATES.len()];
        let mirror = value.wrapping_sub(1) & u32::from(u16::MAX);
        let other = u32::from(self.zero) ^ mirror;
        self.zero = ((other - ((other * rate) >> 16)) ^ mirror) as u16;
        self.seen += u16::from(self.seen < u16::from(CHANCE_STEPS) - 1);
    }
}

/// By how much of 2^16 the next decision moves a chance: first by a half, then less and less.
const RATES: [u32; CHANCE_STEPS as usize] = {
    let mut rates = [0; CHANCE_STEPS as usize];
    let mut seen = 0;
    while seen < rates.len() {
        let divisor = seen as u32 + 2;
        rates[seen] = 65536 / if divisor > RATE_MOST { RATE_MOST } else { divisor };
        seen += 1;
    }
    rates
};

/// Writes or reads decisions: what describes the fields once serves both. A reader's values are ignored.
pub(crate) trait Coder {
    /// A decision with a chance.
    fn bit(&mut self, chance: &mut Chance, value: u32) -> u32;
    /// So many bits without.
    fn plain(&mut self, value: u32, count: u32) -> u32;
}

pub(crate) struct RangeWriter<'a> {
    /// Below 2^32, and a carry.
    low: u64,
    range: u32,
    out: &'a mut [u8],
    at: usize,
}

impl<'a> RangeWriter<'a> {
    /// Writes to `out[at..]`; what does not fit is counted, no more.
    pub(crate) fn new(out: &'a mut [u8], at: usize) -> Self {
        Self { low: 0, range: u32::MAX, out, at }
    }

    /// Where it will end at the least.
    pub(crate) fn end(&self) -> usize {
        self.at
    }

    /// Writes the fewest bytes that read right with zeros after them; where they end, if they fit with those zeros.
    pub(crate) fn finish(mut self) -> Option<usize> {
        let top = self.low + u64::from(self.range) - 1;
        let zeros = (0..32).rev().find(|zeros| top >> zeros << zeros >= self.low).unwrap_or(0);
        self.low = top >> zeros << zeros;
        for _ in 0..PAST_END {
            self.shift();
        }
        let last = self.out.get(self.at - PAST_END..self.at)?;
        let left_out = last.iter().rev().take_while(|byte| **byte == 0).count();
        Some(self.at - left_out)
    }

    #[inline(always)]
    fn widen(&mut self) {
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.shift();
        }
    }

    /// Moves the highest byte of `low` out.
    #[inline(always)]
    fn shift(&mut self) {
        if self.low > u64::from(u32::MAX) {
            self.carry();
        }
        if let Some(place) = self.out.get_mut(self.at) {
            *place = (self.low >> 24) as u8;
        }
        self.at += 1;
        self.low = (self.low & 0x00ff_ffff) << 8;
    }

    /// Adds one to the number that was written.
    #[cold]
    fn carry(&mut self) {
        let end = self.at.min(self.out.len());
        for byte in self.out[..end].iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }
}

impl Coder for RangeWriter<'_> {
    #[inline(always)]
    fn bit(&mut self, chance: &mut Chance, value: u32) -> u32 {
        let bound = chance.bound(self.range);
        self.low += u64::from(bound & value.wrapping_neg());
        self.range = select_unpredictable(value == 0, bound, self.range - bound);
        chance.learn(value);
        self.widen();
        value
    }

    #[inline]
    fn plain(&mut self, value: u32, count: u32) -> u32 {
        for place in (0..count).rev() {
            self.range >>= 1;
            self.low += u64::from(self.range & (value >> place & 1).wrapping_neg());
            self.widen();
        }
        value
    }
}

pub(crate) struct RangeReader<'a> {
    bytes: &'a [u8],
    at: usize,
    code: u32,
    range: u32,
}

impl<'a> RangeReader<'a> {
    /// Reads from `bytes[at..]`.
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        let mut reader = Self { bytes, at, code: 0, range: u32::MAX };
        for _ in 0..4 {
            reader.next();
        }
        reader
    }

    /// Whether more was read than was written.
    #[inline(always)]
    pub(crate) fn is_over(&self) -> bool {
        self.at > self.bytes.len() + PAST_END
    }

    /// Bytes read so far, at most those that are there.
    pub(crate) fn offset(&self) -> usize {
        self.at.min(self.bytes.len())
    }

    #[inline(always)]
    fn next(&mut self) {
        self.code = self.code << 8 | u32::from(self.bytes.get(self.at).copied().unwrap_or(0));
        self.at += 1;
    }

    #[inline(always)]
    fn widen(&mut self) {
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.next();
        }
    }
}

impl Coder for RangeReader<'_> {
    #[inline(always)]
    fn bit(&mut self, chance: &mut Chance, _: u32) -> u32 {
        let bound = chance.bound(self.range);
        let value = u32::from(self.code >= bound);
        if value == 0 {
            self.range = bound;
        } else {
            self.code -= bound;
            self.range -= bound;
        }
        chance.learn(value);
        self.widen();
        value
    }

    #[inline]
    fn plain(&mut self, _: u32, count: u32) -> u32 {
        let mut value = 0;
        for _ in 0..count {
            self.range >>= 1;
            let bit = u32::from(self.code >= self.range);
            self.code -= self.range * bit;
            value = value << 1 | bit;
            self.widen();
        }
        value
    }
}
