//! What the coder expects of the fields of operations, and learns from them.

use crate::range::{Chance, Coder};

/// A copy's source: on the diagonal, where the last copy from the base ended, where one of the three streams before it did, ahead
/// or back of the latest, or in the target's own text.
pub(crate) const DIAGONAL: u32 = 0;
pub(crate) const STREAM: u32 = 1;
pub(crate) const AHEAD: u32 = 5;
pub(crate) const BACK: u32 = 6;
pub(crate) const OWN: u32 = 7;
const KINDS: usize = 8;

/// Bits below the highest that are expected by chance.
const TOP_BITS: u32 = 2;

/// A number v: how many bits v + 1 has, then the two below the highest, each by chance; then the others plain.
struct Number {
    size: [Chance; 32],
    top: [[Chance; 4]; 32],
}

impl Number {
    const NEW: Self = Self { size: [Chance::NEW; 32], top: [[Chance::NEW; 4]; 32] };

    /// `value` is below 2^32 - 1.
    #[inline]
    fn code(&mut self, coder: &mut impl Coder, value: u32) -> u32 {
        let word = value.wrapping_add(1);
        let size = tree(coder, &mut self.size, 31 - (word | 1).leading_zeros(), 5);
        let known = size.min(TOP_BITS);
        let top =
            1 << known | tree(coder, &mut self.top[size as usize], word >> (size - known) & ((1 << known) - 1), known);
        let rest = size - known;
        let low = coder.plain(word & ((1 << rest) - 1), rest);
        (top << rest | low).wrapping_sub(1)
    }
}

/// `count` bits, the highest first, each with a chance of its own for those before it.
#[inline(always)]
fn tree(coder: &mut impl Coder, chances: &mut [Chance], value: u32, count: u32) -> u32 {
    let mut node = 1u32;
    for place in (0..count).rev() {
        node = node << 1 | coder.bit(&mut chances[node as usize], value >> place & 1);
    }
    node - (1 << count)
}

pub(crate) struct Model {
    /// By the kind before, and by whether there are new bytes between.
    kind: [[[Chance; KINDS]; 2]; KINDS],
    literal_length: [Number; 3],
    length: [Number; 3],
    ahead: Number,
    back: Number,
    own: Number,
    literal: [Chance; 256],
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            kind: [[[Chance::NEW; KINDS]; 2]; KINDS],
            literal_length: [Number::NEW; 3],
            length: [Number::NEW; 3],
            ahead: Number::NEW,
            back: Number::NEW,
            own: Number::NEW,
            literal: [Chance::NEW; 256],
        }
    }

    #[inline]
    pub(crate) fn literal_length(&mut self, coder: &mut impl Coder, before: u32, value: u32) -> u32 {
        let context = match before {
            DIAGONAL | STREAM => 0,
            OWN => 2,
            _ => 1,
        };
        self.literal_length[context].code(coder, value)
    }

    #[inline(always)]
    pub(crate) fn literal(&mut self, coder: &mut impl Coder, value: u8) -> u8 {
        tree(coder, &mut self.literal, value.into(), 8) as u8
    }

    #[inline]
    pub(crate) fn kind(&mut self, coder: &mut impl Coder, before: u32, has_literal: bool, value: u32) -> u32 {
        tree(coder, &mut self.kind[before as usize][usize::from(has_literal)], value, 3)
    }

    /// How far the source is from where the kind says; nothing is coded for the kinds that say it all.
    #[inline]
    pub(crate) fn distance(&mut self, coder: &mut impl Coder, kind: u32, value: u32) -> u32 {
        match kind {
            AHEAD => self.ahead.code(coder, value),
            BACK => self.back.code(coder, value),
            OWN => self.own.code(coder, value),
            _ => 0,
        }
    }

    /// A copy's length; 0: as long as the target.
    #[inline]
    pub(crate) fn length(&mut self, coder: &mut impl Coder, kind: u32, value: u32) -> u32 {
        let context = match kind {
            DIAGONAL => 0,
            OWN => 2,
            _ => 1,
        };
        self.length[context].code(coder, value)
    }
}
