//! Takes the body of a delta apart: sequences of a copy and an addition, each checked as it is read. Lengths are claims: where
//! `usize` has 32 bits they saturate, and are then refused as on any other machine.

use crate::error::ApplyError;
use crate::format::{
    TOKEN_ADD_DIRECT, TOKEN_ADD_LONG, TOKEN_ADD_RUN, TOKEN_ADD_SHIFT, TOKEN_COPY_BITS, TOKEN_COPY_MORE, TOKEN_OFFSET,
};

pub enum Added<'a> {
    Bytes(&'a [u8]),
    Run(usize, u8),
}

impl Added<'_> {
    pub fn length(&self) -> usize {
        match *self {
            Added::Bytes(bytes) => bytes.len(),
            Added::Run(length, _) => length,
        }
    }
}

pub struct Sequence<'a> {
    /// In the base, or in the target so far.
    pub source: usize,
    pub is_own: bool,
    pub copied: usize,
    pub added: Added<'a>,
}

/// The sequences of an ops body, each checked against the base's length, and against what was made, as it is read.
pub struct Sequences<'a> {
    pub reader: Reader<'a>,
    base: usize,
    /// Bytes that the sequences so far make.
    pub made: usize,
    /// Where the next copy starts unless it says otherwise.
    pub expected: usize,
}

impl<'a> Sequences<'a> {
    pub fn new(body: &'a [u8], start: usize, base: usize) -> Self {
        Self { reader: Reader { bytes: body, at: start }, base, made: 0, expected: 0 }
    }

    #[inline]
    pub fn next(&mut self) -> Result<Option<Sequence<'a>>, ApplyError> {
        let offset = self.reader.at;
        let Some(&token) = self.reader.bytes.get(offset) else { return Ok(None) };
        self.reader.at += 1;
        let mut copied = usize::from(token & ((1 << TOKEN_COPY_BITS) - 1));
        if token & TOKEN_COPY_MORE != 0 {
            let more = u64::from(self.reader.number()?) << TOKEN_COPY_BITS;
            copied = usize::try_from(more).map_or(usize::MAX, |more| copied | more);
        }
        let mut source = self.expected;
        if token & TOKEN_OFFSET != 0 {
            let zigzag = i64::from(self.reader.number()?);
            let moved = source as i64 + (zigzag >> 1 ^ -(zigzag & 1));
            source = usize::try_from(moved).map_err(|_| ApplyError::OutOfBase { offset })?;
        }
        let is_own = source >= self.base && copied > 0;
        let is_there =
            if is_own { source - self.base < self.made } else { source <= self.base && copied <= self.base - source };
        if !is_there {
            return Err(ApplyError::OutOfBase { offset });
        }
        let added = self.added(token >> TOKEN_ADD_SHIFT & 7)?;
        let new = added.length();
        self.made = self.made.saturating_add(copied).saturating_add(new);
        let from = if is_own { self.expected } else { source };
        self.expected = from.saturating_add(copied).saturating_add(new).min(self.base);
        let source = if is_own { source - self.base } else { source };
        Ok(Some(Sequence { source, is_own, copied, added }))
    }

    #[inline]
    fn added(&mut self, code: u8) -> Result<Added<'a>, ApplyError> {
        match code {
            TOKEN_ADD_RUN => Ok(Added::Run(self.reader.number()? as usize, self.reader.take(1)?[0])),
            TOKEN_ADD_LONG => {
                let length = (self.reader.number()? as usize).saturating_add(TOKEN_ADD_DIRECT + 1);
                Ok(Added::Bytes(self.reader.take(length)?))
            }
            _ => Ok(Added::Bytes(self.reader.take(usize::from(code))?)),
        }
    }
}

pub struct Reader<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], ApplyError> {
        let bytes = self.bytes[self.at..].get(..length).ok_or(ApplyError::Truncated { offset: self.at })?;
        self.at += length;
        Ok(bytes)
    }

    #[inline]
    pub fn number(&mut self) -> Result<u32, ApplyError> {
        let offset = self.at;
        let mut value = 0u64;
        for shift in [0u32, 7, 14, 21, 28] {
            let &byte = self.bytes.get(self.at).ok_or(ApplyError::Truncated { offset })?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let shortest = shift == 0 || byte != 0;
                let number = u32::try_from(value).ok().filter(|_| shortest);
                return number.ok_or(ApplyError::BadNumber { offset });
            }
        }
        Err(ApplyError::BadNumber { offset })
    }

    pub fn end(&self) -> Result<(), ApplyError> {
        if self.at < self.bytes.len() { Err(ApplyError::Trailing { offset: self.at }) } else { Ok(()) }
    }
}
