//! Writes the body of an ops delta: a header, then sequences of copy and add.

use crate::bytes::common_prefix;
use crate::format::{
    OPS, OPS_TAIL, TOKEN_ADD_DIRECT, TOKEN_ADD_LONG, TOKEN_ADD_RUN, TOKEN_ADD_SHIFT, TOKEN_COPY_BITS, TOKEN_COPY_MORE,
    TOKEN_OFFSET,
};

/// Literals up to this long are searched for bytes that equal the base on the diagonal: copying two of them costs one byte.
const REFINE_MAX: usize = 256;
const REFINE_MIN: usize = 2;
/// Shortest run that is looked for, and the stride of the search in long literals.
const RUN_MIN: usize = 8;

enum Added<'a> {
    Bytes(&'a [u8]),
    Run(usize, u8),
}

/// A sequence is written when its add is known, so the copy before it waits here.
pub(crate) struct OpsWriter<'a> {
    /// Empty where only its length is known.
    base: &'a [u8],
    length: usize,
    target: &'a [u8],
    out: &'a mut [u8],
    at: usize,
    expected: usize,
    source: usize,
    copied: usize,
}

/// Every method returns `None` once `out` is full.
impl<'a> OpsWriter<'a> {
    pub(crate) fn new(base: &'a [u8], target: &'a [u8], out: &'a mut [u8]) -> Self {
        Self { base, length: base.len(), target, out, at: 1, expected: 0, source: 0, copied: 0 }
    }

    /// As `new`, without the base; the first sequence goes to `out[at..]`.
    pub(crate) fn blind(length: usize, target: &'a [u8], out: &'a mut [u8], at: usize) -> Self {
        Self { base: &[], length, target, out, at, expected: 0, source: 0, copied: 0 }
    }

    /// The next bytes of the target are `base[source..source + length]`.
    pub(crate) fn copy(&mut self, source: usize, length: usize) {
        self.source = source;
        self.copied = length;
    }

    /// After the copy, `target[from..to]` is new.
    pub(crate) fn add(&mut self, from: usize, to: usize) -> Option<()> {
        let (base, target) = (self.base, self.target);
        let diagonal = self.source + self.copied;
        let near = to - from <= REFINE_MAX;
        let (mut start, mut i) = (from, from);
        while i < to {
            let mirror = diagonal + (i - from);
            if near && mirror < base.len() {
                let same = common_prefix(&base[mirror..], &target[i..to]);
                if same >= REFINE_MIN {
                    self.sequence(Added::Bytes(&target[start..i]))?;
                    self.copy(mirror, same);
                    i += same;
                    start = i;
                    continue;
                }
            }
            let Some((first, end)) = run_around(target, start, i, to) else {
                i += if near { 1 } else { RUN_MIN };
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

    /// Ends with the last `tail` bytes of the base; the length of the body.
    pub(crate) fn finish(mut self, tail: usize) -> Option<usize> {
        if tail > 0 && self.expected != self.base.len() - tail {
            self.copy(self.base.len() - tail, 0);
            self.sequence(Added::Bytes(&[]))?;
        }
        *self.out.first_mut()? = if tail > 0 { OPS | OPS_TAIL } else { OPS };
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
            self.number(((offset as i32) << 1 ^ (offset as i32) >> 31) as u32)?;
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
        self.expected = (self.source + self.copied + length).min(self.length);
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
