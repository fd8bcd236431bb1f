//! A delta that has been checked, as far as that is possible before its target is made.

use crate::bytes::{word32, word64};
use crate::check::{body_length, seal_value};
use crate::coded;
use crate::error::ApplyError;
use crate::format::{
    CHUNK_BITS_MAX, CHUNK_BITS_MIN, CODED, KIND_MASK, MAX_LEN, OPS, OPS_TAIL, SAME, SIGNED, SIGNED_CHECK,
    SIGNED_HEADER, SPLICE, SPLICE_D_NONE, SPLICE_D_SAME, SPLICE_DELETE, SPLICE_L_SHIFT, SPLICE_L_VARINT,
    SPLICE_WIDTH_SHIFT, WHOLE,
};
use crate::hash64;
use crate::sequences::{Added, Reader, Sequences};
use crate::signature::tree_hash;
use crate::sink::Sink;

pub(crate) enum Kind<'a> {
    Same,
    Whole { added: &'a [u8] },
    Splice { start: usize, removed: usize, added: &'a [u8] },
    Ops { body: &'a [u8], start: usize, tail: bool },
    Coded { body: &'a [u8], start: usize },
}

/// The hash that the target must have, over chunks of 2^`chunk_bits` bytes.
struct Promise {
    chunk_bits: u8,
    hash: u64,
}

/// A delta that has been found good, and the length of its target. A coded one's operations are checked as they are carried out.
pub(crate) struct Plan<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) length: usize,
    promise: Option<Promise>,
}

impl<'a> Plan<'a> {
    pub(crate) fn read(base: &[u8], delta: &'a [u8], limit: usize) -> Result<Self, ApplyError> {
        let limit = limit.min(MAX_LEN);
        let &header = delta.first().ok_or(ApplyError::Empty)?;
        if header == SAME {
            return Self::read_same(base, delta, limit);
        }
        if header == SIGNED {
            return Self::read_signed(base, delta, limit);
        }
        let kind = header & KIND_MASK;
        let is_ops = kind == OPS && header & !KIND_MASK & !OPS_TAIL == 0;
        if header != WHOLE && header != CODED && kind != SPLICE && !is_ops {
            return Err(ApplyError::Reserved { byte: header });
        }
        let body = checked_body(base, delta)?;
        match kind {
            SPLICE => Self::read_splice(base, body, limit),
            OPS => Self::read_ops(base, body, limit),
            CODED => Self::read_coded(base, body, limit),
            _ if body.len() - 1 > limit => Err(ApplyError::OverLimit { offset: 0, limit }),
            _ => Ok(Self::new(Kind::Whole { added: &body[1..] }, body.len() - 1)),
        }
    }

    fn new(kind: Kind<'a>, length: usize) -> Self {
        Self { kind, length, promise: None }
    }

    fn read_same(base: &[u8], delta: &[u8], limit: usize) -> Result<Self, ApplyError> {
        if delta.len() > 1 {
            return Err(ApplyError::Trailing { offset: 1 });
        }
        if base.len() > limit {
            return Err(ApplyError::OverLimit { offset: 0, limit });
        }
        Ok(Self::new(Kind::Same, base.len()))
    }

    fn read_splice(base: &[u8], body: &'a [u8], limit: usize) -> Result<Self, ApplyError> {
        let mut reader = Reader { bytes: body, at: 1 };
        let width = usize::from(body[0] >> SPLICE_WIDTH_SHIFT & 3) + 1;
        let mut start = [0; 4];
        start[..width].copy_from_slice(reader.take(width)?);
        let start = u32::from_le_bytes(start) as usize;
        let (l, d) = (body[0] >> SPLICE_L_SHIFT & 3, body[0] & 3);
        if d == SPLICE_DELETE && l != 0 {
            return Err(ApplyError::Reserved { byte: body[0] });
        }
        let added = match l {
            _ if d == SPLICE_DELETE => 0,
            SPLICE_L_VARINT => reader.number()? as usize,
            _ => usize::from(l) + 1,
        };
        let removed = match d {
            SPLICE_D_SAME => added,
            SPLICE_D_NONE => 0,
            _ => reader.number()? as usize,
        };
        let added = reader.take(added)?;
        reader.end()?;
        let rest = base.len().checked_sub(start).and_then(|rest| rest.checked_sub(removed));
        let rest = rest.ok_or(ApplyError::OutOfBase { offset: 0 })?;
        let length = start + added.len() + rest;
        if length > limit {
            return Err(ApplyError::OverLimit { offset: 0, limit });
        }
        Ok(Self::new(Kind::Splice { start, removed, added }, length))
    }

    fn read_ops(base: &[u8], body: &'a [u8], limit: usize) -> Result<Self, ApplyError> {
        let tail = body[0] & OPS_TAIL != 0;
        let length = ops_length(body, 1, base.len(), tail, limit)?;
        Ok(Self::new(Kind::Ops { body, start: 1, tail }, length))
    }

    /// A target without bytes has no code.
    fn read_coded(base: &[u8], body: &'a [u8], limit: usize) -> Result<Self, ApplyError> {
        let mut reader = Reader { bytes: body, at: 1 };
        let zigzag = i64::from(reader.number()?);
        let length = base.len() as i64 + (zigzag >> 1 ^ -(zigzag & 1));
        let length = usize::try_from(length).ok().filter(|length| *length > 0);
        let length = length.ok_or(ApplyError::BadNumber { offset: 1 })?;
        if length > limit {
            return Err(ApplyError::OverLimit { offset: 0, limit });
        }
        Ok(Self::new(Kind::Coded { body, start: reader.at }, length))
    }

    /// The base is hashed last: everything else costs less.
    fn read_signed(base: &[u8], delta: &'a [u8], limit: usize) -> Result<Self, ApplyError> {
        let end = delta.len().checked_sub(SIGNED_CHECK).filter(|end| *end >= SIGNED_HEADER);
        let end = end.ok_or(ApplyError::Truncated { offset: 1 })?;
        let (body, check) = delta.split_at(end);
        if hash64(body) as u32 != word32(check, 0) {
            return Err(ApplyError::BadCheck { offset: end });
        }
        let chunk_bits = body[1];
        if !(CHUNK_BITS_MIN..=CHUNK_BITS_MAX).contains(&chunk_bits) {
            return Err(ApplyError::BadNumber { offset: 1 });
        }
        if word32(body, 2) as usize != base.len() {
            return Err(ApplyError::BadCheck { offset: 2 });
        }
        let length = ops_length(body, SIGNED_HEADER, base.len(), false, limit)?;
        if tree_hash(base, chunk_bits) != word64(body, 6) {
            return Err(ApplyError::BadCheck { offset: 6 });
        }
        let promise = Some(Promise { chunk_bits, hash: word64(body, 14) });
        Ok(Plan { kind: Kind::Ops { body, start: SIGNED_HEADER, tail: false }, length, promise })
    }

    /// Writes the target; `out` has its length. Fails where the target is not the one that was promised, or a code makes none.
    pub(crate) fn fill(&self, base: &[u8], out: &mut [u8]) -> Result<(), ApplyError> {
        self.write(base, out)?;
        match self.promise {
            Some(Promise { chunk_bits, hash }) if tree_hash(out, chunk_bits) != hash => Err(ApplyError::BadResult),
            _ => Ok(()),
        }
    }

    fn write(&self, base: &[u8], out: &mut [u8]) -> Result<(), ApplyError> {
        let mut out = Sink { base, out, at: 0 };
        match self.kind {
            Kind::Same => out.put(base),
            Kind::Whole { added } => out.put(added),
            Kind::Splice { start, removed, added } => {
                out.put(&base[..start]);
                out.put(added);
                out.put(&base[start + removed..]);
            }
            Kind::Ops { body, start, tail } => {
                let mut sequences = Sequences::new(body, start, base.len());
                while let Some(sequence) = sequences.next()? {
                    if sequence.is_own {
                        out.again(sequence.source, sequence.copied);
                    } else {
                        out.put(&base[sequence.source..sequence.source + sequence.copied]);
                    }
                    match sequence.added {
                        Added::Bytes(bytes) => out.put(bytes),
                        Added::Run(length, byte) => out.run(length, byte),
                    }
                }
                if tail {
                    out.put(&base[sequences.expected..]);
                }
            }
            Kind::Coded { body, start } => coded::read(base.len(), body, start, self.length, &mut out)?,
        }
        debug_assert_eq!(out.at, out.out.len());
        Ok(())
    }
}

/// Checks the sequences from `start` on; the length of the target.
fn ops_length(body: &[u8], start: usize, base: usize, tail: bool, limit: usize) -> Result<usize, ApplyError> {
    let mut sequences = Sequences::new(body, start, base);
    let mut offset = start;
    while sequences.next()?.is_some() {
        if sequences.made > limit {
            return Err(ApplyError::OverLimit { offset, limit });
        }
        offset = sequences.reader.at;
    }
    let length = sequences.made + if tail { base - sequences.expected } else { 0 };
    if length > limit {
        return Err(ApplyError::OverLimit { offset, limit });
    }
    Ok(length)
}

/// The delta without its check, which must fit.
fn checked_body<'a>(base: &[u8], delta: &'a [u8]) -> Result<&'a [u8], ApplyError> {
    let length = body_length(delta.len()).ok_or(ApplyError::BadCheck { offset: delta.len() - 1 })?;
    let (body, check) = delta.split_at(length);
    if length == 0 {
        return Err(ApplyError::Truncated { offset: 0 });
    }
    if seal_value(base, body).to_le_bytes()[..check.len()] != *check {
        return Err(ApplyError::BadCheck { offset: length });
    }
    Ok(body)
}
