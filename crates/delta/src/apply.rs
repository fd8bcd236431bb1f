//! Turns a base and a delta into the target. The first pass checks everything, the second copies.

use crate::bytes::{word32, word64};
use crate::check::{body_length, seal_value};
use crate::error::{ApplyError, ChainError};
use crate::format::{
    CHUNK_BITS_MAX, CHUNK_BITS_MIN, KIND_MASK, MAX_LEN, OPS, OPS_TAIL, SAME, SIGNED, SIGNED_CHECK, SIGNED_HEADER,
    SPLICE, SPLICE_D_NONE, SPLICE_D_SAME, SPLICE_DELETE, SPLICE_L_SHIFT, SPLICE_L_VARINT, SPLICE_WIDTH_SHIFT, WHOLE,
};
use crate::hash64;
use crate::sequences::{Added, Reader, Sequences};
use crate::signature::tree_hash;

/// The target, of at most `limit` bytes; nothing is allocated before the whole delta has been found good.
pub fn apply(base: &[u8], delta: &[u8], limit: usize) -> Result<Vec<u8>, ApplyError> {
    let plan = Plan::read(base, delta, limit)?;
    let mut out = vec![0; plan.length];
    plan.fill(base, &mut out)?;
    Ok(out)
}

/// `apply`, written to the start of `out`; the target's length. Where `out` is too short nothing is written.
pub fn apply_into(base: &[u8], delta: &[u8], limit: usize, out: &mut [u8]) -> Result<usize, ApplyError> {
    let plan = Plan::read(base, delta, limit)?;
    let needed = plan.length;
    plan.fill(base, out.get_mut(..needed).ok_or(ApplyError::OutTooSmall { needed })?)?;
    Ok(needed)
}

/// Turns `bytes`, the base, into the target where it lies; how many bytes were written. Work is linear in the delta and the bytes
/// written. Takes only deltas whose target has the base's length and whose copies all stay in place; others, and an error of
/// any other kind, leave `bytes` as they were.
pub fn apply_in_place(bytes: &mut [u8], delta: &[u8]) -> Result<usize, ApplyError> {
    if delta.first() == Some(&SIGNED) {
        return Err(ApplyError::NotInPlace { offset: 0 });
    }
    let plan = Plan::read(bytes, delta, bytes.len()).map_err(|error| match error {
        ApplyError::OverLimit { offset, .. } => ApplyError::NotInPlace { offset },
        other => other,
    })?;
    if plan.length != bytes.len() {
        return Err(ApplyError::NotInPlace { offset: 0 });
    }
    match plan.kind {
        Kind::Same => Ok(0),
        Kind::Whole { added } => {
            bytes.copy_from_slice(added);
            Ok(added.len())
        }
        Kind::Splice { start, added, .. } => {
            bytes[start..start + added.len()].copy_from_slice(added);
            Ok(added.len())
        }
        Kind::Ops { body, .. } => {
            check_unmoved(body, bytes.len())?;
            Ok(write_added(body, bytes))
        }
    }
}

/// Refuses an ops body with a copy that does not land where it came from. A tail lands there because the lengths are equal.
fn check_unmoved(body: &[u8], length: usize) -> Result<(), ApplyError> {
    let mut sequences = Sequences::new(body, 1, length);
    let (mut at, mut offset) = (0, 1);
    while let Some(sequence) = sequences.next()? {
        if sequence.copied > 0 && sequence.source != at {
            return Err(ApplyError::NotInPlace { offset });
        }
        at += sequence.copied + sequence.added.length();
        offset = sequences.reader.at;
    }
    Ok(())
}

/// Writes what an unmoved ops body adds; how many bytes that were.
fn write_added(body: &[u8], bytes: &mut [u8]) -> usize {
    let mut sequences = Sequences::new(body, 1, bytes.len());
    let (mut at, mut written) = (0, 0);
    while let Ok(Some(sequence)) = sequences.next() {
        at += sequence.copied;
        let end = at + sequence.added.length();
        match sequence.added {
            Added::Bytes(added) => bytes[at..end].copy_from_slice(added),
            Added::Run(_, byte) => bytes[at..end].fill(byte),
        }
        written += end - at;
        at = end;
    }
    written
}

/// Applies several deltas in turn; every state on the way obeys the limit. Single edits are made in place.
pub fn apply_chain(base: &[u8], deltas: &[&[u8]], limit: usize) -> Result<Vec<u8>, ChainError> {
    let mut state = base.to_vec();
    let mut spare = Vec::new();
    for (index, delta) in deltas.iter().enumerate() {
        let plan = Plan::read(&state, delta, limit).map_err(|error| ChainError { index, error })?;
        match plan.kind {
            Kind::Same => {}
            Kind::Splice { start, removed, added } => {
                drop(state.splice(start..start + removed, added.iter().copied()));
            }
            _ => {
                spare.resize(plan.length, 0);
                plan.fill(&state, &mut spare).map_err(|error| ChainError { index, error })?;
                core::mem::swap(&mut state, &mut spare);
            }
        }
    }
    if deltas.is_empty() && state.len() > limit {
        let error = ApplyError::OverLimit { offset: 0, limit };
        return Err(ChainError { index: 0, error });
    }
    Ok(state)
}

enum Kind<'a> {
    Same,
    Whole { added: &'a [u8] },
    Splice { start: usize, removed: usize, added: &'a [u8] },
    Ops { body: &'a [u8], start: usize, tail: bool },
}

/// The hash that the target must have, over chunks of 2^`chunk_bits` bytes.
struct Promise {
    chunk_bits: u8,
    hash: u64,
}

/// A delta that has been found good, and the length of its target.
struct Plan<'a> {
    kind: Kind<'a>,
    length: usize,
    promise: Option<Promise>,
}

impl<'a> Plan<'a> {
    fn read(base: &[u8], delta: &'a [u8], limit: usize) -> Result<Self, ApplyError> {
        let limit = limit.min(MAX_LEN);
        let &header = delta.first().ok_or(ApplyError::Empty)?;
        if header == SAME {
            return Self::read_same(base, delta, limit);
        }
        if header == SIGNED {
            return Self::read_signed(base, delta, limit);
        }
        let kind = header & KIND_MASK;
        if header != WHOLE && kind != SPLICE && (kind != OPS || header & !KIND_MASK & !OPS_TAIL != 0) {
            return Err(ApplyError::Reserved { byte: header });
        }
        let body = checked_body(base, delta)?;
        match kind {
            SPLICE => Self::read_splice(base, body, limit),
            OPS => Self::read_ops(base, body, limit),
            _ if body.len() - 1 > limit => Err(ApplyError::OverLimit { offset: 0, limit }),
            _ => Ok(Plan { kind: Kind::Whole { added: &body[1..] }, length: body.len() - 1, promise: None }),
        }
    }

    fn read_same(base: &[u8], delta: &[u8], limit: usize) -> Result<Self, ApplyError> {
        if delta.len() > 1 {
            return Err(ApplyError::Trailing { offset: 1 });
        }
        if base.len() > limit {
            return Err(ApplyError::OverLimit { offset: 0, limit });
        }
        Ok(Plan { kind: Kind::Same, length: base.len(), promise: None })
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
        Ok(Plan { kind: Kind::Splice { start, removed, added }, length, promise: None })
    }

    fn read_ops(base: &[u8], body: &'a [u8], limit: usize) -> Result<Self, ApplyError> {
        let tail = body[0] & OPS_TAIL != 0;
        let length = ops_length(body, 1, base.len(), tail, limit)?;
        Ok(Plan { kind: Kind::Ops { body, start: 1, tail }, length, promise: None })
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

    /// Writes the target; `out` has its length. Fails where the target is not the one that was promised.
    fn fill(&self, base: &[u8], out: &mut [u8]) -> Result<(), ApplyError> {
        self.write(base, out);
        match self.promise {
            Some(Promise { chunk_bits, hash }) if tree_hash(out, chunk_bits) != hash => Err(ApplyError::BadResult),
            _ => Ok(()),
        }
    }

    fn write(&self, base: &[u8], out: &mut [u8]) {
        let mut out = Sink { out, at: 0 };
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
                while let Ok(Some(sequence)) = sequences.next() {
                    out.put(&base[sequence.source..sequence.source + sequence.copied]);
                    match sequence.added {
                        Added::Bytes(bytes) => out.put(bytes),
                        Added::Run(length, byte) => out.run(length, byte),
                    }
                }
                if tail {
                    out.put(&base[sequences.expected..]);
                }
            }
        }
        debug_assert_eq!(out.at, out.out.len());
    }
}

/// Checks the sequences from `start` on; the length of the target.
fn ops_length(body: &[u8], start: usize, base: usize, tail: bool, limit: usize) -> Result<usize, ApplyError> {
    let mut sequences = Sequences::new(body, start, base);
    let mut length = 0usize;
    let mut offset = start;
    while let Some(sequence) = sequences.next()? {
        length = length.saturating_add(sequence.copied).saturating_add(sequence.added.length());
        if length > limit {
            return Err(ApplyError::OverLimit { offset, limit });
        }
        offset = sequences.reader.at;
    }
    if tail {
        length += base - sequences.expected;
    }
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

struct Sink<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Sink<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn run(&mut self, length: usize, byte: u8) {
        self.out[self.at..self.at + length].fill(byte);
        self.at += length;
    }
}
