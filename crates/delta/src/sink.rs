//! Where a target is written.

use crate::coded::Parts;
use crate::error::ApplyError;

pub(crate) struct Sink<'a> {
    pub(crate) base: &'a [u8],
    pub(crate) out: &'a mut [u8],
    pub(crate) at: usize,
}

impl Sink<'_> {
    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    pub(crate) fn run(&mut self, length: usize, byte: u8) {
        self.out[self.at..self.at + length].fill(byte);
        self.at += length;
    }

    /// Bytes of the target again, from `source` on: what is made is repeated where that overlaps.
    pub(crate) fn again(&mut self, source: usize, length: usize) {
        let end = self.at + length;
        while self.at < end {
            let there = (self.at - source).min(end - self.at);
            self.out.copy_within(source..source + there, self.at);
            self.at += there;
        }
    }
}

impl Parts for Sink<'_> {
    #[inline(always)]
    fn literal(&mut self, byte: u8) {
        self.out[self.at] = byte;
        self.at += 1;
    }

    #[inline]
    fn copy(&mut self, source: usize, length: usize) -> Result<(), ApplyError> {
        let base = self.base;
        self.put(&base[source..source + length]);
        Ok(())
    }

    #[inline]
    fn repeat(&mut self, source: usize, length: usize) -> Result<(), ApplyError> {
        self.again(source, length);
        Ok(())
    }
}
