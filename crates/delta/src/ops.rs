//! Writes the body of an ops delta: a header, then sequences of copy and add.

use crate::format::{
    OPS, OPS_TAIL, TOKEN_ADD_DIRECT, TOKEN_ADD_LONG, TOKEN_ADD_RUN, TOKEN_ADD_SHIFT, TOKEN_COPY_BITS, TOKEN_COPY_MORE,
    TOKEN_OFFSET,
};
use crate::script::Operation;

/// Shortest run that is looked for.
const RUN_MIN: usize = 8;
/// In longer literals the search for runs goes in strides.
const CLOSE_MAX: usize = 256;

enum Added<'a> {
    Bytes(&'a [u8]),
    Run(usize, u8),
}

/// A sequence is written when its add is known, so the copy before it waits here.
pub(crate) struct OpsWriter<'a> {
    /// Length of the base.
    base: usize,
    target: &'a [u8],
    out: &'a mut [u8],
    at: usize,
    expected: usize,
    source: usize,
    copied: usize,
}

/// A sequence's token and its numbers, and what a run in its new bytes may add.
const SEQUENCE_MAX: usize = 24;

/// The body of an ops delta of these operations is no longer.
pub(crate) fn length_max(operations: &[Operation]) -> usize {
    let new: usize = operations.iter().map(|operation| operation.literal as usize).sum();
    new.saturating_mul(2).saturating_add(SEQUENCE_MAX * (operations.len() + 1))
}

/// The body of an ops delta of these operations, at the start of `out`; its length, or `None` where it does not fit.
pub(crate) fn write(base: usize, target: &[u8], operations: &[Operation], out: &mut [u8]) -> Option<usize> {
    let mut writer = OpsWriter::new(base, target, out, 1);
    let mut at = 0;
    for operation in operations {
        let (source, length) = (operation.source as usize, operation.length as usize);
        let from = at;
        at += operation.literal as usize;
        if at > 0 && length > 0 && source == base + at - 1 {
            writer.run(from, at, length)?;
        } else {
            writer.add(from, at)?;
            writer.copy(source, length);
        }
        at += length;
    }
    writer.finish()
}

/// Every method returns `None` once `out` is full.
impl<'a> OpsWriter<'a> {
    /// The first sequence goes to `out[at..]`.
    pub(crate) fn new(base: usize, target: &'a [u8], out: &'a mut [u8], at: usize) -> Self {
        Self { base, target, out, at, expected: 0, source: 0, copied: 0 }
    }

    /// The next bytes of the target are those from `source` on: in the base, or from its length on in the target.
    pub(crate) fn copy(&mut self, source: usize, length: usize) {
        self.source = source;
        self.copied = length;
    }

    /// After the copy, `target[from..to]` is new.
    pub(crate) fn add(&mut self, from: usize, to: usize) -> Option<()> {
        let target = self.target;
        let stride = if to - from <= CLOSE_MAX { 1 } else { RUN_MIN };
        let (mut start, mut i) = (from, from);
        while i < to {
            let Some((first, end)) = run_around(target, start, i, to) else {
                i += stride;
                continue;
            };
            if first > start {
                self.sequence(Added::Bytes(&target[start..first]))?;
            }
            self.sequence(Added::Run(end - first, target[first]))?;
            i = end;
            start = end;
        }
        if start < to || self.copied > 0 {
            self.sequence(Added::Bytes(&target[start..to]))?;
        }
        Some(())
    }

    /// As `add`, and then the last byte so many times more.
    fn run(&mut self, from: usize, to: usize, more: usize) -> Option<()> {
        let first = to - usize::from(to > from);
        if first > from {
            self.add(from, first)?;
        }
        self.sequence(Added::Run(more + to - first, self.target[to - 1]))
    }

    /// Ends with the copy that waits; the length of the body. The base's end needs no sequence where it is expected.
    fn finish(mut self) -> Option<usize> {
        let is_tail = self.copied > 0 && self.source + self.copied == self.base;
        let is_expected = is_tail && self.source == self.expected;
        if self.copied > 0 && !is_expected {
            self.copied = if is_tail { 0 } else { self.copied };
            self.sequence(Added::Bytes(&[]))?;
        }
        *self.out.first_mut()? = if is_tail { OPS | OPS_TAIL } else { OPS };
        Some(self.at)
    }

    /// Where the sequences end.
    pub(crate) fn end(&self) -> usize {
        self.at
    }

    fn sequence(&mut self, added: Added<'_>) -> Option<()> {
        let offset = self.source as i64 - self.expected as i64;
        let (code, length) = match added {
            Added::Run(length, _) => (TOKEN_ADD_RUN, length),
            Added::Bytes(bytes) if bytes.len() <= TOKEN_ADD_DIRECT => (bytes.len() as u8, bytes.len()),
            Added::Bytes(bytes) => (TOKEN_ADD_LONG, bytes.len()),
        };
        let low = self.copied as u8 & ((1 << TOKEN_COPY_BITS) - 1);
        let high = self.copied >> TOKEN_COPY_BITS;
        let mut token = code << TOKEN_ADD_SHIFT | low;
        token |= if offset == 0 { 0 } else { TOKEN_OFFSET };
        token |= if high == 0 { 0 } else { TOKEN_COPY_MORE };
        self.byte(token)?;
        if high > 0 {
            self.number(high as u32)?;
        }
        if offset != 0 {
            self.number(u32::try_from(offset << 1 ^ offset >> 63).ok()?)?;
        }
        match added {
            Added::Run(length, byte) => {
                self.number(length as u32)?;
                self.byte(byte)?;
            }
            Added::Bytes(bytes) => {
                if code == TOKEN_ADD_LONG {
                    self.number((length - TOKEN_ADD_DIRECT - 1) as u32)?;
                }
                self.out.get_mut(self.at..self.at + length)?.copy_from_slice(bytes);
                self.at += length;
            }
        }
        let is_own = self.source >= self.base && self.copied > 0;
        let from = if is_own { self.expected } else { self.source };
        self.expected = (from + self.copied + length).min(self.base);
        self.copy(self.expected, 0);
        Some(())
    }

    #[inline]
    fn byte(&mut self, value: u8) -> Option<()> {
        *self.out.get_mut(self.at)? = value;
        self.at += 1;
        Some(())
    }

    #[inline]
    fn number(&mut self, value: u32) -> Option<()> {
        self.at = put_number(self.out, self.at, value)?;
        Some(())
    }
}

/// Writes a number at `at`; the position after it.
pub(crate) fn put_number(out: &mut [u8], mut at: usize, mut value: u32) -> Option<usize> {
    while value > 0x7f {
        *out.get_mut(at)? = value as u8 | 0x80;
        at += 1;
        value >>= 7;
    }
    *out.get_mut(at)? = value as u8;
    Some(at + 1)
}

/// The run in `target[start..to]` that covers `at..at + RUN_MIN`.
#[inline]
fn run_around(target: &[u8], start: usize, at: usize, to: usize) -> Option<(usize, usize)> {
    let byte = target[at];
    if at + RUN_MIN > to || target[at + RUN_MIN - 1] != byte || target[at..at + RUN_MIN].iter().any(|&b| b != byte) {
        return None;
    }
    let (mut first, mut end) = (at, at + RUN_MIN);
    while first > start && target[first - 1] == byte {
        first -= 1;
    }
    while end < to && target[end] == byte {
        end += 1;
    }
    Some((first, end))
}
