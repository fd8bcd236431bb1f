//! Turns a base and a delta into the target.

use crate::coded::{self, Parts};
use crate::error::{ApplyError, ChainError};
use crate::format::SIGNED;
use crate::plan::{Kind, Plan};
use crate::sequences::{Added, Sequences};

/// The target, of at most `limit` bytes; nothing is allocated before the delta and the length of its target have been found good.
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
/// written; a coded delta's in the bytes of the target that its operations make. Takes only deltas whose target has the base's
/// length and whose copies all stay in place; others, and an error of any other kind, leave `bytes` as they were.
pub fn apply_in_place(bytes: &mut [u8], delta: &[u8]) -> Result<usize, ApplyError> {
    if delta.first() == Some(&SIGNED) {
        return Err(ApplyError::NotInPlace { offset: 0 });
    }
    let plan = Plan::read(bytes, delta, bytes.len()).map_err(|error| match error {
        ApplyError::OverLimit { offset, .. } => ApplyError::NotInPlace { offset },
        other => other,
    })?;
    let length = plan.length;
    if length != bytes.len() {
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
            check_unmoved(body, length)?;
            Ok(write_added(body, bytes))
        }
        Kind::Coded { body, start } => {
            coded::read(length, body, start, length, &mut Unmoved { at: 0, out: None })?;
            let mut parts = Unmoved { at: 0, out: Some((bytes, 0)) };
            coded::read(length, body, start, length, &mut parts)?;
            Ok(parts.out.map_or(0, |(_, written)| written))
        }
    }
}

/// Refuses an ops body with a copy that does not land where it came from. A tail lands there because the lengths are equal.
fn check_unmoved(body: &[u8], length: usize) -> Result<(), ApplyError> {
    let mut sequences = Sequences::new(body, 1, length);
    let (mut at, mut offset) = (0, 1);
    while let Some(sequence) = sequences.next()? {
        if sequence.copied > 0 && (sequence.is_own || sequence.source != at) {
            return Err(ApplyError::NotInPlace { offset });
        }
        at = sequences.made;
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

/// Refuses a coded body with a copy that does not land where it came from; writes what is new, and counts it, where it may.
struct Unmoved<'a> {
    at: usize,
    out: Option<(&'a mut [u8], usize)>,
}

impl Parts for Unmoved<'_> {
    fn literal(&mut self, byte: u8) {
        if let Some((out, written)) = &mut self.out {
            out[self.at] = byte;
            *written += 1;
        }
        self.at += 1;
    }

    fn copy(&mut self, source: usize, length: usize) -> Result<(), ApplyError> {
        let is_unmoved = source == self.at;
        self.at += length;
        if is_unmoved { Ok(()) } else { Err(ApplyError::NotInPlace { offset: 0 }) }
    }

    fn repeat(&mut self, _: usize, _: usize) -> Result<(), ApplyError> {
        Err(ApplyError::NotInPlace { offset: 0 })
    }
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
