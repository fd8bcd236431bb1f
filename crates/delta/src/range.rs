//! An adaptive binary range coder, in integers below 2^40: each binary decision takes as much of the range as it is likely.
//!
//! The carry is held back as in LZMA (Pavlov); range coding is Martin's (1979).

use crate::format::{CHANCE_EVEN, CHANCE_STEPS, RATE_MOST};

/// A range is widened by a byte once it is below this.
const RANGE_MIN: u32 = 1 << 24;
/// Bytes that may be read past the end: a writer leaves out as many zeros.
const PAST_END: usize = 4;

/// How likely a decision is a 0, as learnt from those before it.
#[derive(Clone, Copy)]
pub(crate) struct Chance {
    /// Of 2^16.
    zero: u16,
    seen: u8,
}

impl Chance {
    pub(crate) const NEW: Self = Self { zero: CHANCE_EVEN, seen: 0 };

    /// The part of the range that a 0 takes.
    #[inline(always)]
    fn bound(self, range: u32) -> u32 {
        (range >> 12) * u32::from(self.zero >> 4).clamp(1, 4095)
    }

    #[inline(always)]
    fn learn(&mut self, value: u32) {
        let rate = RATES[usize::from(self.seen)];
        if value == 0 {
            self.zero += ((u32::from(u16::MAX - self.zero) * rate) >> 16) as u16;
        } else {
            self.zero -= ((u32::from(self.zero) * rate) >> 16) as u16;
        }
        self.seen += u8::from(self.seen < CHANCE_STEPS - 1);
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
    low: u64,
    range: u32,
    /// The last byte, which a carry may still change, and how many 255s are after it.
    held: u8,
    full: usize,
    is_first: bool,
    out: &'a mut Vec<u8>,
}

impl<'a> RangeWriter<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { low: 0, range: u32::MAX, held: 0, full: 0, is_first: true, out }
    }

    /// Bytes so far, a few that are held back left out.
    pub(crate) fn length(&self) -> usize {
        self.out.len() + self.full
    }

    /// Writes the fewest bytes that read right with zeros after them.
    pub(crate) fn finish(mut self) {
        let top = self.low + u64::from(self.range) - 1;
        let zeros = (0..32).rev().find(|zeros| top >> zeros << zeros >= self.low).unwrap_or(0);
        self.low = top >> zeros << zeros;
        for _ in 0..=PAST_END {
            self.shift();
        }
        for _ in 0..PAST_END {
            if self.out.last() == Some(&0) {
                self.out.pop();
            }
        }
    }

    #[inline(always)]
    fn widen(&mut self) {
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.shift();
        }
    }

    /// Moves the highest byte of `low` out.
    #[inline]
    fn shift(&mut self) {
        let carry = (self.low >> 32) as u8;
        if (self.low as u32) < 0xff00_0000 || carry != 0 {
            if !self.is_first {
                self.out.push(self.held.wrapping_add(carry));
            }
            self.is_first = false;
            for _ in 0..self.full {
                self.out.push(0xff_u8.wrapping_add(carry));
            }
            self.full = 0;
            self.held = (self.low >> 24) as u8;
        } else {
            self.full += 1;
        }
        self.low = (self.low & 0x00ff_ffff) << 8;
    }
}

impl Coder for RangeWriter<'_> {
    #[inline(always)]
    fn bit(&mut self, chance: &mut Chance, value: u32) -> u32 {
        let bound = chance.bound(self.range);
        if value == 0 {
            self.range = bound;
        } else {
            self.low += u64::from(bound);
            self.range -= bound;
        }
        chance.learn(value);
        self.widen();
        value
    }

    #[inline]
    fn plain(&mut self, value: u32, count: u32) -> u32 {
        for place in (0..count).rev() {
            self.range >>= 1;
            if value >> place & 1 != 0 {
                self.low += u64::from(self.range);
            }
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
