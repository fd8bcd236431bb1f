//! Numbers of a delta, read and written.

use crate::error::ApplyError;

type Read<T> = Result<T, ApplyError>;

/// LEB128.
pub(crate) fn put_number(out: &mut Vec<u8>, value: u64) {
    let mut rest = value;
    while rest > 0x7f {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

pub(crate) fn number_length(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Reads the part of a delta that begins at `at`.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// `bytes` end where the part does.
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Reader { bytes, at }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn corrupt<T>(&self, what: &'static str) -> Read<T> {
        Err(ApplyError::Corrupt { what, offset: self.at })
    }

    pub(crate) fn byte(&mut self) -> Read<u8> {
        match self.bytes.get(self.at) {
            Some(&byte) => {
                self.at += 1;
                Ok(byte)
            }
            None => self.corrupt("it is cut short"),
        }
    }

    /// Below 2^32, and no longer than it need be.
    pub(crate) fn number(&mut self) -> Read<u32> {
        let mut value = 0u64;
        for shift in (0..=28).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte >= 0x80 {
                continue;
            }
            match u32::try_from(value) {
                Ok(value) if byte != 0 || shift == 0 => return Ok(value),
                _ => break,
            }
        }
        self.corrupt("a number is too long")
    }

    pub(crate) fn up_to(&mut self, most: usize, what: &'static str) -> Read<usize> {
        let value = self.number()? as usize;
        if value <= most { Ok(value) } else { self.corrupt(what) }
    }

    pub(crate) fn raw(&mut self, length: usize) -> Read<&'a [u8]> {
        if length > self.left() {
            return self.corrupt("it is cut short");
        }
        self.at += length;
        Ok(&self.bytes[self.at - length..self.at])
    }
}
