//! What the tokens of texts, bytes, numbers and dates say.

use crate::token::{Kind, PREFIX, WIDTHS, big_endian};

/// A value that is no container: its token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf<'a> {
    pub(crate) kind: Kind,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Leaf<'a> {
    /// A text's content.
    #[inline]
    pub(crate) fn text(self) -> &'a [u8] {
        let header = match self.bytes[0] {
            0xd9 => 2,
            0xda => 3,
            0xdb => 5,
            _ => 1,
        };
        &self.bytes[header..]
    }

    /// Which kind of bytes it is (Buffer: nothing), and the bytes.
    pub(crate) fn memory(self) -> (Option<u8>, &'a [u8]) {
        match self.bytes[0] {
            token @ 0xc4..=0xc6 => (None, &self.bytes[1 + (1 << (token - 0xc4))..]),
            token => {
                let kind = 2 + (1 << (token - 0xc7));
                (Some(self.bytes[kind]), &self.bytes[kind + 1..])
            }
        }
    }

    fn natural(self, at: usize, width: usize) -> u64 {
        big_endian(self.bytes, at, width).unwrap_or(0)
    }

    fn signed(self, width: usize) -> i64 {
        let shift = 64 - 8 * width as u32;
        (self.natural(1, width) << shift) as i64 >> shift
    }

    /// A number's value.
    pub(crate) fn number(self) -> f64 {
        match self.bytes[0] {
            token @ 0x00..=0x7f => f64::from(token),
            token @ 0xe0..=0xff => f64::from(token as i8),
            0xcc => self.natural(1, 1) as f64,
            0xcd => self.natural(1, 2) as f64,
            0xce => self.natural(1, 4) as f64,
            0xd0 => self.signed(1) as f64,
            0xd1 => self.signed(2) as f64,
            0xd2 => self.signed(4) as f64,
            PREFIX => -0.0,
            _ => f64::from_bits(self.natural(1, 8)),
        }
    }

    pub(crate) fn is_negative_zero(self) -> bool {
        self.kind == Kind::Number && self.bytes[0] == PREFIX
    }

    /// An integer of 64 bits, with its sign.
    pub(crate) fn integer(self) -> i128 {
        let bits = self.natural(1, 8);
        if self.bytes[0] == 0xcf { i128::from(bits) } else { i128::from(bits as i64) }
    }

    /// Milliseconds since 1970; NaN: an invalid Date.
    pub(crate) fn time(self) -> f64 {
        match self.bytes[0] {
            PREFIX => f64::NAN,
            0xd6 => self.natural(2, 4) as f64 * 1000.0,
            0xd7 => self.natural(6, 4) as f64 * 1000.0 + (self.natural(2, 4) / 4_000_000) as f64,
            _ => self.natural(7, 8) as i64 as f64 * 1000.0 + (self.natural(3, 4) / 1_000_000) as f64,
        }
    }
}

/// Whether so many bytes are whole elements of a kind.
pub(crate) fn is_whole(kind: Option<u8>, length: usize) -> bool {
    kind.and_then(|kind| WIDTHS.get(usize::from(kind))).is_none_or(|&width| length.is_multiple_of(width))
}
